/* A media file's audio track as blocks of float samples, mixed to the channels wanted, each with its time. */
#ifndef ECDC_MEDIA_DECODE_H
#define ECDC_MEDIA_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ecdc.h"

struct decoder;

struct block {
    const float *samples; /* samples[i * out_channels + channel]; the decoder's, until the next call */
    size_t n;             /* samples per channel; 0 at the end of the track */
    int64_t at;           /* time of the first sample in samples since t = 0; may be negative */
    bool timed;           /* `at` comes from a timestamp; else it only continues the block before */
};

struct decoder_facts {
    const char *name;        /* for messages; the decoder's */
    int rate_hz, channels;   /* of the decoded track, constant */
    int out_channels;        /* of the blocks */
    int track, n_tracks;     /* number of the track among the file's audio tracks, and how many these are */
    double tick;             /* resolution of the timestamps, in samples */
    int64_t jitter;          /* how far, in samples, a block's time may be off though nothing is missing */
    bool clock_may_reset;    /* a broadcast stream: a jump backwards is a new clock, not an overlap */
    double duration_hint_s;  /* 0: none */
};

/* Opens the audio track that the settings choose and decodes its first block. Fails as track_open does. */
ecdc_status decoder_open(const char *path, const ecdc_reader_settings *settings, struct decoder **out, ecdc_error *err);
void decoder_facts_of(const struct decoder *d, struct decoder_facts *facts);
/* The next block. Fails with ECDC_E_FORMAT where the file is damaged or breaks off, ECDC_E_UNSUPPORTED where the rate
 * or the channels change; the message has the time. */
ecdc_status decoder_next(struct decoder *d, struct block *block, ecdc_error *err);
/* As track_describe. */
bool decoder_describe_track(const struct decoder *d, int number, ecdc_track_info *info);
/* Samples per channel decoded so far. */
int64_t decoder_samples(const struct decoder *d);
void decoder_close(struct decoder *d);

#endif
