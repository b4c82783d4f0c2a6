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

const char *plural(int64_t n) {
    return n == 1 ? "" : "s";
}

const char *size_text(uint64_t n_bytes, char text[24]) {
    double n = (double)n_bytes;
    if (n >= 99500)
        snprintf(text, 24, "%.1f MB", n / 1e6);
    else if (n >= 1000)
        snprintf(text, 24, "%.0f kB", n / 1e3);
    else
        snprintf(text, 24, "%.0f byte%s", n, plural((int64_t)n_bytes));
    return text;
}

const char *tr_text(const char *fraction, char text[48]) {
    long long num, den;
    snprintf(text, 48, "%.47s", fraction);
    if (sscanf(fraction, "%lld/%lld", &num, &den) != 2 || den < 1)
        return text;
    long long rest = den; /* decimals have no other factors */
    while (rest % 10 == 0)
        rest /= 10;
    while (rest % 2 == 0)
        rest /= 2;
    while (rest % 5 == 0)
        rest /= 5;
    if (rest == 1)
        snprintf(text, 48, "%.12g", (double)num / (double)den);
    return text;
}
