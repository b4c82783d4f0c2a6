/* ecdc compare: how far a sound is from another one. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "cli.h"
#include "input.h"
#include "json_out.h"
#include "metrics/comparison.h"
#include "metrics/stoi_stream.h"

enum { BLOCK = 16384 };

static const double SLACK_S = 0.05; /* sounds that differ in length by less are as long for people */

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
    struct stoi_stream *stoi;
    float *samples; /* 2 * BLOCK */
    int64_t n_samples;
    int rate;
    int longer;          /* 0 or 1: the one that goes on where the other ends */
    int64_t n_longer_by; /* samples, as far as they were read */
};

/* The next block of both; *n is below BLOCK at the end. */
static ecdc_status compare_block(struct pair *p, const struct options *o, size_t *n, ecdc_error *err) {
    float *reference = p->samples, *degraded = p->samples + BLOCK;
    size_t m = 0;
    ecdc_status status = read_block(o, p->reference, reference, n, err);
    if (status == ECDC_OK)
        status = read_block(o, p->degraded, degraded, &m, err);
    if (status != ECDC_OK)
        return status;
    p->longer = m > *n;
    p->n_longer_by = (int64_t)(m > *n ? m - *n : *n - m);
    *n = m < *n ? m : *n;
    p->n_samples += (int64_t)*n;
    comparison_push(p->comparison, reference, degraded, *n);
    return stoi_stream_push(p->stoi, reference, degraded, *n, err);
}

/* Once one has ended: a block more of the other, so that p->n_longer_by tells whether it goes on for long. */
static ecdc_status look_beyond(struct pair *p, const struct options *o, ecdc_error *err) {
    size_t more = 0;
    ecdc_status status = p->n_longer_by ? read_block(o, p->longer ? p->degraded : p->reference, p->samples, &more, err) : ECDC_OK;
    p->n_longer_by += (int64_t)more;
    return status;
}

static bool is_cut(const struct pair *p) {
    return (double)p->n_longer_by > SLACK_S * p->rate;
}

static void note_cut(const struct pair *p, const struct options *o) {
    ecdc_reader_info info;
    char until[40] = "";
    ecdc_reader_get_info(p->longer ? p->degraded : p->reference, &info);
    if (info.duration_hint_s > 0)
        snprintf(until, sizeof until, ", to %.3f s or so,", info.duration_hint_s);
    report_note(o, "%s ends at %.3f s; what %s has behind that%s is not compared", o->arguments[!p->longer],
                (double)p->n_samples / p->rate, o->arguments[p->longer], until);
}

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
    if (status == ECDC_OK)
        status = stoi_stream_new(p->rate, &p->stoi, err);
    for (size_t n = BLOCK; status == ECDC_OK && n == BLOCK;) /* to the end of the shorter one */
        status = compare_block(p, o, &n, err);
    if (status == ECDC_OK)
        status = look_beyond(p, o, err);
    if (status == ECDC_OK && p->n_samples == 0)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s or %s: no sound", o->arguments[0], o->arguments[1]);
    ecdc_reader *readers[] = {p->reference, p->degraded};
    for (int i = 0; status == ECDC_OK && i < 2; i++) {
        ecdc_reader_get_info(readers[i], &info);
        note_broken_off(o, &info);
    }
    if (status == ECDC_OK)
        status = comparison_finish(p->comparison, metrics, err);
    return status == ECDC_OK ? stoi_stream_finish(p->stoi, &metrics->stoi, &metrics->estoi, err) : status;
}

static void print_text(const struct pair *p, const ecdc_metrics *m) {
    printf("compared  %.3f s at %d Hz\n", (double)p->n_samples / p->rate, p->rate);
    if (isnan(m->stoi))
        printf("STOI      -\n"
               "ESTOI     -\n");
    else
        printf("STOI      %.4f\n"
               "ESTOI     %.4f\n",
               m->stoi, m->estoi);
    printf("SNR       %.2f dB\n"
           "SI-SDR    %.2f dB\n"
           "LSD       %.2f dB\n",
           m->snr_db, m->si_sdr_db, m->lsd_db);
}

static ecdc_status print_json(const struct pair *p, const ecdc_metrics *m, ecdc_error *err) {
    cJSON *json = cJSON_CreateObject();
    json_put_metrics(json, m);
    json_put_number(json, "seconds", (double)p->n_samples / p->rate);
    json_put_integer(json, "sample_rate", p->rate);
    json_put_bool(json, "cut", is_cut(p));
    return json_print(json, err);
}

static int run(const struct options *o) {
    struct pair p = {0};
    ecdc_metrics metrics;
    ecdc_error err;
    if (!strcmp(o->arguments[0], "-") && !strcmp(o->arguments[1], "-"))
        return report_usage("compare - -: standard input can be only one of the two sounds");
    ecdc_status status = compare(&p, o, &metrics, &err);
    if (status == ECDC_OK) {
        if (is_cut(&p))
            note_cut(&p, o);
        if (isnan(metrics.stoi))
            report_note(o, "no STOI: less than 0.41 s of %s are speech (within 40 dB of its loudest frame)", o->arguments[0]);
        if (o->json)
            status = print_json(&p, &metrics, &err);
        else
            print_text(&p, &metrics);
    }
    comparison_free(p.comparison);
    stoi_stream_free(p.stoi);
    ecdc_reader_close(p.reference);
    ecdc_reader_close(p.degraded);
    free(p.samples);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

const struct command command_compare = {
    .name = "compare",
    .arguments = "REFERENCE DEGRADED",
    .summary = "STOI, ESTOI, signal-to-noise ratio, SI-SDR and log-spectral distance of two sounds",
    .details = "Both are mixed to mono, DEGRADED is resampled to REFERENCE's rate, the longer one is cut. The log-spectral distance\n"
               "depends on the rate: one at 44.1 kHz and one at 24 kHz (as ecdc report has it) do not compare.",
    .options = "track partial-input json",
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
};
