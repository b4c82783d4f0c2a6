/* Decoded blocks laid on the time axis: a signal without holes whose sample 0 is t = 0.
 * All counts are of samples per channel. */
#ifndef ECDC_MEDIA_TIMELINE_H
#define ECDC_MEDIA_TIMELINE_H

#include "media/decode.h"

struct timeline {
    struct decoder *source;
    struct decoder_facts facts;
    int64_t position;     /* samples given out: the time of the next one */
    int64_t silence;      /* samples of silence still to give out before the block */
    struct block block;   /* what is left of the current block */
    int64_t clock_shift;  /* added to the blocks' times, after resets of a broadcast's clock */
    bool started;         /* a block was placed */
    bool cutting;         /* the block before was cut: the same overlap goes on */
    int64_t first_at;     /* time of the first block */
    int64_t n_gaps, gap_samples;
    int64_t n_overlaps, overlap_samples;
};

/* Takes the first block, so that first_at is known. `source` stays the caller's. */
ecdc_status timeline_init(struct timeline *t, struct decoder *source, ecdc_error *err);
/* The next n samples per channel, interleaved, valid until the next call; *n is 0 only at the end. Constant
 * memory: gaps come in pieces. Fails as decoder_next does, and with ECDC_E_FORMAT where silence would exceed 24 hours. */
ecdc_status timeline_next(struct timeline *t, const float **samples, size_t *n, ecdc_error *err);

#endif
