/* The rate of STOI: two signals brought to 10 kHz with the filter that pystoi uses, in double precision.
 *
 * Not libsoxr: its filter is better, but STOI's figures are compared with those of pystoi, and the filter is part of them. */
#ifndef ECDC_METRICS_RESAMPLE_10K_H
#define ECDC_METRICS_RESAMPLE_10K_H

#include <stdbool.h>
#include <stddef.h>

#include "ecdc.h"

struct resample_10k;

/* Its memory is the table of coefficients, about 580 bytes per step of max(10000, rate) / gcd(10000, rate): 0.3 MB for 44.1 kHz.
 * ECDC_E_ARGUMENT for a rate below 1, ECDC_E_UNSUPPORTED where the table would be larger than 64 MB. */
ecdc_status resample_10k_new(int rate_hz, struct resample_10k **out, ecdc_error *err);
void resample_10k_free(struct resample_10k *r);
/* Back to the start of a signal. */
void resample_10k_restart(struct resample_10k *r);

/* Takes samples of both signals; the number taken, at least 1 where n > 0 once every finished pair was fetched. */
size_t resample_10k_push(struct resample_10k *r, const float *reference, const float *degraded, size_t n);
/* The signals end here: n samples become ceil(n * 10000 / rate) in all. Every finished pair must have been fetched. */
void resample_10k_finish(struct resample_10k *r);
/* The next sample of the reference and of the degraded signal; false where it needs more input. */
bool resample_10k_next(struct resample_10k *r, double pair[2]);

#endif
