/* ecdc encode: a sound becomes a file of codes. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "codes_out.h"
#include "encode_stream.h"
#include "json_out.h"
#include "paths.h"

static ecdc_status write_frames(void *context, const int32_t *codes, size_t n_frames, int64_t samples_read, bool *stop,
                                ecdc_error *err) {
    (void)samples_read;
    (void)stop;
    return codes_out_write(context, codes, n_frames, err);
}

static int run(const struct options *o) {
    if (!o->format && path_ends_with(o->output, ".npz"))
        return report_usage("encode: %s: .npz is for models that encode in chunks; use .npy or .ecdc", o->output);
    const char *format = output_format(&command_encode, o, "ecdc npy");
    if (!format || output_is_input(o))
        return EXIT_USAGE;

    ecdc_error err;
    ecdc_model *model = NULL;
    struct codes_out *out = NULL;
    struct encoded result;
    ecdc_settings settings = settings_of(o);
    int n_codebooks = 0;
    ecdc_status status = ecdc_model_open(o->model, &model, &err);
    if (status == ECDC_OK)
        status = ecdc_model_codebooks(model, o->bandwidth_kbps, &n_codebooks, &err);
    if (status == ECDC_OK)
        status = codes_out_open(o->output, o->overwrite, !strcmp(format, "npy"), model, n_codebooks, &out, &err);
    if (status == ECDC_OK)
        status = encode_stream(o, model, &settings, write_frames, out, &result, &err);
    if (status == ECDC_OK) {
        status = codes_out_commit(out, result.samples, &err);
        out = NULL;
    }
    codes_out_discard(out);
    if (status == ECDC_OK) {
        double audio_s = (double)result.samples / result.sampling_rate_hz;
        if (o->json) {
            cJSON *json = cJSON_CreateObject();
            cJSON_AddStringToObject(json, "output", o->output);
            json_put_integer(json, "samples", result.samples);
            json_put_integer(json, "frames", ecdc_model_frames(model, result.samples));
            json_put_integer(json, "codebooks", n_codebooks);
            cJSON_AddBoolToObject(json, "partial", *result.broken_off != 0);
            json_put_speed(json, audio_s, result.seconds_wall);
            json_print(json);
        } else {
            report_note(o, "%s: %lld frames x %d codebooks, %.2f s of sound in %.2f s", o->output,
                        (long long)ecdc_model_frames(model, result.samples), n_codebooks, audio_s, result.seconds_wall);
        }
    }
    ecdc_model_close(model);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

const struct command command_encode = {
    .name = "encode",
    .arguments = "IN -o OUT.ecdc|OUT.npy",
    .summary = "any audio or video that FFmpeg reads -> codes",
    .options = "output format overwrite track partial-input model bandwidth threads precision cpu json",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
