/* What ecdc_write_features was asked for, as the modes see it. */
#ifndef ECDC_FEATURES_FILE_JOB_H
#define ECDC_FEATURES_FILE_JOB_H

#include <cjson/cJSON.h>

#include "media/sound_in.h"

struct features_job {
    struct sound_in in;
    const char *output;
    const ecdc_model *model; /* NULL: mel */
    ecdc_features_settings s;
    const cJSON *key;        /* goes into the description as its member "key"; NULL: none */
};

ecdc_status features_codes(const struct features_job *job, ecdc_features_result *result, ecdc_error *err); /* and latents */
ecdc_status features_mel(const struct features_job *job, ecdc_features_result *result, ecdc_error *err);

/* ECDC_E_ARGUMENT where settings exclude each other. */
ecdc_status features_check(const ecdc_features_settings *settings, ecdc_error *err);

/* ecdc_write_features with a key. */
ecdc_status features_write(const ecdc_model *model, const char *input, const char *output, const ecdc_features_settings *settings,
                           const cJSON *key, ecdc_features_result *result, ecdc_error *err);

#endif
