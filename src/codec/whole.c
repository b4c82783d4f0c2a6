/* Whole signals in one call. */
#include "base/status.h"
#include "ecdc.h"

/* Samples per piece: what waits inside stays small however long the signal is. */
enum { PIECE_SAMPLES = 1 << 16, PIECE_FRAMES = 256 };

ecdc_status ecdc_encode(const ecdc_model *model, const ecdc_settings *settings, const float *samples, size_t n_samples,
                        int32_t *codes, ecdc_error *err) {
    ecdc_encoder *e;
    ecdc_status status = ecdc_encoder_new(model, settings, &e, err);
    if (status != ECDC_OK)
        return status;
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    size_t n_codebooks = (size_t)ecdc_encoder_codebooks(e), channels = (size_t)info.channels;
    if (info.chunked)
        status = ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s encodes chunks, which ecdc_encode cannot return: use ecdc_encoder_push and "
                           "ecdc_encoder_pull_chunk", info.name);
    for (size_t i = 0, part; status == ECDC_OK && i < n_samples; i += part) {
        part = n_samples - i < PIECE_SAMPLES ? n_samples - i : PIECE_SAMPLES;
        status = ecdc_encoder_push(e, samples + i * channels, part, err);
        codes += ecdc_encoder_pull(e, codes, ecdc_encoder_ready(e)) * n_codebooks;
    }
    if (status == ECDC_OK)
        status = ecdc_encoder_finish(e, err);
    if (status == ECDC_OK)
        ecdc_encoder_pull(e, codes, ecdc_encoder_ready(e));
    ecdc_encoder_free(e);
    return status;
}

ecdc_status ecdc_decode(const ecdc_model *model, const ecdc_settings *settings, const int32_t *codes, size_t n_frames,
                        float *samples, ecdc_error *err) {
    ecdc_decoder *d;
    ecdc_status status = ecdc_decoder_new(model, settings, &d, err);
    if (status != ECDC_OK)
        return status;
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    size_t n_codebooks = (size_t)ecdc_decoder_codebooks(d), channels = (size_t)info.channels;
    if (info.chunked)
        status = ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s decodes chunks, which ecdc_decode cannot take: use ecdc_decoder_push_chunk "
                           "and ecdc_decoder_pull", info.name);
    for (size_t t = 0, part; status == ECDC_OK && t < n_frames; t += part) {
        part = n_frames - t < PIECE_FRAMES ? n_frames - t : PIECE_FRAMES;
        status = ecdc_decoder_push(d, codes + t * n_codebooks, part, err);
        samples += ecdc_decoder_pull(d, samples, ecdc_decoder_ready(d)) * channels;
    }
    if (status == ECDC_OK)
        status = ecdc_decoder_finish(d, err);
    if (status == ECDC_OK)
        ecdc_decoder_pull(d, samples, ecdc_decoder_ready(d));
    ecdc_decoder_free(d);
    return status;
}
