#include "base/json_put.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void number_text(double x, char *text, size_t size) {
    if (!isfinite(x)) {
        snprintf(text, size, "null");
        return;
    }
    locale_t before = numbers_begin();
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    numbers_end(before);
    if (!strpbrk(text, ".en") && strlen(text) + 2 < size)
        strcat(text, ".0"); /* a float stays one */
}

/* Something of the object or list is missing: it cannot be printed any more, nor can what it is part of. */
static void spoil(cJSON *json) {
    if (json)
        json->type = cJSON_Invalid;
}

void json_put_item(cJSON *object, const char *name, cJSON *item) {
    if (!cJSON_AddItemToObject(object, name, item)) {
        cJSON_Delete(item);
        spoil(object);
    }
}

void json_append(cJSON *list, cJSON *item) {
    if (!cJSON_AddItemToArray(list, item)) {
        cJSON_Delete(item);
        spoil(list);
    }
}

void json_put_number(cJSON *object, const char *name, double x) {
    char text[40];
    number_text(x, text, sizeof text);
    size_t n = strlen(text);
    if (n > 2 && !strcmp(text + n - 2, ".0"))
        text[n - 2] = 0; /* JSON has one kind of number: the shorter form */
    json_put_item(object, name, cJSON_CreateRaw(text));
}

void json_put_integer(cJSON *object, const char *name, int64_t x) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, x);
    json_put_item(object, name, cJSON_CreateRaw(text));
}

void json_put_string(cJSON *object, const char *name, const char *text) {
    char *valid = text ? utf8_replaced(text) : NULL;
    json_put_item(object, name, valid ? cJSON_CreateString(valid) : NULL);
    free(valid);
}

void json_put_bool(cJSON *object, const char *name, bool x) {
    json_put_item(object, name, cJSON_CreateBool(x));
}

cJSON *json_put_object(cJSON *object, const char *name) {
    cJSON *child = cJSON_AddObjectToObject(object, name);
    if (!child)
        spoil(object);
    return child;
}

cJSON *json_put_list(cJSON *object, const char *name) {
    cJSON *child = cJSON_AddArrayToObject(object, name);
    if (!child)
        spoil(object);
    return child;
}
