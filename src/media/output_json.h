/* JSON as an output: indented, with a newline at the end. */
#ifndef ECDC_MEDIA_OUTPUT_JSON_H
#define ECDC_MEDIA_OUTPUT_JSON_H

#include <cjson/cJSON.h>

#include "media/output.h"

/* Into an output that is open. ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status output_write_json(struct output *o, const cJSON *json, ecdc_error *err);
/* As a file of its own. ECDC_E_EXISTS, ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status output_save_json(const char *path, bool overwrite, const cJSON *json, ecdc_error *err);

#endif
