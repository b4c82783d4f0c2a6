#include "sidecar.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "paths.h"

enum { MAX_BYTES = 1 << 20 };

/* The file's text in *text; an absent file is no error and leaves NULL. */
static ecdc_status read_text(const char *path, char **text, ecdc_error *err) {
    *text = NULL;
    FILE *f = fopen(path, "rb");
    if (!f)
        return errno == ENOENT ? ECDC_OK : ecdc_fail(err, ECDC_E_IO, "%s: %s", path, strerror(errno));
    char *buffer = malloc(MAX_BYTES + 1);
    size_t n = buffer ? fread(buffer, 1, MAX_BYTES, f) : 0;
    bool failed = ferror(f) || !feof(f);
    fclose(f);
    if (!buffer)
        return ecdc_fail_memory(err, path);
    buffer[n] = 0;
    if (failed) {
        free(buffer);
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: cannot be read, or is larger than %d bytes", path, MAX_BYTES);
    }
    *text = buffer;
    return ECDC_OK;
}

static bool get_text(const cJSON *object, const char *name, char *out, size_t size) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text && (size_t)snprintf(out, size, "%s", text) < size;
}

static bool get_number(const cJSON *object, const char *name, double min, double max, double *out) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= min && item->valuedouble <= max))
        return false;
    *out = item->valuedouble;
    return true;
}

static bool get_choice(const cJSON *object, const char *name, const char *(*name_of)(int), int n, int *out) {
    char text[16];
    if (!get_text(object, name, text, sizeof text))
        return false;
    for (*out = 0; *out < n; ++*out)
        if (!strcmp(text, name_of(*out)))
            return true;
    return false;
}

static const char *alignment_name_of(int alignment) {
    return alignment_name((ecdc_alignment)alignment);
}

/* The name of the member that is wrong, NULL if all are right. */
static const char *parse(const cJSON *json, struct sidecar *s) {
    double number;
    int alignment;
    char mode[32];
    if (!get_text(json, "mode", mode, sizeof mode) || strcmp(mode, "encodec"))
        return "mode";
    if (!get_choice(json, "layout", layout_name, 3, &s->layout))
        return "layout";
    if (!get_choice(json, "alignment", alignment_name_of, 2, &alignment))
        return "alignment";
    s->alignment = (ecdc_alignment)alignment;
    if (!get_text(json, "tr_fraction", s->tr, sizeof s->tr))
        return "tr_fraction";
    if (!get_number(json, "bandwidth", 0, 1e6, &s->bandwidth_kbps))
        return "bandwidth";
    if (!get_number(json, "n_codebooks", 1, 1024, &number))
        return "n_codebooks";
    s->n_codebooks = (int)number;
    if (!get_number(json, "samples", 0, 9e15, &number))
        return "samples";
    s->samples = (int64_t)number;
    s->partial = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "partial"));
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(json, "model");
    if (!get_text(model, "name", s->model, sizeof s->model) || !get_text(model, "sha256", s->sha256, sizeof s->sha256) ||
        strlen(s->sha256) != 64)
        return "model";
    s->found = true;
    return NULL;
}

ecdc_status sidecar_read(const char *path, struct sidecar *s, ecdc_error *err) {
    *s = (struct sidecar){.found = false};
    char *json_path = path_replace(path, ".npy", ".json"), *text = NULL;
    ecdc_status status = json_path ? read_text(json_path, &text, err) : ecdc_fail_memory(err, "a path");
    if (status == ECDC_OK && text) {
        cJSON *json = cJSON_Parse(text);
        const char *wrong = json ? parse(json, s) : "JSON";
        if (wrong)
            status = ecdc_fail(err, ECDC_E_FORMAT, "%s: %s is missing or wrong; without this file the parameters come from "
                               "--tr, --alignment, --layout, -b", json_path, wrong);
        cJSON_Delete(json);
    }
    free(text);
    free(json_path);
    return status;
}
