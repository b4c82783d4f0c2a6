/* How work on scans is asked to be done, checked. */
#ifndef ECDC_FMRI_SCAN_SETTINGS_H
#define ECDC_FMRI_SCAN_SETTINGS_H

#include "base/status.h"

/* The settings, or the defaults for NULL. */
ecdc_status scan_settings_take(const ecdc_scan_settings *settings, ecdc_scan_settings *taken, ecdc_error *err);
ecdc_status scan_fail_stopped(ecdc_error *err);

#endif
