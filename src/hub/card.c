#include "hub/card.h"

#include <stdbool.h>
#include <string.h>

struct span {
    const char *begin, *end;
};

/* The next line without its end; false behind the last. */
static bool next_line(struct span *rest, struct span *line) {
    if (rest->begin == rest->end)
        return false;
    const char *newline = memchr(rest->begin, '\n', (size_t)(rest->end - rest->begin));
    *line = (struct span){rest->begin, newline ? newline : rest->end};
    rest->begin = newline ? newline + 1 : rest->end;
    if (line->end > line->begin && line->end[-1] == '\r')
        line->end--;
    return true;
}

static bool starts_with(struct span s, const char *start) {
    size_t n = strlen(start);
    return (size_t)(s.end - s.begin) >= n && memcmp(s.begin, start, n) == 0;
}

/* It is shown on terminals. */
static bool is_printable(struct span s) {
    for (; s.begin < s.end; s.begin++)
        if (*s.begin < ' ' || *s.begin > '~')
            return false;
    return true;
}

static bool is_fence(struct span s) {
    return s.end - s.begin == 3 && starts_with(s, "---");
}

/* Without space, quotes and brackets around it; of a list, the first item. */
static struct span bare(struct span s) {
    static const char around[] = " \t\"'[]";
    const char *comma = memchr(s.begin, ',', (size_t)(s.end - s.begin));
    if (comma)
        s.end = comma;
    while (s.begin < s.end && strchr(around, *s.begin))
        s.begin++;
    while (s.begin < s.end && strchr(around, s.end[-1]))
        s.end--;
    return s;
}

const char *card_licence(const char *text, size_t n, char *licence, size_t size) {
    static const char key[] = "license:", name_key[] = "license_name:";
    struct span rest = {text, text + n}, line, value = {NULL, NULL};
    licence[0] = '\0';
    if (memchr(text, '\0', n) || !next_line(&rest, &line) || !is_fence(line))
        return licence;
    while (next_line(&rest, &line) && !is_fence(line)) {
        bool is_name = starts_with(line, name_key);
        if (!is_name && !starts_with(line, key))
            continue;
        value = bare((struct span){line.begin + strlen(is_name ? name_key : key), line.end});
        struct span after = rest;
        if (value.begin == value.end && next_line(&after, &line) && starts_with(line, "- "))
            value = bare((struct span){line.begin + 2, line.end});
        if (is_name)
            break;
    }
    size_t length = (size_t)(value.end - value.begin);
    if (length > 0 && length < size && is_printable(value)) {
        memcpy(licence, value.begin, length);
        licence[length] = '\0';
    }
    return licence;
}
