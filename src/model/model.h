/* What an ecdc_model holds. */
#ifndef ECDC_MODEL_MODEL_H
#define ECDC_MODEL_MODEL_H

#include <pthread.h>

#include "model/checkpoint.h"

struct network; /* packed weights, model/network.h */

struct ecdc_model {
    char *name;     /* for files: "ecdc-mini-24khz-interim", "encodec_24khz", the directory's name ... */
    char *origin;   /* path of the weight file, "embedded" or "generated" */
    bool published; /* opened as facebook/encodec_*: the name means these weights to every EnCodec implementation */
    struct config config;
    struct checkpoint *checkpoint;
    uint64_t n_parameters;
    const void *bytes; /* the safetensors image: mapped, embedded or generated */
    size_t n_bytes;
    enum { MODEL_BYTES_STATIC, MODEL_BYTES_MAPPED, MODEL_BYTES_HEAP } bytes_kind;

    pthread_mutex_t lock;      /* guards what is made when first needed: */
    char sha256[65];           /* empty until asked for */
    struct network *networks;  /* list of packed parts, by part and kernels */
};

/* Whether ecdc_model_open looks for this name in the cache of the hub: nothing else has it. */
bool model_is_hub_name(const char *name);

#endif
