#include "json_out.h"

#include <stdio.h>

#include "base/status.h"
#include "cli.h"

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

ecdc_status json_print(cJSON *object, ecdc_error *err) {
    char *text = cJSON_Print(object);
    if (text)
        puts(text);
    ecdc_status status = text ? ECDC_OK : ecdc_fail_memory(err, "what --json prints");
    cJSON_free(text);
    cJSON_Delete(object);
    return status;
}
