/* Speaking to an ecdc_listener, whose functions may be missing. */
#ifndef ECDC_BASE_LISTENER_H
#define ECDC_BASE_LISTENER_H

#include <stdbool.h>

#include "base/status.h"

/* One that hears nothing. */
extern const ecdc_listener listener_deaf;

void listener_note(const ecdc_listener *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void listener_progress(const ecdc_listener *l, const char *what, double done, double total);
bool listener_stops(const ecdc_listener *l);
/* The error for that. */
ecdc_status listener_fail(ecdc_error *err);

#endif
