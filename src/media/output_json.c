#include "media/output_json.h"

#include <string.h>

#include "base/status.h"

ecdc_status output_write_json(struct output *o, const cJSON *json, ecdc_error *err) {
    char *text = cJSON_Print(json);
    if (!text)
        return ecdc_fail_memory(err, output_name(o));
    ecdc_status status = output_write(o, text, strlen(text), err);
    cJSON_free(text);
    return status == ECDC_OK ? output_write(o, "\n", 1, err) : status;
}

ecdc_status output_save_json(const char *path, bool overwrite, const cJSON *json, ecdc_error *err) {
    struct output *out = NULL;
    ecdc_status status = output_open(path, overwrite, false, &out, err);
    if (status == ECDC_OK)
        status = output_write_json(out, json, err);
    if (status == ECDC_OK)
        return output_commit(out, err);
    output_discard(out);
    return status;
}
