/* What an ecdc_model holds. */
#ifndef ECDC_MODEL_MODEL_H
#define ECDC_MODEL_MODEL_H

#include <pthread.h>

#include "model/checkpoint.h"

struct network; /* packed weights, model/network.h */

struct ecdc_model {
    char *name;     /* for files: "ecdc-mini-24khz", "encodec_24khz", the directory's name ... */
    char *origin;   /* path of the weight file, "embedded" or "generated" */
    bool published; /* opened as facebook/encodec_*, or a published .th: every EnCodec implementation knows the name */
    struct config config;
    struct checkpoint *checkpoint;
    uint64_t n_parameters;
    struct weight_file *file; /* of the weights, or NULL and: */
    const void *bytes;        /* embedded or generated ones */
    size_t n_bytes;
    void *owned;              /* the generated ones, to free() */

    pthread_mutex_t lock;      /* guards what is made when first needed: */
    char sha256[65];           /* empty until asked for */
    struct network *networks;  /* list of packed parts, by part and kernels */
};

/* ecdc_model_sha256 with the reason where there is none: ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status model_sha256(const ecdc_model *model, const char **hex, ecdc_error *err);
/* "encodec_24khz" or "encodec_48khz" where a .th of this digest is the published file, else NULL. */
const char *model_published_name(const char *sha256);
/* Whether ecdc_model_open looks for this name in the cache of the hub: nothing else has it. */
bool model_is_hub_name(const char *name);

#endif
