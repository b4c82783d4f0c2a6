/* What the commands say to people, on standard error. */
#include <stdarg.h>
#include <stdio.h>

#include "cli.h"

int report_error(const ecdc_error *err) {
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

const char *plural(int64_t n) {
    return n == 1 ? "" : "s";
}
