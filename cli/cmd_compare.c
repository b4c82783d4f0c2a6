/* ecdc compare: how far a sound is from another one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "cli.h"
#include "input.h"
#include "json_out.h"
#include "metrics/comparison.h"

enum { BLOCK = 16384 };

/* Fills a block from a reader, which may deliver less at a time; short only at the end. */
static ecdc_status read_block(const struct options *o, ecdc_reader *reader, float *samples, size_t *n, ecdc_error *err) {
    *n = 0;
    for (size_t part = 1; *n < BLOCK && part > 0; *n += part) {
        ecdc_status status = read_input(o, reader, samples + *n, BLOCK - *n, &part, err);
        if (status != ECDC_OK)
            return status;
    }
    return ECDC_OK;
}

struct pair {
    ecdc_reader *reference, *degraded;
    struct comparison *comparison;
    float *samples; /* 2 * BLOCK */
    int64_t n_samples;
    int rate;
};

static ecdc_status compare(struct pair *p, const struct options *o, ecdc_metrics *metrics, ecdc_error *err) {
    p->samples = ecdc_alloc_floats(2 * BLOCK);
    if (!p->samples)
        return ecdc_fail_memory(err, "samples");
    ecdc_status status = open_input(o, 0, 0, 1, &p->reference, err);
    if (status != ECDC_OK)
        return status;
    ecdc_reader_info info;
    ecdc_reader_get_info(p->reference, &info);
    p->rate = info.source_rate_hz;
    status = open_input(o, 1, p->rate, 1, &p->degraded, err);
    if (status == ECDC_OK)
        status = comparison_new(&p->comparison, err);
    for (size_t n = BLOCK; status == ECDC_OK && n == BLOCK;) { /* to the end of the shorter one */
        size_t m = 0;
        status = read_block(o, p->reference, p->samples, &n, err);
        if (status == ECDC_OK)
            status = read_block(o, p->degraded, p->samples + BLOCK, &m, err);
        n = m < n ? m : n;
        if (status == ECDC_OK)
            comparison_push(p->comparison, p->samples, p->samples + BLOCK, n);
        p->n_samples += (int64_t)n;
    }
    if (status == ECDC_OK && p->n_samples == 0)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s or %s: no sound", o->arguments[0], o->arguments[1]);
    ecdc_reader *readers[] = {p->reference, p->degraded};
    for (int i = 0; status == ECDC_OK && i < 2; i++) {
        ecdc_reader_get_info(readers[i], &info);
        note_broken_off(o, &info);
    }
    return status == ECDC_OK ? comparison_finish(p->comparison, metrics, err) : status;
}

static int run(const struct options *o) {
    struct pair p = {0};
    ecdc_metrics metrics;
    ecdc_error err;
    ecdc_status status = compare(&p, o, &metrics, &err);
    if (status == ECDC_OK && o->json) {
        cJSON *json = cJSON_CreateObject();
        json_put_number(json, "snr_db", metrics.snr_db);
        json_put_number(json, "si_sdr_db", metrics.si_sdr_db);
        json_put_number(json, "lsd_db", metrics.lsd_db);
        json_put_number(json, "seconds", (double)p.n_samples / p.rate);
        json_put_integer(json, "sample_rate", p.rate);
        json_print(json);
    } else if (status == ECDC_OK) {
        printf("compared  %.3f s at %d Hz\n"
               "SNR       %.2f dB\n"
               "SI-SDR    %.2f dB\n"
               "LSD       %.2f dB\n",
               (double)p.n_samples / p.rate, p.rate, metrics.snr_db, metrics.si_sdr_db, metrics.lsd_db);
    }
    comparison_free(p.comparison);
    ecdc_reader_close(p.reference);
    ecdc_reader_close(p.degraded);
    free(p.samples);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

const struct command command_compare = {
    .name = "compare",
    .arguments = "REFERENCE DEGRADED",
    .summary = "signal-to-noise ratio, SI-SDR and log-spectral distance of two sounds",
    .options = "track partial-input json",
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
};
