/* Streaming layers.
 *
 * A causal convolution of the reference sees its input x padded: `padding` rows on the left and, so that the last stride
 * is whole, some on the right, both by reflection (x[padding] ... x[1], then x[0] ...). Where x is not longer than
 * the padding it is first extended by zeros (transformers EncodecConv1d._pad1d). Here the left padding has its place
 * before the first row and is filled as soon as x[padding] has arrived; until then nothing can be computed, which is why
 * the first frames come late. Every layer pads for itself.
 */
#include "codec/stage.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Steps per product: bounds the scratch, keeps the rows of a step and the next in the cache together. */
enum { PIECE = 1024, LSTM_PIECE = 144 };

static size_t reach(const struct network_layer *layer) {
    return (layer->kernel - 1) * layer->dilation + 1;
}

static bool transposed(const struct stage *s) {
    return s->layer->kind == LAYER_CONV_TRANSPOSE;
}

static ecdc_status init_lstm(struct stage *s, ecdc_error *err) {
    const struct network_layer *layer = s->layer;
    s->lstm = ecdc_alloc_zeros(layer->n_lstm, sizeof *s->lstm);
    if (!s->lstm)
        return ecdc_fail_memory(err, "the LSTM's state");
    size_t gates = 0;
    for (size_t l = 0; l < layer->n_lstm; l++) {
        size_t units = layer->lstm[l].input.n / 4;
        gates = layer->lstm[l].input.n;
        s->lstm[l].c = ecdc_alloc_floats(units);
        s->lstm[l].h = ecdc_alloc_floats(units);
        s->lstm[l].h_rows = ecdc_alloc_floats(LSTM_PIECE * units);
        if (!s->lstm[l].c || !s->lstm[l].h || !s->lstm[l].h_rows)
            return ecdc_fail_memory(err, "the LSTM's state");
    }
    s->scratch = ecdc_alloc_floats(LSTM_PIECE * gates);
    return s->scratch ? ECDC_OK : ecdc_fail_memory(err, "the LSTM's gates");
}

ecdc_status stage_init(struct stage *s, const struct network_layer *layer, ecdc_error *err) {
    memset(s, 0, sizeof *s);
    s->layer = layer;
    s->in.width = layer->in;
    s->in.has_elu = layer->elu_before || layer->kind == LAYER_RESIDUAL;
    s->in.has_raw = !layer->elu_before;
    s->padding = transposed(s) ? 1 : layer->left;
    ecdc_status status = ECDC_OK;
    if (layer->kind == LAYER_LSTM)
        status = init_lstm(s, err);
    if (layer->kind == LAYER_RESIDUAL && !(s->scratch = ecdc_alloc_floats(PIECE * layer->narrow_out)))
        status = ecdc_fail_memory(err, "a residual block");
    return status == ECDC_OK ? stage_reset(s, err) : status;
}

void stage_free(struct stage *s) {
    rows_free(&s->in);
    free(s->scratch);
    for (size_t l = 0; s->lstm && l < s->layer->n_lstm; l++) {
        free(s->lstm[l].c);
        free(s->lstm[l].h);
        free(s->lstm[l].h_rows);
    }
    free(s->lstm);
    memset(s, 0, sizeof *s);
}

/* n rows of zeros behind the last one. */
static ecdc_status append_zeros(struct rows *r, size_t n, ecdc_error *err) {
    ecdc_status status = rows_reserve(r, n, err);
    if (status != ECDC_OK || n == 0)
        return status;
    if (r->has_raw)
        memset(rows_raw(r, r->n), 0, n * r->width * sizeof(float));
    if (r->has_elu)
        memset(rows_elu(r, r->n), 0, n * r->width * sizeof(float));
    r->n += n;
    return ECDC_OK;
}

static void copy_row(struct rows *r, size_t to, size_t from) {
    if (r->has_raw)
        memcpy(rows_raw(r, to), rows_raw(r, from), r->width * sizeof(float));
    if (r->has_elu)
        memcpy(rows_elu(r, to), rows_elu(r, from), r->width * sizeof(float));
}

ecdc_status stage_reset(struct stage *s, ecdc_error *err) {
    rows_drop(&s->in, s->in.n);
    /* A transposed convolution sees one row of zeros before its input, an LSTM nothing. */
    s->started = transposed(s) || s->padding == 0;
    for (size_t l = 0; s->lstm && l < s->layer->n_lstm; l++) {
        size_t units = s->layer->lstm[l].input.n / 4;
        memset(s->lstm[l].c, 0, units * sizeof(float));
        memset(s->lstm[l].h, 0, units * sizeof(float));
    }
    return append_zeros(&s->in, s->padding, err);
}

/* Reflects into the left padding once x[padding] is there. */
static void start(struct stage *s) {
    if (s->started || s->in.n <= 2 * s->padding)
        return;
    for (size_t i = 0; i < s->padding; i++)
        copy_row(&s->in, i, 2 * s->padding - i);
    s->started = true;
}

ecdc_status stage_finish(struct stage *s, ecdc_error *err) {
    struct rows *in = &s->in;
    start(s);
    if (transposed(s) || s->layer->kind == LAYER_LSTM || (!s->started && in->n == s->padding))
        return ECDC_OK; /* nothing on the right; or no signal at all */
    /* Steps consume whole strides, so what is kept beyond the padding tells how far the last stride is filled. */
    size_t stride = s->layer->stride, n = in->n, right = (stride - (n - s->padding) % stride) % stride;
    if (!s->started) { /* x has at most `padding` rows: zeros up to x[padding], reflect there */
        ecdc_status status = append_zeros(in, 2 * s->padding + 1 - n, err);
        if (status != ECDC_OK)
            return status;
        start(s);
    }
    ecdc_status status = rows_reserve(in, right, err);
    if (status != ECDC_OK)
        return status;
    size_t have = in->n;
    for (in->n = n; in->n < n + right; in->n++)
        if (in->n >= have) /* before, the zeros are the padding */
            copy_row(in, in->n, 2 * (have - 1) - in->n);
    return ECDC_OK;
}

static void product(struct stage *s, const struct engine *engine, const struct product *p, size_t steps, int part) {
    double start = profile_start(s->profile);
    engine_product(engine, p, steps);
    if (s->profile)
        s->profile->part_s[part] += now_s() - start;
}

static void run_conv(struct stage *s, const struct engine *engine, struct rows *out, size_t steps) {
    const struct network_layer *layer = s->layer;
    size_t width = layer->in;
    const float *x = layer->elu_before ? rows_elu(&s->in, 0) : rows_raw(&s->in, 0);
    struct product p = {.m = &layer->conv, .y = rows_raw(out, out->n), .elu = rows_elu(out, out->n)};
    if (transposed(s)) {
        p.in[0] = (struct operand){x, (ptrdiff_t)width, 1, 0, 2 * width};
        p.ld_y = p.ld_elu = (ptrdiff_t)(layer->stride * layer->out);
    } else {
        size_t taps = layer->dilation == 1 ? 1 : layer->kernel;
        p.in[0] = (struct operand){x, (ptrdiff_t)(layer->stride * width), taps, layer->dilation * width,
                                   layer->kernel / taps * width};
        p.ld_y = p.ld_elu = (ptrdiff_t)layer->out;
    }
    product(s, engine, &p, steps, 0);
}

/* y = shortcut(x) + widen(ELU(narrow(ELU(x)))) in two products. */
static void run_residual(struct stage *s, const struct engine *engine, struct rows *out, size_t steps) {
    const struct network_layer *layer = s->layer;
    size_t width = layer->in, taps = layer->dilation == 1 ? 1 : layer->kernel;
    struct product narrow = {.m = &layer->narrow,
                             .in[0] = {rows_elu(&s->in, 0), (ptrdiff_t)width, taps, layer->dilation * width,
                                       layer->kernel / taps * width},
                             .elu = s->scratch,
                             .ld_elu = (ptrdiff_t)layer->narrow_out};
    product(s, engine, &narrow, steps, 0);

    const float *x = rows_raw(&s->in, s->padding);
    struct product widen = {.m = &layer->widen,
                            .in[0] = {s->scratch, (ptrdiff_t)layer->narrow_out, 1, 0, layer->narrow_out},
                            .y = rows_raw(out, out->n),
                            .elu = rows_elu(out, out->n),
                            .ld_y = (ptrdiff_t)layer->out,
                            .ld_elu = (ptrdiff_t)layer->out};
    if (layer->identity_shortcut) {
        widen.add = x;
        widen.ld_add = (ptrdiff_t)width;
    } else {
        widen.in[1] = (struct operand){x, (ptrdiff_t)width, 1, 0, width};
    }
    product(s, engine, &widen, steps, 1);
}

/* y = h of the last layer + x. The input's half of the gates is one product for all steps, the recurrent half one
 * matrix-vector product per step. */
static void run_lstm(struct stage *s, const struct engine *engine, struct rows *out, size_t steps) {
    const struct network_layer *layer = s->layer;
    const float *x = rows_raw(&s->in, 0);
    size_t ld = layer->in, units = 0;
    for (size_t l = 0; l < layer->n_lstm; l++) {
        const struct network_lstm_layer *net = &layer->lstm[l];
        struct lstm_state *state = &s->lstm[l];
        size_t gates = net->input.n;
        units = gates / 4;
        struct product p = {.m = &net->input,
                            .in[0] = {x, (ptrdiff_t)ld, 1, 0, layer->in},
                            .y = s->scratch,
                            .ld_y = (ptrdiff_t)gates};
        product(s, engine, &p, steps, 0);
        double start = profile_start(s->profile);
        struct lstm_run run = {&net->recurrent, s->scratch, state->c, state->h, state->h_rows, steps};
        engine_lstm(engine, &run);
        if (s->profile)
            s->profile->part_s[1] += now_s() - start;
        x = state->h_rows;
        ld = units;
    }
    for (size_t t = 0; t < steps; t++)
        engine->kernels->add(x + t * ld, rows_raw(&s->in, t), rows_raw(out, out->n + t), rows_elu(out, out->n + t),
                             layer->in);
}

/* Steps that the rows at hand suffice for. */
static size_t complete_steps(const struct stage *s) {
    size_t need = transposed(s) ? 2 : reach(s->layer), stride = transposed(s) ? 1 : s->layer->stride;
    return s->started && s->in.n >= need ? (s->in.n - need) / stride + 1 : 0;
}

ecdc_status stage_run(struct stage *s, const struct engine *engine, struct rows *out, size_t max_steps,
                      ecdc_error *err) {
    size_t piece = s->layer->kind == LAYER_LSTM ? LSTM_PIECE : PIECE;
    start(s);
    for (size_t steps; (steps = complete_steps(s)) > 0 && max_steps > 0; max_steps -= steps) {
        steps = steps < max_steps ? steps : max_steps;
        steps = steps < piece ? steps : piece;
        size_t n_out = transposed(s) ? steps * s->layer->stride : steps;
        ecdc_status status = rows_reserve(out, n_out, err);
        if (status != ECDC_OK)
            return status;
        switch (s->layer->kind) {
        case LAYER_CONV:
        case LAYER_CONV_TRANSPOSE: run_conv(s, engine, out, steps); break;
        case LAYER_RESIDUAL: run_residual(s, engine, out, steps); break;
        case LAYER_LSTM: run_lstm(s, engine, out, steps); break;
        }
        out->n += n_out;
        rows_drop(&s->in, transposed(s) ? steps : steps * s->layer->stride);
    }
    return ECDC_OK;
}
