/* The numbers are those of pystoi 0.4, down to where its ranges end. */
#include "metrics/stoi.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "compute/spectrum.h"
#include "metrics/stoi_segments.h"

enum { RATE = 10000, FRAME = 256, HOP = FRAME / 2, FFT = 512 };

static const double range_db = 40; /* of speech: frames of the reference further below its loudest one count as silence */

struct stoi {
    double window[FRAME];
    int band_begin[STOI_BANDS], band_end[STOI_BANDS]; /* bins [begin, end) */
    double history[2][FRAME]; /* the last samples of both signals */
    size_t filled;
    double loudest;           /* norm of the reference's loudest frame */
    /* Second pass: frames that are not silent are put together again, overlapping by half. */
    double joined[2][FRAME]; /* the last two finished hops */
    double tail[2][HOP];     /* the second half of the last frame, which the next one completes */
    bool begun;              /* a frame has come */
    struct spectrum spectrum;
    struct stoi_segments segments;
};

static int nearest_bin(double frequency_hz) {
    return (int)floor(frequency_hz * FFT / RATE + 0.5);
}

ecdc_status stoi_new(struct stoi **out, ecdc_error *err) {
    struct stoi *s = ecdc_alloc_zeros(1, sizeof *s);
    if (!s || !spectrum_init(&s->spectrum, FFT)) {
        stoi_free(s);
        return ecdc_fail_memory(err, "STOI");
    }
    for (int i = 0; i < FRAME; i++) /* a Hann window without its zeros */
        s->window[i] = 0.5 - 0.5 * cos(2 * 3.14159265358979323846 * (i + 1) / (FRAME + 1));
    for (int b = 0; b < STOI_BANDS; b++) { /* third octaves, the lowest around 150 Hz */
        s->band_begin[b] = nearest_bin(150 * pow(2, (2 * b - 1) / 6.0));
        s->band_end[b] = nearest_bin(150 * pow(2, (2 * b + 1) / 6.0));
    }
    *out = s;
    return ECDC_OK;
}

void stoi_free(struct stoi *s) {
    if (!s)
        return;
    spectrum_free(&s->spectrum);
    free(s);
}

/* Adds a pair of samples. True where `frame` was filled with a windowed frame of both signals: one that ends with the signal
 * does not count, so that a frame is made when the sample behind it comes. */
static bool next_frame(struct stoi *s, const double pair[2], double frame[2][FRAME]) {
    bool made = s->filled == FRAME;
    for (int signal = 0; signal < 2; signal++) {
        double *history = s->history[signal];
        if (made) {
            for (int i = 0; i < FRAME; i++)
                frame[signal][i] = s->window[i] * history[i];
            memmove(history, history + HOP, (FRAME - HOP) * sizeof *history);
        }
        history[made ? FRAME - HOP : s->filled] = pair[signal];
    }
    s->filled = made ? FRAME - HOP + 1 : s->filled + 1;
    return made;
}

static double norm(const double frame[FRAME]) {
    double sum = 0;
    for (int i = 0; i < FRAME; i++)
        sum += frame[i] * frame[i];
    return sqrt(sum);
}

static double level_db(double length) {
    return 20 * log10(length + DBL_EPSILON);
}

void stoi_scan(struct stoi *s, const double pair[2]) {
    double frame[2][FRAME];
    if (next_frame(s, pair, frame))
        s->loudest = fmax(s->loudest, norm(frame[0]));
}

void stoi_rewind(struct stoi *s) {
    s->filled = 0;
    s->begun = false;
    s->segments = (struct stoi_segments){.n_frames = 0};
}

static void band_magnitudes(struct stoi *s, const double joined[FRAME], double bands[STOI_BANDS]) {
    for (int i = 0; i < FRAME; i++) /* zeros follow */
        s->spectrum.signal[i] = s->window[i] * joined[i];
    spectrum_run(&s->spectrum);
    const AVComplexDouble *bins = s->spectrum.bins;
    for (int b = 0; b < STOI_BANDS; b++) {
        double power = 0;
        for (int i = s->band_begin[b]; i < s->band_end[b]; i++)
            power += bins[i].re * bins[i].re + bins[i].im * bins[i].im;
        bands[b] = sqrt(power);
    }
}

/* Joins a frame to those before it; with every one but the first, two hops are complete and give a spectrum. */
static void join_frame(struct stoi *s, double frame[2][FRAME]) {
    double bands[2][STOI_BANDS];
    for (int signal = 0; signal < 2; signal++) {
        double *joined = s->joined[signal], *tail = s->tail[signal];
        memmove(joined, joined + HOP, HOP * sizeof *joined);
        for (int i = 0; i < HOP; i++) {
            joined[HOP + i] = frame[signal][i] + (s->begun ? tail[i] : 0);
            tail[i] = frame[signal][HOP + i];
        }
        if (s->begun)
            band_magnitudes(s, joined, bands[signal]);
    }
    if (s->begun)
        stoi_segments_push(&s->segments, bands);
    s->begun = true;
}

void stoi_measure(struct stoi *s, const double pair[2]) {
    double frame[2][FRAME];
    if (next_frame(s, pair, frame) && level_db(s->loudest) - range_db - level_db(norm(frame[0])) < 0)
        join_frame(s, frame);
}

void stoi_result(const struct stoi *s, double *stoi, double *estoi) {
    stoi_segments_result(&s->segments, stoi, estoi);
    if (s->loudest == 0) /* silence has nothing to understand */
        *stoi = *estoi = NAN;
}
