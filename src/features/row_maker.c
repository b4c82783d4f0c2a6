/* Frames of codes, as they come, into one row per TR. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/fifo.h"
#include "base/memory.h"
#include "features/row_shape.h"

struct ecdc_row_maker {
    ecdc_row_shape shape;
    int sampling_rate_hz;
    bool with_partial, finished;
    struct fifo frames;  /* not yet given to their last row; items are frames of codes */
    int64_t first_frame; /* number of the first frame in it */
    int64_t next_tr;
    int64_t n_samples;   /* of the signal, so far */
};

ecdc_status ecdc_row_maker_new(const ecdc_row_shape *shape, int sampling_rate_hz, int with_partial, ecdc_row_maker **maker,
                               ecdc_error *err) {
    ecdc_status status = row_shape_check(shape, err);
    if (status != ECDC_OK)
        return status;
    if (sampling_rate_hz < 1)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "sampling_rate_hz is %d, allowed is 1 or more", sampling_rate_hz);
    ecdc_row_maker *m = ecdc_alloc_zeros(1, sizeof *m);
    if (!m)
        return ecdc_fail_memory(err, "a row maker");
    m->shape = *shape;
    m->sampling_rate_hz = sampling_rate_hz;
    m->with_partial = with_partial != 0;
    m->frames.item_size = (size_t)shape->n_codebooks * sizeof(int32_t);
    *maker = m;
    return ECDC_OK;
}

void ecdc_row_maker_free(ecdc_row_maker *m) {
    if (!m)
        return;
    fifo_free(&m->frames);
    free(m);
}

ecdc_status ecdc_row_maker_push(ecdc_row_maker *m, const int32_t *codes, size_t n_frames, int64_t n_samples,
                                ecdc_error *err) {
    if (m->finished)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "frames were pushed after the end of the signal");
    if (n_samples < m->n_samples)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "the signal had %lld samples and now has %lld", (long long)m->n_samples,
                         (long long)n_samples);
    void *tail = fifo_reserve(&m->frames, n_frames);
    if (!tail)
        return ecdc_fail_memory(err, "the frames of a TR");
    if (n_frames)
        memcpy(tail, codes, n_frames * m->frames.item_size);
    fifo_commit(&m->frames, n_frames);
    m->n_samples = n_samples;
    return ECDC_OK;
}

void ecdc_row_maker_finish(ecdc_row_maker *m) {
    m->finished = true;
}

/* The frames of the next TR stand at the head of the queue after this: *count of them, as many as there are at the end of the
 * signal. Whether it has enough. */
static bool find_frames(ecdc_row_maker *m, int64_t *count) {
    int64_t first;
    ecdc_tr_grid_frames(&m->shape.grid, m->next_tr, &first, count);
    /* giblet's doubles can leave a frame out between two TRs or give one to both, so frames go only when the next TR is
     * past them. */
    size_t skip = (size_t)(first - m->first_frame);
    if (skip > m->frames.n)
        skip = m->frames.n;
    fifo_drop(&m->frames, skip);
    m->first_frame += (int64_t)skip;
    int64_t have = m->first_frame == first ? (int64_t)m->frames.n : 0;
    if (have >= *count)
        return true;
    *count = have;
    return m->finished && have > 0;
}

/* A part of a TR ends with the sound; giblet adds TR to the start, and counts what it padded. */
static void describe(const ecdc_row_maker *m, int64_t n_frames, int64_t n_whole, ecdc_row_info *row) {
    const ecdc_tr_grid *grid = &m->shape.grid;
    int64_t i = m->next_tr;
    *row = (ecdc_row_info){.tr_index = i, .start_s = ecdc_tr_grid_start_s(grid, i), .n_frames = n_frames,
                           .n_real_frames = n_frames};
    row->end_s = ecdc_tr_grid_start_s(grid, i + 1);
    if (i >= n_whole) {
        row->end_s = (double)m->n_samples / m->sampling_rate_hz;
    } else if (grid->alignment == ECDC_ALIGN_GIBLET) {
        row->end_s = row->start_s + grid->tr_s;
        row->n_frames = grid->frames_per_tr;
    }
}

static void fill(const ecdc_row_maker *m, int64_t count, int64_t *row) {
    size_t width = (size_t)m->shape.grid.frames_per_tr, n_codebooks = (size_t)m->shape.n_codebooks;
    int64_t none = m->shape.grid.alignment == ECDC_ALIGN_EXACT ? -1 : 0;
    for (size_t i = 0; i < row_length(&m->shape); i++)
        row[i] = i < n_codebooks * width ? none : 0;
    const int32_t *codes = fifo_items(&m->frames);
    for (size_t t = 0; t < (size_t)count; t++)
        for (size_t q = 0; q < n_codebooks; q++)
            row[q * width + t] = codes[t * n_codebooks + q];
}

int ecdc_row_maker_pull(ecdc_row_maker *m, int64_t *row, ecdc_row_info *info) {
    const ecdc_tr_grid *grid = &m->shape.grid;
    int64_t count, n_whole = ecdc_tr_grid_count(grid, m->n_samples, m->sampling_rate_hz, 0), end = n_whole;
    if (m->finished && m->with_partial)
        end = ecdc_tr_grid_count(grid, m->n_samples, m->sampling_rate_hz, 1);
    if (m->next_tr >= end || !find_frames(m, &count))
        return 0;
    fill(m, count, row);
    describe(m, count, n_whole, info);
    m->next_tr++;
    return 1;
}
