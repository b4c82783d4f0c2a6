/* Griffin-Lim with momentum (librosa.griffinlim) as a stream: phases for magnitudes, in constant memory.
 *
 * One iteration turns frame t into sound and back, for which it needs the frames that overlap it and no others. So the
 * iterations stand behind one another like the stages of a pipeline: each passes a frame on when the frames behind it have
 * come. Same arithmetic, same result as over the whole spectrogram. */
#ifndef ECDC_FEATURES_GRIFFIN_LIM_H
#define ECDC_FEATURES_GRIFFIN_LIM_H

#include <stdbool.h>

#include "base/fifo.h"

struct griffin_lim;

/* Checked settings. ECDC_E_MEMORY. */
ecdc_status griffin_lim_new(const ecdc_mel_settings *settings, struct griffin_lim **out, ecdc_error *err);
void griffin_lim_free(struct griffin_lim *g);

/* The next frame's n_fft / 2 + 1 magnitudes; finished samples are appended to `samples` (floats). False: out of memory. */
bool griffin_lim_push(struct griffin_lim *g, const float *magnitudes, struct fifo *samples);
/* The signal ends here: n_samples in all, (frames - 1) * hop ... (frames - 1) * hop + n_fft / 4. */
bool griffin_lim_finish(struct griffin_lim *g, int64_t n_samples, struct fifo *samples);

#endif
