#include "decode_stream.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "sound_out.h"

enum { BLOCK = 48 }; /* frames, as the decoder likes them */

/* Everything that one run holds, so that one place frees it. */
struct run {
    struct frame_source *source;
    ecdc_decoder *decoder;
    struct sound_out out;
    int32_t *codes;
    float *samples;
    size_t capacity; /* samples per channel */
};

static ecdc_status drain(struct run *r, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (size_t n; status == ECDC_OK && (n = ecdc_decoder_pull(r->decoder, r->samples, r->capacity)) > 0;)
        status = sound_out_write(&r->out, r->samples, n, err);
    return status;
}

/* Decodes the next frames or the next chunk; *n is 0 once all are decoded. */
static ecdc_status step(struct run *r, size_t *n, ecdc_error *err) {
    struct frame_source *source = r->source;
    float scale = 1;
    ecdc_status status = source->next_chunk ? source->next_chunk(source->context, r->codes, n, &scale, err)
                                            : source->next(source->context, r->codes, BLOCK, n, err);
    if (status != ECDC_OK)
        return status;
    if (*n == 0)
        return ecdc_decoder_finish(r->decoder, err);
    return source->next_chunk ? ecdc_decoder_push_chunk(r->decoder, r->codes, *n, scale, err)
                              : ecdc_decoder_push(r->decoder, r->codes, *n, err);
}

static ecdc_status pass(void *context, struct sound_out *out, ecdc_error *err) {
    struct run *r = context;
    (void)out; /* r->out */
    ecdc_status status = r->source->rewind(r->source->context, err);
    ecdc_decoder_reset(r->decoder);
    for (size_t n = 1; status == ECDC_OK && n > 0;) {
        status = interrupted() ? fail_interrupted(err) : step(r, &n, err);
        if (status == ECDC_OK)
            status = drain(r, err);
    }
    return status;
}

static ecdc_status prepare(struct run *r, const struct options *o, const ecdc_model *model, ecdc_error *err) {
    ecdc_settings settings = settings_of(o);
    settings.n_codebooks = r->source->n_codebooks;
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    r->capacity = BLOCK * (size_t)info.hop;
    size_t frames = info.chunked ? (size_t)info.chunk_frames : BLOCK;
    r->codes = ecdc_alloc_array(frames * (size_t)r->source->n_codebooks, sizeof *r->codes);
    r->samples = ecdc_alloc_floats(r->capacity * (size_t)info.channels);
    if (!r->codes || !r->samples)
        return ecdc_fail_memory(err, "samples");
    ecdc_status status = sound_out_open(&r->out, o, info.sampling_rate_hz, info.channels, r->source->n_samples, err);
    return status == ECDC_OK ? ecdc_decoder_new(model, &settings, &r->decoder, err) : status;
}

ecdc_status decode_stream(const struct options *o, const ecdc_model *model, struct frame_source *source,
                          ecdc_error *err) {
    struct run r = {.source = source};
    ecdc_status status = prepare(&r, o, model, err);
    if (status == ECDC_OK)
        status = sound_out_make(&r.out, pass, &r, err);
    sound_out_free(&r.out);
    ecdc_decoder_free(r.decoder);
    free(r.codes);
    free(r.samples);
    return status;
}
