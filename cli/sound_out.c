#include "sound_out.h"

#include <math.h>

#include "json_out.h"

static const float RESCALED_PEAK = 0.99f; /* the limit that encodec's own tool uses */

ecdc_status sound_out_open(struct sound_out *s, const struct options *o, int rate, int channels, int64_t n_samples,
                           ecdc_error *err) {
    *s = (struct sound_out){.o = o, .rate = rate, .channels = channels, .n_samples = n_samples, .gain = 1, .start_s = now_s()};
    return output_open(o->output, o->overwrite, false, &s->output, err);
}

ecdc_status sound_out_write(struct sound_out *s, float *samples, size_t n, ecdc_error *err) {
    if ((int64_t)n > s->n_samples - s->written)
        n = (size_t)(s->n_samples - s->written);
    for (size_t i = 0; i < n * (size_t)s->channels; i++) {
        s->peak = fmaxf(s->peak, fabsf(samples[i]));
        samples[i] *= s->gain;
    }
    s->written += (int64_t)n;
    progress_show(&s->progress, (double)s->written / s->rate);
    return s->wav ? wav_write(s->wav, samples, n, err) : ECDC_OK; /* no file yet: only measured */
}

static ecdc_status run_pass(struct sound_out *s, const char *what, sound_pass *pass, void *context, ecdc_error *err) {
    progress_start(&s->progress, s->o, what, (double)s->n_samples / s->rate);
    s->written = 0;
    ecdc_status status = pass(context, s, err);
    progress_end(&s->progress);
    return status;
}

static ecdc_status report(const struct sound_out *s, ecdc_error *err) {
    double audio_s = (double)s->written / s->rate, wall_s = now_s() - s->start_s;
    int64_t clipped = wav_clipped(s->wav);
    if (clipped)
        report_note(s->o, "%s: %lld of %lld samples were clipped (peak %.2f); -r rescales instead, --float keeps them",
                    s->o->output, (long long)clipped, (long long)s->written * s->channels, (double)s->peak);
    if (s->o->json) {
        cJSON *json = cJSON_CreateObject();
        json_put_string(json, "output", s->o->output);
        json_put_integer(json, "samples", s->written);
        json_put_integer(json, "sampling_rate", s->rate);
        json_put_integer(json, "channels", s->channels);
        json_put_integer(json, "clipped", clipped);
        json_put_number(json, "peak", (double)s->peak);
        json_put_number(json, "gain", (double)s->gain);
        json_put_speed(json, audio_s, wall_s);
        return json_print(json, err);
    }
    report_note(s->o, "%s: %.2f s of sound in %.2f s", s->o->output, audio_s, wall_s);
    return ECDC_OK;
}

ecdc_status sound_out_make(struct sound_out *s, sound_pass *pass, void *context, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    if (s->o->rescale) {
        status = run_pass(s, "measuring", pass, context, err);
        if (s->peak > RESCALED_PEAK)
            s->gain = RESCALED_PEAK / s->peak;
    }
    if (status == ECDC_OK)
        status = wav_open(s->output, s->rate, s->channels, s->o->float_samples, s->n_samples, &s->wav, err);
    if (status == ECDC_OK)
        status = run_pass(s, "decoding", pass, context, err);
    if (status == ECDC_OK)
        status = wav_finish(s->wav, err);
    if (status == ECDC_OK) {
        struct output *output = s->output;
        s->output = NULL; /* output_commit frees it */
        status = output_commit(output, err);
    }
    if (status == ECDC_OK)
        status = report(s, err);
    return status;
}

void sound_out_free(struct sound_out *s) {
    wav_free(s->wav);
    output_discard(s->output);
}
