#include "codec/chunk_network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum {
    PIECE_FLOATS = 1 << 15,     /* input of one product: with its output and the weights it stays in the L2 cache */
    PIECE_STEPS_MIN = 48,       /* where rows are wide, weights are many: they are not to be read for a few rows */
    MAX_PLANE_FLOATS = 1 << 28, /* a gigabyte */
};

static const double NORM_EPSILON = 1e-5; /* torch.nn.GroupNorm's default */

/* How a product reads its input: step t begins `left` rows before row t * stride and covers `reach` rows. */
struct window {
    size_t kernel, stride, dilation, left;
    bool zeros; /* rows outside the signal are 0, else reflected */
    bool elu;
};

static size_t reach(const struct window *w) {
    return (w->kernel - 1) * w->dilation + 1;
}

static struct window conv_window(const struct network_layer *layer) {
    if (layer->kind == LAYER_CONV_TRANSPOSE) /* two taps; one step more than there are rows */
        return (struct window){2, 1, 1, 1, true, layer->elu_before};
    return (struct window){layer->kernel, layer->stride, layer->dilation, layer->left, false, layer->elu_before};
}

static size_t steps_of(const struct window *w, size_t n) {
    return w->zeros ? n + 1 : (n + w->stride - 1) / w->stride;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Steps of one product that reads rows of `width` floats and writes `columns` floats a step. */
static size_t piece_steps(const struct window *w, size_t width, size_t columns, const struct kernels *kernels) {
    size_t steps = larger(PIECE_STEPS_MIN, PIECE_FLOATS / larger(w->stride * width, columns));
    return steps - steps % kernels->tile_rows;
}

/* No such product reads more. */
static size_t piece_floats(const struct window *w, size_t width) {
    return larger(PIECE_FLOATS, PIECE_STEPS_MIN * w->stride * width) + reach(w) * width;
}

/* ---------------------------------------------------------------------------------------------- room --- */

/* Floats of the largest plane and of the largest piece, and the widest row, for an input of n rows. SIZE_MAX: too many. */
static void find_sizes(const struct network *net, size_t n, size_t *plane, size_t *piece, size_t *width) {
    *plane = n * net->layers[0].in;
    *piece = 0;
    *width = net->layers[0].in;
    for (size_t i = 0; i < net->n_layers; i++) {
        const struct network_layer *layer = &net->layers[i];
        struct window w = conv_window(layer);
        size_t steps = steps_of(&w, n), rows = layer->kind == LAYER_CONV_TRANSPOSE ? steps * layer->stride : steps, floats;
        if (!ecdc_mul_size(rows, layer->out, &floats))
            floats = SIZE_MAX;
        *plane = larger(*plane, floats);
        *piece = larger(*piece, piece_floats(&w, layer->in));
        *width = larger(*width, layer->out);
        n = layer->kind == LAYER_CONV_TRANSPOSE ? n * layer->stride : steps;
    }
}

ecdc_status chunk_network_init(struct chunk_network *c, const struct network *net, size_t max_rows, ecdc_error *err) {
    size_t plane, piece, width;
    memset(c, 0, sizeof *c);
    c->net = net;
    c->max_rows = max_rows;
    find_sizes(net, max_rows, &plane, &piece, &width);
    if (plane > MAX_PLANE_FLOATS)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "chunks of %zu steps with layers of up to %zu channels are too large: at most %d "
                         "numbers between two layers are supported", max_rows, width, MAX_PLANE_FLOATS);
    c->piece = ecdc_alloc_floats(piece);
    for (int i = 0; i < CHUNK_PLANES; i++) {
        c->space[i].rows = ecdc_alloc_floats(plane);
        c->space[i].scale = ecdc_alloc_floats(width * net->kernels->lanes);
        c->space[i].shift = ecdc_alloc_floats(width * net->kernels->lanes);
        if (!c->space[i].rows || !c->space[i].scale || !c->space[i].shift || !c->piece)
            return ecdc_fail_memory(err, "a chunk between two layers");
    }
    ecdc_status status = ECDC_OK;
    for (size_t i = 0; status == ECDC_OK && i < net->n_layers; i++)
        if (net->layers[i].kind == LAYER_LSTM)
            status = stage_init(&c->lstm, &net->layers[i], err);
    c->lstm_out.has_raw = true;
    c->lstm_out.width = c->lstm.layer ? c->lstm.layer->out : 0;
    return status;
}

void chunk_network_free(struct chunk_network *c) {
    for (int i = 0; i < CHUNK_PLANES; i++) {
        free(c->space[i].rows);
        free(c->space[i].scale);
        free(c->space[i].shift);
    }
    free(c->piece);
    if (c->lstm.layer)
        stage_free(&c->lstm);
    rows_free(&c->lstm_out);
    memset(c, 0, sizeof *c);
}

/* The index of the next plane's room. Planes in use are among the last two taken, a layer takes at most three. */
static int take_space(struct chunk_network *c) {
    int i = c->next_space;
    c->next_space = (i + 1) % CHUNK_PLANES;
    return i;
}

/* --------------------------------------------------------------------------------------------- rows in --- */

/* Rows [first, first + n) of the signal, norms applied, then ELU if asked for. */
static void read_rows(const struct chunk_network *c, const struct kernels *kernels, size_t first, size_t n, bool elu,
                      float *out) {
    const struct plane *a = &c->signal[0], *b = &c->signal[1];
    size_t at = first * a->width, floats = n * a->width;
    kernels->affine(&a->norm, a->rows + at, NULL, elu && c->n_planes == 1, out, floats);
    if (c->n_planes == 2)
        kernels->affine(&b->norm, b->rows + at, out, elu, out, floats);
}

/* Rows outside the signal: 0, or the reflection. A signal that is not longer than its padding is first extended by zeros, as
 * transformers' EncodecConv1d._pad1d does; `extended` is its length then. */
static void read_outside(const struct chunk_network *c, const struct kernels *kernels, ptrdiff_t row, ptrdiff_t extended,
                         const struct window *w, float *out) {
    ptrdiff_t source = row < 0 ? -row : row < extended ? row : 2 * (extended - 1) - row;
    if (w->zeros || source >= (ptrdiff_t)c->signal[0].n)
        memset(out, 0, c->signal[0].width * sizeof *out);
    else
        read_rows(c, kernels, (size_t)source, 1, w->elu, out);
}

static void read_window(const struct chunk_network *c, const struct kernels *kernels, ptrdiff_t first, size_t n_rows,
                        const struct window *w, float *out) {
    ptrdiff_t n = (ptrdiff_t)c->signal[0].n, width = (ptrdiff_t)c->signal[0].width, end = first + (ptrdiff_t)n_rows;
    ptrdiff_t last = (ptrdiff_t)((steps_of(w, (size_t)n) - 1) * w->stride + reach(w)) - (ptrdiff_t)w->left; /* of all steps */
    ptrdiff_t padding = last - n > (ptrdiff_t)w->left ? last - n : (ptrdiff_t)w->left;
    ptrdiff_t extended = n > padding ? n : padding + 1;
    ptrdiff_t inside = first < 0 ? 0 : first, inside_end = end < n ? end : n;
    if (inside < inside_end)
        read_rows(c, kernels, (size_t)inside, (size_t)(inside_end - inside), w->elu, out + (inside - first) * width);
    for (ptrdiff_t row = first; row < end; row++)
        if (row < 0 || row >= n)
            read_outside(c, kernels, row, extended, w, out + (row - first) * width);
}

/* ------------------------------------------------------------------------------------------------ layers --- */

/* The norm as two numbers per channel, once sum and sum of squares of the `count` numbers are known. */
static struct affine make_affine(const struct kernels *kernels, const struct network_norm *norm, const double sums[2],
                                 double count, size_t width, float *scale, float *shift) {
    double mean = sums[0] / count, variance = sums[1] / count - mean * mean;
    double factor = 1 / sqrt((variance > 0 ? variance : 0) + NORM_EPSILON);
    for (size_t i = 0; i < width; i++) {
        scale[i] = (float)(norm->weight[i] * factor);
        shift[i] = (float)(norm->bias[i] - mean * norm->weight[i] * factor);
    }
    size_t period = affine_period(kernels, width);
    affine_repeat(scale, width, period);
    affine_repeat(shift, width, period);
    return (struct affine){scale, shift, period};
}

/* One convolution of the signal; `columns` numbers per step, of which a row has `width`. */
static struct plane convolve(struct chunk_network *c, const struct engine *engine, const struct matrix *m,
                             const struct window *w, const struct network_norm *norm, size_t columns, size_t width) {
    const struct kernels *kernels = engine->kernels;
    int space = take_space(c);
    float *rows = c->space[space].rows;
    size_t in = c->signal[0].width, n_steps = steps_of(w, c->signal[0].n), most = piece_steps(w, in, columns, kernels);
    size_t taps = w->dilation == 1 ? 1 : w->kernel;
    double sums[2] = {0, 0};
    for (size_t t = 0, steps; t < n_steps; t += steps) {
        steps = n_steps - t < most ? n_steps - t : most;
        read_window(c, kernels, (ptrdiff_t)(t * w->stride) - (ptrdiff_t)w->left, (steps - 1) * w->stride + reach(w), w, c->piece);
        struct product p = {.m = m,
                            .in[0] = {c->piece, (ptrdiff_t)(w->stride * in), taps, w->dilation * in, w->kernel / taps * in},
                            .y = rows + t * columns,
                            .ld_y = (ptrdiff_t)columns};
        engine_product(engine, &p, steps);
        if (norm->weight)
            kernels->moments(rows + t * columns, steps * columns, sums);
    }
    struct plane out = {.rows = rows, .n = n_steps * columns / width, .width = width};
    if (norm->weight)
        out.norm = make_affine(kernels, norm, sums, (double)n_steps * (double)columns, width, c->space[space].scale,
                               c->space[space].shift);
    return out;
}

static void set_signal(struct chunk_network *c, const struct plane *planes, int n) {
    memcpy(c->signal, planes, (size_t)n * sizeof *planes);
    c->n_planes = n;
}

static void run_conv(struct chunk_network *c, const struct engine *engine, const struct network_layer *layer) {
    struct window w = conv_window(layer);
    bool transposed = layer->kind == LAYER_CONV_TRANSPOSE;
    size_t n = c->signal[0].n;
    struct plane out = convolve(c, engine, &layer->conv, &w, &layer->norm, layer->out * (transposed ? layer->stride : 1),
                                layer->out);
    if (transposed) { /* the norm sees the rows that are cut off, too */
        out.rows += layer->left * layer->out;
        out.n = n * layer->stride;
    }
    set_signal(c, &out, 1);
}

/* The signal itself as one plane. */
static struct plane copy_signal(struct chunk_network *c, const struct kernels *kernels) {
    float *rows = c->space[take_space(c)].rows;
    chunk_network_output(c, kernels, rows);
    return (struct plane){.rows = rows, .n = c->signal[0].n, .width = c->signal[0].width};
}

/* shortcut(x) + widen(ELU(narrow(ELU(x)))); the sum is left to the next reader. */
static void run_residual(struct chunk_network *c, const struct engine *engine, const struct network_layer *layer) {
    static const struct window each = {.kernel = 1, .stride = 1, .dilation = 1}, each_elu = {1, 1, 1, 0, false, true};
    struct window w = {layer->kernel, 1, layer->dilation, layer->left, false, true};
    struct plane narrow = convolve(c, engine, &layer->narrow, &w, &layer->narrow_norm, layer->narrow_out, layer->narrow_out);
    struct plane out[2];
    out[0] = layer->identity_shortcut
                 ? copy_signal(c, engine->kernels)
                 : convolve(c, engine, &layer->shortcut, &each, &layer->shortcut_norm, layer->out, layer->out);
    set_signal(c, &narrow, 1);
    out[1] = convolve(c, engine, &layer->widen, &each_elu, &layer->widen_norm, layer->out, layer->out);
    set_signal(c, out, 2);
}

static ecdc_status run_lstm(struct chunk_network *c, const struct engine *engine, ecdc_error *err) {
    size_t n = c->signal[0].n;
    struct rows *out = &c->lstm_out;
    rows_drop(out, out->n);
    ecdc_status status = stage_reset(&c->lstm, err);
    if (status == ECDC_OK)
        status = rows_reserve(&c->lstm.in, n, err);
    if (status != ECDC_OK)
        return status;
    read_rows(c, engine->kernels, 0, n, false, rows_raw(&c->lstm.in, 0));
    c->lstm.in.n = n;
    status = stage_run(&c->lstm, engine, out, SIZE_MAX, err);
    if (status == ECDC_OK)
        set_signal(c, &(struct plane){.rows = rows_raw(out, 0), .n = n, .width = out->width}, 1);
    return status;
}

ecdc_status chunk_network_layer(struct chunk_network *c, const struct engine *engine, size_t i, ecdc_error *err) {
    const struct network_layer *layer = &c->net->layers[i];
    switch (layer->kind) {
    case LAYER_CONV:
    case LAYER_CONV_TRANSPOSE: run_conv(c, engine, layer); break;
    case LAYER_RESIDUAL: run_residual(c, engine, layer); break;
    case LAYER_LSTM: return run_lstm(c, engine, err);
    }
    return ECDC_OK;
}

/* ------------------------------------------------------------------------------------------------- chunk --- */

float *chunk_network_input(struct chunk_network *c, size_t n) {
    float *rows = c->space[take_space(c)].rows;
    set_signal(c, &(struct plane){.rows = rows, .n = n, .width = c->net->layers[0].in}, 1);
    return rows;
}

ecdc_status chunk_network_run(struct chunk_network *c, const struct engine *engine, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (size_t i = 0; status == ECDC_OK && i < c->net->n_layers; i++)
        status = chunk_network_layer(c, engine, i, err);
    return status;
}

size_t chunk_network_rows(const struct chunk_network *c) {
    return c->signal[0].n;
}

void chunk_network_output(const struct chunk_network *c, const struct kernels *kernels, float *out) {
    read_rows(c, kernels, 0, c->signal[0].n, false, out);
}
