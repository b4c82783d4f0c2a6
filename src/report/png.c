#include "report/png.h"

#include <string.h>

#include <libavcodec/avcodec.h>

#include "base/status.h"

static ecdc_status fail(int code, ecdc_error *err) {
    if (code == AVERROR(ENOMEM))
        return ecdc_fail_memory(err, "a picture");
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(code, text, sizeof text);
    return ecdc_fail(err, ECDC_E_UNSUPPORTED, "FFmpeg does not encode the picture (PNG: %s)", text);
}

static int fill(AVFrame *frame, const uint8_t *rgb, int width, int height) {
    frame->format = AV_PIX_FMT_RGB24;
    frame->width = width;
    frame->height = height;
    int code = av_frame_get_buffer(frame, 0);
    for (int y = 0; code >= 0 && y < height; y++)
        memcpy(frame->data[0] + (ptrdiff_t)y * frame->linesize[0], rgb + (size_t)y * (size_t)width * 3, (size_t)width * 3);
    return code;
}

static int encode(AVCodecContext *encoder, AVFrame *frame, AVPacket *packet) {
    encoder->pix_fmt = AV_PIX_FMT_RGB24;
    encoder->width = frame->width;
    encoder->height = frame->height;
    encoder->time_base = (AVRational){1, 1};
    encoder->thread_count = 1;
    int code = avcodec_open2(encoder, encoder->codec, NULL);
    if (code >= 0)
        code = avcodec_send_frame(encoder, frame);
    if (code >= 0)
        code = avcodec_send_frame(encoder, NULL);
    return code >= 0 ? avcodec_receive_packet(encoder, packet) : code;
}

ecdc_status png_write(struct output *o, const uint8_t *rgb, int width, int height, ecdc_error *err) {
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_PNG);
    if (!codec)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "this FFmpeg has no PNG encoder; a report as .html needs none");
    AVCodecContext *encoder = avcodec_alloc_context3(codec);
    AVFrame *frame = av_frame_alloc();
    AVPacket *packet = av_packet_alloc();
    int code = encoder && frame && packet ? fill(frame, rgb, width, height) : AVERROR(ENOMEM);
    if (code >= 0)
        code = encode(encoder, frame, packet);
    ecdc_status status = code < 0 ? fail(code, err) : output_write(o, packet->data, (size_t)packet->size, err);
    av_packet_free(&packet);
    av_frame_free(&frame);
    avcodec_free_context(&encoder);
    return status;
}
