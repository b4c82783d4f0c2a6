/* Short-time objective intelligibility (STOI, ESTOI) of two signals at 10 kHz, in two passes and constant memory: the first
 * finds the loudest frame of the reference, the second leaves out what is more than 40 dB below it and measures the rest. */
#ifndef ECDC_METRICS_STOI_H
#define ECDC_METRICS_STOI_H

#include "ecdc.h"

struct stoi;

ecdc_status stoi_new(struct stoi **out, ecdc_error *err);
void stoi_free(struct stoi *s);

/* First pass: the next sample of the reference and of the degraded signal. */
void stoi_scan(struct stoi *s, const double pair[2]);
/* Then the same samples come once more. */
void stoi_rewind(struct stoi *s);
void stoi_measure(struct stoi *s, const double pair[2]);
/* NaN as ecdc_stoi says. */
void stoi_result(const struct stoi *s, double *stoi, double *estoi);

#endif
