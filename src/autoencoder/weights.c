#include "autoencoder/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "model/safetensors.h"

enum {
    MAX_CODEBOOKS = 1024,
    MAX_ENTRIES = 1 << 20,
    MAX_FRAMES = 1 << 20, /* of a TR */
    ANY = 0               /* as an extent: whatever the tensor has, 1 or more */
};

struct source {
    const char *path;
    const struct kernels *kernels;
    struct tensor_table table;
    cJSON *metadata;
    uint64_t n_parameters;
    ecdc_error *err;
};

/* ------------------------------------------------------------------------------------------------ tensors --- */

/* A tensor of this rank; extents that are not ANY must be met, the others are returned. */
static ecdc_status find(struct source *s, const char *name, int rank, uint64_t *extents, const struct tensor **found) {
    const struct tensor *t = tensor_table_find(&s->table, name);
    if (!t)
        return ecdc_fail(s->err, ECDC_E_MODEL, "%s: no tensor %s; a code autoencoder has embedding, encoder.0, encoder.2, decoder.0, "
                         "decoder.2, head_weight and head_bias", s->path, name);
    bool fits = t->rank == rank;
    for (int i = 0; fits && i < rank; i++)
        fits = t->shape[i] > 0 && (extents[i] == ANY || extents[i] == t->shape[i]);
    char is[128], wanted[128] = "(";
    for (int i = 0, n = 1; i < rank; i++)
        n += extents[i] == ANY ? snprintf(wanted + n, sizeof wanted - (size_t)n, "any%s", i + 1 < rank ? ", " : ")")
                               : snprintf(wanted + n, sizeof wanted - (size_t)n, "%llu%s", (unsigned long long)extents[i],
                                          i + 1 < rank ? ", " : ")");
    if (!fits)
        return ecdc_fail(s->err, ECDC_E_MODEL, "%s: tensor %s is %s, the others need %s", s->path, name,
                         tensor_shape_text(t->rank, t->shape, is, sizeof is), wanted);
    if (!dtype_is_float(t->dtype))
        return ecdc_fail(s->err, ECDC_E_MODEL, "%s: tensor %s holds %s, weights are F64, F32, F16 or BF16", s->path, name,
                         dtype_name(t->dtype));
    memcpy(extents, t->shape, (size_t)rank * sizeof *extents);
    *found = t;
    return ECDC_OK;
}

/* Its numbers as float32; free() them. Their count fits: it is bounded by the file's size. */
static ecdc_status read(struct source *s, const struct tensor *t, float **values) {
    *values = ecdc_alloc_floats((size_t)tensor_count(t));
    if (!*values)
        return ecdc_fail_memory(s->err, t->name);
    ecdc_status status = tensor_read(t, s->path, *values, s->err);
    if (status == ECDC_OK) {
        s->n_parameters += tensor_count(t);
        return ECDC_OK;
    }
    free(*values);
    *values = NULL;
    return status;
}

/* y = W x + b with W as PyTorch has it: (n outputs, k inputs). */
static ecdc_status pack(struct source *s, const float *weight, const float *bias, size_t k, size_t n, struct matrix *m) {
    size_t w_floats, bias_floats;
    s->kernels->matrix_layout(m, k, n, true, &w_floats, &bias_floats);
    m->w = ecdc_alloc_floats(w_floats);
    m->bias = ecdc_alloc_floats(bias_floats);
    if (!m->w || !m->bias)
        return ecdc_fail_memory(s->err, "the weights of an autoencoder");
    memset(m->w, 0, w_floats * sizeof *m->w);
    memset(m->bias, 0, bias_floats * sizeof *m->bias);
    struct matrix_source source = {.w = weight, .rows = k, .row_inner = k, .row_inner_step = 1, .columns = n, .column_inner = n,
                                   .column_inner_step = (ptrdiff_t)k};
    matrix_pack(s->kernels, m, 0, &source);
    memcpy(m->bias, bias, n * sizeof *bias);
    return ECDC_OK;
}

/* LAYER.weight (*out, *in) and LAYER.bias (*out); sizes that are ANY are returned. */
static ecdc_status read_linear(struct source *s, const char *layer, uint64_t *in, uint64_t *out, struct matrix *m) {
    char name[64];
    const struct tensor *weight = NULL, *bias = NULL;
    uint64_t shape[2] = {*out, *in};
    float *w = NULL, *b = NULL;
    snprintf(name, sizeof name, "%s.weight", layer);
    ecdc_status status = find(s, name, 2, shape, &weight);
    if (status != ECDC_OK)
        return status;
    *out = shape[0];
    *in = shape[1];
    snprintf(name, sizeof name, "%s.bias", layer);
    status = find(s, name, 1, shape, &bias);
    if (status == ECDC_OK)
        status = read(s, weight, &w);
    if (status == ECDC_OK)
        status = read(s, bias, &b);
    if (status == ECDC_OK)
        status = pack(s, w, b, (size_t)*in, (size_t)*out, m);
    free(w);
    free(b);
    return status;
}

static ecdc_status read_heads(struct source *s, struct autoencoder_weights *w) {
    const struct tensor *weight = NULL, *bias = NULL;
    float *values = NULL, *offsets = NULL;
    uint64_t shape[3] = {w->n_codebooks, w->codebook_size, ANY};
    ecdc_status status = find(s, "head_weight", 3, shape, &weight);
    if (status != ECDC_OK)
        return status;
    w->frame = (size_t)shape[2];
    status = find(s, "head_bias", 2, shape, &bias);
    if (status == ECDC_OK)
        status = read(s, weight, &values);
    if (status == ECDC_OK)
        status = read(s, bias, &offsets);
    w->heads = ecdc_alloc_zeros(w->n_codebooks, sizeof *w->heads);
    if (status == ECDC_OK && !w->heads)
        status = ecdc_fail_memory(s->err, "the weights of an autoencoder");
    for (size_t q = 0; status == ECDC_OK && q < w->n_codebooks; q++)
        status = pack(s, values + q * w->codebook_size * w->frame, offsets + q * w->codebook_size, w->frame, w->codebook_size,
                      &w->heads[q]);
    free(values);
    free(offsets);
    return status;
}

/* ----------------------------------------------------------------------------------------------- metadata --- */

static const char *metadata_text(const struct source *s, const char *name) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(s->metadata, name));
    return text ? text : "";
}

static ecdc_status read_metadata(struct source *s, struct autoencoder_weights *w) {
    if (!strcmp(metadata_text(s, "source"), "fmri"))
        return ecdc_fail(s->err, ECDC_E_MODEL, "%s: was trained to make codes from scans (--source fmri), which this does not run; one "
                         "trained with --source codes is needed", s->path);
    const char *text = metadata_text(s, "frames_per_tr");
    if (!cJSON_GetObjectItemCaseSensitive(s->metadata, "frames_per_tr"))
        return ecdc_fail(s->err, ECDC_E_MODEL, "%s: is no autoencoder of examples/train_code_autoencoder.py: its metadata has no "
                         "frames_per_tr%s", s->path, tensor_table_find(&s->table, "quantizer.layers.0.codebook.embed")
                         ? " (it holds an EnCodec model, which encode -m and decode -m take)" : "");
    char *end;
    long long frames = strtoll(text, &end, 10);
    if (end == text || *end || frames < 1 || frames > MAX_FRAMES)
        return ecdc_fail(s->err, ECDC_E_MODEL, "%s: frames_per_tr in its metadata is '%.40s', allowed is a whole number from 1 to %d",
                         s->path, text, MAX_FRAMES);
    w->n_frames = (size_t)frames;
    w->model = ecdc_strdup(metadata_text(s, "model"));
    w->model_sha256 = ecdc_strdup(metadata_text(s, "model_sha256"));
    return w->model && w->model_sha256 ? ECDC_OK : ecdc_fail_memory(s->err, "a model's name");
}

/* ------------------------------------------------------------------------------------------------- all of it --- */

static ecdc_status read_embedding(struct source *s, struct autoencoder_weights *w) {
    const struct tensor *t;
    uint64_t shape[3] = {ANY, ANY, ANY};
    ecdc_status status = find(s, "embedding", 3, shape, &t);
    if (status == ECDC_OK && (shape[0] > MAX_CODEBOOKS || shape[1] > MAX_ENTRIES))
        status = ecdc_fail(s->err, ECDC_E_MODEL, "%s: tensor embedding stands for %llu codebooks of %llu entries, at most %d of %d are "
                           "supported", s->path, (unsigned long long)shape[0], (unsigned long long)shape[1], MAX_CODEBOOKS, MAX_ENTRIES);
    if (status != ECDC_OK)
        return status;
    w->n_codebooks = (size_t)shape[0];
    w->codebook_size = (size_t)shape[1];
    w->embedding = (size_t)shape[2];
    return read(s, t, &w->table);
}

static ecdc_status read_layers(struct source *s, struct autoencoder_weights *w) {
    uint64_t patch_in = ANY, hidden = ANY, code = ANY, decoder_hidden = ANY, patch_out;
    ecdc_status status = read_linear(s, "encoder.0", &patch_in, &hidden, &w->encoder[0]);
    if (status != ECDC_OK)
        return status;
    if (patch_in % w->embedding != 0)
        return ecdc_fail(s->err, ECDC_E_MODEL, "%s: encoder.0 takes %llu numbers, no whole number of frames of %zu each (the tensor "
                         "embedding)", s->path, (unsigned long long)patch_in, w->embedding);
    w->patch = (size_t)patch_in / w->embedding;
    w->n_patches = (w->n_frames + w->patch - 1) / w->patch;
    if (w->patch > w->n_frames || w->patch > MAX_FRAMES)
        return ecdc_fail(s->err, ECDC_E_MODEL, "%s: encoder.0 takes patches of %zu frames, a TR has %zu (frames_per_tr)", s->path,
                         w->patch, w->n_frames);
    status = read_linear(s, "encoder.2", &hidden, &code, &w->encoder[1]);
    if (status == ECDC_OK)
        status = read_linear(s, "decoder.0", &code, &decoder_hidden, &w->decoder[0]);
    if (status == ECDC_OK)
        status = read_heads(s, w);
    if (status == ECDC_OK && __builtin_mul_overflow((uint64_t)w->frame, (uint64_t)w->patch, &patch_out))
        status = ecdc_fail_memory(s->err, "a patch");
    if (status == ECDC_OK)
        status = read_linear(s, "decoder.2", &decoder_hidden, &patch_out, &w->decoder[1]);
    w->encoder_hidden = (size_t)hidden;
    w->code = (size_t)code;
    w->decoder_hidden = (size_t)decoder_hidden;
    return status;
}

static ecdc_status read_all(struct source *s, struct autoencoder_weights *w) {
    ecdc_status status = read_metadata(s, w);
    if (status == ECDC_OK)
        status = read_embedding(s, w);
    if (status == ECDC_OK)
        status = read_layers(s, w);
    w->n_parameters = s->n_parameters;
    return status;
}

ecdc_status autoencoder_weights_read(struct autoencoder_weights *w, const char *path, const struct kernels *kernels,
                                     ecdc_error *err) {
    struct source s = {.path = path, .kernels = kernels, .err = err};
    struct weight_file *file;
    *w = (struct autoencoder_weights){0};
    ecdc_status status = weight_file_open(path, &file, err);
    if (status != ECDC_OK)
        return status;
    status = safetensors_read_file(file, &s.table, &s.metadata, err);
    if (status == ECDC_OK)
        status = read_all(&s, w);
    cJSON_Delete(s.metadata);
    tensor_table_free(&s.table);
    weight_file_close(file);
    if (status != ECDC_OK)
        autoencoder_weights_free(w);
    return status;
}

static void free_matrix(struct matrix *m) {
    free(m->w);
    free(m->bias);
}

void autoencoder_weights_free(struct autoencoder_weights *w) {
    for (int i = 0; i < 2; i++) {
        free_matrix(&w->encoder[i]);
        free_matrix(&w->decoder[i]);
    }
    for (size_t q = 0; w->heads && q < w->n_codebooks; q++)
        free_matrix(&w->heads[q]);
    free(w->heads);
    free(w->table);
    free(w->model);
    free(w->model_sha256);
    *w = (struct autoencoder_weights){0};
}
