/* STOI of signals that go by once. What comes to 10 kHz waits in an unlinked temporary file ($TMPDIR or /tmp) for the second
 * pass: 160 kB per second of sound on disk, constant memory. */
#ifndef ECDC_METRICS_STOI_STREAM_H
#define ECDC_METRICS_STOI_STREAM_H

#include <stddef.h>

#include "ecdc.h"

struct stoi_stream;

/* Fails as resample_10k_new does, and with ECDC_E_IO. */
ecdc_status stoi_stream_new(int rate_hz, struct stoi_stream **out, ecdc_error *err);
void stoi_stream_free(struct stoi_stream *s);
/* Finite samples of both signals. ECDC_E_IO where the disk is full. */
ecdc_status stoi_stream_push(struct stoi_stream *s, const float *reference, const float *degraded, size_t n, ecdc_error *err);
/* Ends the signals; the result as of ecdc_stoi. */
ecdc_status stoi_stream_finish(struct stoi_stream *s, double *stoi, double *estoi, ecdc_error *err);

#endif
