#include "base/listener.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"

const ecdc_listener listener_deaf = {0};

void listener_note(const ecdc_listener *l, const char *format, ...) {
    char text[sizeof((ecdc_error *)0)->message];
    if (!l->note)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text_make_plain(text);
    l->note(l->context, text);
}

void listener_progress(const ecdc_listener *l, const char *what, double done, double total) {
    if (l->progress)
        l->progress(l->context, what, done, total);
}

bool listener_stops(const ecdc_listener *l) {
    return l->stop && l->stop(l->context) != 0;
}

ecdc_status listener_fail(ecdc_error *err) {
    return ecdc_fail(err, ECDC_E_STOPPED, "interrupted; no file was written");
}
