/* Packing: from the checkpoint's tensors to the matrices that the kernels read. */
#include "model/network.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

/* Remembers an allocation; NULL passes through. */
static void *keep(struct network *net, void *block) {
    if (!block)
        return NULL;
    void **grown = ecdc_realloc_array(net->blocks, net->n_blocks + 1, sizeof *grown);
    if (!grown) {
        free(block);
        return NULL;
    }
    net->blocks = grown;
    return net->blocks[net->n_blocks++] = block;
}

#ifdef ECDC_SEPARATE_WEIGHTS
static float *keep_zeros(struct network *net, size_t n) {
    float *p = keep(net, ecdc_alloc_floats(n));
    return p ? memset(p, 0, n * sizeof *p) : NULL;
}
#else
/* Weights lie one behind the other in slabs of whole large pages (base/memory.h). */
static float *keep_zeros(struct network *net, size_t n) {
    enum { LINE = 16, SLAB = ECDC_LARGE_PAGE / sizeof(float) };
    if (n > SIZE_MAX / sizeof(float) - SLAB)
        return NULL;
    size_t used = (n + LINE - 1) / LINE * LINE;
    if (used > net->slab_left) {
        size_t size = (used + SLAB - 1) / SLAB * SLAB;
        float *slab = keep(net, ecdc_alloc_large_pages(size));
        if (!slab)
            return NULL;
        net->slab = slab;
        net->slab_left = size;
    }
    float *p = net->slab;
    net->slab += used;
    net->slab_left -= used;
    return memset(p, 0, n * sizeof *p);
}
#endif

static bool make_matrix(struct network *net, struct matrix *m, size_t k, size_t n, bool one_run) {
    size_t w_floats, bias_floats;
    net->kernels->matrix_layout(m, k, n, one_run, &w_floats, &bias_floats);
    m->w = keep_zeros(net, w_floats);
    m->bias = keep_zeros(net, bias_floats);
    return m->w && m->bias;
}

/* The tensors of one convolution, unpacked. */
struct conv_tensors {
    float *weight, *bias;
};

static ecdc_status read_conv(const ecdc_model *model, const struct conv_spec *spec, struct conv_tensors *t,
                             ecdc_error *err) {
    t->weight = ecdc_alloc_array((size_t)spec->in * (size_t)spec->out, (size_t)spec->kernel * sizeof *t->weight);
    t->bias = ecdc_alloc_array((size_t)spec->out, sizeof *t->bias);
    if (!t->weight || !t->bias)
        return ecdc_fail_memory(err, spec->name);
    return checkpoint_conv(model->checkpoint, spec, t->weight, t->bias, err);
}

static void free_conv(struct conv_tensors *t) {
    free(t->weight);
    free(t->bias);
}

/* Rows [row0, ...) of a packed convolution: tap-major, channels inside, as the input lies in memory. */
static void pack_conv(struct network *net, struct matrix *m, size_t row0, const struct conv_spec *spec,
                      const struct conv_tensors *t) {
    size_t in = (size_t)spec->in, out = (size_t)spec->out, kernel = (size_t)spec->kernel;
    struct matrix_source source = {.w = t->weight,
                                   .rows = kernel * in,
                                   .row_inner = in,
                                   .row_outer_step = 1,
                                   .row_inner_step = (ptrdiff_t)kernel,
                                   .columns = out,
                                   .column_inner = out,
                                   .column_inner_step = (ptrdiff_t)(in * kernel)};
    matrix_pack(net->kernels, m, row0, &source);
    for (size_t c = 0; c < out; c++)
        m->bias[c] += t->bias[c];
}

/* A transposed convolution with kernel = 2 stride: output row t * stride + j is W[j] x[t] + W[stride + j] x[t - 1].
 * Read as a convolution over two rows of input that yields stride * out channels, it needs no scattering. */
static void pack_conv_transpose(struct network *net, struct matrix *m, const struct conv_spec *spec,
                                const struct conv_tensors *t) {
    size_t in = (size_t)spec->in, out = (size_t)spec->out, stride = (size_t)spec->stride;
    struct matrix_source source = {.w = t->weight + stride, /* first the earlier row, which meets the later taps */
                                   .rows = 2 * in,
                                   .row_inner = in,
                                   .row_outer_step = -(ptrdiff_t)stride,
                                   .row_inner_step = (ptrdiff_t)(out * 2 * stride),
                                   .columns = stride * out,
                                   .column_inner = out,
                                   .column_outer_step = 1,
                                   .column_inner_step = (ptrdiff_t)(2 * stride)};
    matrix_pack(net->kernels, m, 0, &source);
    for (size_t j = 0; j < stride; j++)
        memcpy(m->bias + j * out, t->bias, out * sizeof *t->bias);
}

static ecdc_status make_norm(struct network *net, const ecdc_model *model, const struct conv_spec *spec,
                             struct network_norm *norm, ecdc_error *err) {
    if (!model->config.group_norm)
        return ECDC_OK;
    norm->weight = keep_zeros(net, (size_t)spec->out);
    norm->bias = keep_zeros(net, (size_t)spec->out);
    return norm->weight && norm->bias ? checkpoint_norm(model->checkpoint, spec, norm->weight, norm->bias, err)
                                      : ecdc_fail_memory(err, spec->name);
}

/* Rows of padding in front; the rest of `total` stands behind. */
static size_t left_part(const ecdc_model *model, size_t total) {
    return model->config.use_causal_conv ? total : total - total / 2;
}

static ecdc_status make_conv(struct network *net, const ecdc_model *model, const struct conv_spec *spec,
                             struct network_layer *layer, ecdc_error *err) {
    size_t in = (size_t)spec->in, out = (size_t)spec->out, kernel = (size_t)spec->kernel, stride = (size_t)spec->stride;
    layer->in = in;
    layer->out = out;
    layer->kernel = kernel;
    layer->stride = stride;
    layer->dilation = (size_t)spec->dilation;
    if (!spec->transposed)
        layer->left = left_part(model, (kernel - 1) * layer->dilation + 1 - stride);
    else if (!model->config.use_causal_conv)
        layer->left = left_part(model, kernel - stride);
    struct conv_tensors t = {0};
    ecdc_status status = read_conv(model, spec, &t, err);
    if (status == ECDC_OK && !(spec->transposed ? make_matrix(net, &layer->conv, 2 * in, stride * out, true)
                                                : make_matrix(net, &layer->conv, kernel * in, out, spec->dilation == 1)))
        status = ecdc_fail_memory(err, spec->name);
    if (status == ECDC_OK && spec->transposed)
        pack_conv_transpose(net, &layer->conv, spec, &t);
    else if (status == ECDC_OK)
        pack_conv(net, &layer->conv, 0, spec, &t);
    free_conv(&t);
    return status == ECDC_OK ? make_norm(net, model, spec, &layer->norm, err) : status;
}

/* What a network for chunks has besides: the norms, and the shortcut as a product of its own, since a norm may follow it. */
static ecdc_status make_residual_for_chunks(struct network *net, const ecdc_model *model, const struct layer_spec *spec,
                                            const struct conv_tensors *shortcut, struct network_layer *layer,
                                            ecdc_error *err) {
    ecdc_status status = make_norm(net, model, &spec->residual.narrow, &layer->narrow_norm, err);
    if (status == ECDC_OK)
        status = make_norm(net, model, &spec->residual.widen, &layer->widen_norm, err);
    if (status != ECDC_OK || layer->identity_shortcut)
        return status;
    if (!make_matrix(net, &layer->shortcut, layer->in, layer->out, true))
        return ecdc_fail_memory(err, spec->residual.shortcut.name);
    pack_conv(net, &layer->shortcut, 0, &spec->residual.shortcut, shortcut);
    return make_norm(net, model, &spec->residual.shortcut, &layer->shortcut_norm, err);
}

/* shortcut(x) + widen(h) is one product: the shortcut's rows stand below widen's, the biases are added. Not so in a network
 * for chunks. */
static ecdc_status make_residual(struct network *net, const ecdc_model *model, const struct layer_spec *spec,
                                 struct network_layer *layer, ecdc_error *err) {
    const struct conv_spec *narrow = &spec->residual.narrow, *widen = &spec->residual.widen;
    const struct conv_spec *shortcut = &spec->residual.shortcut;
    layer->identity_shortcut = shortcut->out == 0;
    layer->in = layer->out = (size_t)narrow->in;
    layer->narrow_out = (size_t)narrow->out;
    layer->kernel = (size_t)narrow->kernel;
    layer->stride = 1;
    layer->dilation = (size_t)narrow->dilation;
    layer->left = left_part(model, (layer->kernel - 1) * layer->dilation);
    bool fused = !layer->identity_shortcut && config_chunk_samples(&model->config) == 0;

    struct conv_tensors tn = {0}, tw = {0}, ts = {0};
    ecdc_status status = read_conv(model, narrow, &tn, err);
    if (status == ECDC_OK)
        status = read_conv(model, widen, &tw, err);
    if (status == ECDC_OK && !layer->identity_shortcut)
        status = read_conv(model, shortcut, &ts, err);
    size_t widen_rows = layer->narrow_out + (fused ? layer->in : 0);
    if (status == ECDC_OK && !(make_matrix(net, &layer->narrow, layer->kernel * layer->in, layer->narrow_out,
                                           layer->dilation == 1) &&
                               make_matrix(net, &layer->widen, widen_rows, layer->out, !fused)))
        status = ecdc_fail_memory(err, narrow->name);
    if (status == ECDC_OK) {
        pack_conv(net, &layer->narrow, 0, narrow, &tn);
        pack_conv(net, &layer->widen, 0, widen, &tw);
        if (fused)
            pack_conv(net, &layer->widen, layer->narrow_out, shortcut, &ts);
        else
            status = make_residual_for_chunks(net, model, spec, &ts, layer, err);
    }
    free_conv(&tn);
    free_conv(&tw);
    free_conv(&ts);
    return status;
}

static bool make_recurrence(struct network *net, struct recurrence *r, size_t size) {
    size_t w_floats, scale_floats;
    net->kernels->recurrence_layout(r, size, &w_floats, &scale_floats);
    r->w = keep_zeros(net, w_floats);
    if (scale_floats)
        r->scale = keep_zeros(net, scale_floats);
    return r->w && (r->scale || !scale_floats);
}

static ecdc_status make_lstm_layer(struct network *net, const ecdc_model *model, const struct layer_spec *spec, int l,
                                   struct network_lstm_layer *out, ecdc_error *err) {
    const struct kernels *k = net->kernels;
    size_t size = (size_t)spec->lstm.size, groups = (size + k->group - 1) / k->group, columns = groups * 4 * k->group;
    /* ih, hh, then ih again in group order with rows of zeros for the padding */
    size_t weights = 4 * size * size;
    float *buffer = ecdc_alloc_zeros(2 * weights + columns * size + 2 * 4 * size, sizeof *buffer);
    bool made = make_matrix(net, &out->input, size, columns, true) && make_recurrence(net, &out->recurrent, size) && buffer;
    ecdc_status status = ECDC_OK;
    if (!made) {
        status = ecdc_fail_memory(err, spec->lstm.name);
    } else {
        float *ih = buffer, *hh = ih + weights, *ordered = hh + weights, *b_ih = ordered + columns * size,
              *b_hh = b_ih + 4 * size;
        status = checkpoint_lstm(model->checkpoint, spec->lstm.name, spec->lstm.size, l, ih, hh, b_ih, b_hh, err);
        if (status == ECDC_OK) {
            k->recurrence_pack(&out->recurrent, hh);
            for (size_t gate = 0; gate < 4; gate++)
                for (size_t unit = 0; unit < size; unit++) {
                    size_t row = gate * size + unit, column = gate_column(k, gate, unit);
                    memcpy(ordered + column * size, ih + row * size, size * sizeof *ih);
                    out->input.bias[column] = b_ih[row] + b_hh[row];
                }
            struct matrix_source source = {.w = ordered,
                                           .rows = size,
                                           .row_inner = size,
                                           .row_inner_step = 1,
                                           .columns = columns,
                                           .column_inner = columns,
                                           .column_inner_step = (ptrdiff_t)size};
            matrix_pack(k, &out->input, 0, &source);
        }
    }
    free(buffer);
    return status;
}

static ecdc_status make_lstm(struct network *net, const ecdc_model *model, const struct layer_spec *spec,
                             struct network_layer *layer, ecdc_error *err) {
    layer->in = layer->out = (size_t)spec->lstm.size;
    layer->kernel = layer->stride = layer->dilation = 1;
    layer->n_lstm = (size_t)spec->lstm.n_layers;
    layer->lstm = keep(net, ecdc_alloc_zeros(layer->n_lstm, sizeof *layer->lstm));
    if (!layer->lstm)
        return ecdc_fail_memory(err, spec->lstm.name);
    ecdc_status status = ECDC_OK;
    for (int l = 0; status == ECDC_OK && l < spec->lstm.n_layers; l++)
        status = make_lstm_layer(net, model, spec, l, &layer->lstm[l], err);
    return status;
}

static ecdc_status make_layers(struct network *net, const ecdc_model *model, ecdc_error *err) {
    struct architecture *a = ecdc_alloc_zeros(1, sizeof *a);
    if (!a)
        return ecdc_fail_memory(err, "the list of layers");
    if (net->part == NETWORK_ENCODER)
        architecture_encoder(&model->config, a);
    else
        architecture_decoder(&model->config, a);
    net->n_layers = (size_t)a->n_layers;
    net->layers = keep(net, ecdc_alloc_zeros(net->n_layers, sizeof *net->layers));
    ecdc_status status = net->layers ? ECDC_OK : ecdc_fail_memory(err, "the layers");
    for (size_t i = 0; status == ECDC_OK && i < net->n_layers; i++) {
        const struct layer_spec *spec = &a->layers[i];
        struct network_layer *layer = &net->layers[i];
        layer->kind = spec->kind;
        layer->elu_before = spec->elu_before;
        switch (spec->kind) {
        case LAYER_CONV:
        case LAYER_CONV_TRANSPOSE: status = make_conv(net, model, &spec->conv, layer, err); break;
        case LAYER_RESIDUAL: status = make_residual(net, model, spec, layer, err); break;
        case LAYER_LSTM: status = make_lstm(net, model, spec, layer, err); break;
        }
    }
    free(a);
    return status;
}

/* The nearest entry e to x has the smallest |x - e|^2, that is the smallest |e|^2 / 2 - x.e: a product whose weights are
 * -e and whose bias is |e|^2 / 2. */
static void pack_search(struct network *net, struct matrix *m, const float *rows, float *negated) {
    m->full = true;
    for (size_t i = 0; i < net->entries * net->dimension; i++)
        negated[i] = -rows[i];
    struct matrix_source source = {.w = negated,
                                   .rows = net->dimension,
                                   .row_inner = net->dimension,
                                   .row_inner_step = 1,
                                   .columns = net->entries,
                                   .column_inner = net->entries,
                                   .column_inner_step = (ptrdiff_t)net->dimension};
    matrix_pack(net->kernels, m, 0, &source);
    for (size_t e = 0; e < net->entries; e++) {
        double square = 0;
        for (size_t i = 0; i < net->dimension; i++)
            square += (double)rows[e * net->dimension + i] * (double)rows[e * net->dimension + i];
        m->bias[e] = (float)(square / 2);
    }
}

static ecdc_status make_codebooks(struct network *net, const ecdc_model *model, int n_codebooks, ecdc_error *err) {
    net->n_codebooks = (size_t)n_codebooks;
    net->entries = (size_t)model->config.codebook_size;
    net->dimension = (size_t)model->config.codebook_dim;
    size_t one = net->entries * net->dimension, all;
    bool search = net->part == NETWORK_CODEBOOK_SEARCH;
    net->rows = ecdc_mul_size(one, net->n_codebooks, &all) ? keep_zeros(net, all) : NULL;
    if (search)
        net->search = keep(net, ecdc_alloc_zeros(net->n_codebooks, sizeof *net->search));
    if (!net->rows || (search && !net->search))
        return ecdc_fail_memory(err, "the codebooks");
    float *negated = search ? ecdc_alloc_array(one, sizeof *negated) : NULL;
    ecdc_status status = search && !negated ? ecdc_fail_memory(err, "the codebooks") : ECDC_OK;
    for (size_t q = 0; status == ECDC_OK && q < net->n_codebooks; q++) {
        float *rows = net->rows + q * one;
        status = checkpoint_codebook(model->checkpoint, (int)q, (int)net->entries, (int)net->dimension, rows, err);
        if (status == ECDC_OK && search && !make_matrix(net, &net->search[q], net->dimension, net->entries, true))
            status = ecdc_fail_memory(err, "the codebooks");
        if (status == ECDC_OK && search)
            pack_search(net, &net->search[q], rows, negated);
    }
    free(negated);
    return status;
}

void network_list_free(struct network *list) {
    while (list) {
        struct network *next = list->next;
        for (size_t i = 0; i < list->n_blocks; i++)
            free(list->blocks[i]);
        free(list->blocks);
        free(list);
        list = next;
    }
}

ecdc_status network_get(const ecdc_model *model, enum network_part part, const struct kernels *kernels, int n_codebooks,
                        const struct network **out, ecdc_error *err) {
    struct ecdc_model *m = (struct ecdc_model *)model; /* a cache behind a lock: outwardly the model stays as it is */
    bool codebooks = part == NETWORK_CODEBOOK_SEARCH || part == NETWORK_CODEBOOK_ROWS;
    ecdc_status status = ECDC_OK;
    pthread_mutex_lock(&m->lock);
    struct network *net = m->networks;
    while (net && !(net->part == part && net->kernels == kernels &&
                    (!codebooks || net->n_codebooks >= (size_t)n_codebooks)))
        net = net->next;
    if (!net) {
        net = ecdc_alloc_zeros(1, sizeof *net);
        if (net) {
            net->part = part;
            net->kernels = kernels;
            status = codebooks ? make_codebooks(net, m, n_codebooks, err) : make_layers(net, m, err);
        } else {
            status = ecdc_fail_memory(err, "the network");
        }
        if (status == ECDC_OK) {
            net->next = m->networks;
            m->networks = net;
        } else {
            network_list_free(net);
        }
    }
    pthread_mutex_unlock(&m->lock);
    if (status == ECDC_OK)
        *out = net;
    return status;
}
