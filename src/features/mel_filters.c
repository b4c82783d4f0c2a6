#include "features/mel_filters.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

ecdc_mel_settings ecdc_default_mel_settings(void) {
    return (ecdc_mel_settings){.sampling_rate_hz = 22050, .n_fft = 4096, .hop = 512, .n_mels = 2048, .iterations = 32,
                               .momentum = 0.99};
}

int64_t ecdc_mel_frames(const ecdc_mel_settings *settings, int64_t n_samples) {
    return n_samples > 0 ? 1 + n_samples / settings->hop : 0;
}

static bool inside(int value, int min, int max) {
    return value >= min && value <= max;
}

ecdc_status mel_settings_check(const ecdc_mel_settings *s, ecdc_error *err) {
    if (!inside(s->sampling_rate_hz, 1000, 384000))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "sampling_rate_hz is %d, allowed are 1000 to 384000", s->sampling_rate_hz);
    if (!inside(s->n_fft, 64, 65536) || (s->n_fft & (s->n_fft - 1)))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "n_fft is %d, allowed are powers of two from 64 to 65536", s->n_fft);
    if (!inside(s->hop, s->n_fft / 64, s->n_fft))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "hop is %d, allowed are %d to %d (n_fft / 64 to n_fft)", s->hop,
                         s->n_fft / 64, s->n_fft);
    if (!inside(s->n_mels, 1, 65536))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "n_mels is %d, allowed are 1 to 65536", s->n_mels);
    if (!inside(s->iterations, 0, 1000))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "iterations is %d, allowed are 0 to 1000", s->iterations);
    if (!(s->momentum >= 0 && s->momentum <= 1))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "momentum is %g, allowed are 0 to 1", s->momentum);
    return ECDC_OK;
}

/* Slaney's Auditory Toolbox: linear below 1 kHz, logarithmic above. */
static const double hz_per_mel = 200.0 / 3, corner_hz = 1000, mels_per_step = 27; /* a step is a factor of 6.4 */

static double hz_to_mel(double hz) {
    return hz < corner_hz ? hz / hz_per_mel
                          : corner_hz / hz_per_mel + log(hz / corner_hz) / (log(6.4) / mels_per_step);
}

static double mel_to_hz(double mel) {
    double corner = corner_hz / hz_per_mel;
    return mel < corner ? hz_per_mel * mel : corner_hz * exp(log(6.4) / mels_per_step * (mel - corner));
}

/* The weight of filter m, which rises from edge m to edge m + 1 and falls to edge m + 2, at a frequency. */
static float weight_at(const double *edges, size_t m, double hz) {
    double lower = (hz - edges[m]) / (edges[m + 1] - edges[m]), upper = (edges[m + 2] - hz) / (edges[m + 2] - edges[m + 1]);
    float triangle = (float)fmax(0, fmin(lower, upper));
    return (float)((double)triangle * (2.0 / (edges[m + 2] - edges[m]))); /* of equal energy per band */
}

static void place_filters(struct mel_filters *f, const double *edges, double bin_hz) {
    size_t n = 0;
    for (size_t m = 0; m < f->n_mels; m++) {
        size_t k = edges[m] > bin_hz ? (size_t)(edges[m] / bin_hz) - 1 : 0;
        while (k < f->n_bins && weight_at(edges, m, (double)k * bin_hz) <= 0 && (double)k * bin_hz < edges[m + 2])
            k++;
        f->first[m] = n;
        f->bin[m] = k;
        for (float w; k < f->n_bins && (w = weight_at(edges, m, (double)k * bin_hz)) > 0; k++)
            f->weights[n++] = w;
        f->n_empty += f->first[m] == n;
    }
    f->first[f->n_mels] = n;
}

ecdc_status mel_filters_init(struct mel_filters *f, const ecdc_mel_settings *s, ecdc_error *err) {
    memset(f, 0, sizeof *f);
    f->n_mels = (size_t)s->n_mels;
    f->n_bins = (size_t)s->n_fft / 2 + 1;
    size_t n_edges = f->n_mels + 2;
    double *edges = ecdc_alloc_array(n_edges, sizeof *edges);
    f->first = ecdc_alloc_array(f->n_mels + 1, sizeof *f->first);
    f->bin = ecdc_alloc_array(f->n_mels, sizeof *f->bin);
    f->weights = ecdc_alloc_array(2 * f->n_bins, sizeof *f->weights); /* a bin lies in two filters at most */
    bool made = edges && f->first && f->bin && f->weights;
    if (made) {
        double top = hz_to_mel(s->sampling_rate_hz / 2.0), step = top / (double)(n_edges - 1);
        for (size_t i = 0; i < n_edges; i++)
            edges[i] = mel_to_hz(i == n_edges - 1 ? top : (double)i * step);
        place_filters(f, edges, 1.0 / (s->n_fft * (1.0 / s->sampling_rate_hz)));
    }
    free(edges);
    return made ? ECDC_OK : ecdc_fail_memory(err, "mel filters");
}

void mel_filters_free(struct mel_filters *f) {
    free(f->first);
    free(f->bin);
    free(f->weights);
}

void mel_filters_apply(const struct mel_filters *f, const double *power, float *mel) {
    for (size_t m = 0; m < f->n_mels; m++) {
        double sum = 0;
        for (size_t i = f->first[m], k = f->bin[m]; i < f->first[m + 1]; i++, k++)
            sum += (double)f->weights[i] * power[k];
        mel[m] = (float)sum;
    }
}
