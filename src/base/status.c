#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *ecdc_version(void) {
    return ECDC_VERSION_STRING;
}

const char *ecdc_status_name(ecdc_status status) {
    switch (status) {
    case ECDC_OK: return "ECDC_OK";
    case ECDC_E_ARGUMENT: return "ECDC_E_ARGUMENT";
    case ECDC_E_MEMORY: return "ECDC_E_MEMORY";
    case ECDC_E_IO: return "ECDC_E_IO";
    case ECDC_E_FORMAT: return "ECDC_E_FORMAT";
    case ECDC_E_MODEL: return "ECDC_E_MODEL";
    case ECDC_E_UNSUPPORTED: return "ECDC_E_UNSUPPORTED";
    case ECDC_E_EXISTS: return "ECDC_E_EXISTS";
    case ECDC_E_STOPPED: return "ECDC_E_STOPPED";
    }
    return "unknown status";
}

ecdc_status ecdc_fail(ecdc_error *err, ecdc_status status, const char *format, ...) {
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
        text_make_plain(err->message); /* names from files and command lines may hold newlines and escape sequences */
        err->status = status;
    }
    return status;
}

ecdc_status ecdc_fail_memory(ecdc_error *err, const char *what) {
    return ecdc_fail(err, ECDC_E_MEMORY, "out of memory for %s", what);
}

ecdc_status ecdc_fail_errno(ecdc_error *err, const char *what, const char *path, int code) {
    char text[128] = "unknown error";
#if defined(__GLIBC__)
    return ecdc_fail(err, ECDC_E_IO, "cannot %s %s: %s", what, path, strerror_r(code, text, sizeof text));
#else
    strerror_r(code, text, sizeof text);
    return ecdc_fail(err, ECDC_E_IO, "cannot %s %s: %s", what, path, text);
#endif
}
