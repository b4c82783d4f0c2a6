#include "json_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

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

void json_put_metrics(cJSON *object, const ecdc_metrics *m) {
    json_put_number(object, "stoi", m->stoi);
    json_put_number(object, "estoi", m->estoi);
    json_put_number(object, "snr_db", m->snr_db);
    json_put_number(object, "si_sdr_db", m->si_sdr_db);
    json_put_number(object, "lsd_db", m->lsd_db);
}

void json_put_speed(cJSON *object, double seconds_audio, double seconds_wall) {
    json_put_number(object, "seconds_audio", seconds_audio);
    json_put_number(object, "seconds_wall", seconds_wall);
    json_put_number(object, "x_realtime", seconds_wall > 0 ? seconds_audio / seconds_wall : 0);
    json_put_number(object, "peak_rss_mb", peak_rss_mb());
}

void json_print(cJSON *object) {
    char *text = cJSON_Print(object);
    if (text)
        puts(text);
    cJSON_free(text);
    cJSON_Delete(object);
}
