/* The numbers are those of pystoi 0.4, down to where its ranges end. */
#include "metrics/stoi.h"

#include <float.h>
#include <libavutil/mem.h>
#include <libavutil/tx.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "metrics/stoi_segments.h"

enum { RATE = 10000, FRAME = 256, HOP = FRAME / 2, FFT = 512, BINS = FFT / 2 + 1 };

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
    double *in;              /* from av_malloc: the transform wants aligned arrays */
    AVComplexDouble *out;
    AVTXContext *tx;
    av_tx_fn transform;
    struct stoi_segments segments;
};

static int nearest_bin(double frequency_hz) {
    return (int)floor(frequency_hz * FFT / RATE + 0.5);
}

ecdc_status stoi_new(struct stoi **out, ecdc_error *err) {
    struct stoi *s = ecdc_alloc_zeros(1, sizeof *s);
    double scale = 1;
    if (s) {
        s->in = av_malloc(FFT * sizeof *s->in);
        s->out = av_malloc(BINS * sizeof *s->out);
    }
    if (!s || !s->in || !s->out || av_tx_init(&s->tx, &s->transform, AV_TX_DOUBLE_RDFT, 0, FFT, &scale, 0) < 0) {
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
    av_tx_uninit(&s->tx);
    av_free(s->in);
    av_free(s->out);
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
    memset(s->in, 0, FFT * sizeof *s->in);
    for (int i = 0; i < FRAME; i++)
        s->in[i] = s->window[i] * joined[i];
    s->transform(s->tx, s->out, s->in, sizeof *s->in); /* no band reaches bin 0 or the last one */
    for (int b = 0; b < STOI_BANDS; b++) {
        double power = 0;
        for (int i = s->band_begin[b]; i < s->band_end[b]; i++)
            power += s->out[i].re * s->out[i].re + s->out[i].im * s->out[i].im;
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
