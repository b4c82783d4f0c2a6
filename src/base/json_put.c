#include "base/json_put.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void number_text(double x, char *text, size_t size) {
    if (!isfinite(x)) {
        snprintf(text, size, "null");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, size, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    if (!strpbrk(text, ".en") && strlen(text) + 2 < size)
        strcat(text, ".0"); /* a float stays one */
}

void json_put_number(cJSON *object, const char *name, double x) {
    char text[40];
    number_text(x, text, sizeof text);
    size_t n = strlen(text);
    if (n > 2 && !strcmp(text + n - 2, ".0"))
        text[n - 2] = 0; /* JSON has one kind of number: the shorter form */
    cJSON_AddRawToObject(object, name, text);
}

void json_put_integer(cJSON *object, const char *name, int64_t x) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, x);
    cJSON_AddRawToObject(object, name, text);
}

void json_put_item(cJSON *object, const char *name, cJSON *item) {
    if (!cJSON_AddItemToObject(object, name, item))
        cJSON_Delete(item);
}

void json_append(cJSON *list, cJSON *item) {
    if (!cJSON_AddItemToArray(list, item))
        cJSON_Delete(item);
}
