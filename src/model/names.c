#include "model/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const char *after(const char *s, const char *begin) {
    size_t n = strlen(begin);
    return strncmp(s, begin, n) == 0 ? s + n : NULL;
}

/* `name` with `old`, where it stands first, replaced. */
static char *replaced(const char *name, const char *found, const char *old, const char *by) {
    return ecdc_strfmt("%.*s%s%s", (int)(found - name), name, by, found + strlen(old));
}

char *names_to_reference(const char *name) {
    static const struct {
        const char *original, *reference;
    } modules[] = {
        {".conv.conv.", ".conv."}, {".convtr.convtr.", ".conv."}, {".conv.norm.", ".norm."}, {".convtr.norm.", ".norm."},
        {"._codebook.", ".codebook."}, {".lstm.", ".lstm."},
    };
    static const struct {
        const char *original, *reference;
    } parts[] = {
        {"encoder.model.", "encoder.layers."}, {"decoder.model.", "decoder.layers."},
        {"quantizer.vq.layers.", "quantizer.layers."},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *rest = after(name, parts[i].original);
        for (size_t k = 0; rest && k < sizeof modules / sizeof *modules; k++) {
            const char *found = strstr(rest - 1, modules[k].original);
            char *tail = found ? replaced(rest, found, modules[k].original, modules[k].reference) : NULL;
            if (!found)
                continue;
            char *full = tail ? ecdc_strfmt("%s%s", parts[i].reference, tail) : NULL;
            free(tail);
            return full;
        }
    }
    return ecdc_strdup(name);
}

char *names_to_original(const char *reference, bool transposed) {
    const char *rest = after(reference, "quantizer.layers.");
    if (rest) {
        const char *found = strstr(rest, ".codebook.");
        char *tail = found ? replaced(rest, found, ".codebook.", "._codebook.") : ecdc_strdup(rest);
        char *full = tail ? ecdc_strfmt("quantizer.vq.layers.%s", tail) : NULL;
        free(tail);
        return full;
    }
    rest = after(reference, "encoder.layers.");
    const char *part = rest ? "encoder.model." : "decoder.model.";
    if (!rest && !(rest = after(reference, "decoder.layers.")))
        return ecdc_strdup(reference);
    const char *conv = strstr(rest, ".conv."), *norm = strstr(rest, ".norm.");
    char *tail = conv   ? replaced(rest, conv, ".conv.", transposed ? ".convtr.convtr." : ".conv.conv.")
                 : norm ? replaced(rest, norm, ".norm.", transposed ? ".convtr.norm." : ".conv.norm.")
                        : ecdc_strdup(rest);
    char *full = tail ? ecdc_strfmt("%s%s", part, tail) : NULL;
    free(tail);
    return full;
}
