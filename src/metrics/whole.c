/* Measures of whole signals in memory. */
#include <math.h>

#include "base/status.h"
#include "metrics/comparison.h"
#include "metrics/resample_10k.h"
#include "metrics/stoi.h"

static ecdc_status check_samples(const char *name, const float *samples, size_t n, ecdc_error *err) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(samples[i]))
            return ecdc_fail(err, ECDC_E_ARGUMENT, "sample %zu of the %s signal is %f, not a finite number", i, name,
                             (double)samples[i]);
    return ECDC_OK;
}

static ecdc_status check_signals(const float *reference, const float *degraded, size_t n, ecdc_error *err) {
    if (n == 0)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "nothing to compare: 0 samples");
    ecdc_status status = check_samples("reference", reference, n, err);
    return status == ECDC_OK ? check_samples("degraded", degraded, n, err) : status;
}

/* Hands both signals at 10 kHz to one pass of STOI. */
static void run_pass(struct resample_10k *r, const float *reference, const float *degraded, size_t n, struct stoi *s,
                     void (*pass)(struct stoi *, const double *)) {
    double pair[2];
    resample_10k_restart(r);
    for (size_t i = 0; i < n;) {
        i += resample_10k_push(r, reference + i, degraded + i, n - i);
        while (resample_10k_next(r, pair))
            pass(s, pair);
    }
    resample_10k_finish(r);
    while (resample_10k_next(r, pair))
        pass(s, pair);
}

static ecdc_status measure_stoi(const float *reference, const float *degraded, size_t n, int rate_hz, double *stoi,
                                double *estoi, ecdc_error *err) {
    struct resample_10k *r;
    struct stoi *s;
    ecdc_status status = resample_10k_new(rate_hz, &r, err);
    if (status != ECDC_OK)
        return status;
    status = stoi_new(&s, err);
    if (status == ECDC_OK) {
        run_pass(r, reference, degraded, n, s, stoi_scan);
        stoi_rewind(s);
        run_pass(r, reference, degraded, n, s, stoi_measure);
        stoi_result(s, stoi, estoi);
        stoi_free(s);
    }
    resample_10k_free(r);
    return status;
}

ecdc_status ecdc_stoi(const float *reference, const float *degraded, size_t n_samples, int sampling_rate_hz, double *stoi,
                      double *estoi, ecdc_error *err) {
    double plain, extended;
    ecdc_status status = check_signals(reference, degraded, n_samples, err);
    if (status == ECDC_OK)
        status = measure_stoi(reference, degraded, n_samples, sampling_rate_hz, &plain, &extended, err);
    if (status != ECDC_OK)
        return status;
    if (stoi)
        *stoi = plain;
    if (estoi)
        *estoi = extended;
    return ECDC_OK;
}

ecdc_status ecdc_compare(const float *reference, const float *degraded, size_t n_samples, int sampling_rate_hz,
                         ecdc_metrics *metrics, ecdc_error *err) {
    struct comparison *c;
    ecdc_metrics all;
    ecdc_status status = ecdc_stoi(reference, degraded, n_samples, sampling_rate_hz, &all.stoi, &all.estoi, err);
    if (status == ECDC_OK)
        status = comparison_new(&c, err);
    if (status != ECDC_OK)
        return status;
    comparison_push(c, reference, degraded, n_samples);
    status = comparison_finish(c, &all, err);
    comparison_free(c);
    if (status == ECDC_OK)
        *metrics = all;
    return status;
}
