/* The way back: frames -> decoder -> WAV, for the commands that need it. */
#ifndef ECDC_CLI_DECODE_STREAM_H
#define ECDC_CLI_DECODE_STREAM_H

#include "cli.h"

/* Where frames come from; made by codes_in.c and reconstruct_codes.c. */
struct frame_source {
    void *context;
    int n_codebooks;
    int64_t n_samples; /* per channel, of the sound: what decoding yields beyond it is cut off */
    /* Up to max_frames frames, codes[frame * n_codebooks + q]; *n is 0 at the end. */
    ecdc_status (*next)(void *context, int32_t *codes, size_t max_frames, size_t *n, ecdc_error *err);
    /* Instead of `next`, where the model has chunks: the next one, room for a whole chunk, *n is 0 at the end. */
    ecdc_status (*next_chunk)(void *context, int32_t *codes, size_t *n, float *scale, ecdc_error *err);
    ecdc_status (*rewind)(void *context, ecdc_error *err); /* back to the first frame */
};

/* Decodes into o->output as the options say and reports: clipping, speed; prints the JSON if it is asked for. */
ecdc_status decode_stream(const struct options *o, const ecdc_model *model, struct frame_source *source,
                          ecdc_error *err);

#endif
