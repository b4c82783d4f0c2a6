#include "media/timeline.h"

#include <math.h>
#include <string.h>

#include "base/status.h"

/* A block's time is only acted on where it is off by more than a tolerance, for timestamps are rounded (Matroska and
 * FLV to milliseconds) and some writers stamp the arrival of packets. Acting on such noise would put clicks into sound
 * that has no fault. 10 ms is less than the shortest usual packet (20 ms; a lost one is seen), less than one frame of
 * codes (13 ms; the grid stays right), and more than the noise. Coarse clocks get 1.5 of their ticks. Differences are
 * not accumulated: what is below the tolerance now is measured again with the next block.
 * Codecs whose times are known to be off now and then (facts.jitter) get no less than that.
 * The first block has nothing to be continuous with; its tolerance is that of rounding alone. */
static const double tolerance_s = 0.010, tolerance_ticks = 1.5;

/* A broadcast's clock that goes back by more than this was set anew: the sound after it is new, not an overlap. */
static const int reset_s = 1;

/* All silence that a file may ask for: a damaged or hostile timestamp must not become years of zeros. */
static const int silence_max_s = 24 * 3600;

enum { SILENCE_PIECE = 4096 };
static const float zeros[SILENCE_PIECE];

static ecdc_status add_silence(struct timeline *t, int64_t n, ecdc_error *err) {
    int64_t most = (int64_t)silence_max_s * t->facts.rate_hz;
    if (n > most || t->gap_samples > most - n)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: its timestamps leave a gap of %.0f s at %.3f s, more than a day",
                         t->facts.name, (double)n / t->facts.rate_hz, (double)t->position / t->facts.rate_hz);
    t->silence = n;
    return ECDC_OK;
}

/* Drops up to n samples from the start of the block; returns how many. */
static int64_t cut_block(struct timeline *t, int64_t n) {
    size_t cut = (uint64_t)n < t->block.n ? (size_t)n : t->block.n;
    t->block.samples += cut * (size_t)t->facts.out_channels;
    t->block.n -= cut;
    return (int64_t)cut;
}

static double tolerance(const struct timeline *t, double least, int64_t jitter) {
    return fmax(least, tolerance_ticks * t->facts.tick + (double)jitter);
}

/* Nothing was given out yet: a late start is silence, what lies before 0 is dropped. Neither counts as a fault. */
static ecdc_status place_first(struct timeline *t, ecdc_error *err) {
    int64_t at = t->block.at;
    if (!t->started)
        t->first_at = at;
    t->started = true;
    if (fabs((double)at) <= tolerance(t, 1, 0))
        return ECDC_OK;
    if (at > 0)
        return add_silence(t, at, err);
    cut_block(t, -at);
    return ECDC_OK;
}

static ecdc_status place_next(struct timeline *t, ecdc_error *err) {
    int64_t late = t->block.at + t->clock_shift - t->position;
    if (t->facts.clock_may_reset && late < -(int64_t)reset_s * t->facts.rate_hz) {
        t->clock_shift -= late;
        late = 0;
    }
    bool was_cutting = t->cutting;
    t->cutting = false;
    if (fabs((double)late) <= tolerance(t, tolerance_s * t->facts.rate_hz, t->facts.jitter))
        return ECDC_OK;
    if (late > 0) {
        ecdc_status status = add_silence(t, late, err);
        if (status == ECDC_OK) {
            t->n_gaps++;
            t->gap_samples += late;
        }
        return status;
    }
    t->cutting = true;
    t->n_overlaps += !was_cutting;
    t->overlap_samples += cut_block(t, -late);
    return ECDC_OK;
}

/* Fetches a block and decides what to do with it. The block may be empty afterwards. */
static ecdc_status next_block(struct timeline *t, bool *ended, ecdc_error *err) {
    ecdc_status status = decoder_next(t->source, &t->block, err);
    if (status != ECDC_OK)
        return status;
    *ended = t->block.n == 0;
    if (*ended || !t->block.timed)
        return ECDC_OK;
    return t->position == 0 ? place_first(t, err) : place_next(t, err);
}

ecdc_status timeline_init(struct timeline *t, struct decoder *source, ecdc_error *err) {
    memset(t, 0, sizeof *t);
    t->source = source;
    decoder_facts_of(source, &t->facts);
    bool ended;
    return next_block(t, &ended, err);
}

ecdc_status timeline_next(struct timeline *t, const float **samples, size_t *n, ecdc_error *err) {
    bool ended = false;
    while (t->silence == 0 && t->block.n == 0 && !ended) {
        ecdc_status status = next_block(t, &ended, err);
        if (status != ECDC_OK)
            return status;
    }
    if (t->silence > 0) {
        const size_t most = SILENCE_PIECE / (size_t)t->facts.out_channels;
        *samples = zeros;
        *n = (uint64_t)t->silence < most ? (size_t)t->silence : most;
        t->silence -= (int64_t)*n;
    } else {
        *samples = t->block.samples;
        *n = t->block.n;
        t->block.n = 0;
    }
    t->position += (int64_t)*n;
    return ECDC_OK;
}
