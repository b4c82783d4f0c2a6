#include "compute/spectrum.h"

#include <libavutil/mem.h>
#include <string.h>

bool spectrum_init(struct spectrum *s, int n) {
    double scale = 1;
    memset(s, 0, sizeof *s);
    s->n = n;
    s->signal = av_calloc((size_t)n, sizeof *s->signal);
    s->bins = av_calloc((size_t)n / 2 + 1, sizeof *s->bins);
    return s->signal && s->bins && av_tx_init(&s->tx, &s->transform, AV_TX_DOUBLE_RDFT, 0, n, &scale, 0) >= 0;
}

void spectrum_free(struct spectrum *s) {
    av_tx_uninit(&s->tx);
    av_free(s->signal);
    av_free(s->bins);
}

void spectrum_run(struct spectrum *s) {
    s->transform(s->tx, s->bins, s->signal, sizeof *s->signal);
    s->bins[0].im = s->bins[s->n / 2].im = 0; /* libavutil 57 leaves the last one as it was */
}

bool spectrum_pair_init(struct spectrum_pair *s, int n) {
    float scale = 1, inverse_scale = 1 / (float)n;
    memset(s, 0, sizeof *s);
    s->n = n;
    s->signal = av_calloc((size_t)n, sizeof *s->signal);
    s->bins = av_calloc((size_t)n / 2 + 1, sizeof *s->bins);
    return s->signal && s->bins && av_tx_init(&s->forward_tx, &s->forward, AV_TX_FLOAT_RDFT, 0, n, &scale, 0) >= 0 &&
           av_tx_init(&s->inverse_tx, &s->inverse, AV_TX_FLOAT_RDFT, 1, n, &inverse_scale, 0) >= 0;
}

void spectrum_pair_free(struct spectrum_pair *s) {
    av_tx_uninit(&s->forward_tx);
    av_tx_uninit(&s->inverse_tx);
    av_free(s->signal);
    av_free(s->bins);
}

void spectrum_pair_forward(struct spectrum_pair *s) {
    s->forward(s->forward_tx, s->bins, s->signal, sizeof *s->signal);
    s->bins[0].im = s->bins[s->n / 2].im = 0; /* as above */
}

void spectrum_pair_inverse(struct spectrum_pair *s) {
    s->bins[0].im = s->bins[s->n / 2].im = 0; /* a real signal has no such part */
    s->inverse(s->inverse_tx, s->signal, s->bins, sizeof *s->bins);
}
