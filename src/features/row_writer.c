#include "features/row_writer.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"

ecdc_status row_writer_init(struct row_writer *w, struct features_out *out, size_t width, const ecdc_tr_grid *grid,
                            double outside, int max_code, ecdc_error *err) {
    ecdc_hrf hrf = out->job->s.hrf;
    *w = (struct row_writer){.out = out, .width = width, .max_code = max_code};
    bool codes = out->shape.dtype != NPY_F32; /* giblet's code leaves them as they are */
    w->convolved = hrf == ECDC_HRF_GIBLET_DOC || (hrf != ECDC_HRF_NONE && !codes);
    w->floats = ecdc_alloc_array(width, sizeof *w->floats);
    w->shorts = ecdc_alloc_array(width, sizeof *w->shorts);
    if (!w->floats || !w->shorts)
        return ecdc_fail_memory(err, "a row");
    if (!w->convolved)
        return ECDC_OK;
    /* giblet pads with zeros whatever it convolves. */
    return convolver_init(&w->convolver, hrf, grid->tr_s, width, hrf == ECDC_HRF_CAUSAL ? outside : 0, err);
}

void row_writer_free(struct row_writer *w) {
    convolver_free(&w->convolver);
    free(w->floats);
    free(w->shorts);
}

static ecdc_status write_codes(struct row_writer *w, const int64_t *row, ecdc_error *err) {
    if (w->out->shape.dtype == NPY_I64)
        return features_out_row(w->out, row, w->width * sizeof *row, err);
    for (size_t i = 0; i < w->width; i++)
        w->shorts[i] = (int16_t)row[i];
    return features_out_row(w->out, w->shorts, w->width * sizeof *w->shorts, err);
}

/* A row, or NULL behind the last, through the convolution; `codes` is room for rounded ones. */
static ecdc_status convolve(struct row_writer *w, const float *row, int64_t *codes, ecdc_error *err) {
    w->n_waiting += row != NULL;
    if (!convolver_push(&w->convolver, row))
        return ECDC_OK;
    w->n_waiting--;
    const double *result = w->convolver.result;
    if (w->out->shape.dtype == NPY_F32) {
        for (size_t i = 0; i < w->width; i++)
            w->floats[i] = (float)result[i];
        return features_out_row(w->out, w->floats, w->width * sizeof *w->floats, err);
    }
    for (size_t i = 0; i < w->width; i++)
        codes[i] = (int64_t)fmin(fmax(result[i], 0), w->max_code);
    return write_codes(w, codes, err);
}

ecdc_status row_writer_codes(struct row_writer *w, int64_t *row, ecdc_error *err) {
    if (!w->convolved)
        return write_codes(w, row, err);
    for (size_t i = 0; i < w->width; i++)
        w->floats[i] = (float)row[i];
    return convolve(w, w->floats, row, err);
}

ecdc_status row_writer_floats(struct row_writer *w, const float *row, ecdc_error *err) {
    return w->convolved ? convolve(w, row, NULL, err) : features_out_row(w->out, row, w->width * sizeof *row, err);
}

ecdc_status row_writer_finish(struct row_writer *w, ecdc_error *err) {
    if (w->n_waiting == 0)
        return ECDC_OK;
    int64_t *codes = ecdc_alloc_array(w->width, sizeof *codes);
    ecdc_status status = codes ? ECDC_OK : ecdc_fail_memory(err, "a row");
    while (status == ECDC_OK && w->n_waiting > 0)
        status = convolve(w, NULL, codes, err);
    free(codes);
    return status;
}
