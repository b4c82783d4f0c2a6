/* How loud each TR is, and how far each reconstruction is from it. */
#ifndef ECDC_REPORT_TR_LEVELS_H
#define ECDC_REPORT_TR_LEVELS_H

#include "base/fifo.h"

struct tr_levels {
    ecdc_tr_grid grid;
    int rate, n_tracks;
    int64_t n_samples;   /* seen */
    int64_t tr, tr_end;  /* the TR at hand, and the sample behind it */
    struct fifo rows;    /* per TR: energy of the original, of the noise of each track; doubles */
};

void tr_levels_init(struct tr_levels *l, const ecdc_tr_grid *grid, int rate_hz, int n_tracks);
void tr_levels_free(struct tr_levels *l);
/* n samples of the original and of each track. */
ecdc_status tr_levels_push(struct tr_levels *l, const float *original, float *const *tracks, size_t n, ecdc_error *err);
/* Of TR i, in dB: the root mean square, full scale is 0 (-infinity for silence) ... */
double tr_levels_rms_db(const struct tr_levels *l, int64_t i);
/* ... and the signal-to-noise ratio of a track, as ecdc_metrics has it. */
double tr_levels_snr_db(const struct tr_levels *l, int64_t i, int track);

#endif
