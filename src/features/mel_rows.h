/* Frames of a mel spectrogram into one row per TR, as giblet cuts them, and where they belong on the way back. */
#ifndef ECDC_FEATURES_MEL_ROWS_H
#define ECDC_FEATURES_MEL_ROWS_H

#include <stdbool.h>

#include "base/fifo.h"
#include "ecdc.h"

static const float mel_floor_db = -80; /* of the spectrogram, and what stands where a row has no frame */

struct mel_rows {
    ecdc_mel_grid grid;
    struct fifo frames; /* not yet given to their last row */
    int64_t first_frame, next_tr;
};

ecdc_status mel_rows_init(struct mel_rows *m, const ecdc_mel_grid *grid, ecdc_error *err);
void mel_rows_free(struct mel_rows *m);
/* Frames in dB, db[frame * n_mels + filter]. ECDC_E_MEMORY. */
ecdc_status mel_rows_push(struct mel_rows *m, const float *db, size_t n_frames, ecdc_error *err);
/* The next row, if all its frames are there (or, with `last`, as many as there are); *n_frames: real ones.
 * @return whether a row was made. */
bool mel_rows_next(struct mel_rows *m, bool last, float *row, int64_t *n_frames);

#endif
