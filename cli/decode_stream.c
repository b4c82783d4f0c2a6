#include "decode_stream.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "json_out.h"
#include "media/wav.h"
#include "progress.h"

enum { BLOCK = 48 }; /* frames, as the decoder likes them */

static const float RESCALED_PEAK = 0.99f; /* the limit that encodec's own tool uses */

/* Everything that one run holds, so that one place frees it. */
struct run {
    const struct options *o;
    struct frame_source *source;
    ecdc_decoder *decoder;
    struct output *output;
    struct wav_writer *wav;
    int32_t *codes;
    float *samples;
    size_t capacity; /* samples per channel */
    int rate, channels;
    int64_t written; /* samples per channel */
    float peak, gain;
};

/* Takes what is ready: measures it or, where there is a file, writes it. */
static ecdc_status drain(struct run *r, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (size_t n; status == ECDC_OK && (n = ecdc_decoder_pull(r->decoder, r->samples, r->capacity)) > 0;) {
        if ((int64_t)n > r->source->n_samples - r->written)
            n = (size_t)(r->source->n_samples - r->written);
        for (size_t i = 0; i < n * (size_t)r->channels; i++) {
            r->peak = fmaxf(r->peak, fabsf(r->samples[i]));
            r->samples[i] *= r->gain;
        }
        r->written += (int64_t)n;
        if (r->wav)
            status = wav_write(r->wav, r->samples, n, err);
    }
    return status;
}

static ecdc_status pass(struct run *r, const char *what, ecdc_error *err) {
    struct progress progress;
    double total_s = (double)r->source->n_samples / r->rate;
    progress_start(&progress, r->o, what, total_s);
    r->written = 0;
    ecdc_status status = r->source->rewind(r->source->context, err);
    ecdc_decoder_reset(r->decoder);
    for (size_t n = 1; status == ECDC_OK && n > 0;) {
        status = interrupted() ? fail_interrupted(err)
                               : r->source->next(r->source->context, r->codes, BLOCK, &n, err);
        if (status == ECDC_OK)
            status = n ? ecdc_decoder_push(r->decoder, r->codes, n, err) : ecdc_decoder_finish(r->decoder, err);
        if (status == ECDC_OK)
            status = drain(r, err);
        progress_show(&progress, (double)r->written / r->rate);
    }
    progress_end(&progress);
    return status;
}

static ecdc_status prepare(struct run *r, const ecdc_model *model, ecdc_error *err) {
    ecdc_settings settings = settings_of(r->o);
    settings.n_codebooks = r->source->n_codebooks;
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    r->rate = info.sampling_rate_hz;
    r->channels = info.channels;
    r->capacity = BLOCK * (size_t)info.hop;
    r->codes = ecdc_alloc_array(BLOCK * (size_t)r->source->n_codebooks, sizeof *r->codes);
    r->samples = ecdc_alloc_floats(r->capacity * (size_t)r->channels);
    if (!r->codes || !r->samples)
        return ecdc_fail_memory(err, "samples");
    ecdc_status status = output_open(r->o->output, r->o->overwrite, false, &r->output, err);
    return status == ECDC_OK ? ecdc_decoder_new(model, &settings, &r->decoder, err) : status;
}

static void report(const struct run *r, double wall_s) {
    double audio_s = (double)r->written / r->rate;
    int64_t clipped = wav_clipped(r->wav);
    if (clipped)
        report_note(r->o, "%s: %lld of %lld samples were clipped (peak %.2f); -r rescales instead, --float keeps them",
                    r->o->output, (long long)clipped, (long long)r->written * r->channels, (double)r->peak);
    if (r->o->json) {
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "output", r->o->output);
        json_put_integer(json, "samples", r->written);
        json_put_integer(json, "sampling_rate", r->rate);
        json_put_integer(json, "channels", r->channels);
        json_put_integer(json, "clipped", clipped);
        json_put_number(json, "peak", (double)r->peak);
        json_put_number(json, "gain", (double)r->gain);
        json_put_speed(json, audio_s, wall_s);
        json_print(json);
    } else {
        report_note(r->o, "%s: %.2f s of sound in %.2f s", r->o->output, audio_s, wall_s);
    }
}

ecdc_status decode_stream(const struct options *o, const ecdc_model *model, struct frame_source *source,
                          ecdc_error *err) {
    double start_s = now_s();
    struct run r = {.o = o, .source = source, .gain = 1};
    ecdc_status status = prepare(&r, model, err);
    if (status == ECDC_OK && o->rescale) {
        status = pass(&r, "measuring", err);
        if (r.peak > RESCALED_PEAK)
            r.gain = RESCALED_PEAK / r.peak;
    }
    if (status == ECDC_OK)
        status = wav_open(r.output, r.rate, r.channels, o->float_samples, source->n_samples, &r.wav, err);
    if (status == ECDC_OK)
        status = pass(&r, "decoding", err);
    if (status == ECDC_OK)
        status = wav_finish(r.wav, err);
    if (status == ECDC_OK) {
        struct output *output = r.output;
        r.output = NULL; /* output_commit frees it */
        status = output_commit(output, err);
    }
    if (status == ECDC_OK)
        report(&r, now_s() - start_s);
    wav_free(r.wav);
    output_discard(r.output);
    ecdc_decoder_free(r.decoder);
    free(r.codes);
    free(r.samples);
    return status;
}
