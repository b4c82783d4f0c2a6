#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

int utf8_next(const char *s, uint32_t *character) {
    const unsigned char *b = (const unsigned char *)s;
    int n = b[0] < 0x80 ? 1 : b[0] >= 0xc2 && b[0] < 0xe0 ? 2 : b[0] >= 0xe0 && b[0] < 0xf0 ? 3
          : b[0] >= 0xf0 && b[0] < 0xf5 ? 4 : 0;
    if (n == 0)
        return 0;
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = b[0] & first_bits[n];
    for (int i = 1; i < n; i++) {
        if ((b[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (b[i] & 0x3f);
    }
    bool overlong = (n == 3 && c < 0x800) || (n == 4 && c < 0x10000);
    if (overlong || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *character = c;
    return n;
}

bool utf8_valid(const char *s) {
    uint32_t c;
    int n = 1;
    for (; *s && n > 0; s += n)
        n = utf8_next(s, &c);
    return n > 0;
}

char *utf8_replaced(const char *s) {
    static const char replacement[] = "\xef\xbf\xbd";
    char *copy = ecdc_alloc_array(strlen(s) + 1, sizeof replacement - 1), *out = copy;
    for (uint32_t c; copy && *s;) {
        int n = utf8_next(s, &c);
        memcpy(out, n > 0 ? s : replacement, n > 0 ? (size_t)n : sizeof replacement - 1);
        out += n > 0 ? n : (int)sizeof replacement - 1;
        s += n > 0 ? n : 1;
    }
    if (copy)
        *out = '\0';
    return copy;
}

void text_make_plain(char *s) {
    for (unsigned char *c = (unsigned char *)s; *c; c++) {
        bool two = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0; /* U+0080 ... U+009F: some terminals obey those, too */
        if (*c < 32 || *c == 127 || two)
            *c = '?';
        if (two)
            *++c = '?';
    }
}

locale_t numbers_begin(void) {
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* there, and nothing is allocated for it */
    return plain ? uselocale(plain) : (locale_t)0;
}

void numbers_end(locale_t before) {
    if (before)
        freelocale(uselocale(before));
}
