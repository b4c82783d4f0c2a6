#include "features/mel_rows.h"

#include <string.h>

#include "base/memory.h"

ecdc_status ecdc_mel_grid_init(ecdc_mel_grid *g, const ecdc_mel_settings *settings, const char *tr, ecdc_alignment alignment,
                          ecdc_error *err) {
    ecdc_tr_grid samples;
    ecdc_status status = ecdc_tr_grid_init(&samples, tr, settings->sampling_rate_hz, alignment, err);
    if (status != ECDC_OK)
        return status;
    int64_t width = (samples.frames_per_tr + settings->hop - 1) / settings->hop;
    *g = (ecdc_mel_grid){samples, settings->hop, settings->n_mels, width};
    return ECDC_OK;
}

void ecdc_mel_grid_frames(const ecdc_mel_grid *g, int64_t i, int64_t *first, int64_t *count) {
    const ecdc_tr_grid *samples = &g->samples;
    int64_t start, end;
    if (samples->alignment == ECDC_ALIGN_GIBLET) { /* not cut to the samples of a TR: giblet cuts frames */
        double start_s = (double)i * samples->tr_s;
        start = (int64_t)(start_s * samples->frame_rate_hz);
        end = (int64_t)((start_s + samples->tr_s) * samples->frame_rate_hz);
    } else {
        ecdc_tr_grid_frames(samples, i, &start, &end);
        end += start;
    }
    *first = start / g->hop;
    *count = end / g->hop - *first;
    if (*count > g->width)
        *count = g->width;
}

ecdc_status mel_rows_init(struct mel_rows *m, const ecdc_mel_grid *grid, ecdc_error *err) {
    memset(m, 0, sizeof *m);
    m->grid = *grid;
    m->frames.item_size = (size_t)grid->n_mels * sizeof(float);
    return fifo_reserve(&m->frames, 1) ? ECDC_OK : ecdc_fail_memory(err, "the frames of a TR");
}

void mel_rows_free(struct mel_rows *m) {
    fifo_free(&m->frames);
}

ecdc_status mel_rows_push(struct mel_rows *m, const float *db, size_t n_frames, ecdc_error *err) {
    void *tail = fifo_reserve(&m->frames, n_frames);
    if (!tail)
        return ecdc_fail_memory(err, "the frames of a TR");
    memcpy(tail, db, n_frames * m->frames.item_size);
    fifo_commit(&m->frames, n_frames);
    return ECDC_OK;
}

bool mel_rows_next(struct mel_rows *m, bool last, float *row, int64_t *n_frames) {
    size_t n_mels = (size_t)m->grid.n_mels, width = (size_t)m->grid.width;
    int64_t first, count;
    ecdc_mel_grid_frames(&m->grid, m->next_tr, &first, &count);
    size_t skip = (size_t)(first - m->first_frame); /* doubles can leave a frame out, or give one to two TRs */
    if (skip > m->frames.n)
        skip = m->frames.n;
    fifo_drop(&m->frames, skip);
    m->first_frame += (int64_t)skip;
    int64_t have = m->first_frame == first ? (int64_t)m->frames.n : 0;
    if (have < count && !last)
        return false;
    if (have < count)
        count = have;
    for (size_t i = 0; i < n_mels * width; i++)
        row[i] = mel_floor_db;
    const float *frames = fifo_items(&m->frames);
    for (size_t t = 0; t < (size_t)count; t++)
        for (size_t i = 0; i < n_mels; i++)
            row[i * width + t] = frames[t * n_mels + i];
    *n_frames = count;
    m->next_tr++;
    return true;
}
