/* Models with generated weights: the published architectures at full size, for measuring and testing where the
 * published weights are not at hand. The bytes are the same on every machine: integers make them, and float operations
 * that IEEE 754 defines to the last bit. */
#ifndef ECDC_MODEL_RANDOM_H
#define ECDC_MODEL_RANDOM_H

#include <stdbool.h>

#include "model/config.h"

/* "random:encodec_24khz" or "random:encodec_48khz"; NULL behind the last: for messages. */
extern const char *const RANDOM_MODEL_NAMES[];

/* Whether the name asks for a generated model, known or not: it begins with "random:". */
bool random_model_is_name(const char *name);

/* The config of a generated model, which is that of the published one of its name. ECDC_E_MODEL (no such model). */
ecdc_status random_model_config(const char *name, struct config *config, ecdc_error *err);
/* The config and the safetensors image (free() it) of a generated model.
 * ECDC_E_MODEL (no such model; the message lists them), ECDC_E_MEMORY. */
ecdc_status random_model_make(const char *name, struct config *config, void **image, size_t *n_bytes,
                              ecdc_error *err);

#endif
