/* Fourier transforms of real signals: libavutil's av_tx with the aligned arrays that it wants. */
#ifndef ECDC_COMPUTE_SPECTRUM_H
#define ECDC_COMPUTE_SPECTRUM_H

#include <libavutil/tx.h>
#include <stdbool.h>

/* In doubles: n samples -> n / 2 + 1 bins, not scaled. */
struct spectrum {
    int n;
    double *signal;
    AVComplexDouble *bins;
    AVTXContext *tx;
    av_tx_fn transform;
};

/* n is even. False: out of memory; free it all the same. */
bool spectrum_init(struct spectrum *s, int n);
void spectrum_free(struct spectrum *s);
/* signal -> bins; signal stays. */
void spectrum_run(struct spectrum *s);

/* In floats, both ways. */
struct spectrum_pair {
    int n;
    float *signal;
    AVComplexFloat *bins;
    AVTXContext *forward_tx, *inverse_tx;
    av_tx_fn forward, inverse;
};

bool spectrum_pair_init(struct spectrum_pair *s, int n);
void spectrum_pair_free(struct spectrum_pair *s);
/* signal -> bins; signal stays. */
void spectrum_pair_forward(struct spectrum_pair *s);
/* bins -> signal, scaled so that it undoes the other way; bins are overwritten. */
void spectrum_pair_inverse(struct spectrum_pair *s);

#endif
