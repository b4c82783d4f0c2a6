/* What the tests of model/ share: temporary directories, files, and small checkpoints made to order. Header only. */
#ifndef ECDC_TESTS_MODEL_SUPPORT_H
#define ECDC_TESTS_MODEL_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/architecture.h"
#include "model/safetensors.h"

enum { SUPPORT_PATH = 4096 };

#define assert_message(err, part)                                                              \
    do {                                                                                       \
        if (!strstr((err).message, part))                                                      \
            fail_msg("the message `%s` does not say `%s`", (err).message, part);               \
    } while (0)

/* ------------------------------------------------------------------------------------------- files --- */

static inline int support_remove(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

/* cmocka setup and teardown: *state is the path of an empty directory. */
static inline int make_directory(void **state) {
    const char *base = getenv("TMPDIR");
    char path[SUPPORT_PATH];
    snprintf(path, sizeof path, "%s/ecdc-test-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(path))
        return -1;
    *state = realpath(path, NULL);
    return *state ? 0 : -1;
}

static inline int remove_directory(void **state) {
    int failed = nftw(*state, support_remove, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return failed;
}

static inline void make_parents(const char *path) {
    char copy[SUPPORT_PATH];
    snprintf(copy, sizeof copy, "%s", path);
    for (char *p = copy + 1; (p = strchr(p, '/')); *p++ = '/') {
        *p = '\0';
        mkdir(copy, 0755);
    }
}

/* DIR/NAME in one of 16 buffers that take turns. */
static inline const char *in_directory(const char *directory, const char *name) {
    static char buffers[16][SUPPORT_PATH];
    static unsigned int turn;
    char path[SUPPORT_PATH]; /* `directory` may be one of the buffers */
    int n = snprintf(path, sizeof path, "%s/%s", directory, name);
    assert_true(n > 0 && n < SUPPORT_PATH);
    return memcpy(buffers[turn++ % 16], path, (size_t)n + 1);
}

static inline void write_file(const char *path, const void *bytes, size_t n) {
    make_parents(path);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline void write_text(const char *path, const char *text) {
    write_file(path, text, strlen(text));
}

static inline char *read_file(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    *n = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(*n + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *n, f), *n);
    bytes[*n] = '\0';
    fclose(f);
    return bytes;
}

static inline char *read_fixture(const char *name, size_t *n) {
    return read_file(in_directory(ECDC_TEST_DATA, name), n);
}

/* --------------------------------------------------------------------------------------- checkpoints --- */

/* An image under construction. */
struct builder {
    size_t n;
    struct safetensors_item items[2048];
    char names[2048][128];
    const void *data[2048]; /* numbers to copy; NULL: a pattern is made */
};

static inline size_t builder_add(struct builder *b, const char *name, enum dtype dtype, int rank,
                                 const uint64_t *shape, const void *data) {
    assert_true(b->n < 2048);
    size_t i = b->n++;
    snprintf(b->names[i], sizeof b->names[i], "%s", name);
    b->items[i] = (struct safetensors_item){.name = b->names[i], .dtype = dtype, .rank = rank};
    memcpy(b->items[i].shape, shape, (size_t)rank * sizeof *shape);
    b->data[i] = data;
    return i;
}

static inline struct safetensors_item *builder_find(struct builder *b, const char *name) {
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->names[i], name) == 0)
            return &b->items[i];
    return NULL;
}

static inline void builder_drop(struct builder *b, const char *name) {
    struct safetensors_item *item = builder_find(b, name);
    assert_non_null(item);
    snprintf(b->names[item - b->items], sizeof b->names[0], "unused.%zu", (size_t)(item - b->items));
}

/* Where no numbers were given: -0.5 ... 0.5 in steps that differ from tensor to tensor. F32 only. */
static inline void *builder_image(struct builder *b, size_t *n) {
    void *image = NULL;
    ecdc_error err;
    if (safetensors_layout(b->items, b->n, &image, n, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < b->n; i++) {
        char *out = (char *)image + b->items[i].offset;
        if (b->data[i]) {
            memcpy(out, b->data[i], b->items[i].n_bytes);
            continue;
        }
        memset(out, 0, b->items[i].n_bytes);
        for (size_t k = 0; b->items[i].dtype == DTYPE_F32 && k < b->items[i].n_bytes / 4; k++) {
            float value = (float)((k * 37 + i * 11) % 101) / 101.0f - 0.5f;
            memcpy(out + 4 * k, &value, 4);
        }
    }
    return image;
}

static inline void builder_conv(struct builder *b, const struct config *config, const struct conv_spec *c) {
    char name[96];
    uint64_t first = (uint64_t)(c->transposed ? c->in : c->out), second = (uint64_t)(c->transposed ? c->out : c->in);
    uint64_t weight[] = {first, second, (uint64_t)c->kernel}, out[] = {(uint64_t)c->out};
    snprintf(name, sizeof name, "%s.weight", c->name);
    builder_add(b, name, DTYPE_F32, 3, weight, NULL);
    snprintf(name, sizeof name, "%s.bias", c->name);
    builder_add(b, name, DTYPE_F32, 1, out, NULL);
    for (int i = 0; config->group_norm && i < 2; i++) {
        snprintf(name, sizeof name, "%.*snorm.%s", (int)strlen(c->name) - 4, c->name, i ? "bias" : "weight");
        builder_add(b, name, DTYPE_F32, 1, out, NULL);
    }
}

static inline void builder_layer(struct builder *b, const struct config *config, const struct layer_spec *layer) {
    char name[96];
    if (layer->kind == LAYER_CONV || layer->kind == LAYER_CONV_TRANSPOSE) {
        builder_conv(b, config, &layer->conv);
    } else if (layer->kind == LAYER_RESIDUAL) {
        builder_conv(b, config, &layer->residual.narrow);
        builder_conv(b, config, &layer->residual.widen);
        if (layer->residual.shortcut.out)
            builder_conv(b, config, &layer->residual.shortcut);
    } else {
        static const char *const parts[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
        uint64_t size = (uint64_t)layer->lstm.size, shape[] = {4 * size, size};
        for (int l = 0; l < layer->lstm.n_layers; l++)
            for (int i = 0; i < 4; i++) {
                snprintf(name, sizeof name, "%s.%s_l%d", layer->lstm.name, parts[i], l);
                builder_add(b, name, DTYPE_F32, i < 2 ? 2 : 1, shape, NULL);
            }
    }
}

/* Every tensor of a config, plain names; free() it. */
static inline struct builder *builder_of_config(const struct config *config) {
    struct builder *b = calloc(1, sizeof *b);
    struct architecture a;
    assert_non_null(b);
    for (int part = 0; part < 2; part++) {
        (part ? architecture_decoder : architecture_encoder)(config, &a);
        for (int i = 0; i < a.n_layers; i++)
            builder_layer(b, config, &a.layers[i]);
    }
    int n = config_n_codebooks(config, config->target_bandwidths[config->n_bandwidths - 1]);
    uint64_t shape[] = {(uint64_t)config->codebook_size, (uint64_t)config->codebook_dim};
    for (int q = 0; q < n; q++) {
        char name[96];
        snprintf(name, sizeof name, "quantizer.layers.%d.codebook.embed", q);
        builder_add(b, name, DTYPE_F32, 2, shape, NULL);
    }
    return b;
}

/* A network of a few hundred numbers: hop 4, frame rate 250 Hz, 2 codebooks of 16 x 4. */
#define SMALL_CONFIG(more)                                                                                   \
    "{\"sampling_rate\": 1000, \"num_filters\": 2, \"hidden_size\": 4, \"codebook_size\": 16, "              \
    "\"upsampling_ratios\": [2, 2], \"target_bandwidths\": [1.0, 2.0]" more "}"

static inline struct config parse_config(const char *text) {
    struct config config;
    ecdc_error err;
    if (config_parse("config.json", text, strlen(text), &config, &err))
        fail_msg("%s", err.message);
    return config;
}

#endif
