#include "metrics/stoi_segments.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Neither measure minds the order of the frames in a segment, so that a segment is read from the ring as it lies. */

static double norm(const double *x, int n, int stride) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i * stride] * x[i * stride];
    return sqrt(sum);
}

static void remove_mean(double *x, int n, int stride) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i * stride];
    for (int i = 0; i < n; i++)
        x[i * stride] -= sum / n;
}

/* Correlation over time in one band; the degraded envelope is brought to the reference's level and clipped so that its
 * signal-to-distortion ratio is at least -15 dB (Taal et al. 2011, equations 3 to 5). */
static double band_correlation(const double *reference, const double *degraded) {
    const double clip = 1 + pow(10, 15.0 / 20);
    double x[STOI_FRAMES], y[STOI_FRAMES], sum = 0;
    double gain = norm(reference, STOI_FRAMES, 1) / (norm(degraded, STOI_FRAMES, 1) + DBL_EPSILON);
    for (int i = 0; i < STOI_FRAMES; i++) {
        x[i] = reference[i];
        y[i] = fmin(degraded[i] * gain, clip * reference[i]);
    }
    remove_mean(x, STOI_FRAMES, 1);
    remove_mean(y, STOI_FRAMES, 1);
    double x_norm = norm(x, STOI_FRAMES, 1) + DBL_EPSILON, y_norm = norm(y, STOI_FRAMES, 1) + DBL_EPSILON;
    for (int i = 0; i < STOI_FRAMES; i++)
        sum += (x[i] / x_norm) * (y[i] / y_norm);
    return sum;
}

/* Mean 0 and norm 1; what does not vary becomes 0. (pystoi adds noise of 1e-16 first: such rows correlate at random there.) */
static void normalize(double *x, int n, int stride) {
    remove_mean(x, n, stride);
    double length = norm(x, n, stride);
    for (int i = 0; i < n; i++)
        x[i * stride] = length > 0 ? x[i * stride] / length : 0;
}

/* Correlation of spectra, mean over the frames, after bands were normalised over time (Jensen and Taal 2016). */
static double spectral_correlation(double frames[2][STOI_BANDS][STOI_FRAMES]) {
    double segment[2][STOI_BANDS][STOI_FRAMES], sum = 0;
    memcpy(segment, frames, sizeof segment);
    for (int s = 0; s < 2; s++) {
        for (int b = 0; b < STOI_BANDS; b++)
            normalize(segment[s][b], STOI_FRAMES, 1);
        for (int i = 0; i < STOI_FRAMES; i++)
            normalize(&segment[s][0][i], STOI_BANDS, STOI_FRAMES);
    }
    for (int b = 0; b < STOI_BANDS; b++)
        for (int i = 0; i < STOI_FRAMES; i++)
            sum += segment[0][b][i] * segment[1][b][i];
    return sum / STOI_FRAMES;
}

void stoi_segments_push(struct stoi_segments *s, double bands[2][STOI_BANDS]) {
    for (int signal = 0; signal < 2; signal++)
        for (int b = 0; b < STOI_BANDS; b++)
            s->frames[signal][b][s->n_frames % STOI_FRAMES] = bands[signal][b];
    if (++s->n_frames < STOI_FRAMES)
        return;
    double sum = 0;
    for (int b = 0; b < STOI_BANDS; b++)
        sum += band_correlation(s->frames[0][b], s->frames[1][b]);
    s->stoi_sum += sum / STOI_BANDS;
    s->estoi_sum += spectral_correlation(s->frames);
}

void stoi_segments_result(const struct stoi_segments *s, double *stoi, double *estoi) {
    double n = (double)(s->n_frames - STOI_FRAMES + 1);
    *stoi = n > 0 ? s->stoi_sum / n : NAN;
    *estoi = n > 0 ? s->estoi_sum / n : NAN;
}
