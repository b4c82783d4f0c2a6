/* Sampling rate conversion of an interleaved stream with libsoxr. Counts are of samples per channel. */
#ifndef ECDC_MEDIA_RESAMPLE_H
#define ECDC_MEDIA_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "ecdc.h"

/* n input samples become exactly ceil(n * out / in) output samples. */
struct resampler;

/* Rates in Hz, positive and different. */
ecdc_status resampler_new(int in_hz, int out_hz, int channels, struct resampler **out, ecdc_error *err);
/* Takes up to n samples (*used) and gives up to room (*made). One of the two may be 0, not both while n > 0. */
ecdc_status resampler_process(struct resampler *r, const float *samples, size_t n, size_t *used, float *out,
                              size_t room, size_t *made, ecdc_error *err);
/* After the last sample: what is left; *made is 0 when nothing is. */
ecdc_status resampler_drain(struct resampler *r, float *out, size_t room, size_t *made, ecdc_error *err);
void resampler_free(struct resampler *r);

#endif
