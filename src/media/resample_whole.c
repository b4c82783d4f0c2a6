/* A whole signal to another rate in one call. */
#include <string.h>

#include <libavutil/mathematics.h>

#include "base/status.h"
#include "media/resample.h"

enum { MIN_HZ = 1000, MAX_HZ = 384000 };

int64_t ecdc_resampled_length(int64_t n_samples, int in_hz, int out_hz) {
    return n_samples > 0 && in_hz > 0 && out_hz > 0 ? av_rescale_rnd(n_samples, out_hz, in_hz, AV_ROUND_UP) : 0;
}

static ecdc_status convert(struct resampler *r, const float *samples, size_t n, float *out, size_t room, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    size_t used, made = 0;
    while (status == ECDC_OK && n > 0) {
        status = resampler_process(r, samples, n, &used, out, room, &made, err);
        if (status != ECDC_OK)
            return status;
        samples += used;
        n -= used;
        out += made;
        room -= made;
    }
    do {
        status = resampler_drain(r, out, room, &made, err);
        if (status != ECDC_OK)
            return status;
        out += made;
        room -= made;
    } while (made > 0);
    return ECDC_OK;
}

ecdc_status ecdc_resample(const float *samples, size_t n_samples, int in_hz, int out_hz, float *out, ecdc_error *err) {
    if (in_hz < MIN_HZ || in_hz > MAX_HZ || out_hz < MIN_HZ || out_hz > MAX_HZ)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%d Hz to %d Hz: allowed are rates from %d to %d", in_hz, out_hz, MIN_HZ, MAX_HZ);
    if (in_hz == out_hz) {
        if (n_samples)
            memcpy(out, samples, n_samples * sizeof *out);
        return ECDC_OK;
    }
    struct resampler *r = NULL;
    ecdc_status status = resampler_new(in_hz, out_hz, 1, &r, err);
    if (status == ECDC_OK)
        status = convert(r, samples, n_samples, out, (size_t)ecdc_resampled_length((int64_t)n_samples, in_hz, out_hz), err);
    resampler_free(r);
    return status;
}
