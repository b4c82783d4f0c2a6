/* JSON objects with numbers in their shortest form that reads back as the same double.
 *
 * Nothing here fails in a way that its caller need look at: where memory runs out, the object or list that something could not be
 * put into is spoilt. cJSON_Print then returns NULL for it and for whatever it is part of, so that no text comes out in which
 * something is missing; whoever prints looks once. Whoever reads an object instead asks cJSON_IsObject, which is false for a
 * spoilt one. Objects and lists may be NULL, and so may items. */
#ifndef ECDC_BASE_JSON_PUT_H
#define ECDC_BASE_JSON_PUT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes the shortest decimal that reads back as x, as Python's repr does ("1.5", "0.1", "3.0"), in any locale; "null" if not finite. */
void number_text(double x, char *text, size_t size);

/* Members; a number that is not finite becomes null. */
void json_put_number(cJSON *object, const char *name, double x);
void json_put_integer(cJSON *object, const char *name, int64_t x);
void json_put_string(cJSON *object, const char *name, const char *text); /* bytes that are not UTF-8 become U+FFFD */
void json_put_bool(cJSON *object, const char *name, bool x);

/* A member that is an empty object or list, to be filled; it belongs to `object`. NULL where memory ran out. */
cJSON *json_put_object(cJSON *object, const char *name);
cJSON *json_put_list(cJSON *object, const char *name);

/* A member, or an element of a list; they take the item in any case. */
void json_put_item(cJSON *object, const char *name, cJSON *item);
void json_append(cJSON *list, cJSON *item);

#endif
