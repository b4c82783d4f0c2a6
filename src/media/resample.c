#include "media/resample.h"

#include <stdlib.h>
#include <string.h>

#include <libavutil/mathematics.h>
#include <soxr.h>

#include "base/memory.h"
#include "base/status.h"

struct resampler {
    soxr_t soxr;
    int in_hz, out_hz, channels;
    int64_t n_in, n_out;
};

ecdc_status resampler_new(int in_hz, int out_hz, int channels, struct resampler **out, ecdc_error *err) {
    struct resampler *r = ecdc_alloc_zeros(1, sizeof *r);
    if (!r)
        return ecdc_fail_memory(err, "a resampler");
    r->in_hz = in_hz;
    r->out_hz = out_hz;
    r->channels = channels;
    soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    soxr_runtime_spec_t runtime = soxr_runtime_spec(1); /* threads; more of them only serve more channels */
    soxr_error_t error = NULL;
    r->soxr = soxr_create(in_hz, out_hz, (unsigned)channels, &error, &io, &quality, &runtime);
    if (!r->soxr || error) {
        resampler_free(r);
        return ecdc_fail(err, ECDC_E_MEMORY, "libsoxr cannot convert %d Hz to %d Hz (%s)", in_hz, out_hz,
                         error ? error : "no reason given");
    }
    *out = r;
    return ECDC_OK;
}

/* Outputs that n_in inputs stand for, not yet given out. */
static size_t owed(const struct resampler *r, size_t room) {
    int64_t n = av_rescale_rnd(r->n_in, r->out_hz, r->in_hz, AV_ROUND_UP) - r->n_out;
    return n <= 0 ? 0 : (uint64_t)n < room ? (size_t)n : room;
}

ecdc_status resampler_process(struct resampler *r, const float *samples, size_t n, size_t *used, float *out,
                              size_t room, size_t *made, ecdc_error *err) {
    size_t done_in = 0, done_out = 0;
    soxr_error_t error = soxr_process(r->soxr, samples, n, &done_in, out, room, &done_out);
    if (error)
        return ecdc_fail(err, ECDC_E_MEMORY, "libsoxr failed while resampling (%s)", error);
    r->n_in += (int64_t)done_in;
    r->n_out += (int64_t)done_out; /* the filter's delay keeps this below what is owed */
    *used = done_in;
    *made = done_out;
    return ECDC_OK;
}

ecdc_status resampler_drain(struct resampler *r, float *out, size_t room, size_t *made, ecdc_error *err) {
    size_t n = owed(r, room), done = 0;
    soxr_error_t error = n > 0 ? soxr_process(r->soxr, NULL, 0, NULL, out, n, &done) : NULL;
    if (error)
        return ecdc_fail(err, ECDC_E_MEMORY, "libsoxr failed while resampling (%s)", error);
    /* libsoxr rounds the length down or to nearest: the sample or two that are missing lie in the silence after the
     * signal. */
    if (done == 0)
        memset(out, 0, n * (size_t)r->channels * sizeof *out), done = n;
    r->n_out += (int64_t)done;
    *made = done;
    return ECDC_OK;
}

void resampler_free(struct resampler *r) {
    if (!r)
        return;
    soxr_delete(r->soxr);
    free(r);
}
