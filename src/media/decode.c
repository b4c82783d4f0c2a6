#include "media/decode.h"

#include <math.h>
#include <stdlib.h>

#include <libavutil/intreadwrite.h>
#include <libavutil/mathematics.h>
#include <libavutil/samplefmt.h>

#include "base/memory.h"
#include "base/status.h"
#include "media/mix.h"
#include "media/track.h"

/* Where t = 0 lies. In files it is the zero of the container's clock. Two kinds of clock begin elsewhere:
 * - Broadcast streams (MPEG-TS, Ogg) start at any number; t = 0 is where the first track (of the programme) starts.
 * - Formats without a clock of their own (MP3) count from the first decoded sample, with the encoder's priming, which
 *   is not sound and is skipped: the first packet then has time 0 and priming to skip, and t = 0 is where the sound
 *   starts. Formats with edit lists (MP4) or a codec delay (Matroska) give such a packet a negative time instead. */

static const int rate_min = 1000, rate_max = 768000; /* Hz; DSD decodes to 352 800 */
static const int64_t position_max = INT64_C(1) << 53;
static const float loudest = 1e30f; /* full scale is 1; what is near float's end would overflow in the resampler */

struct decoder {
    struct track track;
    AVCodecContext *codec;
    AVPacket *packet;
    AVFrame *frame;
    int rate, channels;   /* of the track; 0 until the first frame */
    int out_channels;     /* of the blocks */
    bool started;         /* the first packet was seen */
    int64_t first_pts;    /* of the first packet */
    int64_t priming;      /* samples before t = 0 of a clock that began with the priming */
    int64_t next_at;      /* where the next block starts if it has no time */
    int64_t n_decoded;
    double others_end_s;  /* time that the other tracks reached, where they are read */
    bool skipped;         /* undecodable packets before the first frame of a broadcast */
    bool ahead;           /* `first` was decoded by decoder_open */
    struct block first;
    struct mix mix;
    float *samples; /* of the current block, mixed */
    size_t room;    /* samples per channel */
};

static double seconds(const struct decoder *d, int64_t samples) {
    return d->rate ? (double)samples / d->rate : 0;
}

/* How much less than the header promised is normal: encoders' padding where the number is exact; the last picture's time,
 * which few files tell, where it is that of all tracks; else a tenth and a second. */
static double slack_s(const struct track *t) {
    if (!t->claim_is_exact)
        return fmax(1, 0.1 * t->claim_s);
    return t->claim_is_whole && t->format->nb_streams > 1 ? 1 : 0.25;
}

static ecdc_status fail_broken_off(const struct decoder *d, double reached_s, ecdc_error *err) {
    return ecdc_fail(err, ECDC_E_FORMAT, "%s: breaks off at %.3f s of %.3f s", d->track.name, reached_s, d->track.claim_s);
}

static ecdc_status fail_damaged(const struct decoder *d, int code, ecdc_error *err) {
    if (code == AVERROR(ENOMEM))
        return ecdc_fail_memory(err, d->track.name);
    if (code == AVERROR_EXIT)
        return track_fail_stopped(&d->track, err);
    if (!d->started && track_index_is_behind(&d->track))
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: its index (moov) stands behind the sound, where a pipe gets to it too "
                         "late; give the file itself, or make one that streams: ffmpeg -i IN -c copy -movflags +faststart OUT",
                         d->track.name);
    /* Half a packet at the end of the file is one that was cut, not one that was spoilt. */
    double reached_s = seconds(d, d->next_at);
    if (d->started && avio_feof(d->track.io) && d->track.io->error >= 0 && d->track.claim_s - reached_s > slack_s(&d->track))
        return fail_broken_off(d, reached_s, err);
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(code, text, sizeof text);
    if (code == AVERROR_PATCHWELCOME)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: the sound at %.3f s cannot be decoded (%s)", d->track.name,
                         reached_s, text);
    return ecdc_fail(err, ECDC_E_FORMAT, "%s: is damaged at %.3f s (%s)", d->track.name, reached_s, text);
}

/* ------------------------------------------------------------------------------------------------ time --- */

/* A timestamp of the track in samples since t = 0; false if it is none or out of range. */
static bool position_of(const struct decoder *d, int64_t pts, int64_t *at) {
    AVRational base = d->track.stream->time_base, samples = {1, d->rate};
    if (pts == AV_NOPTS_VALUE || base.num <= 0 || base.den <= 0)
        return false;
    int64_t position = av_rescale_q(pts, base, samples), zero = d->priming, start_us;
    if (track_clock_start(&d->track, &start_us))
        zero = av_rescale_q(start_us, AV_TIME_BASE_Q, samples);
    if (position < -position_max || position > position_max || zero < -position_max || zero > position_max)
        return false;
    *at = position - zero;
    return true;
}

/* What must be known before the first frame comes out. */
static void note_first_packet(struct decoder *d) {
    d->started = true;
    d->first_pts = d->packet->pts;
    size_t n = 0;
    const uint8_t *skip = av_packet_get_side_data(d->packet, AV_PKT_DATA_SKIP_SAMPLES, &n);
    if (skip && n >= 10 && d->packet->pts == 0 && !track_clock_is_broadcast(&d->track))
        d->priming = AV_RL32(skip);
}

/* -------------------------------------------------------------------------------------------- decoding --- */

static ecdc_status fail_rate(const struct decoder *d, int rate, ecdc_error *err) {
    return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: a sampling rate of %d Hz is not supported, %d to %d Hz are; where the file's header is "
                     "wrong: ffmpeg -i IN -af asetrate=RATE OUT", d->track.name, rate, rate_min, rate_max);
}

static ecdc_status check_frame(struct decoder *d, ecdc_error *err) {
    int rate = d->frame->sample_rate, channels = d->frame->ch_layout.nb_channels;
    if (d->rate == 0) {
        if (rate < rate_min || rate > rate_max)
            return fail_rate(d, rate, err);
        if (channels < 1)
            return ecdc_fail(err, ECDC_E_FORMAT, "%s: an audio track without channels", d->track.name);
        if (!mix_init(&d->mix, &d->frame->ch_layout, d->out_channels))
            return ecdc_fail_memory(err, "decoding");
        d->rate = rate;
        d->channels = channels;
    } else if (rate != d->rate || channels != d->channels) {
        return ecdc_fail(err, ECDC_E_UNSUPPORTED,
                         "%s: the sound changes from %d channels at %d Hz to %d channels at %d Hz at %.3f s",
                         d->track.name, d->channels, d->rate, channels, rate, seconds(d, d->next_at));
    }
    return ECDC_OK;
}

/* Turns d->frame into a block. */
static ecdc_status make_block(struct decoder *d, struct block *block, ecdc_error *err) {
    ecdc_status status = check_frame(d, err);
    if (status != ECDC_OK)
        return status;
    size_t n = (size_t)d->frame->nb_samples, out_channels = (size_t)d->out_channels;
    if (n > d->room) {
        float *samples = ecdc_alloc_floats(n * out_channels); /* both small: an int, and at most MIX_MAX_CHANNELS */
        if (!samples)
            return ecdc_fail_memory(err, "decoding");
        free(d->samples);
        d->samples = samples;
        d->room = n;
    }
    int64_t at = d->next_at, pts = d->frame->pts;
    if (pts == AV_NOPTS_VALUE)
        pts = d->frame->best_effort_timestamp;
    if (pts == AV_NOPTS_VALUE && d->n_decoded == 0)
        pts = d->first_pts; /* decoders with delay (WMA) time no frame */
    bool timed = position_of(d, pts, &at);
    if (!mix_frame(&d->mix, d->frame, d->samples))
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: samples of the format %s", d->track.name,
                         av_get_sample_fmt_name(d->frame->format));
    for (size_t i = 0; i < n * out_channels; i++)
        if (!(fabsf(d->samples[i]) <= loudest))
            return ecdc_fail(err, ECDC_E_FORMAT, "%s: the sample at %.6f s is %s", d->track.name,
                             seconds(d, at + (int64_t)(i / out_channels)),
                             isfinite(d->samples[i]) ? "beyond 1e30 times full scale" : "not a finite number");
    *block = (struct block){.samples = d->samples, .n = n, .at = at, .timed = timed};
    d->next_at = at + (int64_t)n;
    d->n_decoded += (int64_t)n;
    return ECDC_OK;
}

static void note_other_track(struct decoder *d) {
    const AVPacket *p = d->packet;
    const AVStream *stream = d->track.format->streams[p->stream_index];
    if (p->pts != AV_NOPTS_VALUE) {
        double end_s = ((double)p->pts + (double)p->duration) * av_q2d(stream->time_base);
        if (end_s > d->others_end_s)
            d->others_end_s = end_s;
    }
}

/* A file that is cut inside a sample of PCM: its whole samples are good. */
static void drop_part_of_sample(struct decoder *d) {
    const AVCodecParameters *par = d->track.stream->codecpar;
    bool pcm = par->codec_id >= AV_CODEC_ID_FIRST_AUDIO && par->codec_id < AV_CODEC_ID_ADPCM_IMA_QT;
    if (pcm && par->block_align > 0 && d->packet->size > par->block_align)
        d->packet->size -= d->packet->size % par->block_align;
}

/* Reads packets until one is in the codec, or tells the codec that there are no more. */
static ecdc_status feed(struct decoder *d, ecdc_error *err) {
    for (;;) {
        int code = av_read_frame(d->track.format, d->packet);
        if (d->track.io->error < 0) /* FFmpeg reports most of these as the end of the file */
            code = d->track.io->error;
        if (code == AVERROR_EOF) {
            code = avcodec_send_packet(d->codec, NULL);
            return code < 0 && code != AVERROR_EOF ? fail_damaged(d, code, err) : ECDC_OK;
        }
        if (code < 0)
            return fail_damaged(d, code, err);
        /* An empty packet would be taken for the end. */
        bool wanted = d->packet->stream_index == d->track.stream->index && d->packet->size > 0;
        if (wanted) {
            if (!d->started)
                note_first_packet(d);
            drop_part_of_sample(d);
            code = avcodec_send_packet(d->codec, d->packet);
        } else {
            note_other_track(d);
        }
        av_packet_unref(d->packet);
        if (!wanted)
            continue;
        /* A broadcast is cut anywhere: its first packets may lack what they build on. */
        if (code == AVERROR_INVALIDDATA && d->n_decoded == 0 && track_clock_is_broadcast(&d->track)) {
            d->skipped = true;
            continue;
        }
        return code < 0 ? fail_damaged(d, code, err) : ECDC_OK;
    }
}

/* At the end: is what the header promised there? */
static ecdc_status check_end(const struct decoder *d, ecdc_error *err) {
    if (d->skipped && d->n_decoded == 0)
        return fail_damaged(d, AVERROR_INVALIDDATA, err);
    double reached_s = fmax(seconds(d, d->next_at), seconds(d, d->n_decoded));
    double furthest_s = fmax(reached_s, d->others_end_s);
    if (d->track.end_is_missing)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: breaks off at %.3f s (its last page is missing)", d->track.name, reached_s);
    if (d->track.claim_s - furthest_s > slack_s(&d->track))
        return fail_broken_off(d, reached_s, err);
    return ECDC_OK;
}

static ecdc_status decode_block(struct decoder *d, struct block *block, ecdc_error *err) {
    for (;;) {
        int code = avcodec_receive_frame(d->codec, d->frame);
        ecdc_status status = ECDC_OK;
        if (code == AVERROR(EAGAIN)) {
            status = feed(d, err);
        } else if (code == AVERROR_EOF) {
            status = check_end(d, err);
            if (status == ECDC_OK)
                *block = (struct block){.at = d->next_at};
            return status;
        } else if (code == AVERROR_INVALIDDATA && d->n_decoded == 0 && track_clock_is_broadcast(&d->track)) {
            d->skipped = true;
        } else if (code < 0) {
            return fail_damaged(d, code, err);
        } else {
            bool empty = d->frame->nb_samples <= 0;
            status = empty ? ECDC_OK : make_block(d, block, err);
            av_frame_unref(d->frame);
            if (!empty)
                return status;
        }
        if (status != ECDC_OK)
            return status;
    }
}

/* ------------------------------------------------------------------------------------------ life cycle --- */

static ecdc_status open_codec(struct decoder *d, ecdc_error *err) {
    d->codec = avcodec_alloc_context3(d->track.codec);
    d->packet = av_packet_alloc();
    d->frame = av_frame_alloc();
    if (!d->codec || !d->packet || !d->frame)
        return ecdc_fail_memory(err, "a decoder");
    int code = avcodec_parameters_to_context(d->codec, d->track.stream->codecpar);
    if (code >= 0) {
        d->codec->pkt_timebase = d->track.stream->time_base; /* needed to move times past skipped samples */
        d->codec->thread_count = 1;
        /* FLAC frames have checksums that its decoder ignores by default. Other codecs would begin to refuse files
         * that merely deviate from their standard. */
        if (d->codec->codec_id == AV_CODEC_ID_FLAC)
            d->codec->err_recognition |= AV_EF_CRCCHECK | AV_EF_EXPLODE;
        code = avcodec_open2(d->codec, d->track.codec, NULL);
    }
    if (code == AVERROR(ENOMEM))
        return ecdc_fail_memory(err, d->track.name);
    if (code < 0) {
        char text[AV_ERROR_MAX_STRING_SIZE] = "";
        av_strerror(code, text, sizeof text);
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: its audio track (%s) cannot be decoded (%s)", d->track.name,
                         d->track.codec->name, text);
    }
    return ECDC_OK;
}

ecdc_status decoder_open(const char *path, const ecdc_reader_settings *settings, struct decoder **out, ecdc_error *err) {
    struct decoder *d = ecdc_alloc_zeros(1, sizeof *d);
    if (!d)
        return ecdc_fail_memory(err, "a decoder");
    d->first_pts = AV_NOPTS_VALUE;
    d->out_channels = settings->channels > 1 ? settings->channels : 1;
    ecdc_status status = track_open(&d->track, path, settings, err);
    if (status == ECDC_OK)
        status = open_codec(d, err);
    if (status == ECDC_OK)
        status = decode_block(d, &d->first, err); /* rate and channels of some codecs are known only now */
    if (status == ECDC_OK && d->rate == 0) {       /* a track without sound */
        d->rate = d->track.stream->codecpar->sample_rate;
        d->channels = d->track.stream->codecpar->ch_layout.nb_channels;
        if (d->rate < rate_min || d->rate > rate_max)
            status = fail_rate(d, d->rate, err);
    }
    if (status != ECDC_OK) {
        decoder_close(d);
        return status;
    }
    d->ahead = true;
    *out = d;
    return ECDC_OK;
}

/* FFmpeg times Vorbis packets by a rule that differs from what its decoder yields where long blocks and short ones meet, by a
 * quarter of the difference of their lengths and for one packet only. The lengths, powers of two, stand in byte 28 of the
 * first header; the headers lie behind a 2 and two lengths, each a run of bytes that ends with one below 255. */
static int64_t vorbis_jitter(const AVCodecParameters *par) {
    enum { BLOCK_SIZES = 28, LONGEST = 8192 };
    if (par->codec_id != AV_CODEC_ID_VORBIS)
        return 0;
    const uint8_t *header = par->extradata, *end = par->extradata_size > 0 ? header + par->extradata_size : header;
    if (header != end && *header++ == 2) {
        for (int lengths = 2; header < end && lengths > 0; header++)
            lengths -= *header < 255;
        if (end - header > BLOCK_SIZES)
            return ((1 << (header[BLOCK_SIZES] >> 4)) - (1 << (header[BLOCK_SIZES] & 15))) / 4;
    }
    return LONGEST / 4;
}

void decoder_facts_of(const struct decoder *d, struct decoder_facts *facts) {
    const AVFormatContext *format = d->track.format;
    const AVStream *stream = d->track.stream;
    double hint_s = 0;
    if (stream->duration > 0)
        hint_s = (double)stream->duration * av_q2d(stream->time_base);
    else if (format->duration > 0)
        hint_s = (double)format->duration / AV_TIME_BASE;
    *facts = (struct decoder_facts){
        .name = d->track.name,
        .rate_hz = d->rate,
        .channels = d->channels,
        .out_channels = d->out_channels,
        .tick = av_q2d(stream->time_base) * d->rate,
        .jitter = vorbis_jitter(stream->codecpar),
        .clock_may_reset = track_clock_is_broadcast(&d->track),
        .track = d->track.number,
        .n_tracks = d->track.n_tracks,
        .duration_hint_s = isfinite(hint_s) && hint_s > 0 ? hint_s : 0,
    };
}

ecdc_status decoder_next(struct decoder *d, struct block *block, ecdc_error *err) {
    if (d->ahead) {
        d->ahead = false;
        *block = d->first;
        return ECDC_OK;
    }
    return decode_block(d, block, err);
}

bool decoder_describe_track(const struct decoder *d, int number, ecdc_track_info *info) {
    return track_describe(&d->track, number, info);
}

int64_t decoder_samples(const struct decoder *d) {
    return d->ahead ? 0 : d->n_decoded;
}

void decoder_close(struct decoder *d) {
    if (!d)
        return;
    av_frame_free(&d->frame);
    av_packet_free(&d->packet);
    avcodec_free_context(&d->codec);
    track_close(&d->track);
    mix_free(&d->mix);
    free(d->samples);
    free(d);
}
