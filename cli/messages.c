/* What the commands say to people, on standard error. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
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

/* Words may come from files and command lines: what they would tell a terminal to do is left out. */
static void say(const char *format, va_list args) {
    char text[4096];
    vsnprintf(text, sizeof text, format, args);
    text_make_plain(text);
    fprintf(stderr, "ecdc: %s\n", text);
}

void report_line(const char *format, ...) {
    va_list args;
    va_start(args, format);
    say(format, args);
    va_end(args);
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
