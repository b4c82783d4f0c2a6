#include "features/convolution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

enum { OVERSAMPLING = 50 };

static const double length_s = 32; /* of the kernel: nilearn's and giblet's */

static ecdc_status sample_kernel(double tr_s, int oversampling, double **kernel, size_t *n, ecdc_error *err) {
    *n = ecdc_glover_hrf_length(tr_s, oversampling, length_s);
    *kernel = ecdc_alloc_array(*n, sizeof **kernel);
    if (!*kernel)
        return ecdc_fail_memory(err, "a kernel");
    return ecdc_glover_hrf(tr_s, oversampling, length_s, 0, *kernel, err);
}

/* Row i - k holds from (i - k) TR to (i - k + 1) TR: at time i TR that was 50 (k - 1) < m <= 50 k points ago. */
static ecdc_status causal_weights(struct convolver *c, double tr_s, ecdc_error *err) {
    double *kernel = NULL;
    size_t n;
    ecdc_status status = sample_kernel(tr_s, OVERSAMPLING, &kernel, &n, err);
    if (status == ECDC_OK) {
        c->n_weights = 1 + (n - 1 + OVERSAMPLING - 1) / OVERSAMPLING;
        c->weights = ecdc_alloc_zeros(c->n_weights, sizeof *c->weights);
        if (!c->weights)
            status = ecdc_fail_memory(err, "a kernel");
        for (size_t m = 0; status == ECDC_OK && m < n; m++)
            c->weights[(m + OVERSAMPLING - 1) / OVERSAMPLING] += kernel[m];
    }
    free(kernel);
    return status;
}

static ecdc_status giblet_weights(struct convolver *c, double tr_s, bool centred, ecdc_error *err) {
    double *kernel = NULL, peak = 0;
    size_t n;
    ecdc_status status = sample_kernel(tr_s, 1, &kernel, &n, err);
    if (status == ECDC_OK) {
        size_t later = !centred && n % 2 == 0; /* a zero in front */
        c->n_weights = n + later;
        c->lead = (n - 1) / 2;
        c->weights = ecdc_alloc_zeros(c->n_weights, sizeof *c->weights);
        if (!c->weights)
            status = ecdc_fail_memory(err, "a kernel");
        for (size_t i = 0; i < n; i++)
            peak = fmax(peak, kernel[i]);
        for (size_t i = 0; status == ECDC_OK && i < n; i++)
            c->weights[i + later] = kernel[i] / peak;
    }
    free(kernel);
    return status;
}

ecdc_status convolver_init(struct convolver *c, ecdc_hrf hrf, double tr_s, size_t width, double outside, ecdc_error *err) {
    *c = (struct convolver){.width = width, .outside = (float)outside, .rounded = hrf == ECDC_HRF_GIBLET_DOC};
    ecdc_status status = ECDC_OK;
    if (hrf == ECDC_HRF_CAUSAL)
        status = causal_weights(c, tr_s, err);
    else if (hrf == ECDC_HRF_GIBLET || hrf == ECDC_HRF_GIBLET_DOC)
        status = giblet_weights(c, tr_s, hrf == ECDC_HRF_GIBLET_DOC, err);
    else
        status = ecdc_fail(err, ECDC_E_ARGUMENT, "hrf is %d, neither causal nor giblet", (int)hrf);
    if (status != ECDC_OK)
        return status;
    size_t n;
    c->rows = ecdc_mul_size(c->n_weights, width, &n) ? ecdc_alloc_array(n, sizeof *c->rows) : NULL;
    c->result = ecdc_alloc_array(width, sizeof *c->result);
    if (!c->rows || !c->result)
        return ecdc_fail_memory(err, "the rows of a convolution");
    for (size_t i = 0; i < n; i++)
        c->rows[i] = c->outside;
    return ECDC_OK;
}

void convolver_free(struct convolver *c) {
    free(c->weights);
    free(c->rows);
    free(c->result);
}

bool convolver_push(struct convolver *c, const float *row) {
    float *place = c->rows + (size_t)(c->n_rows % c->n_weights) * c->width;
    for (size_t i = 0; i < c->width; i++)
        place[i] = row ? row[i] : c->outside;
    c->n_rows++;
    if (c->n_rows <= c->lead)
        return false;
    memset(c->result, 0, c->width * sizeof *c->result);
    for (size_t k = 0; k < c->n_weights; k++) { /* the row taken k rows ago; before the first one the ring holds `outside` */
        const float *past = c->rows + (size_t)((c->n_rows - 1 + c->n_weights - k) % c->n_weights) * c->width;
        for (size_t i = 0; i < c->width; i++)
            c->result[i] += c->weights[k] * (double)past[i];
    }
    for (size_t i = 0; c->rounded && i < c->width; i++)
        c->result[i] = rint(c->result[i]);
    return true;
}

ecdc_status ecdc_hrf_convolve(ecdc_hrf hrf, double tr_s, const float *series, size_t n_trs, size_t n_features, double outside,
                              float *result, ecdc_error *err) {
    if (hrf == ECDC_HRF_NONE) {
        memcpy(result, series, n_trs * n_features * sizeof *result);
        return ECDC_OK;
    }
    struct convolver c;
    ecdc_status status = convolver_init(&c, hrf, tr_s, n_features, outside, err);
    for (size_t i = 0; status == ECDC_OK && n_trs > 0 && i < n_trs + c.lead; i++)
        if (convolver_push(&c, i < n_trs ? series + i * n_features : NULL))
            for (size_t j = 0; j < n_features; j++)
                *result++ = (float)c.result[j];
    convolver_free(&c);
    return status;
}
