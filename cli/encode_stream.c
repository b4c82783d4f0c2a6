#include "encode_stream.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "input.h"
#include "progress.h"

enum { BLOCK = 15360 }; /* samples per channel read at once: 48 frames, as the encoder likes them */

void note_repairs(const struct options *o, const ecdc_reader_info *input) {
    const char *path = o->arguments[0];
    note_broken_off(o, input);
    if (input->audio_start_s > 0.001)
        report_note(o, "%s: the sound starts at %.3f s; silence stands before it", path, input->audio_start_s);
    if (input->n_gaps)
        report_note(o, "%s: %lld gap(s) in the sound, %.3f s in all, filled with silence", path,
                    (long long)input->n_gaps, input->gap_s);
    if (input->n_overlaps)
        report_note(o, "%s: %lld overlap(s) in the sound, %.3f s in all, cut", path, (long long)input->n_overlaps,
                    input->overlap_s);
}

void encoded_conclude(struct encoded *result, const struct options *o, const ecdc_reader *reader) {
    ecdc_reader_get_info(reader, &result->input);
    note_repairs(o, &result->input);
    snprintf(result->broken_off, sizeof result->broken_off, "%s", result->input.broken_off ? result->input.broken_off : "");
    result->input.broken_off = NULL; /* was the reader's */
}

/* Everything that one run holds, so that one place frees it. */
struct run {
    ecdc_reader *reader;
    ecdc_encoder *encoder;
    float *samples;
    int32_t *codes;
    size_t codes_capacity; /* frames */
    size_t chunk_frames;   /* 0: the model has no chunks */
};

static ecdc_status make_room(struct run *r, size_t n_frames, ecdc_error *err) {
    if (n_frames <= r->codes_capacity)
        return ECDC_OK;
    int32_t *codes = ecdc_realloc_array(r->codes, n_frames, (size_t)ecdc_encoder_codebooks(r->encoder) * sizeof *codes);
    if (!codes)
        return ecdc_fail_memory(err, "codes");
    r->codes = codes;
    r->codes_capacity = n_frames;
    return ECDC_OK;
}

static ecdc_status deliver(struct run *r, frame_sink *sink, void *context, int64_t samples_read, bool *stop,
                           ecdc_error *err) {
    size_t n = r->chunk_frames ? r->chunk_frames : ecdc_encoder_ready(r->encoder);
    float scale;
    ecdc_status status = make_room(r, n, err);
    if (status == ECDC_OK && r->chunk_frames == 0) {
        ecdc_encoder_pull(r->encoder, r->codes, n);
        return sink(context, r->codes, n, NULL, samples_read, stop, err);
    }
    while (status == ECDC_OK && !*stop && ecdc_encoder_pull_chunk(r->encoder, r->codes, &n, &scale))
        status = sink(context, r->codes, n, &scale, samples_read, stop, err);
    return status;
}

static ecdc_status run_to_end(const struct options *o, struct run *r, int rate, frame_sink *sink, void *context,
                              int64_t *samples_read, ecdc_error *err) {
    ecdc_reader_info input;
    ecdc_reader_get_info(r->reader, &input);
    struct progress progress;
    progress_start(&progress, o, "encoding", input.duration_hint_s);
    bool stop = false;
    ecdc_status status = ECDC_OK;
    for (size_t n; status == ECDC_OK && !stop;) {
        status = read_input(o, r->reader, r->samples, BLOCK, &n, err);
        if (status == ECDC_OK)
            status = n ? ecdc_encoder_push(r->encoder, r->samples, n, err) : ecdc_encoder_finish(r->encoder, err);
        if (status != ECDC_OK)
            break;
        *samples_read += (int64_t)n;
        if (n == 0 && *samples_read == 0)
            status = ecdc_fail(err, ECDC_E_FORMAT, "%s: no sound", o->arguments[0]);
        else
            status = deliver(r, sink, context, *samples_read, &stop, err);
        stop = stop || n == 0;
        progress_show(&progress, (double)*samples_read / rate);
    }
    progress_end(&progress);
    return status;
}

ecdc_status encode_stream(const struct options *o, const ecdc_model *model, const ecdc_settings *settings,
                          frame_sink *sink, void *context, struct encoded *result, ecdc_error *err) {
    double start_s = now_s();
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    *result = (struct encoded){.sampling_rate_hz = info.sampling_rate_hz};

    struct run r = {.samples = ecdc_alloc_floats(BLOCK * (size_t)info.channels), .chunk_frames = (size_t)info.chunk_frames};
    ecdc_status status = r.samples ? ECDC_OK : ecdc_fail_memory(err, "samples");
    if (status == ECDC_OK)
        status = open_input(o, 0, info.sampling_rate_hz, info.channels, &r.reader, err);
    if (status == ECDC_OK)
        status = ecdc_encoder_new(model, settings, &r.encoder, err);
    if (status == ECDC_OK)
        status = run_to_end(o, &r, info.sampling_rate_hz, sink, context, &result->samples, err);
    if (status == ECDC_OK)
        encoded_conclude(result, o, r.reader);
    ecdc_encoder_free(r.encoder);
    ecdc_reader_close(r.reader);
    free(r.samples);
    free(r.codes);
    result->seconds_wall = now_s() - start_s;
    return status;
}
