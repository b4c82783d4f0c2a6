#include "report/sound_file.h"

#include <errno.h>
#include <stdlib.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/channel_layout.h>
#include <libavutil/mem.h>
#include <libavutil/opt.h>

#include "base/memory.h"
#include "base/temporary.h"

enum { IO_BYTES = 1 << 15, BITS_PER_S = 96000, CHANNELS = 2 };

static const char PURPOSE[] = "the sound of a report";

struct sound_file {
    FILE *file;
    AVCodecContext *encoder;
    AVFormatContext *muxer;
    AVIOContext *io;
    AVFrame *frame;
    AVPacket *packet;
    int filled;        /* samples per channel in the frame */
    int64_t n_samples; /* per channel, before the frame */
    int error;         /* errno of the temporary file; 0 */
};

static int write_bytes(void *opaque, uint8_t *bytes, int n) {
    struct sound_file *s = opaque;
    if (fwrite(bytes, 1, (size_t)n, s->file) == (size_t)n)
        return n;
    s->error = errno ? errno : EIO;
    return AVERROR(EIO);
}

static int64_t seek(void *opaque, int64_t offset, int whence) {
    struct sound_file *s = opaque;
    if (whence == AVSEEK_SIZE || fseeko(s->file, offset, whence) != 0)
        return AVERROR(EINVAL);
    return ftello(s->file);
}

static ecdc_status fail(struct sound_file *s, int code, ecdc_error *err) {
    if (s->error) {
        errno = s->error;
        return ecdc_fail_temporary(PURPOSE, err);
    }
    if (code == AVERROR(ENOMEM))
        return ecdc_fail_memory(err, PURPOSE);
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(code, text, sizeof text);
    return ecdc_fail(err, ECDC_E_UNSUPPORTED, "FFmpeg does not encode the sound of a report (AAC in MP4: %s)", text);
}

static ecdc_status open_encoder(struct sound_file *s, int rate_hz, ecdc_error *err) {
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);
    if (!codec)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "this FFmpeg has no AAC encoder, which the sound of a report needs");
    AVCodecContext *e = s->encoder = avcodec_alloc_context3(codec);
    if (!e)
        return ecdc_fail_memory(err, PURPOSE);
    e->sample_fmt = AV_SAMPLE_FMT_FLTP;
    e->sample_rate = rate_hz;
    e->time_base = (AVRational){1, rate_hz};
    e->bit_rate = BITS_PER_S;
    e->thread_count = 1;
    e->log_level_offset = AV_LOG_TRACE; /* its statistics are nobody's concern */
    e->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    av_channel_layout_default(&e->ch_layout, CHANNELS);
    static const char *const options[][2] = {{"aac_coder", "fast"}, {"aac_ms", "0"}, {"aac_is", "0"}, {"aac_pns", "0"}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) /* other encoders than FFmpeg's own may not know them */
        av_opt_set(e->priv_data, options[i][0], options[i][1], 0);
    int code = avcodec_open2(e, codec, NULL);
    if (code == AVERROR(EINVAL))
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "the sound of a report is AAC, which has no rate of %d Hz", rate_hz);
    return code < 0 ? fail(s, code, err) : ECDC_OK;
}

static ecdc_status open_muxer(struct sound_file *s, ecdc_error *err) {
    int code = avformat_alloc_output_context2(&s->muxer, NULL, "mp4", NULL);
    if (code < 0)
        return fail(s, code, err);
    unsigned char *buffer = av_malloc(IO_BYTES);
    s->io = buffer ? avio_alloc_context(buffer, IO_BYTES, 1, s, NULL, write_bytes, seek) : NULL;
    if (!s->io) {
        av_free(buffer);
        return ecdc_fail_memory(err, PURPOSE);
    }
    s->muxer->pb = s->io;
    s->muxer->flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT;
    AVStream *stream = avformat_new_stream(s->muxer, NULL);
    if (!stream)
        return ecdc_fail_memory(err, PURPOSE);
    stream->time_base = s->encoder->time_base;
    code = avcodec_parameters_from_context(stream->codecpar, s->encoder);
    if (code >= 0)
        code = avformat_write_header(s->muxer, NULL);
    return code < 0 ? fail(s, code, err) : ECDC_OK;
}

static ecdc_status open_frame(struct sound_file *s, ecdc_error *err) {
    AVFrame *f = s->frame = av_frame_alloc();
    s->packet = av_packet_alloc();
    if (!f || !s->packet)
        return ecdc_fail_memory(err, PURPOSE);
    f->format = s->encoder->sample_fmt;
    f->nb_samples = s->encoder->frame_size;
    f->sample_rate = s->encoder->sample_rate;
    int code = av_channel_layout_copy(&f->ch_layout, &s->encoder->ch_layout);
    if (code >= 0)
        code = av_frame_get_buffer(f, 0);
    return code < 0 ? fail(s, code, err) : ECDC_OK;
}

ecdc_status sound_file_new(int rate_hz, struct sound_file **out, ecdc_error *err) {
    struct sound_file *s = ecdc_alloc_zeros(1, sizeof *s);
    if (!s)
        return ecdc_fail_memory(err, PURPOSE);
    ecdc_status status = ecdc_temporary_stream(PURPOSE, &s->file, err);
    if (status == ECDC_OK)
        status = open_encoder(s, rate_hz, err);
    if (status == ECDC_OK)
        status = open_muxer(s, err);
    if (status == ECDC_OK)
        status = open_frame(s, err);
    if (status != ECDC_OK) {
        sound_file_free(s);
        return status;
    }
    *out = s;
    return ECDC_OK;
}

void sound_file_free(struct sound_file *s) {
    if (!s)
        return;
    av_frame_free(&s->frame);
    av_packet_free(&s->packet);
    avcodec_free_context(&s->encoder);
    avformat_free_context(s->muxer);
    if (s->io)
        av_freep(&s->io->buffer);
    avio_context_free(&s->io);
    if (s->file)
        fclose(s->file);
    free(s);
}

/* Encodes a frame, or with NULL what is left, and writes the packets. */
static ecdc_status encode(struct sound_file *s, AVFrame *frame, ecdc_error *err) {
    int code = avcodec_send_frame(s->encoder, frame);
    while (code >= 0) {
        code = avcodec_receive_packet(s->encoder, s->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
            return ECDC_OK;
        if (code < 0)
            break;
        av_packet_rescale_ts(s->packet, s->encoder->time_base, s->muxer->streams[0]->time_base);
        code = av_write_frame(s->muxer, s->packet);
        av_packet_unref(s->packet);
    }
    return fail(s, code, err);
}

static ecdc_status encode_filled(struct sound_file *s, ecdc_error *err) {
    s->frame->nb_samples = s->filled;
    s->frame->pts = s->n_samples;
    ecdc_status status = encode(s, s->frame, err);
    s->n_samples += s->filled;
    s->filled = 0;
    /* The encoder keeps the frame's buffer for a while. */
    if (status == ECDC_OK && av_frame_make_writable(s->frame) < 0)
        return ecdc_fail_memory(err, PURPOSE);
    return status;
}

static float clip(float x) {
    return x > 1 ? 1 : x < -1 ? -1 : x;
}

ecdc_status sound_file_push(struct sound_file *s, const float *left, const float *right, size_t n, ecdc_error *err) {
    for (size_t i = 0; i < n; i++) {
        ((float *)(void *)s->frame->data[0])[s->filled] = clip(left[i]);
        ((float *)(void *)s->frame->data[1])[s->filled] = clip(right[i]);
        if (++s->filled == s->encoder->frame_size) {
            ecdc_status status = encode_filled(s, err);
            if (status != ECDC_OK)
                return status;
        }
    }
    return ECDC_OK;
}

ecdc_status sound_file_finish(struct sound_file *s, FILE **file, ecdc_error *err) {
    ecdc_status status = s->filled ? encode_filled(s, err) : ECDC_OK;
    if (status == ECDC_OK)
        status = encode(s, NULL, err);
    if (status != ECDC_OK)
        return status;
    int code = av_write_trailer(s->muxer);
    avio_flush(s->io);
    if (code < 0 || s->io->error < 0 || s->error)
        return fail(s, code < 0 ? code : s->io->error, err);
    if (fflush(s->file) != 0 || fseeko(s->file, 0, SEEK_SET) != 0)
        return ecdc_fail_temporary(PURPOSE, err);
    *file = s->file;
    return ECDC_OK;
}
