/* Text from outside: file names, tags of media files. It may hold any bytes. */
#ifndef ECDC_BASE_TEXT_H
#define ECDC_BASE_TEXT_H

#include <locale.h>
#include <stdbool.h>
#include <stdint.h>

/* The character that s begins with; returns its length in bytes, 0 where it is not valid UTF-8 (RFC 3629: neither overlong nor a
 * surrogate). At the end of s the character is 0 and the length 1. */
int utf8_next(const char *s, uint32_t *character);
bool utf8_valid(const char *s);
/* A copy with U+FFFD for each byte that is part of no character; free() it. NULL: no memory. */
char *utf8_replaced(const char *s);

/* Makes a line of it that a terminal only shows: question marks for newlines, escapes and other control characters. */
void text_make_plain(char *s);

/* Numbers are written and read with a decimal point between these two, whatever the locale of the program or thread. What
 * numbers_begin returns belongs to numbers_end. */
locale_t numbers_begin(void);
void numbers_end(locale_t before);

#endif
