/* The default model, part of the library's read-only data. */
#ifndef ECDC_MODEL_EMBEDDED_H
#define ECDC_MODEL_EMBEDDED_H

#include <stddef.h>

/* Files and .ecdc headers carry this name; it changes with the weights. */
#define EMBEDDED_NAME "ecdc-mini-24khz"

struct embedded_model {
    const char *config; /* config.json, not terminated */
    size_t n_config;
    const void *weights; /* model.safetensors, on a 64-byte boundary */
    size_t n_weights;
    const char *sha256; /* of the weights, 64 hexadecimal digits */
};

struct embedded_model embedded_model(void);

#endif
