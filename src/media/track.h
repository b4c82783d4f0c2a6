/* The audio track of a media file, opened with FFmpeg so that an untrusted file can do no more than be read. */
#ifndef ECDC_MEDIA_TRACK_H
#define ECDC_MEDIA_TRACK_H

#include <stdbool.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>

#include "ecdc.h"

struct track {
    char *name; /* for messages: the path, or "standard input" */
    AVIOContext *io;
    AVFormatContext *format;
    AVStream *stream; /* the audio track; others are discarded where that costs nothing */
    /* The audio tracks that the file had when it was opened: a broadcast stream may announce others later, or make one of them
     * something else. `stream` is number `number`. */
    AVStream **tracks;
    int n_tracks, number;
    const AVCodec *codec;
    int64_t start_us;    /* of its clock; AV_NOPTS_VALUE if unknown. Streams that are found later do not change it */
    bool asked_for_more; /* the file named other files, which were not opened */
    /* What the header claims about the length, as opposed to what FFmpeg estimates; 0 where it claims nothing. */
    double claim_s;
    bool claim_is_whole; /* of all tracks together, not of the audio track alone */
    bool claim_is_exact; /* a format in which the number is to be believed */
    bool end_is_missing; /* of a format that marks its end */
};

/* path: a file, or "-" for standard input. Fails with ECDC_E_IO, ECDC_E_FORMAT (not a media file; no audio track; a
 * playlist), ECDC_E_ARGUMENT (no track of that number), ECDC_E_UNSUPPORTED (no decoder), ECDC_E_STOPPED, ECDC_E_MEMORY. */
ecdc_status track_open(struct track *t, const char *path, const ecdc_reader_settings *settings, ecdc_error *err);
/* The error for a call that the settings' stop function ended; FFmpeg's code for it is AVERROR_EXIT. */
ecdc_status track_fail_stopped(const struct track *t, ecdc_error *err);
/* Fine on a zeroed struct and after track_open failed. */
void track_close(struct track *t);

/* What the file says about an audio track; false: there is none of that number. */
bool track_describe(const struct track *t, int number, ecdc_track_info *info);
/* Whether the sound has gone by on a pipe before the index that tells where it is (MP4). */
bool track_index_is_behind(const struct track *t);
/* The clock may jump within a file and begin anywhere (broadcast streams). */
bool track_clock_is_broadcast(const struct track *t);
/* Where such a clock begins, in microseconds; false where t = 0 is its zero. */
bool track_clock_start(const struct track *t, int64_t *us);

#endif
