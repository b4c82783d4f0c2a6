/* WAV output through libavformat's muxer: 16-bit or float, RIFF, RF64 beyond 4 GiB, streams on a pipe. */
#ifndef ECDC_MEDIA_WAV_H
#define ECDC_MEDIA_WAV_H

#include "media/output.h"

struct wav_writer;
/* n_samples: how many will come per channel, if known, else -1. Only decides about RF64: used where it is needed,
 * prepared for where the number is unknown (a `JUNK` chunk of 36 bytes in the header). On a pipe the sizes in the
 * header are 0xFFFFFFFF whatever the number, as is usual for streams. The output must be empty (and, for the sizes of a
 * stream, not `patched`) and stays the caller's, who commits it after wav_finish. */
ecdc_status wav_open(struct output *o, int rate_hz, int channels, bool float_samples, int64_t n_samples,
                     struct wav_writer **out, ecdc_error *err);
/* samples[i * channels + channel], i < n_samples. 16 bits: round(x * 32768) to nearest, ties to even, clipped to
 * -32768 ... 32767; what was clipped is counted. A sample that is not finite is ECDC_E_ARGUMENT, and then nothing was
 * written. */
ecdc_status wav_write(struct wav_writer *w, const float *samples, size_t n_samples, ecdc_error *err);
/* Completes the header. */
ecdc_status wav_finish(struct wav_writer *w, ecdc_error *err);
/* Samples (of all channels) clipped so far; always 0 for float. */
int64_t wav_clipped(const struct wav_writer *w);
/* Does not touch the output; NULL is fine. */
void wav_free(struct wav_writer *w);

#endif
