/* What the commands say to people, on standard error. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "media/output.h"

int report_error(const ecdc_error *err) {
    const char *kept = err->status == ECDC_E_EXISTS ? strstr(err->message, "(" OUTPUT_IS_KEPT ")") : NULL;
    if (kept)
        fprintf(stderr, "ecdc: %.*s(-f overwrites it)\n", (int)(kept - err->message), err->message);
    else
        fprintf(stderr, "ecdc: %s\n", err->message);
    return EXIT_FAILED;
}

static void say(const char *format, va_list args) {
    fputs("ecdc: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int report_usage(const char *format, ...) {
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
    return EXIT_USAGE;
}

void report_note(const struct options *o, const char *format, ...) {
    if (o->quiet)
        return;
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
}
