/* The way of a sound in: file -> samples -> encoder -> frames, for the commands that need it. */
#ifndef ECDC_CLI_ENCODE_STREAM_H
#define ECDC_CLI_ENCODE_STREAM_H

#include "cli.h"

/* What was read, at the end. */
struct encoded {
    int64_t samples;          /* per channel, at the model's rate */
    int sampling_rate_hz;
    ecdc_reader_info input;   /* without broken_off */
    char broken_off[sizeof((ecdc_error *)0)->message]; /* how the input broke off (--partial-input); "": it did not */
    double seconds_wall;
};

/* Called with each block of frames, codes[frame * n_codebooks + q] (n_frames may be 0), or, where the model has chunks, with
 * each chunk and its scale (else NULL), when samples_read samples have been read. Sets *stop when it wants no more. */
typedef ecdc_status frame_sink(void *context, const int32_t *codes, size_t n_frames, const float *scale, int64_t samples_read,
                               bool *stop, ecdc_error *err);

/* Reads all of o->arguments[0], unless the sink says stop. A file without sound is ECDC_E_FORMAT ("no sound"). Late starts,
 * gaps and overlaps in the file are noted on stderr. */
ecdc_status encode_stream(const struct options *o, const ecdc_model *model, const ecdc_settings *settings,
                          frame_sink *sink, void *context, struct encoded *result, ecdc_error *err);

/* Says on stderr how the input broke off, and what of its clock was mended. */
void note_repairs(const struct options *o, const ecdc_reader_info *input);
/* At the end of the input: keeps what the reader has to say of it, and notes what it mended on stderr. */
void encoded_conclude(struct encoded *result, const struct options *o, const ecdc_reader *reader);

#endif
