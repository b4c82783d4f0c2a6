/* JSON objects with numbers in their shortest form that reads back as the same double. */
#ifndef ECDC_CLI_JSON_OUT_H
#define ECDC_CLI_JSON_OUT_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "ecdc.h"

/* Writes the shortest decimal that reads back as x, as Python's repr does ("1.5", "0.1", "3.0"); "null" if not finite. */
void number_text(double x, char *text, size_t size);

/* Members; a value that is not finite becomes null. */
void json_put_number(cJSON *object, const char *name, double x);
void json_put_integer(cJSON *object, const char *name, int64_t x);
void json_put_metrics(cJSON *object, const ecdc_metrics *m);
void json_put_speed(cJSON *object, double seconds_audio, double seconds_wall); /* with x_realtime and peak_rss_mb */

/* Prints the object on standard output and frees it. */
void json_print(cJSON *object);

#endif
