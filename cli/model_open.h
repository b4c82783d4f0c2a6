/* Models that a command computes with. */
#ifndef ECDC_CLI_MODEL_OPEN_H
#define ECDC_CLI_MODEL_OPEN_H

#include "cli.h"

/* What one call of model_fetch did. */
struct fetched {
    bool downloaded;
    uint64_t n_bytes; /* 0: all was here */
    double seconds;
};

/* Brings a model from the hub into the cache; says what, how large, where to and under which licence before it begins. */
ecdc_status model_fetch(const struct options *o, const char *name, struct fetched *fetched, ecdc_error *err);

/* ecdc_model_open; a model of the hub that the cache does not hold is downloaded first. */
ecdc_status model_open(const struct options *o, const char *name, ecdc_model **model, ecdc_error *err);

#endif
