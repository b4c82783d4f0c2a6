#include "features/griffin_lim.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compute/spectrum.h"

/* Places are counted in the padded signal, in which frame t is [t * hop, t * hop + n_fft) and the sound begins at n_fft / 2. */
struct stage {
    struct fifo waiting;  /* frames that have come and are not passed on yet: [previous re, im ...][magnitudes] */
    float *sum, *weight;  /* n_fft each: what overlaps so far from place `done` on, windowed twice; the windows' squares */
    float *sound;         /* the last n_fft + hop finished samples, up to `done` */
    int64_t done;         /* places before it are finished */
    int64_t next;         /* frame to pass on next */
};

struct griffin_lim {
    size_t n_fft, hop, n_bins;
    float *window, *square;
    float damping; /* momentum / (1 + momentum) */
    uint64_t seed;
    struct spectrum_pair spectrum;
    struct stage *stages; /* one per iteration, and the last, which only makes sound */
    size_t n_stages;
    int64_t frames;       /* pushed */
    int64_t delivered;    /* places before it are with the caller, or before the sound */
    int64_t end;          /* place where the sound ends; INT64_MAX while that is not known */
    /* The frame on its way. */
    AVComplexFloat *bins, *rebuilt;
    float *magnitudes;
    struct fifo *samples; /* of the caller, while it waits */
};

ecdc_status griffin_lim_new(const ecdc_mel_settings *settings, struct griffin_lim **out, ecdc_error *err) {
    struct griffin_lim *g = ecdc_alloc_zeros(1, sizeof *g);
    if (!g)
        return ecdc_fail_memory(err, "Griffin-Lim");
    g->n_fft = (size_t)settings->n_fft;
    g->hop = (size_t)settings->hop;
    g->n_bins = g->n_fft / 2 + 1;
    g->damping = (float)(settings->momentum / (1 + settings->momentum));
    g->seed = settings->seed;
    g->delivered = settings->n_fft / 2;
    g->end = INT64_MAX;
    g->window = ecdc_alloc_floats(g->n_fft);
    g->square = ecdc_alloc_floats(g->n_fft);
    g->magnitudes = ecdc_alloc_floats(g->n_bins);
    g->bins = ecdc_alloc_array(g->n_bins, sizeof *g->bins);
    g->rebuilt = ecdc_alloc_array(g->n_bins, sizeof *g->rebuilt);
    g->stages = ecdc_alloc_zeros((size_t)settings->iterations + 1, sizeof *g->stages);
    g->n_stages = g->stages ? (size_t)settings->iterations + 1 : 0;
    bool made = spectrum_pair_init(&g->spectrum, settings->n_fft) && g->window && g->square && g->magnitudes && g->bins &&
                g->rebuilt && g->stages;
    for (size_t i = 0; made && i < g->n_stages; i++) {
        struct stage *s = &g->stages[i];
        s->waiting.item_size = 3 * g->n_bins * sizeof(float);
        s->sum = ecdc_alloc_zeros(g->n_fft, sizeof *s->sum);
        s->weight = ecdc_alloc_zeros(g->n_fft, sizeof *s->weight);
        s->sound = ecdc_alloc_zeros(g->n_fft + g->hop, sizeof *s->sound);
        made = s->sum && s->weight && s->sound;
    }
    if (!made) {
        griffin_lim_free(g);
        return ecdc_fail_memory(err, "Griffin-Lim");
    }
    for (size_t i = 0; i < g->n_fft; i++) { /* periodic Hann */
        double w = 0.5 - 0.5 * cos(2 * 3.14159265358979323846 * (double)i / (double)g->n_fft);
        g->window[i] = (float)w;
        g->square[i] = (float)(w * w);
    }
    *out = g;
    return ECDC_OK;
}

void griffin_lim_free(struct griffin_lim *g) {
    if (!g)
        return;
    for (size_t i = 0; i < g->n_stages; i++) {
        fifo_free(&g->stages[i].waiting);
        free(g->stages[i].sum);
        free(g->stages[i].weight);
        free(g->stages[i].sound);
    }
    free(g->stages);
    free(g->window);
    free(g->square);
    free(g->magnitudes);
    free(g->bins);
    free(g->rebuilt);
    spectrum_pair_free(&g->spectrum);
    free(g);
}

/* Whether it could: out of memory if not. */
static bool keep(struct griffin_lim *g, struct stage *s) {
    float *item = fifo_reserve(&s->waiting, 1);
    if (!item)
        return false;
    memcpy(item, g->rebuilt, g->n_bins * sizeof *g->rebuilt);
    memcpy(item + 2 * g->n_bins, g->magnitudes, g->n_bins * sizeof *item);
    fifo_commit(&s->waiting, 1);
    return true;
}

/* Adds the frame on its way to what overlaps; it begins at place `done`. */
static void overlap_add(struct griffin_lim *g, struct stage *s) {
    memcpy(g->spectrum.bins, g->bins, g->n_bins * sizeof *g->bins);
    spectrum_pair_inverse(&g->spectrum);
    for (size_t i = 0; i < g->n_fft; i++) {
        s->sum[i] += g->window[i] * g->spectrum.signal[i];
        s->weight[i] += g->square[i];
    }
}

static void shift(float *values, size_t n, size_t by) {
    memmove(values, values + by, (n - by) * sizeof *values);
    memset(values + n - by, 0, by * sizeof *values);
}

/* The next n places (n <= hop) are finished. */
static void release(struct griffin_lim *g, struct stage *s, size_t n) {
    size_t kept = g->n_fft + g->hop;
    float *sound = s->sound + kept - n;
    shift(s->sound, kept, n);
    for (size_t i = 0; i < n; i++) {
        int64_t place = s->done + (int64_t)i;
        if (place >= (int64_t)g->n_fft / 2 && place < g->end)
            sound[i] = s->weight[i] > FLT_MIN ? s->sum[i] / s->weight[i] : s->sum[i];
    }
    shift(s->sum, g->n_fft, n);
    shift(s->weight, g->n_fft, n);
    s->done += (int64_t)n;
}

/* Whether the next frame's places are finished; then it is on its way, with the phases of the sound and the magnitudes that
 * are wanted. */
static bool take(struct griffin_lim *g, struct stage *s) {
    int64_t first = s->next * (int64_t)g->hop;
    if (s->waiting.n == 0 || first + (int64_t)g->n_fft > s->done)
        return false;
    const float *sound = s->sound + (first - (s->done - (int64_t)(g->n_fft + g->hop)));
    for (size_t i = 0; i < g->n_fft; i++)
        g->spectrum.signal[i] = g->window[i] * sound[i];
    spectrum_pair_forward(&g->spectrum);
    memcpy(g->rebuilt, g->spectrum.bins, g->n_bins * sizeof *g->rebuilt);
    const float *item = fifo_items(&s->waiting), *previous = item, *magnitudes = item + 2 * g->n_bins;
    for (size_t k = 0; k < g->n_bins; k++) {
        float re = g->rebuilt[k].re - g->damping * previous[2 * k], im = g->rebuilt[k].im - g->damping * previous[2 * k + 1];
        float length = sqrtf(re * re + im * im) + FLT_MIN;
        g->bins[k].re = re / length * magnitudes[k]; /* in this order: nothing stays nothing */
        g->bins[k].im = im / length * magnitudes[k];
    }
    memcpy(g->magnitudes, magnitudes, g->n_bins * sizeof *magnitudes);
    fifo_drop(&s->waiting, 1);
    s->next++;
    return true;
}

/* The finished places of the last stage are the sound, until the end is known no further than the last frame's place, where it may be:
 * hops of more than n_fft / 2 finish more. */
static bool deliver(struct griffin_lim *g, const struct stage *s) {
    int64_t last = (g->frames - 1) * (int64_t)g->hop + (int64_t)g->n_fft / 2, end = g->end < INT64_MAX ? g->end : last;
    end = s->done < end ? s->done : end;
    if (g->delivered >= end)
        return true;
    size_t n = (size_t)(end - g->delivered);
    float *tail = fifo_reserve(g->samples, n);
    if (!tail)
        return false;
    memcpy(tail, s->sound + (g->n_fft + g->hop) - (s->done - g->delivered), n * sizeof *tail);
    fifo_commit(g->samples, n);
    g->delivered = end;
    return true;
}

/* The frame on its way goes through the stages from number `i` on, as far as it gets. */
static bool travel(struct griffin_lim *g, size_t i) {
    for (bool moving = true; moving; i++) {
        struct stage *s = &g->stages[i];
        bool last = i + 1 == g->n_stages;
        if (!last && !keep(g, s))
            return false;
        overlap_add(g, s);
        release(g, s, g->hop);
        if (last)
            return deliver(g, s);
        moving = take(g, s);
    }
    return true;
}

/* splitmix64 */
static double next_random(struct griffin_lim *g) {
    uint64_t z = g->seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

bool griffin_lim_push(struct griffin_lim *g, const float *magnitudes, struct fifo *samples) {
    g->samples = samples;
    g->frames++;
    for (size_t k = 0; k < g->n_bins; k++) {
        double phase = 2 * 3.14159265358979323846 * next_random(g);
        g->bins[k].re = magnitudes[k] * (float)cos(phase);
        g->bins[k].im = magnitudes[k] * (float)sin(phase);
        g->magnitudes[k] = magnitudes[k];
    }
    memset(g->rebuilt, 0, g->n_bins * sizeof *g->rebuilt); /* nothing was rebuilt before the first iteration */
    return travel(g, 0);
}

bool griffin_lim_finish(struct griffin_lim *g, int64_t n_samples, struct fifo *samples) {
    g->samples = samples;
    g->end = (int64_t)g->n_fft / 2 + n_samples;
    int64_t places = (g->frames - 1) * (int64_t)g->hop + (int64_t)g->n_fft;
    for (size_t i = 0; g->frames > 0 && i < g->n_stages; i++)
        for (struct stage *s = &g->stages[i]; s->done < places;) {
            size_t n = places - s->done < (int64_t)g->hop ? (size_t)(places - s->done) : g->hop;
            release(g, s, n);
            if (i + 1 == g->n_stages ? !deliver(g, s) : take(g, s) && !travel(g, i + 1))
                return false;
        }
    return g->frames == 0 || deliver(g, &g->stages[g->n_stages - 1]);
}
