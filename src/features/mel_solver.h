/* From a frame of mel powers to the spectrum that it came from: non-negative least squares. */
#ifndef ECDC_FEATURES_MEL_SOLVER_H
#define ECDC_FEATURES_MEL_SOLVER_H

#include "features/mel_filters.h"

struct mel_solver;

/* `filters` must outlive it. ECDC_E_MEMORY. */
ecdc_status mel_solver_new(const struct mel_filters *filters, struct mel_solver **out, ecdc_error *err);
void mel_solver_free(struct mel_solver *s);

/* Non-negative powers of the bins whose mel powers come near `mel`, as magnitudes (square roots). Powers of any scale. */
void mel_solver_run(struct mel_solver *s, const float *mel, float *magnitudes);

#endif
