/* ecdc encode: a sound becomes a file of codes. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "codes_out.h"
#include "encode_file.h"
#include "input.h"
#include "json_out.h"
#include "model_open.h"

static ecdc_status write_frames(void *context, const int32_t *codes, size_t n_frames, const float *scale, int64_t samples_read,
                                bool *stop, ecdc_error *err) {
    (void)samples_read;
    (void)stop;
    return codes_out_write(context, codes, n_frames, scale, err);
}

/* Chunks have scales, for which a .npy has no place; and without chunks there is nothing that a .npz would add. */
static bool format_fits(const struct options *o, const char *format, const ecdc_model_info *info) {
    if (info->chunked && !strcmp(format, "npy"))
        report_usage("encode: %s: %s encodes chunks with scales, which a .npy does not hold; use .npz or .ecdc", o->output,
                     info->name);
    else if (!info->chunked && !strcmp(format, "npz"))
        report_usage("encode: %s: .npz is for models that encode in chunks, which %s does not; use .npy or .ecdc", o->output,
                     info->name);
    else
        return true;
    return false;
}

static ecdc_status report(const struct options *o, const ecdc_model *model, const struct encoded *result, ecdc_error *err) {
    ecdc_model_info info;
    int n_codebooks = 0;
    ecdc_model_get_info(model, &info);
    ecdc_status status = ecdc_model_codebooks(model, o->bandwidth_kbps, &n_codebooks, err);
    if (status != ECDC_OK)
        return status;
    double audio_s = (double)result->samples / result->sampling_rate_hz;
    const char *unit = info.chunked ? "chunk" : "frame", *units = info.chunked ? "chunks" : "frames";
    int64_t n = info.chunked ? ecdc_model_chunks(model, result->samples) : ecdc_model_frames(model, result->samples);
    if (!o->json) {
        report_note(o, "%s: %lld %s%s x %d codebook%s, %.2f s of sound in %.2f s", o->output, (long long)n, unit, plural(n),
                    n_codebooks, plural(n_codebooks), audio_s, result->seconds_wall);
        return ECDC_OK;
    }
    cJSON *json = cJSON_CreateObject();
    json_put_string(json, "output", o->output);
    json_put_integer(json, "samples", result->samples);
    json_put_integer(json, units, n);
    json_put_integer(json, "codebooks", n_codebooks);
    json_put_bool(json, "partial", *result->broken_off != 0);
    json_put_speed(json, audio_s, result->seconds_wall);
    return json_print(json, err);
}

int encode_model(const struct options *o, const char *format, ecdc_model **model) {
    *model = NULL;
    ecdc_error err;
    ecdc_model_info info;
    int n_codebooks;
    if (model_open(o, o->model, model, &err) != ECDC_OK)
        return report_error(&err);
    ecdc_model_get_info(*model, &info);
    if (!format_fits(o, format, &info))
        return EXIT_USAGE;
    return ecdc_model_codebooks(*model, o->bandwidth_kbps, &n_codebooks, &err) == ECDC_OK ? EXIT_DONE : report_error(&err);
}

ecdc_status encode_file(const struct options *o, const char *format, const ecdc_model *model, ecdc_group *group,
                        const ecdc_listener *listener, struct encoded *result, ecdc_error *err) {
    struct sound_in in = input_of(o, 0, listener);
    struct codes_out *out = NULL;
    ecdc_settings settings = settings_of(o);
    settings.group = group;
    int n_codebooks;
    ecdc_status status = ecdc_model_codebooks(model, o->bandwidth_kbps, &n_codebooks, err);
    if (status == ECDC_OK)
        status = codes_out_open(o->output, o->overwrite, format, model, n_codebooks, &out, err);
    if (status == ECDC_OK)
        status = encode_stream(&in, model, &settings, write_frames, out, result, err);
    if (status == ECDC_OK) {
        status = codes_out_commit(out, result->samples, err);
        out = NULL;
    }
    codes_out_discard(out);
    return status;
}

static int run(const struct options *o) {
    const char *format = output_is_input(o) ? NULL : output_format(&command_encode, o, "ecdc npy npz");
    if (!format)
        return EXIT_USAGE;
    ecdc_model *model;
    struct encoded result;
    ecdc_error err;
    struct input_listener listener;
    input_listener_init(&listener, o);
    int status = encode_model(o, format, &model);
    if (status == EXIT_DONE) {
        ecdc_status encoded = encode_file(o, format, model, NULL, &listener.listener, &result, &err);
        input_listener_end(&listener);
        if (encoded == ECDC_OK)
            encoded = report(o, model, &result, &err);
        if (encoded != ECDC_OK)
            status = report_error(&err);
    }
    ecdc_model_close(model);
    return status;
}

const struct command command_encode = {
    .name = "encode",
    .arguments = "IN -o OUT.ecdc|OUT.npy|OUT.npz",
    .summary = "any audio or video that FFmpeg reads -> codes",
    .options = "output format overwrite track partial-input model bandwidth threads precision cpu json",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
