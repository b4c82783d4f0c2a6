/* What the commands print with --json. */
#ifndef ECDC_CLI_JSON_OUT_H
#define ECDC_CLI_JSON_OUT_H

#include "base/json_put.h"

#include "ecdc.h"

void json_put_metrics(cJSON *object, const ecdc_metrics *m);
void json_put_speed(cJSON *object, double seconds_audio, double seconds_wall); /* with x_realtime and peak_rss_mb */

/* Prints the object on standard output and frees it. ECDC_E_MEMORY where there was too little of it, then or before (json_put.h). */
ecdc_status json_print(cJSON *object, ecdc_error *err);

#endif
