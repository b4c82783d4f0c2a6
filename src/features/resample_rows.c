/* giblet's alignment of two series: one is resampled to the length of the other, place by place of linspace. */
#include <math.h>
#include <string.h>

#include "base/status.h"

/* Element i of linspace(0, n - 1, n_result). */
static double place_of(size_t i, size_t n, size_t n_result) {
    double last = (double)(n - 1);
    if (n_result == 1)
        return 0;
    return i == n_result - 1 ? last : (double)i * (last / (double)(n_result - 1));
}

static ecdc_status check(size_t n, size_t n_result, ecdc_error *err) {
    return n > 0 && n_result > 0 ? ECDC_OK : ecdc_fail(err, ECDC_E_ARGUMENT, "resampling from %zu to %zu rows: at least 1 is "
                                                       "needed", n, n_result);
}

ecdc_status ecdc_resample_nearest(const int64_t *series, size_t n, size_t n_features, size_t n_result, int64_t *result,
                                  ecdc_error *err) {
    ecdc_status status = check(n, n_result, err);
    for (size_t i = 0; status == ECDC_OK && i < n_result; i++)
        memcpy(result + i * n_features, series + (size_t)rint(place_of(i, n, n_result)) * n_features,
               n_features * sizeof *result);
    return status;
}

ecdc_status ecdc_resample_linear(const float *series, size_t n, size_t n_features, size_t n_result, float *result,
                                 ecdc_error *err) {
    ecdc_status status = check(n, n_result, err);
    for (size_t i = 0; status == ECDC_OK && i < n_result; i++) {
        double place = place_of(i, n, n_result);
        size_t low = (size_t)place, high = low + 1 < n ? low + 1 : low;
        for (size_t j = 0; j < n_features; j++) {
            double a = (double)series[low * n_features + j], b = (double)series[high * n_features + j];
            result[i * n_features + j] = (float)(a + (place - (double)low) * (b - a));
        }
    }
    return status;
}
