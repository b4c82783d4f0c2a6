/* ecdc features: a sound becomes one row per fMRI volume, with a table and a description beside the array. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "features/file_job.h"
#include "features_file.h"
#include "input.h"
#include "json_out.h"
#include "model_open.h"

/* The options that have no meaning in each mode, in the order of ecdc_mode. */
static const char *const meaningless[] = {
    [ECDC_MODE_ENCODEC] = "per-frame",
    [ECDC_MODE_MEL] = ("layout dtype per-frame " OPTIONS_OF_CODES),
    [ECDC_MODE_LATENT] = "layout dtype",
};

ecdc_features_settings features_settings(const struct options *o, const ecdc_listener *listener) {
    ecdc_features_settings s = ecdc_default_features_settings();
    s.mode = o->mode;
    s.bandwidth_kbps = o->bandwidth_kbps;
    s.n_codebooks = o->codebooks;
    s.layout = o->layout;
    s.tr = o->tr;
    s.alignment = o->alignment;
    s.max_trs = o->max_trs > 0 ? o->max_trs : 0;
    s.partial = o->partial;
    s.per_frame = o->per_frame;
    s.hrf = o->hrf;
    s.int16 = o->dtype && !strcmp(o->dtype, "int16");
    s.overwrite = o->overwrite;
    s.choose_track = o->track >= 0;
    s.track = o->track;
    s.partial_input = o->partial_input;
    s.n_threads = o->threads;
    s.cpu = o->cpu;
    s.precision = o->precision;
    s.listener = listener;
    return s;
}

static ecdc_status report(const struct options *o, const ecdc_features_result *r, ecdc_error *err) {
    double audio_s = (double)r->samples / r->sampling_rate_hz;
    static const char *const units[] = {"codebook", "mel", "dimension"}; /* in the order of ecdc_mode */
    static const char *const names[] = {"n_codebooks", "n_mels", "dimension"};
    if (!o->json) {
        char frames[40] = "";
        if (o->mode != ECDC_MODE_LATENT || o->per_frame)
            snprintf(frames, sizeof frames, " x %" PRId64 " frame%s", r->row[1], plural(r->row[1]));
        report_note(o, "%s: %" PRId64 " TR%s x %" PRId64 " %s%s%s, %.2f s of sound in %.2f s", o->output, r->n_trs, plural(r->n_trs),
                    r->row[0], units[o->mode], plural(r->row[0]), frames, audio_s, r->seconds_wall);
        return ECDC_OK;
    }
    cJSON *json = cJSON_CreateObject();
    json_put_integer(json, names[o->mode], r->row[0]);
    json_put_integer(json, "frames_per_tr", r->row[1]);
    if (o->mode == ECDC_MODE_MEL)
        json_put_number(json, "ref", r->mel_ref);
    json_put_string(json, "output", o->output);
    json_put_integer(json, "n_trs", r->n_trs);
    json_put_speed(json, audio_s, r->seconds_wall);
    return json_print(json, err);
}

int features_usage(const struct options *o) {
    char option[32];
    if (option_given(o, meaningless[o->mode], option))
        return report_usage("features: %s means nothing with --mode %s", option, mode_name(o->mode));
    if (o->dtype && strncmp(o->dtype, "int", 3) != 0)
        return report_usage("features: --dtype %s: allowed is int64 or int16", o->dtype);
    ecdc_error err;
    ecdc_features_settings settings = features_settings(o, NULL);
    return features_check(&settings, &err) == ECDC_OK ? EXIT_DONE : report_usage("%s", err.message);
}

int features_model(const struct options *o, ecdc_model **model) {
    *model = NULL;
    if (o->mode == ECDC_MODE_MEL)
        return EXIT_DONE;
    ecdc_error err;
    ecdc_features_settings settings = features_settings(o, NULL);
    ecdc_status status = model_open(o, o->model, model, &err);
    if (status == ECDC_OK)
        status = features_model_check(*model, &settings, &err);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

static int run(const struct options *o) {
    if (features_usage(o) != EXIT_DONE || output_is_input(o) || !output_format(&command_features, o, "npy"))
        return EXIT_USAGE;
    ecdc_error err;
    ecdc_model *model;
    ecdc_features_result result;
    struct input_listener listener;
    input_listener_init(&listener, o);
    ecdc_features_settings settings = features_settings(o, &listener.listener);
    int status = features_model(o, &model);
    if (status == EXIT_DONE) {
        ecdc_status written = ecdc_write_features(model, o->arguments[0], o->output, &settings, &result, &err);
        input_listener_end(&listener);
        if (written == ECDC_OK)
            written = report(o, &result, &err);
        if (written != ECDC_OK)
            status = report_error(&err);
    }
    ecdc_model_close(model);
    return status;
}

const struct command command_features = {
    .name = "features",
    .arguments = "IN -o OUT.npy",
    .summary = "codes, latents or a mel spectrogram on the TR grid, with OUT.tsv and OUT.json beside them",
    .options = FEATURES_OPTIONS " threads",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
