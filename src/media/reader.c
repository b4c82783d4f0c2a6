/* The public reader: decoder -> timeline -> resampler -> caller.
 *
 * FFmpeg's log is a setting of the whole process, which a library must not touch: a program that wants silence calls
 * av_log_set_level(AV_LOG_QUIET) itself, as ecdc.h says. Errors are reported through ecdc_error in any case. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "media/decode.h"
#include "media/mix.h"
#include "media/resample.h"
#include "media/timeline.h"

enum { OUT_SAMPLES = 4096, RATE_MIN = 1000, RATE_MAX = 384000 };

struct ecdc_reader {
    struct decoder *decoder;
    struct timeline timeline;
    struct resampler *resampler; /* NULL where the rate is the track's: samples pass as they are */
    int channels;                /* interleaved everywhere below; counts are of samples per channel */
    const float *piece;          /* of the timeline, not yet used */
    size_t n_piece;
    bool drained;                /* the timeline has ended */
    bool partial_input;          /* a file that breaks off ends there, without an error */
    ecdc_error broken_off;       /* how it did */
    const float *ready;          /* samples for the caller: in `out` or in the timeline's piece */
    size_t n_ready;
    int64_t n_samples;           /* given to the caller */
    ecdc_error failure;          /* reported by every read after the one that delivered the last good samples */
    float out[OUT_SAMPLES * MIX_MAX_CHANNELS];
};

ecdc_reader_settings ecdc_default_reader_settings(void) {
    return (ecdc_reader_settings){.rate_hz = 0, .stop = NULL};
}

ecdc_status ecdc_reader_open(const char *path, const ecdc_reader_settings *given, ecdc_reader **reader, ecdc_error *err) {
    const ecdc_reader_settings settings = given ? *given : ecdc_default_reader_settings();
    int rate_hz = settings.rate_hz;
    if (!path || !reader)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "ecdc_reader_open: path or reader is NULL");
    if (rate_hz != 0 && (rate_hz < RATE_MIN || rate_hz > RATE_MAX))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "a rate of %d Hz is not in %d ... %d", rate_hz, RATE_MIN, RATE_MAX);
    if (settings.channels < 0 || settings.channels > MIX_MAX_CHANNELS)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%d channels are not in 0 ... %d", settings.channels, MIX_MAX_CHANNELS);
    if (settings.choose_track && settings.track < 0)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "audio tracks are counted from 0; %d is none", settings.track);
    struct ecdc_reader *r = ecdc_alloc_zeros(1, sizeof *r);
    if (!r)
        return ecdc_fail_memory(err, "a reader");
    r->partial_input = settings.partial_input != 0;
    ecdc_status status = decoder_open(path, &settings, &r->decoder, err);
    if (status == ECDC_OK)
        status = timeline_init(&r->timeline, r->decoder, err);
    r->channels = r->timeline.facts.out_channels;
    if (status == ECDC_OK && rate_hz != 0 && rate_hz != r->timeline.facts.rate_hz)
        status = resampler_new(r->timeline.facts.rate_hz, rate_hz, r->channels, &r->resampler, err);
    if (status != ECDC_OK) {
        ecdc_reader_close(r);
        return status;
    }
    *reader = r;
    return ECDC_OK;
}

void ecdc_reader_close(ecdc_reader *r) {
    if (!r)
        return;
    resampler_free(r->resampler);
    decoder_close(r->decoder);
    free(r);
}

/* Makes some samples ready; n_ready stays 0 only at the end. Pieces are cut by the file alone, never by the caller, so
 * that the samples do not depend on how they are read. */
static ecdc_status make_ready(struct ecdc_reader *r, ecdc_error *err) {
    while (r->n_ready == 0) {
        ecdc_status status = ECDC_OK;
        if (r->n_piece == 0 && !r->drained) {
            ecdc_error failure;
            status = timeline_next(&r->timeline, &r->piece, &r->n_piece, &failure);
            if (status == ECDC_E_FORMAT && r->partial_input) {
                r->broken_off = failure;
                r->n_piece = 0;
            } else if (status != ECDC_OK) {
                *err = failure;
                return status;
            }
            r->drained = r->n_piece == 0;
        }
        if (!r->resampler) {
            r->ready = r->piece;
            r->n_ready = r->n_piece;
            r->n_piece = 0;
            return ECDC_OK;
        }
        r->ready = r->out;
        if (r->drained)
            return resampler_drain(r->resampler, r->out, OUT_SAMPLES, &r->n_ready, err);
        size_t used = 0;
        status = resampler_process(r->resampler, r->piece, r->n_piece, &used, r->out, OUT_SAMPLES, &r->n_ready, err);
        if (status != ECDC_OK)
            return status;
        r->piece += used * (size_t)r->channels;
        r->n_piece -= used;
    }
    return ECDC_OK;
}

ecdc_status ecdc_reader_read(ecdc_reader *r, float *samples, size_t max_samples, size_t *n_read, ecdc_error *err) {
    size_t n = 0, channels = (size_t)r->channels;
    while (n < max_samples && r->failure.status == ECDC_OK) {
        if (r->n_ready == 0 && (make_ready(r, &r->failure) != ECDC_OK || r->n_ready == 0))
            break;
        size_t piece = r->n_ready < max_samples - n ? r->n_ready : max_samples - n;
        memcpy(samples + n * channels, r->ready, piece * channels * sizeof *samples);
        r->ready += piece * channels;
        r->n_ready -= piece;
        n += piece;
    }
    /* Good samples first; the failure is reported by the next call. */
    if (n == 0 && r->failure.status != ECDC_OK) {
        if (err)
            *err = r->failure;
        return r->failure.status;
    }
    r->n_samples += (int64_t)n;
    *n_read = n;
    return ECDC_OK;
}

void ecdc_reader_get_info(const ecdc_reader *r, ecdc_reader_info *info) {
    const struct timeline *t = &r->timeline;
    double rate = t->facts.rate_hz;
    *info = (ecdc_reader_info){
        .source_rate_hz = t->facts.rate_hz,
        .source_channels = t->facts.channels,
        .audio_start_s = (double)t->first_at / rate,
        .source_samples = decoder_samples(r->decoder),
        .samples = r->n_samples,
        .duration_hint_s = t->facts.duration_hint_s,
        .n_gaps = t->n_gaps,
        .gap_s = (double)t->gap_samples / rate,
        .n_overlaps = t->n_overlaps,
        .overlap_s = (double)t->overlap_samples / rate,
        .n_tracks = t->facts.n_tracks,
        .track = t->facts.track,
        .broken_off = r->broken_off.status != ECDC_OK ? r->broken_off.message : NULL,
    };
}

ecdc_status ecdc_reader_get_track(const ecdc_reader *r, int track, ecdc_track_info *info, ecdc_error *err) {
    if (!decoder_describe_track(r->decoder, track, info))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "no audio track %d among %d", track, r->timeline.facts.n_tracks);
    return ECDC_OK;
}
