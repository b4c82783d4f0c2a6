/* An open NIfTI file, for those who read its numbers as they are. */
#ifndef ECDC_FMRI_NIFTI_H
#define ECDC_FMRI_NIFTI_H

#include "fmri/nifti_header.h"

struct ecdc_nifti {
    struct scan_stream stream;
    struct nifti_header header;
    int64_t n_read;     /* volumes */
    unsigned char *raw; /* one volume as the file has it, but in this machine's byte order */
};

/* The next volume into nifti->raw; there must be one. */
ecdc_status nifti_read_raw(ecdc_nifti *nifti, ecdc_error *err);

/* n raw numbers, scaled. */
void nifti_to_double(const ecdc_nifti *nifti, const unsigned char *raw, double *numbers, size_t n);

/* raw number places[i] of the volume becomes packed number i. */
void nifti_gather(const ecdc_nifti *nifti, const size_t *places, unsigned char *packed, size_t n);

/* For scans: ECDC_E_FORMAT for a single volume. */
ecdc_status nifti_require_series(const ecdc_nifti *nifti, ecdc_error *err);

#endif
