/* SNR, SI-SDR and log-spectral distance of a degraded signal against its reference, gathered as the signals go by: constant
 * memory for any length. */
#ifndef ECDC_METRICS_COMPARISON_H
#define ECDC_METRICS_COMPARISON_H

#include "base/status.h"

struct comparison;

ecdc_status comparison_new(struct comparison **out, ecdc_error *err);
void comparison_free(struct comparison *c);
void comparison_push(struct comparison *c, const float *reference, const float *degraded, size_t n);
/* Ends the signals; fills in the three measures and leaves the others alone. ECDC_E_ARGUMENT where nothing was pushed. */
ecdc_status comparison_finish(struct comparison *c, ecdc_metrics *metrics, ecdc_error *err);

#endif
