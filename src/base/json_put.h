/* JSON objects with numbers in their shortest form that reads back as the same double. */
#ifndef ECDC_BASE_JSON_PUT_H
#define ECDC_BASE_JSON_PUT_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

/* Writes the shortest decimal that reads back as x, as Python's repr does ("1.5", "0.1", "3.0"); "null" if not finite. */
void number_text(double x, char *text, size_t size);

/* Members; a value that is not finite becomes null. */
void json_put_number(cJSON *object, const char *name, double x);
void json_put_integer(cJSON *object, const char *name, int64_t x);

/* A member, or an element of a list. They take the item in any case: where memory ran out before, either may be NULL. */
void json_put_item(cJSON *object, const char *name, cJSON *item);
void json_append(cJSON *list, cJSON *item);

#endif
