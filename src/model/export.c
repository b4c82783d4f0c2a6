#include "model/export.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "model/names.h"
#include "model/safetensors.h"
#include "model/torch_file.h"

enum { MAX_PREFIX = 64, MAX_NAME = 128 };

struct list {
    const ecdc_model *model;
    enum export_format format;
    enum dtype dtype;
    struct tensor *tensors;
    void **blocks; /* numbers made here, by tensor; else NULL */
    size_t n, capacity;
    bool changed; /* a name, dtype or number is not the file's */
    ecdc_error *err;
};

static const struct tensor *find(const struct list *l, const char *prefix, const char *suffix) {
    char name[MAX_NAME];
    snprintf(name, sizeof name, "%s%s", prefix, suffix);
    return tensor_table_find(checkpoint_tensors(l->model->checkpoint), name);
}

/* Appends a tensor under its name for the format; takes over `block`, which t->data may point into. */
static ecdc_status add(struct list *l, const char *prefix, const char *suffix, bool transposed, const struct tensor *t,
                       void *block) {
    if (l->n == l->capacity) {
        size_t capacity = l->capacity ? 2 * l->capacity : 256;
        struct tensor *tensors = ecdc_realloc_array(l->tensors, capacity, sizeof *tensors);
        l->tensors = tensors ? tensors : l->tensors;
        void **blocks = ecdc_realloc_array(l->blocks, capacity, sizeof *blocks);
        l->blocks = blocks ? blocks : l->blocks;
        if (tensors && blocks)
            l->capacity = capacity;
    }
    char name[MAX_NAME];
    snprintf(name, sizeof name, "%s%s", prefix, suffix);
    char *own = l->format == EXPORT_TORCH ? names_to_original(name, transposed) : ecdc_strdup(name);
    if (l->n == l->capacity || !own) {
        free(own);
        free(block);
        return ecdc_fail_memory(l->err, "the tensors");
    }
    l->changed |= block != NULL || strcmp(own, t->name) != 0;
    l->blocks[l->n] = block;
    l->tensors[l->n] = *t;
    l->tensors[l->n++].name = own;
    return ECDC_OK;
}

/* Floats that were computed, or read, in the dtype asked for. */
static ecdc_status add_floats(struct list *l, const char *prefix, const char *suffix, bool transposed, const struct tensor *like,
                              float *values) {
    struct tensor t = *like;
    size_t n = (size_t)tensor_count(&t);
    t.dtype = l->dtype == DTYPE_F16 ? DTYPE_F16 : DTYPE_F32;
    t.n_bytes = n * dtype_size(t.dtype);
    t.data = values;
    if (t.dtype == DTYPE_F16 && !tensor_to_half(values, n, (uint16_t *)values)) { /* in place: halves trail floats */
        free(values);
        return ecdc_fail(l->err, ECDC_E_MODEL, "%s: tensor %s%s holds a number beyond the 65504 of float16", l->model->origin,
                         prefix, suffix);
    }
    return add(l, prefix, suffix, transposed, &t, values);
}

/* A tensor of the checkpoint under another suffix. */
static ecdc_status add_as(struct list *l, const char *prefix, const char *suffix, bool transposed, const struct tensor *t) {
    if (l->dtype == DTYPE_UNKNOWN || l->dtype == t->dtype)
        return add(l, prefix, suffix, transposed, t, NULL);
    float *values = ecdc_alloc_floats((size_t)tensor_count(t));
    if (!values)
        return ecdc_fail_memory(l->err, t->name);
    ecdc_status status = tensor_read(t, l->model->origin, values, l->err);
    if (!status)
        return add_floats(l, prefix, suffix, transposed, t, values);
    free(values);
    return status;
}

static ecdc_status add_same(struct list *l, const char *prefix, const char *suffix, bool transposed) {
    return add_as(l, prefix, suffix, transposed, find(l, prefix, suffix));
}

/* The weight w in float32, and per slice of its first dimension the norm: w = g v / |v| with v = w, g = |w|. A slice of
 * zeros has no direction; it gets one, and g = 0. */
static ecdc_status unfold(struct list *l, const struct conv_spec *spec, float **v, float **g) {
    size_t rows = (size_t)(spec->transposed ? spec->in : spec->out), n = (size_t)(spec->transposed ? spec->out : spec->in) *
                                                                         (size_t)spec->kernel;
    *v = ecdc_alloc_floats(rows * n);
    *g = ecdc_alloc_floats(rows);
    float *bias = ecdc_alloc_floats((size_t)spec->out);
    ecdc_status status = *v && *g && bias ? checkpoint_conv(l->model->checkpoint, spec, *v, bias, l->err)
                                          : ecdc_fail_memory(l->err, spec->name);
    free(bias);
    for (size_t row = 0; !status && row < rows; row++) {
        double squares = 0;
        float *w = *v + row * n;
        for (size_t i = 0; i < n; i++)
            squares += (double)w[i] * w[i];
        (*g)[row] = (float)sqrt(squares);
        if ((*g)[row] == 0)
            w[0] = 1;
    }
    if (status) {
        free(*v);
        free(*g);
    }
    return status;
}

static ecdc_status add_folded(struct list *l, const struct conv_spec *spec, const char *g_name, const char *v_name) {
    float *v, *g;
    ecdc_status status = unfold(l, spec, &v, &g);
    if (status)
        return status;
    struct tensor weight = {.name = "", .rank = 3, .shape = {(uint64_t)(spec->transposed ? spec->in : spec->out),
                                                            (uint64_t)(spec->transposed ? spec->out : spec->in),
                                                            (uint64_t)spec->kernel}};
    struct tensor gain = {.name = "", .rank = 3, .shape = {weight.shape[0], 1, 1}};
    if (l->model->config.group_norm) { /* no weight norm in such models: v is the weight */
        free(g);
        return add_floats(l, spec->name, ".weight", spec->transposed, &weight, v);
    }
    status = add_floats(l, spec->name, g_name, spec->transposed, &gain, g);
    if (status) {
        free(v);
        return status;
    }
    return add_floats(l, spec->name, v_name, spec->transposed, &weight, v);
}

static ecdc_status add_norm(struct list *l, const struct conv_spec *spec) {
    char name[MAX_PREFIX];
    snprintf(name, sizeof name, "%.*snorm", (int)(strlen(spec->name) - strlen("conv")), spec->name);
    ecdc_status status = add_same(l, name, ".weight", spec->transposed);
    return status ? status : add_same(l, name, ".bias", spec->transposed);
}

static ecdc_status add_conv(struct list *l, const struct conv_spec *spec) {
    static const char *const forms[][2] = {{".parametrizations.weight.original0", ".parametrizations.weight.original1"},
                                           {".weight_g", ".weight_v"}};
    const char *const *names = forms[l->format == EXPORT_TORCH];
    const struct tensor *g = NULL, *v = NULL, *weight = find(l, spec->name, ".weight");
    for (int i = 0; i < 2 && !v; i++) {
        g = find(l, spec->name, forms[i][0]);
        v = find(l, spec->name, forms[i][1]);
    }
    ecdc_status status;
    if (l->model->config.group_norm && weight && !v)
        status = add_as(l, spec->name, ".weight", spec->transposed, weight);
    else if (l->model->config.group_norm || !v)
        status = add_folded(l, spec, names[0], names[1]);
    else if (!(status = add_as(l, spec->name, names[0], spec->transposed, g)))
        status = add_as(l, spec->name, names[1], spec->transposed, v);
    if (!status)
        status = add_same(l, spec->name, ".bias", spec->transposed);
    return status || !l->model->config.group_norm ? status : add_norm(l, spec);
}

static ecdc_status add_lstm(struct list *l, const struct layer_spec *layer) {
    static const char *const formats[] = {".weight_ih_l%d", ".weight_hh_l%d", ".bias_ih_l%d", ".bias_hh_l%d"};
    for (int i = 0; i < layer->lstm.n_layers; i++)
        for (size_t k = 0; k < sizeof formats / sizeof *formats; k++) {
            char suffix[32];
            snprintf(suffix, sizeof suffix, formats[k], i);
            ecdc_status status = add_same(l, layer->lstm.name, suffix, false);
            if (status)
                return status;
        }
    return ECDC_OK;
}

static ecdc_status add_layer(struct list *l, const struct layer_spec *layer) {
    ecdc_status status;
    switch (layer->kind) {
    case LAYER_CONV:
    case LAYER_CONV_TRANSPOSE:
        return add_conv(l, &layer->conv);
    case LAYER_RESIDUAL:
        if (!(status = add_conv(l, &layer->residual.narrow)) && !(status = add_conv(l, &layer->residual.widen)) &&
            layer->residual.shortcut.out > 0)
            status = add_conv(l, &layer->residual.shortcut);
        return status;
    case LAYER_LSTM:
        return add_lstm(l, layer);
    }
    return ECDC_OK;
}

/* Statistics of the training: as the file has them, or, for a .th, as if each entry had been met once. */
static ecdc_status add_statistics(struct list *l, const char *codebook, const struct tensor *embed) {
    static const char *const names[] = {".inited", ".cluster_size", ".embed_avg"};
    const struct tensor one = {.name = "", .rank = 1, .shape = {1}};
    const struct tensor sizes = {.name = "", .rank = 1, .shape = {embed->shape[0]}}, shapes[] = {one, sizes, *embed};
    for (int i = 0; i < 3; i++) {
        const struct tensor *t = find(l, codebook, names[i]);
        ecdc_status status = ECDC_OK;
        if (t) {
            status = add(l, codebook, names[i], false, t, NULL);
        } else if (l->format == EXPORT_TORCH) {
            size_t n = (size_t)tensor_count(&shapes[i]);
            float *values = ecdc_alloc_floats(n);
            if (!values)
                return ecdc_fail_memory(l->err, codebook);
            for (size_t k = 0; k < n; k++)
                values[k] = 1;
            if (i == 2 && (status = tensor_read(embed, l->model->origin, values, l->err)) != ECDC_OK)
                free(values);
            else
                status = add_floats(l, codebook, names[i], false, &shapes[i], values);
        }
        if (status)
            return status;
    }
    return ECDC_OK;
}

static ecdc_status add_all(struct list *l) {
    const struct config *config = &l->model->config;
    struct architecture a;
    ecdc_status status = ECDC_OK;
    for (int part = 0; part < 2; part++) {
        (part == 0 ? architecture_encoder : architecture_decoder)(config, &a);
        for (int i = 0; !status && i < a.n_layers; i++)
            status = add_layer(l, &a.layers[i]);
    }
    int n_codebooks = config_n_codebooks(config, config->target_bandwidths[config->n_bandwidths - 1]);
    for (int q = 0; !status && q < n_codebooks; q++) {
        char codebook[MAX_PREFIX];
        snprintf(codebook, sizeof codebook, "quantizer.layers.%d.codebook", q);
        if (!(status = add_same(l, codebook, ".embed", false)))
            status = add_statistics(l, codebook, find(l, codebook, ".embed"));
    }
    return status;
}

static ecdc_status make_safetensors(const struct list *l, void **image, size_t *n_bytes) {
    struct safetensors_item *items = ecdc_alloc_zeros(l->n, sizeof *items);
    if (!items)
        return ecdc_fail_memory(l->err, "the tensors");
    for (size_t i = 0; i < l->n; i++) {
        const struct tensor *t = &l->tensors[i];
        items[i] = (struct safetensors_item){.name = t->name, .dtype = t->dtype, .rank = t->rank};
        memcpy(items[i].shape, t->shape, sizeof t->shape);
    }
    ecdc_status status = safetensors_layout(items, l->n, image, n_bytes, l->err);
    for (size_t i = 0; !status && i < l->n; i++)
        status = tensor_copy(&l->tensors[i], (char *)*image + items[i].offset, l->err);
    free(items);
    return status;
}

static ecdc_status make_torch(struct list *l, void **image, size_t *n_bytes) {
    for (size_t i = 0; i < l->n; i++) {
        struct tensor *t = &l->tensors[i];
        if (t->data || t->n_bytes == 0)
            continue;
        if (!(l->blocks[i] = ecdc_alloc_array((size_t)t->n_bytes, 1)))
            return ecdc_fail_memory(l->err, t->name);
        ecdc_status status = tensor_copy(t, l->blocks[i], l->err);
        if (status)
            return status;
        t->data = l->blocks[i];
    }
    return torch_file_make(l->tensors, l->n, image, n_bytes, l->err);
}

/* The file as it is. */
static ecdc_status copy_file(const struct weight_file *file, void **image, size_t *n_bytes, ecdc_error *err) {
    *n_bytes = (size_t)weight_file_size(file);
    *image = ecdc_alloc_array(*n_bytes, 1);
    return *image ? weight_file_read(file, 0, *image, *n_bytes, err) : ecdc_fail_memory(err, weight_file_path(file));
}

ecdc_status export_model(const ecdc_model *model, enum export_format format, enum dtype dtype, struct export_image *image,
                         ecdc_error *err) {
    struct list l = {.model = model, .format = format, .dtype = dtype, .err = err};
    struct export_image made = {0};
    ecdc_status status = add_all(&l);
    bool as_it_is = format == EXPORT_SAFETENSORS && !l.changed && !checkpoint_is_torch(model->origin) &&
                    checkpoint_has_reference_names(model->checkpoint);
    if (!status && as_it_is && !model->file) {
        made = (struct export_image){model->bytes, model->n_bytes, NULL};
    } else if (!status) {
        status = as_it_is                 ? copy_file(model->file, &made.owned, &made.n_bytes, err)
                 : format == EXPORT_TORCH ? make_torch(&l, &made.owned, &made.n_bytes)
                                          : make_safetensors(&l, &made.owned, &made.n_bytes);
        made.bytes = made.owned;
    }
    for (size_t i = 0; i < l.n; i++) {
        free(l.tensors[i].name);
        free(l.blocks[i]);
    }
    free(l.tensors);
    free(l.blocks);
    if (status)
        free(made.owned);
    else
        *image = made;
    return status;
}
