#include "model/checkpoint.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "model/names.h"
#include "model/safetensors.h"
#include "model/torch_file.h"

struct checkpoint {
    char *path;
    struct tensor_table table;
    struct torch_storages storages; /* what the tensors of a .th point into */
    bool translated;
};

/* How files name the two halves of a weight with weight norm, w = g * v / |v|: PyTorch's parametrizations, and what
 * came before them. A weight without halves is called SUFFIX_WEIGHT. */
static const struct {
    const char *g, *v;
} WEIGHT_NORM_SUFFIXES[] = {
    {".parametrizations.weight.original0", ".parametrizations.weight.original1"},
    {".weight_g", ".weight_v"},
};
static const char SUFFIX_WEIGHT[] = ".weight";

enum { MAX_NAME = 128 };

/* Gives the tensors their reference names. */
static ecdc_status translate(struct checkpoint *c, ecdc_error *err) {
    for (size_t i = 0; i < c->table.n; i++) {
        struct tensor *t = &c->table.tensors[i];
        char *name = names_to_reference(t->name);
        if (!name)
            return ecdc_fail_memory(err, c->path);
        c->translated |= strcmp(name, t->name) != 0;
        free(t->name);
        t->name = name;
    }
    return c->translated ? tensor_table_finish(&c->table, c->path, err) : ECDC_OK;
}

bool checkpoint_is_torch(const char *path) {
    size_t n = strlen(path);
    return n > 3 && strcmp(path + n - 3, ".th") == 0;
}

static struct checkpoint *new_checkpoint(const char *path, ecdc_error *err) {
    struct checkpoint *c = ecdc_alloc_zeros(1, sizeof *c);
    if (!c || !(c->path = ecdc_strdup(path))) {
        free(c);
        ecdc_fail_memory(err, path);
        return NULL;
    }
    return c;
}

/* What has been read, or why not: `status`. */
static ecdc_status finish_opening(struct checkpoint *c, ecdc_status status, struct checkpoint **out, ecdc_error *err) {
    if (!status)
        status = translate(c, err);
    if (status)
        checkpoint_close(c);
    else
        *out = c;
    return status;
}

ecdc_status checkpoint_open(const char *path, const void *bytes, size_t n, struct checkpoint **out, ecdc_error *err) {
    struct checkpoint *c = new_checkpoint(path, err);
    if (!c)
        return ECDC_E_MEMORY;
    ecdc_status status = checkpoint_is_torch(path) ? torch_file_read(path, bytes, n, &c->table, &c->storages, err)
                                                   : safetensors_read(path, bytes, n, &c->table, err);
    return finish_opening(c, status, out, err);
}

ecdc_status checkpoint_open_file(const struct weight_file *file, struct checkpoint **out, ecdc_error *err) {
    struct checkpoint *c = new_checkpoint(weight_file_path(file), err);
    if (!c)
        return ECDC_E_MEMORY;
    ecdc_status status = checkpoint_is_torch(c->path) ? torch_file_read_file(file, &c->table, &c->storages, err)
                                                      : safetensors_read_file(file, &c->table, NULL, err);
    return finish_opening(c, status, out, err);
}

void checkpoint_close(struct checkpoint *c) {
    if (!c)
        return;
    tensor_table_free(&c->table);
    torch_storages_free(&c->storages);
    free(c->path);
    free(c);
}

const struct tensor_table *checkpoint_tensors(const struct checkpoint *c) {
    return &c->table;
}

bool checkpoint_has_reference_names(const struct checkpoint *c) {
    return !c->translated;
}

static bool begins_with(const char *s, const char *begin) {
    return strncmp(s, begin, strlen(begin)) == 0;
}

ecdc_status checkpoint_recognise(const struct checkpoint *c, ecdc_error *err) {
    char shown[320] = "";
    size_t used = 0;
    for (size_t i = 0; i < c->table.n; i++) {
        const char *name = c->table.tensors[i].name;
        if (begins_with(name, "encoder.layers.") || begins_with(name, "decoder.layers.") ||
            begins_with(name, "quantizer.layers."))
            return ECDC_OK;
        if (i < 3)
            used += (size_t)snprintf(shown + used, sizeof shown - used, "%s%.80s", i ? ", " : "", name);
    }
    return ecdc_fail(err, ECDC_E_MODEL,
                     "%s: not an EnCodec checkpoint: none of its %zu tensors is one of encoder.layers.*, decoder.layers.* and "
                     "quantizer.layers.*.codebook.embed (transformers), or encoder.model.*, decoder.model.* and "
                     "quantizer.vq.layers.*._codebook.embed (facebookresearch/encodec)%s%s%s", c->path, c->table.n,
                     used ? "; it holds " : "", shown, c->table.n > 3 ? " ..." : "");
}

/* --------------------------------------------------------------------------------- finding and checking --- */

struct shape {
    int rank;
    uint64_t extent[3];
};

static const struct tensor *find(const struct checkpoint *c, const char *prefix, const char *suffix) {
    char name[MAX_NAME];
    snprintf(name, sizeof name, "%s%s", prefix, suffix);
    return tensor_table_find(&c->table, name);
}

static ecdc_status check(const struct checkpoint *c, const struct tensor *t, const struct shape *want,
                         ecdc_error *err) {
    if (!dtype_is_float(t->dtype))
        return ecdc_fail(err, ECDC_E_MODEL, "%s: tensor %s is of dtype %s; F32, F16, BF16 or F64 is needed", c->path,
                         t->name, dtype_name(t->dtype));
    if (t->rank == want->rank && memcmp(t->shape, want->extent, (size_t)want->rank * sizeof *t->shape) == 0)
        return ECDC_OK;
    char has[128], needs[128];
    return ecdc_fail(err, ECDC_E_MODEL, "%s: tensor %s has the shape %s; the config asks for %s", c->path, t->name,
                     tensor_shape_text(t->rank, t->shape, has, sizeof has),
                     tensor_shape_text(want->rank, want->extent, needs, sizeof needs));
}

/* A tensor that has one name only. */
static ecdc_status require(const struct checkpoint *c, const char *prefix, const char *suffix, struct shape want,
                           const struct tensor **out, ecdc_error *err) {
    const struct tensor *t = find(c, prefix, suffix);
    if (!t)
        return ecdc_fail(err, ECDC_E_MODEL, "%s: no tensor %s%s", c->path, prefix, suffix);
    *out = t;
    return check(c, t, &want, err);
}

static struct shape vector(int n) {
    return (struct shape){1, {(uint64_t)n}};
}

static struct shape matrix(int rows, int columns) {
    return (struct shape){2, {(uint64_t)rows, (uint64_t)columns}};
}

struct conv_tensors {
    const struct tensor *weight;  /* folded, or: */
    const struct tensor *g, *v;
    const struct tensor *bias;
};

static struct shape conv_shape(const struct conv_spec *spec) {
    int first = spec->transposed ? spec->in : spec->out, second = spec->transposed ? spec->out : spec->in;
    return (struct shape){3, {(uint64_t)first, (uint64_t)second, (uint64_t)spec->kernel}};
}

/* Each convolution may be named in its own way. One half of a pair without the other is an error even where
 * another form is complete: which of them was meant is anyone's guess. */
static ecdc_status find_conv(const struct checkpoint *c, const struct conv_spec *spec, struct conv_tensors *t,
                             ecdc_error *err) {
    struct shape weight = conv_shape(spec), gain = {3, {weight.extent[0], 1, 1}};
    memset(t, 0, sizeof *t);
    ecdc_status status = ECDC_OK;
    size_t n_forms = sizeof WEIGHT_NORM_SUFFIXES / sizeof *WEIGHT_NORM_SUFFIXES;
    for (size_t i = 0; i < n_forms && !t->v; i++) {
        const char *g = WEIGHT_NORM_SUFFIXES[i].g, *v = WEIGHT_NORM_SUFFIXES[i].v;
        if (!find(c, spec->name, g) && !find(c, spec->name, v))
            continue;
        if ((status = require(c, spec->name, g, gain, &t->g, err)) ||
            (status = require(c, spec->name, v, weight, &t->v, err)))
            return status;
    }
    if (!t->v) {
        if (!find(c, spec->name, SUFFIX_WEIGHT))
            return ecdc_fail(err, ECDC_E_MODEL,
                             "%s: no tensor %s.weight, nor %s.weight_g and _v, nor %s.parametrizations.weight.original0 "
                             "and 1", c->path, spec->name, spec->name, spec->name);
        if ((status = require(c, spec->name, SUFFIX_WEIGHT, weight, &t->weight, err)))
            return status;
    }
    return require(c, spec->name, ".bias", vector(spec->out), &t->bias, err);
}

struct norm_tensors {
    const struct tensor *weight, *bias;
};

/* "encoder.layers.0.conv" is followed by "encoder.layers.0.norm". */
static ecdc_status find_norm(const struct checkpoint *c, const struct conv_spec *spec, struct norm_tensors *t,
                             ecdc_error *err) {
    static const char conv[] = "conv";
    char name[sizeof spec->name + sizeof ".norm"];
    size_t n = strlen(spec->name);
    if (n >= sizeof conv - 1 && strcmp(spec->name + n - (sizeof conv - 1), conv) == 0)
        n -= sizeof conv - 1;
    snprintf(name, sizeof name, "%.*snorm", (int)n, spec->name);
    ecdc_status status = require(c, name, ".weight", vector(spec->out), &t->weight, err);
    return status ? status : require(c, name, ".bias", vector(spec->out), &t->bias, err);
}

struct lstm_tensors {
    const struct tensor *w_ih, *w_hh, *b_ih, *b_hh;
};

static ecdc_status find_lstm(const struct checkpoint *c, const char *name, int size, int layer,
                             struct lstm_tensors *t, ecdc_error *err) {
    const struct {
        const char *format;
        struct shape shape;
        const struct tensor **tensor;
    } parts[] = {{".weight_ih_l%d", matrix(4 * size, size), &t->w_ih},
                 {".weight_hh_l%d", matrix(4 * size, size), &t->w_hh},
                 {".bias_ih_l%d", vector(4 * size), &t->b_ih},
                 {".bias_hh_l%d", vector(4 * size), &t->b_hh}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char suffix[32];
        snprintf(suffix, sizeof suffix, parts[i].format, layer);
        ecdc_status status = require(c, name, suffix, parts[i].shape, parts[i].tensor, err);
        if (status)
            return status;
    }
    return ECDC_OK;
}

static ecdc_status find_codebook(const struct checkpoint *c, int q, int entries, int dimension,
                                 const struct tensor **embed, ecdc_error *err) {
    char name[48];
    snprintf(name, sizeof name, "quantizer.layers.%d.codebook", q);
    return require(c, name, ".embed", matrix(entries, dimension), embed, err);
}

/* ------------------------------------------------------------------------------------- the whole network --- */

struct tally {
    const struct checkpoint *c;
    const struct config *config;
    uint64_t n_parameters;
    ecdc_error *err;
};

static ecdc_status check_conv(struct tally *tally, const struct conv_spec *spec) {
    struct conv_tensors conv;
    struct norm_tensors norm;
    ecdc_status status = find_conv(tally->c, spec, &conv, tally->err);
    if (!status && tally->config->group_norm) {
        status = find_norm(tally->c, spec, &norm, tally->err);
        tally->n_parameters += 2 * (uint64_t)spec->out;
    }
    tally->n_parameters += (uint64_t)spec->out * (uint64_t)spec->in * (uint64_t)spec->kernel + (uint64_t)spec->out;
    return status;
}

static ecdc_status check_layer(struct tally *tally, const struct layer_spec *layer) {
    ecdc_status status = ECDC_OK;
    switch (layer->kind) {
    case LAYER_CONV:
    case LAYER_CONV_TRANSPOSE:
        return check_conv(tally, &layer->conv);
    case LAYER_RESIDUAL:
        if (!(status = check_conv(tally, &layer->residual.narrow)) &&
            !(status = check_conv(tally, &layer->residual.widen)) && layer->residual.shortcut.out > 0)
            status = check_conv(tally, &layer->residual.shortcut);
        return status;
    case LAYER_LSTM:
        for (int i = 0; !status && i < layer->lstm.n_layers; i++) {
            struct lstm_tensors t;
            uint64_t size = (uint64_t)layer->lstm.size;
            status = find_lstm(tally->c, layer->lstm.name, layer->lstm.size, i, &t, tally->err);
            tally->n_parameters += 8 * size * size + 8 * size;
        }
        return status;
    }
    return status;
}

ecdc_status checkpoint_check(const struct checkpoint *c, const struct config *config, uint64_t *n_parameters,
                             ecdc_error *err) {
    struct tally tally = {c, config, 0, err};
    struct architecture a;
    ecdc_status known = checkpoint_recognise(c, err);
    if (known)
        return known;
    for (int part = 0; part < 2; part++) {
        (part == 0 ? architecture_encoder : architecture_decoder)(config, &a);
        for (int i = 0; i < a.n_layers; i++) {
            ecdc_status status = check_layer(&tally, &a.layers[i]);
            if (status)
                return status;
        }
    }
    int n_codebooks = config_n_codebooks(config, config->target_bandwidths[config->n_bandwidths - 1]);
    for (int q = 0; q < n_codebooks; q++) {
        const struct tensor *embed;
        ecdc_status status = find_codebook(c, q, config->codebook_size, config->codebook_dim, &embed, err);
        if (status)
            return status;
        tally.n_parameters += (uint64_t)config->codebook_size * (uint64_t)config->codebook_dim;
    }
    *n_parameters = tally.n_parameters;
    return ECDC_OK;
}

/* ------------------------------------------------------------------------------------------- reading --- */

static ecdc_status get(const struct checkpoint *c, const struct tensor *t, float *out, ecdc_error *err) {
    return tensor_read(t, c->path, out, err);
}

/* w = v * (g / |v|) per slice of the first dimension, in the order of operations of PyTorch's CPU kernel. The norm is
 * summed in double and rounded once: PyTorch's float sum depends on the processor's vector length. */
static ecdc_status fold(const struct checkpoint *c, const struct conv_tensors *t, float *weight, ecdc_error *err) {
    size_t rows = (size_t)t->v->shape[0], n = (size_t)(t->v->shape[1] * t->v->shape[2]);
    float *gains = ecdc_alloc_array(rows, sizeof *gains);
    if (!gains)
        return ecdc_fail_memory(err, t->g->name);
    ecdc_status status = get(c, t->g, gains, err);
    if (!status)
        status = get(c, t->v, weight, err);
    for (size_t row = 0; !status && row < rows; row++) {
        float *v = weight + row * n;
        double squares = 0;
        for (size_t i = 0; i < n; i++)
            squares += (double)v[i] * v[i];
        float scale = gains[row] / (float)sqrt(squares);
        bool finite = true;
        for (size_t i = 0; i < n; i++) {
            v[i] *= scale;
            finite &= isfinite(v[i]) != 0;
        }
        if (!finite)
            status = ecdc_fail(err, ECDC_E_MODEL, "%s: row %zu of tensor %s cannot be scaled to the norm %g: its own is %g",
                               c->path, row, t->v->name, (double)gains[row], sqrt(squares));
    }
    free(gains);
    return status;
}

ecdc_status checkpoint_conv(const struct checkpoint *c, const struct conv_spec *spec, float *weight, float *bias,
                            ecdc_error *err) {
    struct conv_tensors t;
    ecdc_status status = find_conv(c, spec, &t, err);
    if (!status)
        status = t.weight ? get(c, t.weight, weight, err) : fold(c, &t, weight, err);
    return status ? status : get(c, t.bias, bias, err);
}

ecdc_status checkpoint_norm(const struct checkpoint *c, const struct conv_spec *spec, float *weight, float *bias,
                            ecdc_error *err) {
    struct norm_tensors t;
    ecdc_status status = find_norm(c, spec, &t, err);
    if (!status)
        status = get(c, t.weight, weight, err);
    return status ? status : get(c, t.bias, bias, err);
}

ecdc_status checkpoint_lstm(const struct checkpoint *c, const char *name, int size, int layer, float *w_ih, float *w_hh,
                            float *b_ih, float *b_hh, ecdc_error *err) {
    struct lstm_tensors t;
    ecdc_status status = find_lstm(c, name, size, layer, &t, err);
    if (status || (status = get(c, t.w_ih, w_ih, err)) || (status = get(c, t.w_hh, w_hh, err)) ||
        (status = get(c, t.b_ih, b_ih, err)))
        return status;
    return get(c, t.b_hh, b_hh, err);
}

ecdc_status checkpoint_codebook(const struct checkpoint *c, int q, int entries, int dimension, float *embed,
                                ecdc_error *err) {
    const struct tensor *t = NULL;
    ecdc_status status = find_codebook(c, q, entries, dimension, &t, err);
    return status ? status : get(c, t, embed, err);
}
