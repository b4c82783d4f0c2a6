/* OUT.json, the description that ecdc features leaves beside its array. */
#ifndef ECDC_CLI_SIDECAR_H
#define ECDC_CLI_SIDECAR_H

#include "cli.h"

/* What the way back needs of it. */
struct sidecar {
    bool found;
    int layout; /* as struct options */
    ecdc_alignment alignment;
    char tr[48]; /* as a fraction */
    int n_codebooks;
    bool partial;
    int64_t samples;
    char model[128], sha256[65];
};

/* Reads the description that belongs to the array at `path`; found is false where there is none. ECDC_E_FORMAT names the
 * member that is missing or wrong. */
ecdc_status sidecar_read(const char *path, struct sidecar *s, ecdc_error *err);

#endif
