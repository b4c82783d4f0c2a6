#include "base/paths.h"

#include <string.h>
#include <strings.h>

#include "base/memory.h"

bool path_ends_with(const char *path, const char *extension) {
    size_t n = strlen(path), m = strlen(extension);
    return n > m && strcasecmp(path + n - m, extension) == 0;
}

char *path_replace(const char *path, const char *from, const char *to) {
    size_t stem = strlen(path) - (path_ends_with(path, from) ? strlen(from) : 0);
    return ecdc_strfmt("%.*s%s", (int)stem, path, to);
}
