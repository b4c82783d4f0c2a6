/* ecdc report: a page, or a figure, that shows what codes keep of a sound. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "input.h"
#include "json_out.h"
#include "model_open.h"
#include "progress.h"

struct watch {
    const struct options *o;
    struct progress progress;
    bool started;
};

static void progress(void *context, double done_s, double duration_hint_s) {
    struct watch *w = context;
    if (!w->started)
        progress_start(&w->progress, w->o, "encoding, decoding", duration_hint_s);
    w->started = true;
    progress_show(&w->progress, done_s);
}

static ecdc_report_settings report_settings(const struct options *o, const char *format, struct watch *watch) {
    ecdc_report_settings s = ecdc_default_report_settings();
    s.n_bandwidths = o->n_bandwidths;
    memcpy(s.bandwidths_kbps, o->bandwidths_kbps, sizeof s.bandwidths_kbps);
    s.tr = o->tr;
    s.alignment = o->alignment;
    s.format = !strcmp(format, "png") ? ECDC_REPORT_PNG : ECDC_REPORT_HTML;
    s.overwrite = o->overwrite;
    s.n_threads = o->threads;
    s.cpu = o->cpu;
    s.precision = o->precision;
    s.input.stop = stop_on_signal;
    s.input.stop_context = watch;
    s.input.choose_track = o->track >= 0;
    s.input.track = o->track;
    s.input.partial_input = o->partial_input;
    s.progress = progress;
    return s;
}

static ecdc_status print_json(const struct options *o, const ecdc_report_result *r, double wall_s, ecdc_error *err) {
    cJSON *json = cJSON_CreateObject(), *list = cJSON_CreateArray();
    json_put_string(json, "output", o->output);
    json_put_integer(json, "bytes", (int64_t)r->n_bytes);
    json_put_integer(json, "samples", r->n_samples);
    json_put_integer(json, "n_trs", r->n_trs);
    for (int i = 0; i < r->n_bandwidths; i++) {
        cJSON *one = cJSON_CreateObject();
        json_put_number(one, "bandwidth", r->bandwidths_kbps[i]);
        json_put_metrics(one, &r->metrics[i]);
        json_append(list, one);
    }
    json_put_item(json, "bandwidths", list);
    json_put_bool(json, "partial", *r->broken_off != 0);
    json_put_speed(json, (double)r->n_samples / r->sampling_rate_hz, wall_s);
    return json_print(json, err);
}

static ecdc_status report(const struct options *o, const ecdc_report_result *r, double wall_s, ecdc_error *err) {
    ecdc_reader_info input = r->input;
    input.broken_off = *r->broken_off ? r->broken_off : NULL;
    struct input_listener listener;
    input_listener_init(&listener, o);
    struct sound_in in = input_of(o, 0, &listener.listener);
    sound_in_note_repairs(&in, &input);
    if (o->json)
        return print_json(o, r, wall_s, err);
    char size[24];
    report_note(o, "%s: %lld TR%s, %.2f s of sound in %.2f s, %s", o->output, (long long)r->n_trs, plural(r->n_trs),
                (double)r->n_samples / r->sampling_rate_hz, wall_s, size_text(r->n_bytes, size));
    return ECDC_OK;
}

/* Whether there is sound before the damage. A pipe cannot be read again: there it counts whether any came. */
static bool sound_comes_before(const struct options *o, const struct watch *watch) {
    struct stat s;
    if (stat(o->arguments[0], &s) != 0 || !S_ISREG(s.st_mode))
        return watch->started;
    struct options partial = *o;
    partial.partial_input = true;
    ecdc_reader *reader;
    ecdc_error ignored;
    if (open_input(&partial, 0, 0, 1, &reader, &ignored) != ECDC_OK)
        return false;
    float sample;
    size_t n = 0;
    bool read = read_input(&partial, reader, &sample, 1, &n, &ignored) == ECDC_OK;
    ecdc_reader_close(reader);
    return read && n > 0;
}

/* A failure in the words of the command: damaged input can be used up to the damage. */
static ecdc_status explain(const struct options *o, const struct watch *watch, ecdc_status status, ecdc_error *err) {
    if (status == ECDC_E_STOPPED)
        return fail_interrupted(err);
    size_t n = strlen(err->message);
    if (status == ECDC_E_FORMAT && !o->partial_input && sound_comes_before(o, watch))
        snprintf(err->message + n, sizeof err->message - n, "; --partial-input takes what comes before");
    return status;
}

static int run(const struct options *o) {
    const char *format = output_is_input(o) ? NULL : output_format(&command_report, o, "html png");
    if (!format)
        return EXIT_USAGE;
    double start_s = now_s();
    struct watch watch = {.o = o};
    ecdc_report_settings settings = report_settings(o, format, &watch);
    ecdc_report_result result;
    ecdc_error err;
    ecdc_model *model = NULL;
    ecdc_status status = model_open(o, o->model, &model, &err);
    if (status == ECDC_OK) {
        status = ecdc_report(model, o->arguments[0], o->output, &settings, &result, &err);
        if (watch.started)
            progress_end(&watch.progress);
        if (status != ECDC_OK)
            status = explain(o, &watch, status, &err);
    }
    if (status == ECDC_OK)
        status = report(o, &result, now_s() - start_s, &err);
    ecdc_model_close(model);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

const struct command command_report = {
    .name = "report",
    .arguments = "IN -o REPORT.html|REPORT.png",
    .summary = "a page to look at and listen to: sound and reconstruction, codes, TRs, measures",
    .options = "output format overwrite track partial-input model bandwidth tr alignment threads precision cpu json",
    .min_arguments = 1,
    .max_arguments = 1,
    .many_bandwidths = true,
    .run = run,
};
