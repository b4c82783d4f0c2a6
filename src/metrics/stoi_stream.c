#include "metrics/stoi_stream.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/temporary.h"
#include "metrics/resample_10k.h"
#include "metrics/stoi.h"

struct stoi_stream {
    struct resample_10k *resampler;
    struct stoi *stoi;
    FILE *file; /* double[2] per sample at 10 kHz */
};

static const char purpose[] = "STOI";

ecdc_status stoi_stream_new(int rate_hz, struct stoi_stream **out, ecdc_error *err) {
    struct stoi_stream *s = ecdc_alloc_zeros(1, sizeof *s);
    if (!s)
        return ecdc_fail_memory(err, "STOI");
    ecdc_status status = resample_10k_new(rate_hz, &s->resampler, err);
    if (status == ECDC_OK)
        status = stoi_new(&s->stoi, err);
    if (status == ECDC_OK)
        status = ecdc_temporary_stream(purpose, &s->file, err);
    if (status != ECDC_OK) {
        stoi_stream_free(s);
        return status;
    }
    *out = s;
    return ECDC_OK;
}

void stoi_stream_free(struct stoi_stream *s) {
    if (!s)
        return;
    resample_10k_free(s->resampler);
    stoi_free(s->stoi);
    if (s->file)
        fclose(s->file);
    free(s);
}

/* Scans and stores the pairs that are finished. */
static ecdc_status store(struct stoi_stream *s, ecdc_error *err) {
    double pair[2];
    while (resample_10k_next(s->resampler, pair)) {
        stoi_scan(s->stoi, pair);
        if (fwrite(pair, sizeof pair, 1, s->file) != 1)
            return ecdc_fail_temporary(purpose, err);
    }
    return ECDC_OK;
}

ecdc_status stoi_stream_push(struct stoi_stream *s, const float *reference, const float *degraded, size_t n, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (size_t i = 0; i < n && status == ECDC_OK;) {
        i += resample_10k_push(s->resampler, reference + i, degraded + i, n - i);
        status = store(s, err);
    }
    return status;
}

ecdc_status stoi_stream_finish(struct stoi_stream *s, double *stoi, double *estoi, ecdc_error *err) {
    resample_10k_finish(s->resampler);
    ecdc_status status = store(s, err);
    if (status != ECDC_OK)
        return status;
    if (fflush(s->file) != 0 || fseeko(s->file, 0, SEEK_SET) != 0)
        return ecdc_fail_temporary(purpose, err);
    stoi_rewind(s->stoi);
    for (double pair[2]; fread(pair, sizeof pair, 1, s->file) == 1;)
        stoi_measure(s->stoi, pair);
    if (ferror(s->file))
        return ecdc_fail_temporary(purpose, err);
    stoi_result(s->stoi, stoi, estoi);
    return ECDC_OK;
}
