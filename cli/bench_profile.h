/* What ecdc bench --profile prints. */
#ifndef ECDC_CLI_BENCH_PROFILE_H
#define ECDC_CLI_BENCH_PROFILE_H

#include <cjson/cJSON.h>

#include "codec/profile.h"
#include "model/architecture.h"

/* An encoder or decoder that was measured. */
struct network_profile {
    const char *name;            /* "encoder" or "decoder" */
    struct architecture layers;
    double rate_hz;              /* of the rows that come into the first layer */
    int n_codebooks;
    double quantizer_macs;       /* multiply-adds per second of sound */
    struct profile profile;
    double sound_s, wall_s;      /* measured in all */
};

/* Room for a profile of all layers, at zero. ECDC_E_MEMORY. */
ecdc_status network_profile_init(struct network_profile *p, ecdc_error *err);
void network_profile_free(struct network_profile *p);

/* As a table on standard output, or as an array that is added to a JSON object. @param peak  GFLOP/s of all threads used */
void network_profile_print(const struct network_profile *p, double peak);
void network_profile_to_json(const struct network_profile *p, double peak, cJSON *object);

#endif
