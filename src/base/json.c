#include "base/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"

/* cJSON spends about 100 bytes on a value, and two characters ("1,") make one: without this bound a file would cost
 * fifty times its size. A checkpoint's header has some thousands of values. */
enum { MAX_VALUES = 1 << 20, MAX_FILE = 1 << 20 };

static size_t line_of(const char *text, size_t offset) {
    size_t line = 1;
    for (size_t i = 0; i < offset; i++)
        line += text[i] == '\n';
    return line;
}

ecdc_status json_parse_object(const char *what, const char *text, size_t n, cJSON **root, ecdc_error *err) {
    size_t n_values = 1;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\0')
            return ecdc_fail(err, ECDC_E_FORMAT, "%s: not JSON: byte %zu is zero", what, i);
        n_values += text[i] == ',' || text[i] == '[' || text[i] == '{';
    }
    if (n_values > MAX_VALUES)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: the JSON has more than %d values", what, (int)MAX_VALUES);

    /* Terminated, since versions of cJSON before 1.7.18 read past the end of a cut text whatever length they are told. */
    char *copy = n < SIZE_MAX ? ecdc_alloc_array(n + 1, 1) : NULL;
    if (!copy)
        return ecdc_fail_memory(err, what);
    memcpy(copy, text, n);
    copy[n] = '\0';

    const char *end = NULL;
    ecdc_status status = ECDC_OK;
    errno = 0;
    cJSON *value = cJSON_ParseWithLengthOpts(copy, n + 1, &end, 1);
    if (!value && errno == ENOMEM) { /* cJSON does not say which it was, malloc does */
        status = ecdc_fail_memory(err, what);
    } else if (!value) {
        size_t offset = end >= copy && end <= copy + n ? (size_t)(end - copy) : n;
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: not valid JSON (or nested too deeply) at line %zu, byte %zu of %zu",
                           what, line_of(copy, offset), offset, n);
    } else if (!cJSON_IsObject(value)) {
        char shown[32];
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: the JSON is %s, not an object", what,
                           json_describe(value, shown, sizeof shown));
        cJSON_Delete(value);
    } else {
        *root = value;
    }
    free(copy);
    return status;
}

ecdc_status json_read_object(const char *path, cJSON **root, ecdc_error *err) {
    char *text = NULL;
    size_t n = 0;
    ecdc_status status = file_read_text(path, MAX_FILE, &text, &n, err);
    if (status == ECDC_OK)
        status = json_parse_object(path, text, n, root, err);
    free(text);
    return status;
}

const char *json_describe(const cJSON *value, char *buffer, size_t size) {
    if (cJSON_IsNumber(value))
        snprintf(buffer, size, "%.15g", value->valuedouble);
    else if (cJSON_IsString(value) && strlen(value->valuestring) > 40)
        snprintf(buffer, size, "\"%.40s...\"", value->valuestring);
    else if (cJSON_IsString(value))
        snprintf(buffer, size, "\"%s\"", value->valuestring);
    else
        snprintf(buffer, size, "%s",
                 cJSON_IsNull(value)     ? "null"
                 : cJSON_IsTrue(value)   ? "true"
                 : cJSON_IsFalse(value)  ? "false"
                 : cJSON_IsArray(value)  ? "a list"
                 : cJSON_IsObject(value) ? "an object"
                                         : "missing");
    return buffer;
}

bool json_integer(const cJSON *value, double min, double max, double *out) {
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= min && value->valuedouble <= max) ||
        value->valuedouble != floor(value->valuedouble))
        return false;
    *out = value->valuedouble;
    return true;
}
