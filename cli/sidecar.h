/* OUT.json, the description that ecdc features leaves beside its array. */
#ifndef ECDC_CLI_SIDECAR_H
#define ECDC_CLI_SIDECAR_H

#include "cli.h"

/* What the way back needs of it. */
struct sidecar {
    bool found;
    int mode;   /* as struct options; what stands below it is set for its modes only */
    int layout; /* encodec */
    ecdc_alignment alignment;
    char tr[48]; /* as a fraction */
    int n_codebooks; /* encodec */
    bool partial;
    int64_t samples;
    char model[128], sha256[65]; /* encodec */
    ecdc_mel_settings mel;       /* mel; and the power of its 0 dB */
    double mel_ref;
};

/* Reads the description that belongs to the array at `path`; found is false where there is none. ECDC_E_FORMAT names the
 * member that is missing or wrong. */
ecdc_status sidecar_read(const char *path, struct sidecar *s, ecdc_error *err);

#endif
