/* One row per TR back into frames, each TR where the scan has it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fifo.h"
#include "base/memory.h"
#include "features/row_shape.h"

struct ecdc_row_placer {
    ecdc_row_shape shape;
    int codebook_size;
    int64_t n_trs;
    int64_t n_frames;   /* of the signal, -1 where only its last row tells */
    int64_t next_tr;
    struct fifo frames; /* not yet taken; items are frames of codes */
    int32_t *last;      /* the frame before the next row */
};

ecdc_status ecdc_row_placer_new(const ecdc_row_shape *shape, int codebook_size, int64_t n_trs, int64_t n_frames,
                                ecdc_row_placer **placer, ecdc_error *err) {
    ecdc_status status = row_shape_check(shape, err);
    if (status != ECDC_OK)
        return status;
    if (codebook_size < 1 || n_trs < 0 || n_frames < -1)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "codebook_size %d, n_trs %" PRId64 ", n_frames %" PRId64 ": allowed are 1 or more, "
                         "0 or more, -1 or more", codebook_size, n_trs, n_frames);
    ecdc_row_placer *p = ecdc_alloc_zeros(1, sizeof *p);
    int32_t *last = ecdc_alloc_zeros((size_t)shape->n_codebooks, sizeof *last);
    if (!p || !last) {
        free(p);
        free(last);
        return ecdc_fail_memory(err, "a row placer");
    }
    *p = (ecdc_row_placer){.shape = *shape, .codebook_size = codebook_size, .n_trs = n_trs, .n_frames = n_frames, .last = last};
    p->frames.item_size = (size_t)shape->n_codebooks * sizeof *last;
    *placer = p;
    return ECDC_OK;
}

void ecdc_row_placer_free(ecdc_row_placer *p) {
    if (!p)
        return;
    fifo_free(&p->frames);
    free(p->last);
    free(p);
}

void ecdc_row_placer_reset(ecdc_row_placer *p) {
    p->next_tr = 0;
    fifo_clear(&p->frames);
    memset(p->last, 0, (size_t)p->shape.n_codebooks * sizeof *p->last);
}

/* Row i's first *keep frames stand where its alignment puts its start; the last of them is repeated *repeat times up to the
 * start of row i + 1 (giblet cuts half frames); what would reach past that start is dropped. */
static void between_starts(const ecdc_tr_grid *grid, int64_t i, int64_t *keep, int64_t *repeat) {
    int64_t first, count, next, unused;
    ecdc_tr_grid_frames(grid, i, &first, &count);
    ecdc_tr_grid_frames(grid, i + 1, &next, &unused);
    int64_t room = next - first;
    *keep = count < room ? count : room;
    *repeat = room - *keep;
}

/* The same, the last row ending with the signal. */
static ecdc_status place(const ecdc_row_placer *p, int64_t i, const int64_t *row, int64_t *keep, int64_t *repeat,
                         ecdc_error *err) {
    const ecdc_tr_grid *grid = &p->shape.grid;
    int64_t first, count;
    ecdc_tr_grid_frames(grid, i, &first, &count);
    between_starts(grid, i, keep, repeat);
    if (i < p->n_trs - 1)
        return ECDC_OK;
    if (p->n_frames >= 0) {
        int64_t left = p->n_frames - first;
        if (left < *keep + *repeat) {
            *keep = left < *keep ? left : *keep;
            *repeat = 0;
        }
    } else if (grid->alignment == ECDC_ALIGN_EXACT) { /* its -1 tell */
        int64_t real = 0;
        while (real < *keep && row[real] >= 0)
            real++;
        *keep = real;
    }
    return *keep >= 0 ? ECDC_OK
                      : ecdc_fail(err, ECDC_E_FORMAT, "%" PRId64 " rows do not fit a sound of %" PRId64 " frames", p->n_trs,
                                  p->n_frames);
}

ecdc_status ecdc_row_placer_length(const ecdc_row_placer *p, const int64_t *last_row, int64_t *n_frames, ecdc_error *err) {
    int64_t first, count, keep, repeat;
    if (p->n_trs == 0) {
        *n_frames = 0;
        return ECDC_OK;
    }
    ecdc_status status = place(p, p->n_trs - 1, last_row, &keep, &repeat, err);
    if (status != ECDC_OK)
        return status;
    ecdc_tr_grid_frames(&p->shape.grid, p->n_trs - 1, &first, &count);
    *n_frames = first + keep + repeat;
    return ECDC_OK;
}

static ecdc_status fail_code(const ecdc_row_placer *p, int64_t code, size_t q, int64_t t, ecdc_error *err) {
    return ecdc_fail(err, ECDC_E_FORMAT, "code %" PRId64 " in row %" PRId64 ", codebook %zu, frame %" PRId64
                     " is outside 0 to %d%s", code, p->next_tr, q, t, p->codebook_size - 1,
                     code == -1 && p->shape.grid.alignment == ECDC_ALIGN_GIBLET ? "; rows with -1 are of the alignment exact"
                                                                                 : "");
}

ecdc_status ecdc_row_placer_push(ecdc_row_placer *p, const int64_t *row, ecdc_error *err) {
    int64_t keep, repeat;
    if (p->next_tr >= p->n_trs)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "more than the %" PRId64 " rows that were announced", p->n_trs);
    ecdc_status status = place(p, p->next_tr, row, &keep, &repeat, err);
    if (status != ECDC_OK)
        return status;
    size_t n_codebooks = (size_t)p->shape.n_codebooks, width = (size_t)p->shape.grid.frames_per_tr;
    int32_t *codes = fifo_reserve(&p->frames, (size_t)(keep + repeat));
    if (!codes)
        return ecdc_fail_memory(err, "the frames of a TR");
    for (int64_t t = 0; t < keep + repeat; t++, codes += n_codebooks) {
        for (size_t q = 0; t < keep && q < n_codebooks; q++) {
            int64_t code = row[q * width + (size_t)t];
            if (code < 0 || code >= p->codebook_size)
                return fail_code(p, code, q, t, err);
            p->last[q] = (int32_t)code;
        }
        memcpy(codes, p->last, n_codebooks * sizeof *codes);
    }
    fifo_commit(&p->frames, (size_t)(keep + repeat));
    p->next_tr++;
    return ECDC_OK;
}

size_t ecdc_row_placer_ready(const ecdc_row_placer *p) {
    return p->frames.n;
}

size_t ecdc_row_placer_pull(ecdc_row_placer *p, int32_t *codes, size_t max_frames) {
    return fifo_take(&p->frames, codes, max_frames);
}
