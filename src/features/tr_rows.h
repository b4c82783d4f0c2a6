/* Frames of codes into one row per TR, and rows back into frames, both as streams. */
#ifndef ECDC_FEATURES_TR_ROWS_H
#define ECDC_FEATURES_TR_ROWS_H

#include <stdbool.h>

#include "base/fifo.h"
#include "ecdc.h"

/* What a row looks like. A row is [row_codebooks][grid.frames_per_tr]. */
struct row_shape {
    ecdc_tr_grid grid;
    int n_codebooks;   /* codes per frame */
    int row_codebooks; /* n_codebooks, or more: the rest is zero (giblet's layout) */
};

static inline size_t row_length(const struct row_shape *s) {
    return (size_t)s->row_codebooks * (size_t)s->grid.frames_per_tr;
}

/* giblet's table of codebooks per bandwidth {1.5: 2, 3: 8, 6: 16, 12: 32, 24: 32}; 0 for another bandwidth. */
int giblet_codebooks(double bandwidth_kbps);

/* Gathers frames until a TR is complete. */
struct row_maker {
    struct row_shape shape;
    struct fifo frames;   /* not yet given to their last row; items are frames of codes */
    int64_t first_frame;  /* number of the first frame in it */
    int64_t next_tr;
};

ecdc_status row_maker_init(struct row_maker *m, const struct row_shape *shape, ecdc_error *err);
void row_maker_free(struct row_maker *m);
/* Takes frames, codes[frame * n_codebooks + q]. ECDC_E_MEMORY. */
ecdc_status row_maker_push(struct row_maker *m, const int32_t *codes, size_t n_frames, ecdc_error *err);
/* The next row, if all its frames are there (or, with `last`, as many as there are): row_length numbers, codes in
 * codebook order; where a TR has no frame: 0 in giblet's alignment, -1 in the exact one. *n_frames: real ones.
 * @return whether a row was made. */
bool row_maker_next(struct row_maker *m, bool last, int64_t *row, int64_t *n_frames);

/* The way back. Row i's first *keep frames stand where its alignment puts its start; the last of them is repeated *repeat
 * times up to the start of row i + 1 (giblet cuts half frames); what would reach past that start is dropped. */
void row_placement(const struct row_shape *shape, int64_t i, int64_t *keep, int64_t *repeat);

#endif
