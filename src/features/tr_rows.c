#include "features/tr_rows.h"

#include <string.h>

int giblet_codebooks(double bandwidth_kbps) {
    static const struct { double kbps; int codebooks; } table[] = {{1.5, 2}, {3, 8}, {6, 16}, {12, 32}, {24, 32}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].kbps == bandwidth_kbps)
            return table[i].codebooks;
    return 0;
}

ecdc_status row_maker_init(struct row_maker *m, const struct row_shape *shape, ecdc_error *err) {
    memset(m, 0, sizeof *m);
    m->shape = *shape;
    m->frames.item_size = (size_t)shape->n_codebooks * sizeof(int32_t);
    return fifo_reserve(&m->frames, (size_t)shape->grid.frames_per_tr + 1) ? ECDC_OK
                                                                           : ecdc_fail_memory(err, "the frames of a TR");
}

void row_maker_free(struct row_maker *m) {
    fifo_free(&m->frames);
}

ecdc_status row_maker_push(struct row_maker *m, const int32_t *codes, size_t n_frames, ecdc_error *err) {
    void *tail = fifo_reserve(&m->frames, n_frames);
    if (!tail)
        return ecdc_fail_memory(err, "the frames of a TR");
    memcpy(tail, codes, n_frames * m->frames.item_size);
    fifo_commit(&m->frames, n_frames);
    return ECDC_OK;
}

bool row_maker_next(struct row_maker *m, bool last, int64_t *row, int64_t *n_frames) {
    const ecdc_tr_grid *grid = &m->shape.grid;
    int64_t first, count;
    ecdc_tr_grid_frames(grid, m->next_tr, &first, &count);
    /* giblet's doubles can leave a frame out between two TRs or give one to both, so frames go only when the next TR is
     * past them. */
    size_t skip = (size_t)(first - m->first_frame);
    if (skip > m->frames.n)
        skip = m->frames.n;
    fifo_drop(&m->frames, skip);
    m->first_frame += (int64_t)skip;
    int64_t have = m->first_frame == first ? (int64_t)m->frames.n : 0;
    if (have < count && !(last && have > 0))
        return false;
    if (have < count)
        count = have;

    size_t width = (size_t)grid->frames_per_tr, n_codebooks = (size_t)m->shape.n_codebooks;
    int64_t none = grid->alignment == ECDC_ALIGN_EXACT ? -1 : 0;
    for (size_t i = 0; i < row_length(&m->shape); i++)
        row[i] = i < n_codebooks * width ? none : 0;
    const int32_t *codes = fifo_items(&m->frames);
    for (size_t t = 0; t < (size_t)count; t++)
        for (size_t q = 0; q < n_codebooks; q++)
            row[q * width + t] = codes[t * n_codebooks + q];
    *n_frames = count;
    m->next_tr++;
    return true;
}

void row_placement(const struct row_shape *shape, int64_t i, int64_t *keep, int64_t *repeat) {
    int64_t first, count, next, unused;
    ecdc_tr_grid_frames(&shape->grid, i, &first, &count);
    ecdc_tr_grid_frames(&shape->grid, i + 1, &next, &unused);
    int64_t room = next - first;
    *keep = count < room ? count : room;
    *repeat = room - *keep;
}
