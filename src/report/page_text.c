#include "report/page_text.h"

#include <libavutil/base64.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "base/status.h"
#include "base/temporary.h"
#include "base/text.h"

enum { PIECE = 3 * 4096 }; /* bytes turned into base64 at once, a multiple of three */

void text_bytes(struct page_text *p, const void *bytes, size_t n) {
    if (p->status == ECDC_OK)
        p->status = output_write(p->output, bytes, n, p->err);
}

void text_format(struct page_text *p, const char *format, ...) {
    char text[1000];
    va_list args;
    locale_t before = numbers_begin();
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    numbers_end(before);
    if (n > 0)
        text_bytes(p, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void text_escaped(struct page_text *p, const char *text) {
    uint32_t c;
    for (const char *s = text; *s;) {
        int n = utf8_next(s, &c);
        const char *replaced = n == 0 ? "&#xfffd;" : *s == '&' ? "&amp;" : *s == '<' ? "&lt;" : *s == '>' ? "&gt;"
                             : *s == '"' ? "&quot;" : c < ' ' ? " " : NULL;
        if (replaced)
            text_bytes(p, replaced, strlen(replaced));
        else
            text_bytes(p, s, (size_t)n);
        s += n ? n : 1;
    }
}

void text_number(struct page_text *p, double x, int decimals) {
    if (isnan(x))
        text_format(p, "&ndash;");
    else if (isinf(x))
        text_format(p, "%s&infin;", x < 0 ? "&minus;" : "");
    else
        text_format(p, "%s%.*f", x < 0 ? "&minus;" : "", decimals, fabs(x));
}

static void open_data(struct page_text *p, const char *name, int number) {
    text_format(p, "<script type=\"application/octet-stream\" id=\"%s", name);
    if (number >= 0)
        text_format(p, "-%d", number);
    text_format(p, "\">");
}

static void close_data(struct page_text *p) {
    text_format(p, "</script>\n");
}

/* n is at most PIECE, and a multiple of three but for the last piece. */
static void base64(struct page_text *p, const uint8_t *bytes, size_t n) {
    char text[AV_BASE64_SIZE(PIECE)];
    av_base64_encode(text, sizeof text, bytes, (int)n);
    text_bytes(p, text, strlen(text));
}

void text_data(struct page_text *p, const char *name, int number, const void *bytes, size_t n) {
    open_data(p, name, number);
    for (size_t done = 0; done < n; done += PIECE)
        base64(p, (const uint8_t *)bytes + done, n - done < PIECE ? n - done : PIECE);
    close_data(p);
}

void text_data_file(struct page_text *p, const char *name, int number, FILE *file) {
    uint8_t piece[PIECE];
    open_data(p, name, number);
    for (size_t n = PIECE; n == PIECE;) {
        n = fread(piece, 1, PIECE, file);
        if (n > 0)
            base64(p, piece, n);
    }
    if (ferror(file) && p->status == ECDC_OK)
        p->status = ecdc_fail_temporary("the sound of a report", p->err);
    close_data(p);
}
