#include "sidecar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/paths.h"
#include "base/status.h"


static bool get_text(const cJSON *object, const char *name, char *out, size_t size) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text && (size_t)snprintf(out, size, "%s", text) < size;
}

static bool get_integer(const cJSON *object, const char *name, double min, double max, double *out) {
    return json_integer(cJSON_GetObjectItemCaseSensitive(object, name), min, max, out);
}

static bool get_choice(const cJSON *object, const char *name, const char *const *names, int *out) {
    char text[16];
    if (!get_text(object, name, text, sizeof text))
        return false;
    for (*out = 0; names[*out]; ++*out)
        if (!strcmp(text, names[*out]))
            return true;
    return false;
}

static bool get_int(const cJSON *object, const char *name, int *out) {
    double number;
    bool right = get_integer(object, name, 1, 1 << 20, &number);
    if (right)
        *out = (int)number;
    return right;
}

static bool parse_mel(const cJSON *json, struct sidecar *s) {
    const cJSON *mel = cJSON_GetObjectItemCaseSensitive(json, "mel"), *ref = cJSON_GetObjectItemCaseSensitive(mel, "ref");
    s->mel = ecdc_default_mel_settings();
    if (!cJSON_IsNumber(ref) || !get_int(json, "sampling_rate", &s->mel.sampling_rate_hz) ||
        !get_int(mel, "n_fft", &s->mel.n_fft) || !get_int(mel, "hop", &s->mel.hop) || !get_int(mel, "n_mels", &s->mel.n_mels))
        return false;
    s->mel_ref = ref->valuedouble;
    return s->mel_ref >= 0 && s->mel_ref <= 1e30;
}

static const char *parse_codes(const cJSON *json, struct sidecar *s) {
    double number;
    if (!get_choice(json, "layout", layout_names, &s->layout))
        return "layout";
    if (!get_integer(json, "n_codebooks", 1, 1024, &number))
        return "n_codebooks";
    s->n_codebooks = (int)number;
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(json, "model");
    if (!get_text(model, "name", s->model, sizeof s->model) || !get_text(model, "sha256", s->sha256, sizeof s->sha256) ||
        strlen(s->sha256) != 64)
        return "model";
    return NULL;
}

/* The name of the member that is wrong, NULL if all are right. */
static const char *parse(const cJSON *json, struct sidecar *s) {
    double number;
    int alignment;
    if (!get_choice(json, "mode", mode_names, &s->mode))
        return "mode";
    if (!get_choice(json, "alignment", alignment_names, &alignment))
        return "alignment";
    s->alignment = (ecdc_alignment)alignment;
    if (!get_text(json, "tr_fraction", s->tr, sizeof s->tr))
        return "tr_fraction";
    if (!get_integer(json, "samples", 0, 9e15, &number))
        return "samples";
    s->samples = (int64_t)number;
    s->partial = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "partial"));
    const char *wrong = s->mode == ECDC_MODE_ENCODEC ? parse_codes(json, s) : s->mode == ECDC_MODE_MEL && !parse_mel(json, s) ? "mel" : NULL;
    s->found = !wrong;
    return wrong;
}

ecdc_status sidecar_read(const char *path, struct sidecar *s, ecdc_error *err) {
    *s = (struct sidecar){.found = false};
    char *json_path = path_replace(path, ".npy", ".json");
    cJSON *json = NULL;
    if (!json_path)
        return ecdc_fail_memory(err, "a path");
    ecdc_status status = ECDC_OK;
    if (access(json_path, F_OK) == 0) {
        status = json_read_object(json_path, &json, err);
        const char *wrong = status == ECDC_OK ? parse(json, s) : NULL;
        if (wrong)
            status = ecdc_fail(err, ECDC_E_FORMAT, "%s: %s is missing or wrong; without this file the parameters come from "
                               "--tr, --alignment, --layout, -b", json_path, wrong);
    }
    cJSON_Delete(json);
    free(json_path);
    return status;
}
