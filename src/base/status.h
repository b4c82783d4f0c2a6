/* Errors as status + sentence. */
#ifndef ECDC_BASE_STATUS_H
#define ECDC_BASE_STATUS_H

#include "ecdc.h"

/* Fills err (may be NULL) and returns status, so that a failing function can end in one line:
 *     return ecdc_fail(err, ECDC_E_FORMAT, "%s: the header claims %zu bytes, the file has %zu", path, a, b); */
ecdc_status ecdc_fail(ecdc_error *err, ecdc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a failed allocation of a named thing. */
ecdc_status ecdc_fail_memory(ecdc_error *err, const char *what);

/* ECDC_E_IO, "cannot open PATH: No such file or directory"; `what` is the verb, `code` an errno. */
ecdc_status ecdc_fail_errno(ecdc_error *err, const char *what, const char *path, int code);

#endif
