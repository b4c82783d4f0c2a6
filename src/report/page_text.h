/* Text on its way into a page. The first failure stays: what comes after it is not written. */
#ifndef ECDC_REPORT_PAGE_TEXT_H
#define ECDC_REPORT_PAGE_TEXT_H

#include <stdio.h>

#include "media/output.h"

struct page_text {
    struct output *output;
    ecdc_status status;
    ecdc_error *err;
};

void text_bytes(struct page_text *p, const void *bytes, size_t n);
/* Short pieces: up to 1 000 bytes. */
void text_format(struct page_text *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Anything, so that it is shown as it is: marks of HTML escaped, what is not UTF-8 replaced. */
void text_escaped(struct page_text *p, const char *text);
/* A number with so many decimals and a minus sign; an en dash, or an infinity sign, where it is none. */
void text_number(struct page_text *p, double x, int decimals);

/* A script element with these bytes in base64. */
void text_data(struct page_text *p, const char *name, int number, const void *bytes, size_t n);
/* The same for a file from where it stands to its end. */
void text_data_file(struct page_text *p, const char *name, int number, FILE *file);

#endif
