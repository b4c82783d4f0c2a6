/* The kernels in plain C: what every other table is tested against, and what runs where there is no other. Read this
 * file to know what the fast ones compute. */
#include <math.h>
#include <string.h>

#include "compute/kernels.h"

enum { PANEL = 32, GROUP = 16 }; /* columns per panel (2 "vectors" of 16), units per LSTM group */

static float elu(float x) {
    return x > 0 ? x : expm1f(x);
}

static float sigmoid(float x) {
    return 1 / (1 + expf(-x));
}

static void matrix_layout(struct matrix *m, size_t k, size_t n, bool one_run, size_t *w_floats, size_t *bias_floats) {
    (void)one_run;
    m->k = k;
    m->n = n;
    m->full = false;
    m->dot = false;
    m->panels = (n + PANEL - 1) / PANEL;
    *w_floats = (n + PANEL / 2 - 1) / (PANEL / 2) * (PANEL / 2) * k;
    *bias_floats = m->panels * PANEL;
}

static void product(const struct product *p, size_t rows, size_t panel0, size_t panel1, void *scratch) {
    (void)scratch;
    const struct matrix *m = p->m;
    for (size_t panel = panel0; panel < panel1; panel++) {
        size_t first = panel * PANEL;
        size_t columns = m->n - first < PANEL ? m->n - first : PANEL;
        size_t width = columns <= PANEL / 2 ? PANEL / 2 : PANEL;
        for (size_t t = 0; t < rows; t++) {
            const float *w = m->w + first * m->k;
            float sum[PANEL] = {0};
            for (int o = 0; o < 2; o++) {
                const struct operand *in = &p->in[o];
                for (size_t tap = 0; tap < in->taps; tap++) {
                    const float *x = in->x + (ptrdiff_t)t * in->ld + tap * in->tap_step;
                    for (size_t i = 0; i < in->length; i++, w += width)
                        for (size_t c = 0; c < width; c++)
                            sum[c] += x[i] * w[c];
                }
            }
            for (size_t c = 0; c < columns; c++) {
                float y = sum[c] + m->bias[first + c];
                if (p->add)
                    y += p->add[(ptrdiff_t)t * p->ld_add + (ptrdiff_t)(first + c)];
                if (p->y)
                    p->y[(ptrdiff_t)t * p->ld_y + (ptrdiff_t)(first + c)] = y;
                if (p->elu)
                    p->elu[(ptrdiff_t)t * p->ld_elu + (ptrdiff_t)(first + c)] = elu(y);
            }
        }
    }
}

static void recurrence_layout(struct recurrence *r, size_t size, size_t *w_floats, size_t *scale_floats) {
    r->size = size;
    r->groups = (size + GROUP - 1) / GROUP;
    *w_floats = r->groups * 4 * GROUP * size;
    *scale_floats = 0;
}

static void recurrence_pack(struct recurrence *r, const float *w_hh) {
    for (size_t gate = 0; gate < 4; gate++)
        for (size_t unit = 0; unit < r->size; unit++, w_hh += r->size) {
            float *out = (float *)r->w + unit / GROUP * 4 * GROUP * r->size + gate * GROUP + unit % GROUP;
            for (size_t k = 0; k < r->size; k++)
                out[k * 4 * GROUP] = w_hh[k];
        }
}

static void lstm_group(const struct recurrence *r, const struct lstm_sequence *s, size_t g) {
    const float *w = (const float *)r->w + g * 4 * GROUP * r->size;
    float gates[4 * GROUP] = {0};
    for (size_t k = 0; k < r->size; k++, w += 4 * GROUP)
        for (size_t j = 0; j < 4 * GROUP; j++)
            gates[j] += s->h_prev[k] * w[j];
    for (size_t j = 0; j < 4 * GROUP; j++)
        gates[j] += s->x_gates[g * 4 * GROUP + j];
    for (size_t u = 0; u < GROUP; u++) {
        float in = sigmoid(gates[u]), forget = sigmoid(gates[GROUP + u]);
        float cell = tanhf(gates[2 * GROUP + u]), out = sigmoid(gates[3 * GROUP + u]);
        size_t unit = g * GROUP + u;
        s->c[unit] = forget * s->c[unit] + in * cell;
        s->h[unit] = out * tanhf(s->c[unit]);
    }
}

static void lstm_step(const struct recurrence *r, const struct lstm_sequence *sequences, size_t n, size_t g0, size_t g1,
                      bool backwards) {
    for (size_t i = g0; i < g1; i++)
        for (size_t s = 0; s < n; s++)
            lstm_group(r, &sequences[s], backwards ? g1 - 1 - (i - g0) : i);
}

static void add(const float *a, const float *b, float *y, float *out_elu, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float sum = a[i] + b[i];
        if (y)
            y[i] = sum;
        if (out_elu)
            out_elu[i] = elu(sum);
    }
}

static void moments(const float *x, size_t n, double sums[2]) {
    for (size_t i = 0; i < n; i++) {
        sums[0] += (double)x[i];
        sums[1] += (double)x[i] * (double)x[i];
    }
}

static void affine(const struct affine *a, const float *x, const float *add_to, bool with_elu, float *y, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float value = a->scale ? x[i] * a->scale[i % a->period] + a->shift[i % a->period] : x[i];
        if (add_to)
            value += add_to[i];
        y[i] = with_elu ? elu(value) : value;
    }
}

static double fma_burst(size_t n, float *sink) {
    float sum[GROUP];
    for (int i = 0; i < GROUP; i++)
        sum[i] = (float)i;
    for (size_t r = 0; r < n; r++)
        for (int i = 0; i < GROUP; i++)
            sum[i] = sum[i] * sink[0] + sink[1];
    for (int i = 1; i < GROUP; i++)
        sum[0] += sum[i];
    sink[2] = sum[0];
    return (double)n * GROUP;
}

static size_t argmin(const float *x, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] < x[best] || (x[best] != x[best] && x[i] == x[i]))
            best = i;
    return best;
}

const struct kernels kernels_reference = {
    .name = "reference",
    .cpu = ECDC_CPU_REFERENCE,
    .lanes = PANEL / 2,
    .group = GROUP,
    .tile_rows = 1,
    .matrix_layout = matrix_layout,
    .product = product,
    .recurrence_layout = recurrence_layout,
    .recurrence_pack = recurrence_pack,
    .lstm_step = lstm_step,
    .add = add,
    .moments = moments,
    .affine = affine,
    .fma_burst = fma_burst,
    .argmin = argmin,
};
