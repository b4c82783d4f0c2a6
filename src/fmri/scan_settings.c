#include "fmri/scan_settings.h"

#include <inttypes.h>

#include "base/pool.h"

ecdc_scan_settings ecdc_default_scan_settings(void) {
    return (ecdc_scan_settings){.mask_trs = 200, .mask_percentile = 10};
}

ecdc_status scan_settings_take(const ecdc_scan_settings *settings, ecdc_scan_settings *taken, ecdc_error *err) {
    *taken = settings ? *settings : ecdc_default_scan_settings();
    if (taken->mask_trs < 1)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "mask_trs is %" PRId64 ", allowed are 1 or more", taken->mask_trs);
    if (!(taken->mask_percentile >= 0 && taken->mask_percentile <= 100))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "mask_percentile is %g, allowed is 0 to 100", taken->mask_percentile);
    if (taken->n_trs < 0)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "n_trs is %" PRId64 ", allowed are 0 (all) or more", taken->n_trs);
    if (taken->n_threads < 0 || taken->n_threads > 256)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "n_threads is %d, allowed is 0 to 256", taken->n_threads);
    if (taken->n_threads == 0)
        taken->n_threads = pool_processors();
    return ECDC_OK;
}

ecdc_status scan_fail_stopped(ecdc_error *err) {
    return ecdc_fail(err, ECDC_E_STOPPED, "stopped");
}
