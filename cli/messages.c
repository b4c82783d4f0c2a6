/* What the commands say to people, on standard error. */
#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "cli.h"

int report_error(const ecdc_error *err) {
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
