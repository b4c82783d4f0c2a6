/* Slaney's mel filters as librosa.filters.mel makes them, in the sparse form that they have: triangles over a few bins. */
#ifndef ECDC_FEATURES_MEL_FILTERS_H
#define ECDC_FEATURES_MEL_FILTERS_H

#include "ecdc.h"

struct mel_filters {
    size_t n_mels, n_bins;
    size_t *first;  /* n_mels + 1: filter m has the weights first[m] ... first[m + 1] - 1 */
    size_t *bin;    /* n_mels: the bin of filter m's first weight */
    float *weights; /* float32 as librosa's: the last digit counts on the way back */
    int n_empty;
};

/* Fields that both directions use are in range, or ECDC_E_ARGUMENT. */
ecdc_status mel_settings_check(const ecdc_mel_settings *s, ecdc_error *err);

/* Checked settings. ECDC_E_MEMORY. */
ecdc_status mel_filters_init(struct mel_filters *f, const ecdc_mel_settings *s, ecdc_error *err);
void mel_filters_free(struct mel_filters *f);

/* mel[m] = sum over bins of weight * power. */
void mel_filters_apply(const struct mel_filters *f, const double *power, float *mel);

#endif
