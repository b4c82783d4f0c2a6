/* Glover's haemodynamic response function: the difference of two gamma densities, as nilearn samples it. */
#include <math.h>

#include "base/status.h"

enum { MAX_OVERSAMPLING = 10000 };

static const double max_points = 1e7;

size_t ecdc_glover_hrf_length(double tr_s, int oversampling, double time_length_s) {
    if (!(tr_s > 0 && tr_s <= 3600) || oversampling < 1 || oversampling > MAX_OVERSAMPLING ||
        !(time_length_s > 0 && time_length_s <= 36000))
        return 0;
    double points = rint(time_length_s / (tr_s / oversampling));
    return points <= max_points ? (size_t)points : 0;
}

/* The density of x - start of the gamma distribution. */
static double gamma_density(double x, double start, double shape, double scale) {
    double z = (x - start) / scale;
    return z > 0 ? exp((shape - 1) * log(z) - z) / tgamma(shape) / scale : 0;
}

/* With nilearn's numbers: response and undershoot peak around 5 and 11 s. */
static double glover(double t, double dt) {
    return gamma_density(t, dt, 6 / 0.9, 0.9) - 0.48 * gamma_density(t, dt, 12 / 0.9, 0.9);
}

ecdc_status ecdc_glover_hrf(double tr_s, int oversampling, double time_length_s, double onset_s, double *kernel,
                            ecdc_error *err) {
    if (!(tr_s > 0 && tr_s <= 3600))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "tr is %g s, allowed are numbers above 0, at most 3600", tr_s);
    if (oversampling < 1 || oversampling > MAX_OVERSAMPLING)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "oversampling is %d, allowed are 1 to %d", oversampling, MAX_OVERSAMPLING);
    if (!(time_length_s > 0 && time_length_s <= 36000))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "time_length is %g s, allowed are numbers above 0, at most 36000", time_length_s);
    if (!isfinite(onset_s))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "onset is not a finite number of seconds");
    size_t n = ecdc_glover_hrf_length(tr_s, oversampling, time_length_s);
    if (n == 0)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%g s at %d points per TR of %g s are no point, or more than %g", time_length_s,
                         oversampling, tr_s, max_points);
    double dt = tr_s / oversampling, step = n > 1 ? time_length_s / (double)(n - 1) : 0, sum = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        double value = glover((n > 1 && i == n - 1 ? time_length_s : (double)i * step) - onset_s, dt);
        sum += value;
        size += fabs(value);
    }
    if (!(fabs(sum) > 1e-12 * size)) /* nilearn would divide by it */
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%zu points from 0 to %g s miss the response to an onset at %g s (TR %g s)", n,
                         time_length_s, onset_s, tr_s);
    for (size_t i = 0; i < n; i++)
        kernel[i] = glover((n > 1 && i == n - 1 ? time_length_s : (double)i * step) - onset_s, dt) / sum;
    return ECDC_OK;
}
