#include "media/wav.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/mem.h>
#include <libavutil/opt.h>

#include "base/memory.h"
#include "base/status.h"

enum {
    IO_BYTES = 1 << 15,
    BLOCK_SAMPLES = 1 << 12,
    HEADER_RESERVE = 4096 /* more than header and trailer of a WAV take */
};

struct wav_writer {
    struct output *o;
    AVFormatContext *muxer;
    AVIOContext *io;
    AVPacket *packet;
    int channels;
    bool float_samples;
    bool rf64;          /* or prepared for it: may grow beyond 4 GiB */
    int64_t position;   /* of the muxer in the output */
    int64_t n_samples;  /* per channel, written so far */
    int64_t n_clipped;
    ecdc_error failure; /* of the output, inside a callback that can only return a number */
    unsigned char block[BLOCK_SAMPLES * sizeof(float)];
};

/* ------------------------------------------------------------------------------------------- callbacks --- */

/* Most bytes go to the end; the sizes in the header are overwritten. */
static int write_bytes(void *opaque, uint8_t *bytes, int n) {
    struct wav_writer *w = opaque;
    int64_t size = (int64_t)output_size(w->o);
    size_t inside = w->position < size ? (size_t)(size - w->position < n ? size - w->position : n) : 0;
    ecdc_status status = ECDC_OK;
    if (inside > 0)
        status = output_write_at(w->o, (uint64_t)w->position, bytes, inside, &w->failure);
    if (status == ECDC_OK && inside < (size_t)n)
        status = output_write(w->o, bytes + inside, (size_t)n - inside, &w->failure);
    if (status != ECDC_OK)
        return AVERROR(EIO);
    w->position += n;
    return n;
}

static int64_t seek(void *opaque, int64_t offset, int whence) {
    struct wav_writer *w = opaque;
    int64_t size = (int64_t)output_size(w->o);
    if (whence == AVSEEK_SIZE)
        return size;
    int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? w->position : size;
    if (offset < -base || offset > size - base) /* no holes: the output cannot make them */
        return AVERROR(EINVAL);
    return w->position = base + offset;
}

/* ------------------------------------------------------------------------------------------------ open --- */

/* The failure of a muxer's call: the output's own words where it was the output that failed. */
static ecdc_status fail_muxer(struct wav_writer *w, int code, ecdc_error *err) {
    if (w->failure.status != ECDC_OK) {
        if (err)
            *err = w->failure;
        return w->failure.status;
    }
    if (code == AVERROR(ENOMEM))
        return ecdc_fail_memory(err, "a WAV writer");
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(code, text, sizeof text);
    return ecdc_fail(err, ECDC_E_IO, "%s: the WAV file cannot be written (%s)", output_name(w->o), text);
}

/* RF64 is only written where it must be: many programs do not read it. */
static const char *rf64_mode(struct wav_writer *w, int64_t n_samples) {
    int64_t limit = (INT64_C(1) << 32) - HEADER_RESERVE, bytes;
    bool overflow = __builtin_mul_overflow(n_samples, w->channels * (w->float_samples ? 4 : 2), &bytes);
    bool unknown = n_samples < 0, large = !unknown && (overflow || bytes > limit);
    w->rf64 = !output_is_pipe(w->o) && (large || unknown);
    return !w->rf64 ? "never" : large ? "always" : "auto";
}

static ecdc_status open_muxer(struct wav_writer *w, int rate_hz, int64_t n_samples, ecdc_error *err) {
    int code = avformat_alloc_output_context2(&w->muxer, NULL, "wav", NULL);
    if (code < 0)
        return fail_muxer(w, code, err);
    unsigned char *buffer = av_malloc(IO_BYTES);
    w->io = buffer ? avio_alloc_context(buffer, IO_BYTES, 1, w, NULL, write_bytes,
                                        output_is_pipe(w->o) ? NULL : seek) : NULL;
    if (!w->io) {
        av_free(buffer);
        return ecdc_fail_memory(err, "a WAV writer");
    }
    w->muxer->pb = w->io;
    w->muxer->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT; /* no LIST chunk with the muxer's version */
    w->packet = av_packet_alloc();
    AVStream *stream = avformat_new_stream(w->muxer, NULL);
    if (!w->packet || !stream)
        return ecdc_fail_memory(err, "a WAV writer");
    AVCodecParameters *par = stream->codecpar;
    par->codec_type = AVMEDIA_TYPE_AUDIO;
    par->codec_id = w->float_samples ? AV_CODEC_ID_PCM_F32LE : AV_CODEC_ID_PCM_S16LE;
    par->sample_rate = rate_hz;
    par->bits_per_coded_sample = w->float_samples ? 32 : 16;
    par->block_align = w->channels * par->bits_per_coded_sample / 8;
    par->bit_rate = (int64_t)rate_hz * par->block_align * 8;
    av_channel_layout_default(&par->ch_layout, w->channels);
    stream->time_base = (AVRational){1, rate_hz};
    code = av_opt_set(w->muxer->priv_data, "rf64", rf64_mode(w, n_samples), 0);
    if (code >= 0)
        code = avformat_write_header(w->muxer, NULL);
    return code < 0 ? fail_muxer(w, code, err) : ECDC_OK;
}

ecdc_status wav_open(struct output *o, int rate_hz, int channels, bool float_samples, int64_t n_samples,
                     struct wav_writer **out, ecdc_error *err) {
    if (rate_hz < 1 || rate_hz > 1000000 || channels < 1 || channels > 8)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: a WAV of %d channels at %d Hz", output_name(o), channels, rate_hz);
    struct wav_writer *w = ecdc_alloc_zeros(1, sizeof *w);
    if (!w)
        return ecdc_fail_memory(err, "a WAV writer");
    w->o = o;
    w->channels = channels;
    w->float_samples = float_samples;
    ecdc_status status = open_muxer(w, rate_hz, n_samples, err);
    if (status != ECDC_OK) {
        wav_free(w);
        return status;
    }
    *out = w;
    return ECDC_OK;
}

/* ----------------------------------------------------------------------------------------------- write --- */

static void put_int16(struct wav_writer *w, const float *samples, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double x = nearbyint((double)samples[i] * 32768.0);
        w->n_clipped += x > 32767.0 || x < -32768.0;
        uint16_t bits = (uint16_t)(int16_t)(x > 32767.0 ? 32767.0 : x < -32768.0 ? -32768.0 : x);
        w->block[2 * i] = (unsigned char)bits;
        w->block[2 * i + 1] = (unsigned char)(bits >> 8);
    }
}

static void put_float(struct wav_writer *w, const float *samples, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &samples[i], sizeof bits);
        for (int k = 0; k < 4; k++)
            w->block[4 * i + (size_t)k] = (unsigned char)(bits >> (8 * k));
    }
}

/* At most BLOCK_SAMPLES values, whole samples of all channels. */
static ecdc_status write_block(struct wav_writer *w, const float *samples, size_t n_values, ecdc_error *err) {
    if (w->float_samples)
        put_float(w, samples, n_values);
    else
        put_int16(w, samples, n_values);
    w->packet->data = w->block;
    w->packet->size = (int)(n_values * (w->float_samples ? 4 : 2));
    w->packet->pts = w->packet->dts = w->n_samples;
    w->packet->duration = (int64_t)n_values / w->channels;
    w->n_samples += w->packet->duration;
    int code = av_write_frame(w->muxer, w->packet);
    w->packet->data = NULL; /* the block is ours */
    w->packet->size = 0;
    return code < 0 || w->failure.status != ECDC_OK ? fail_muxer(w, code, err) : ECDC_OK;
}

ecdc_status wav_write(struct wav_writer *w, const float *samples, size_t n_samples, ecdc_error *err) {
    size_t channels = (size_t)w->channels, n_values = n_samples * channels; /* an array of this length exists */
    for (size_t i = 0; i < n_values; i++)
        if (!isfinite(samples[i]))
            return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: sample %" PRId64 " is not a finite number", output_name(w->o),
                             w->n_samples + (int64_t)(i / channels));
    int64_t left = ((INT64_C(1) << 32) - HEADER_RESERVE) / (w->channels * (w->float_samples ? 4 : 2)) - w->n_samples;
    if (!w->rf64 && !output_is_pipe(w->o) && (int64_t)n_samples > left)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: more than the 4 GiB that a WAV file without RF64 can hold",
                         output_name(w->o));
    size_t most = BLOCK_SAMPLES / channels * channels;
    for (size_t done = 0; done < n_values;) {
        size_t piece = n_values - done < most ? n_values - done : most;
        ecdc_status status = write_block(w, samples + done, piece, err);
        if (status != ECDC_OK)
            return status;
        done += piece;
    }
    return ECDC_OK;
}

ecdc_status wav_finish(struct wav_writer *w, ecdc_error *err) {
    int code = av_write_trailer(w->muxer);
    avio_flush(w->io);
    if (code >= 0)
        code = w->io->error;
    return code < 0 || w->failure.status != ECDC_OK ? fail_muxer(w, code, err) : ECDC_OK;
}

int64_t wav_clipped(const struct wav_writer *w) {
    return w->n_clipped;
}

void wav_free(struct wav_writer *w) {
    if (!w)
        return;
    av_packet_free(&w->packet);
    avformat_free_context(w->muxer);
    if (w->io)
        av_freep(&w->io->buffer);
    avio_context_free(&w->io);
    free(w);
}
