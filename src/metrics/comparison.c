#include "metrics/comparison.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compute/spectrum.h"

enum { WINDOW = 2048, HOP = 512, BINS = WINDOW / 2 + 1 };

struct comparison {
    /* SNR and SI-SDR */
    double n, sum_r, sum_d, rr, dd, rd, noise;
    /* LSD: the last WINDOW samples of both, the transform, the sum over frames */
    float history[2][WINDOW];
    size_t filled;
    double lsd_sum, lsd_frames;
    double window[WINDOW];
    struct spectrum spectrum; /* in doubles: quiet bins count as loud ones */
};

ecdc_status comparison_new(struct comparison **out, ecdc_error *err) {
    struct comparison *c = ecdc_alloc_zeros(1, sizeof *c);
    if (!c || !spectrum_init(&c->spectrum, WINDOW)) {
        comparison_free(c);
        return ecdc_fail_memory(err, "a comparison");
    }
    for (size_t i = 0; i < WINDOW; i++) /* periodic Hann */
        c->window[i] = 0.5 - 0.5 * cos(2 * 3.14159265358979323846 * (double)i / WINDOW);
    *out = c;
    return ECDC_OK;
}

void comparison_free(struct comparison *c) {
    if (!c)
        return;
    spectrum_free(&c->spectrum);
    free(c);
}

static void log_spectrum(struct comparison *c, const float *samples, double *db) {
    for (size_t i = 0; i < WINDOW; i++)
        c->spectrum.signal[i] = (double)samples[i] * c->window[i];
    spectrum_run(&c->spectrum);
    for (size_t i = 0; i < BINS; i++) {
        double magnitude = hypot(c->spectrum.bins[i].re, c->spectrum.bins[i].im);
        db[i] = 20 * log10(magnitude > 1e-10 ? magnitude : 1e-10);
    }
}

/* One frame: the root mean square over bins of the difference of the log spectra. */
static void add_frame(struct comparison *c) {
    double reference[BINS], degraded[BINS], sum = 0;
    log_spectrum(c, c->history[0], reference);
    log_spectrum(c, c->history[1], degraded);
    for (size_t i = 0; i < BINS; i++)
        sum += (reference[i] - degraded[i]) * (reference[i] - degraded[i]);
    c->lsd_sum += sqrt(sum / BINS);
    c->lsd_frames++;
}

void comparison_push(struct comparison *c, const float *reference, const float *degraded, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double r = (double)reference[i], d = (double)degraded[i];
        c->sum_r += r;
        c->sum_d += d;
        c->rr += r * r;
        c->dd += d * d;
        c->rd += r * d;
        c->noise += (r - d) * (r - d);
    }
    c->n += (double)n;
    while (n) {
        size_t part = WINDOW - c->filled < n ? WINDOW - c->filled : n;
        memcpy(c->history[0] + c->filled, reference, part * sizeof *reference);
        memcpy(c->history[1] + c->filled, degraded, part * sizeof *degraded);
        c->filled += part;
        reference += part;
        degraded += part;
        n -= part;
        if (c->filled == WINDOW) {
            add_frame(c);
            for (int s = 0; s < 2; s++)
                memmove(c->history[s], c->history[s] + HOP, (WINDOW - HOP) * sizeof(float));
            c->filled = WINDOW - HOP;
        }
    }
}

static double ratio_db(double signal, double noise) {
    if (noise <= 0)
        return INFINITY;
    return signal > 0 ? 10 * log10(signal / noise) : -INFINITY;
}

ecdc_status comparison_finish(struct comparison *c, ecdc_metrics *metrics, ecdc_error *err) {
    if (c->n == 0)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "nothing to compare: 0 samples");
    if (c->lsd_frames == 0) { /* shorter than one window: zeros behind it */
        for (int s = 0; s < 2; s++)
            memset(c->history[s] + c->filled, 0, (WINDOW - c->filled) * sizeof(float));
        add_frame(c);
    }
    /* Without means: energies and the projection of the degraded signal on the reference. */
    double rr = c->rr - c->sum_r * c->sum_r / c->n, dd = c->dd - c->sum_d * c->sum_d / c->n;
    double rd = c->rd - c->sum_r * c->sum_d / c->n;
    double target = rr > 0 ? rd * rd / rr : 0;
    metrics->snr_db = ratio_db(c->rr, c->noise);
    metrics->si_sdr_db = c->noise == 0 ? INFINITY : target > 0 ? ratio_db(target, dd - target) : -INFINITY;
    metrics->lsd_db = c->lsd_sum / c->lsd_frames;
    return ECDC_OK;
}
