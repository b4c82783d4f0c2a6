/* Reading JSON from untrusted files: cJSON with bounds on memory and errors that say where. */
#ifndef ECDC_BASE_JSON_H
#define ECDC_BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "ecdc.h"

/* Parses n bytes (not terminated) whose outermost value must be an object; cJSON_Delete the root. `what` names the
 * text in messages: a path, or "x.safetensors: header". ECDC_E_FORMAT, ECDC_E_MEMORY. */
ecdc_status json_parse_object(const char *what, const char *text, size_t n, cJSON **root, ecdc_error *err);

/* The same from a file of at most 1 MiB. ECDC_E_IO, too. */
ecdc_status json_read_object(const char *path, cJSON **root, ecdc_error *err);

/* The value as a message should show it, cut to `size`: 12, "text", null, a list ... Returns buffer. */
const char *json_describe(const cJSON *value, char *buffer, size_t size);

/* A whole number in min ... max; false for everything else. Numbers are exact up to 2^53. */
bool json_integer(const cJSON *value, double min, double max, double *out);

#endif
