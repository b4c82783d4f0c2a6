/* Tensors by name, in every naming and dtype that files use. */
#include "model_support.h"

#include <math.h>

#include "model/checkpoint.h"

/* The tiny 24 kHz model, as transformers writes it. */
struct fixture {
    struct config config;
    char *bytes;
    size_t n;
    struct tensor_table table;
    struct architecture encoder, decoder;
};

static int load_fixture(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    size_t n;
    char *text = read_fixture("tiny24/config.json", &n);
    f->config = parse_config(text);
    free(text);
    f->bytes = read_fixture("tiny24/model.safetensors", &f->n);
    architecture_encoder(&f->config, &f->encoder);
    architecture_decoder(&f->config, &f->decoder);
    *state = f;
    return safetensors_read("tiny24", f->bytes, f->n, &f->table, NULL);
}

static int free_fixture(void **state) {
    struct fixture *f = *state;
    tensor_table_free(&f->table);
    free(f->bytes);
    free(f);
    return 0;
}

static struct checkpoint *open_image(const void *bytes, size_t n) {
    struct checkpoint *c;
    ecdc_error err;
    if (checkpoint_open("dir/model.safetensors", bytes, n, &c, &err))
        fail_msg("%s", err.message);
    return c;
}

static uint64_t check(const struct checkpoint *c, const struct config *config) {
    uint64_t n;
    ecdc_error err;
    if (checkpoint_check(c, config, &n, &err))
        fail_msg("%s", err.message);
    return n;
}

struct weights {
    float *weight, *bias;
    size_t n;
};

static struct weights read_conv(const struct checkpoint *c, const struct conv_spec *spec) {
    struct weights w = {.n = (size_t)spec->in * (size_t)spec->out * (size_t)spec->kernel};
    w.weight = malloc(w.n * sizeof(float));
    w.bias = malloc((size_t)spec->out * sizeof(float));
    ecdc_error err;
    if (checkpoint_conv(c, spec, w.weight, w.bias, &err))
        fail_msg("%s", err.message);
    return w;
}

static void free_weights(struct weights w) {
    free(w.weight);
    free(w.bias);
}

/* Calls f for every convolution of both halves. */
static void each_conv(const struct fixture *f, void (*visit)(const struct conv_spec *, void *), void *context) {
    for (int part = 0; part < 2; part++) {
        const struct architecture *a = part ? &f->decoder : &f->encoder;
        for (int i = 0; i < a->n_layers; i++) {
            const struct layer_spec *l = &a->layers[i];
            if (l->kind == LAYER_CONV || l->kind == LAYER_CONV_TRANSPOSE) {
                visit(&l->conv, context);
            } else if (l->kind == LAYER_RESIDUAL) {
                visit(&l->residual.narrow, context);
                visit(&l->residual.widen, context);
                visit(&l->residual.shortcut, context);
            }
        }
    }
}

/* ------------------------------------------------------------------------------------------ good files --- */

static void the_fixture_is_complete(void **state) {
    const struct fixture *f = *state;
    struct checkpoint *c = open_image(f->bytes, f->n);
    uint64_t n = check(c, &f->config);
    /* convolutions, two LSTMs of two layers of 64, codebooks */
    uint64_t expected = 2 * 2 * (8 * 64 * 64 + 8 * 64) + 8 * 1024 * 16;
    for (size_t i = 0; i < f->table.n; i++) {
        const struct tensor *t = &f->table.tensors[i];
        size_t length = strlen(t->name);
        if (strcmp(t->name + length - 9, "original1") == 0 || strcmp(t->name + length - 9, "conv.bias") == 0)
            expected += tensor_count(t);
    }
    assert_true(n == expected);
    checkpoint_close(c);
}

static void check_fold(const struct conv_spec *spec, void *context) {
    const struct fixture *f = context;
    struct checkpoint *c = open_image(f->bytes, f->n);
    struct weights w = read_conv(c, spec);
    char name[128];
    snprintf(name, sizeof name, "%s.parametrizations.weight.original0", spec->name);
    const float *g = tensor_table_find(&f->table, name)->data;
    snprintf(name, sizeof name, "%s.parametrizations.weight.original1", spec->name);
    const float *v = tensor_table_find(&f->table, name)->data;
    snprintf(name, sizeof name, "%s.bias", spec->name);
    const struct tensor *bias = tensor_table_find(&f->table, name);
    assert_memory_equal(w.bias, bias->data, bias->n_bytes);
    size_t rows = (size_t)(spec->transposed ? spec->in : spec->out), n = w.n / rows;
    for (size_t r = 0; r < rows; r++) {
        double norm = 0;
        for (size_t i = 0; i < n; i++)
            norm += (double)v[r * n + i] * v[r * n + i];
        for (size_t i = 0; i < n; i++) {
            double exact = (double)g[r] * v[r * n + i] / sqrt(norm);
            assert_true(fabs(w.weight[r * n + i] - exact) <= 2e-7 * fabs(exact));
        }
    }
    free_weights(w);
    checkpoint_close(c);
}

static void weight_norm_is_folded(void **state) {
    each_conv(*state, check_fold, *state);
}

enum form { FORM_PARAMETRIZED, FORM_G_V, FORM_FOLDED, FORM_MIXED };

struct derivation {
    const struct fixture *f;
    struct builder *b;
    enum form form;
    struct weights kept[64]; /* what a folded weight points to */
    size_t n_kept, n_convs;
};

static void derive_conv(const struct conv_spec *spec, void *context) {
    static const char *const suffixes[][2] = {{".parametrizations.weight.original0", ".parametrizations.weight.original1"},
                                              {".weight_g", ".weight_v"}};
    struct derivation *d = context;
    char name[128];
    enum form form = d->form == FORM_MIXED ? (enum form)(d->n_convs % 3) : d->form;
    d->n_convs++;
    if (form == FORM_FOLDED) {
        struct checkpoint *c = open_image(d->f->bytes, d->f->n);
        struct weights w = d->kept[d->n_kept++] = read_conv(c, spec);
        checkpoint_close(c);
        uint64_t in = (uint64_t)spec->in, out = (uint64_t)spec->out;
        uint64_t shape[] = {spec->transposed ? in : out, spec->transposed ? out : in, (uint64_t)spec->kernel};
        snprintf(name, sizeof name, "%s.weight", spec->name);
        builder_add(d->b, name, DTYPE_F32, 3, shape, w.weight);
        return;
    }
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s%s", spec->name, suffixes[0][i]);
        const struct tensor *t = tensor_table_find(&d->f->table, name);
        snprintf(name, sizeof name, "%s%s", spec->name, suffixes[form][i]);
        builder_add(d->b, name, DTYPE_F32, t->rank, t->shape, t->data);
    }
}

/* The fixture with its convolutions in another naming. */
static void *derive(const struct fixture *f, enum form form, size_t *n) {
    struct derivation d = {.f = f, .b = calloc(1, sizeof *d.b), .form = form};
    for (size_t i = 0; i < f->table.n; i++) {
        const struct tensor *t = &f->table.tensors[i];
        if (!strstr(t->name, ".parametrizations."))
            builder_add(d.b, t->name, t->dtype, t->rank, t->shape, t->data);
    }
    each_conv(f, derive_conv, &d);
    void *image = builder_image(d.b, n);
    for (size_t i = 0; i < d.n_kept; i++)
        free_weights(d.kept[i]);
    free(d.b);
    return image;
}

struct comparison {
    const struct checkpoint *one, *other;
};

static void compare_conv(const struct conv_spec *spec, void *context) {
    const struct comparison *both = context;
    struct weights a = read_conv(both->one, spec), b = read_conv(both->other, spec);
    assert_memory_equal(a.weight, b.weight, a.n * sizeof(float));
    assert_memory_equal(a.bias, b.bias, (size_t)spec->out * sizeof(float));
    free_weights(a);
    free_weights(b);
}

static void all_namings_give_the_same_weights(void **state) {
    struct fixture *f = *state;
    struct checkpoint *one = open_image(f->bytes, f->n);
    for (int form = FORM_PARAMETRIZED; form <= FORM_MIXED; form++) {
        size_t n;
        void *image = derive(f, (enum form)form, &n);
        struct checkpoint *other = open_image(image, n);
        assert_true(check(other, &f->config) == check(one, &f->config));
        struct comparison both = {one, other};
        each_conv(f, compare_conv, &both);
        checkpoint_close(other);
        free(image);
    }
    checkpoint_close(one);
}

static void lstms_and_codebooks_are_read(void **state) {
    const struct fixture *f = *state;
    struct checkpoint *c = open_image(f->bytes, f->n);
    float *w_ih = malloc(4 * 64 * 64 * sizeof(float)), *w_hh = malloc(4 * 64 * 64 * sizeof(float));
    float b_ih[4 * 64], b_hh[4 * 64], *embed = malloc(1024 * 16 * sizeof(float));
    assert_int_equal(checkpoint_lstm(c, "encoder.layers.13.lstm", 64, 1, w_ih, w_hh, b_ih, b_hh, NULL), ECDC_OK);
    static const char *const names[] = {"weight_ih_l1", "weight_hh_l1", "bias_ih_l1", "bias_hh_l1"};
    const float *parts[] = {w_ih, w_hh, b_ih, b_hh};
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "encoder.layers.13.lstm.%s", names[i]);
        const struct tensor *t = tensor_table_find(&f->table, name);
        assert_memory_equal(parts[i], t->data, t->n_bytes);
    }
    assert_int_equal(checkpoint_codebook(c, 7, 1024, 16, embed, NULL), ECDC_OK);
    const struct tensor *t = tensor_table_find(&f->table, "quantizer.layers.7.codebook.embed");
    assert_memory_equal(embed, t->data, t->n_bytes);
    ecdc_error err;
    assert_int_equal(checkpoint_codebook(c, 8, 1024, 16, embed, &err), ECDC_E_MODEL);
    assert_message(err, "no tensor quantizer.layers.8.codebook.embed");
    free(w_ih);
    free(w_hh);
    free(embed);
    checkpoint_close(c);
}

/* Numbers with few digits, so that every dtype holds them exactly. */
static void every_dtype_gives_the_same_weights(void **state) {
    (void)state;
    static const enum dtype dtypes[] = {DTYPE_F64, DTYPE_F32, DTYPE_F16, DTYPE_BF16};
    struct config config = parse_config(SMALL_CONFIG(""));
    struct architecture a;
    architecture_encoder(&config, &a);
    for (size_t d = 0; d < 4; d++) {
        struct builder *b = builder_of_config(&config);
        struct safetensors_item *item = builder_find(b, "encoder.layers.0.conv.weight");
        double wide[14];
        float single[14];
        uint16_t half[14], brain[14];
        for (int i = 0; i < 14; i++) { /* +- 1.x * 2^k with three bits of mantissa */
            int mantissa = i % 8, exponent = i % 5 - 2, sign = i & 1;
            wide[i] = (sign ? -1 : 1) * ldexp(1 + mantissa / 8.0, exponent);
            single[i] = (float)wide[i];
            half[i] = (uint16_t)(sign << 15 | (exponent + 15) << 10 | mantissa << 7);
            brain[i] = (uint16_t)(sign << 15 | (exponent + 127) << 7 | mantissa << 4);
        }
        const void *data[] = {wide, single, half, brain};
        item->dtype = dtypes[d];
        b->data[item - b->items] = data[d];
        size_t n;
        void *image = builder_image(b, &n);
        struct checkpoint *c = open_image(image, n);
        struct weights w = read_conv(c, &a.layers[0].conv);
        assert_int_equal(w.n, 14);
        assert_memory_equal(w.weight, single, sizeof single);
        free_weights(w);
        checkpoint_close(c);
        free(image);
        free(b);
    }
}

static void group_norms_are_found(void **state) {
    (void)state;
    struct config config = parse_config(SMALL_CONFIG(", \"norm_type\": \"time_group_norm\", \"audio_channels\": 2"));
    struct builder *b = builder_of_config(&config);
    size_t n;
    void *image = builder_image(b, &n);
    struct checkpoint *c = open_image(image, n);
    uint64_t total = 0;
    for (size_t i = 0; i < b->n; i++)
        total += b->items[i].n_bytes / 4;
    assert_true(check(c, &config) == total);
    struct architecture a;
    architecture_encoder(&config, &a);
    float weight[2], bias[2];
    assert_int_equal(checkpoint_norm(c, &a.layers[1].residual.shortcut, weight, bias, NULL), ECDC_OK);
    const struct safetensors_item *item = builder_find(b, "encoder.layers.1.shortcut.norm.bias");
    assert_memory_equal(bias, (char *)image + item->offset, sizeof bias);
    checkpoint_close(c);
    free(image);

    builder_drop(b, "decoder.layers.3.norm.weight");
    image = builder_image(b, &n);
    c = open_image(image, n);
    ecdc_error err;
    assert_int_equal(checkpoint_check(c, &config, &total, &err), ECDC_E_MODEL);
    assert_message(err, "no tensor decoder.layers.3.norm.weight");
    checkpoint_close(c);
    free(image);
    free(b);
}

/* ---------------------------------------------------------------------------------------- broken files --- */

/* The small network with one thing changed. */
static void expect_refusal(const char *name, void (*change)(struct builder *, struct safetensors_item *),
                           const char *part) {
    struct config config = parse_config(SMALL_CONFIG(""));
    struct builder *b = builder_of_config(&config);
    struct safetensors_item *item = builder_find(b, name);
    assert_non_null(item);
    change(b, item);
    size_t n;
    void *image = builder_image(b, &n);
    struct checkpoint *c = open_image(image, n);
    uint64_t total = 12345;
    ecdc_error err = {ECDC_OK, ""};
    assert_int_equal(checkpoint_check(c, &config, &total, &err), ECDC_E_MODEL);
    assert_true(total == 12345);
    assert_message(err, "dir/model.safetensors");
    assert_message(err, part);
    checkpoint_close(c);
    free(image);
    free(b);
}

static void drop(struct builder *b, struct safetensors_item *item) {
    builder_drop(b, item->name);
}

static void flatten(struct builder *b, struct safetensors_item *item) {
    (void)b;
    item->shape[0] *= item->shape[1];
    for (int i = 1; i + 1 < item->rank; i++)
        item->shape[i] = item->shape[i + 1];
    item->rank--;
}

static void widen(struct builder *b, struct safetensors_item *item) {
    (void)b;
    item->shape[0]++;
}

static void make_integer(struct builder *b, struct safetensors_item *item) {
    (void)b;
    item->dtype = DTYPE_I32;
}

static void rename_to_half(struct builder *b, struct safetensors_item *item) {
    snprintf(b->names[item - b->items], sizeof b->names[0], "encoder.layers.0.conv.weight_v");
}

static void missing_and_misshaped_tensors(void **state) {
    (void)state;
    expect_refusal("encoder.layers.3.conv.weight", drop,
                   "no tensor encoder.layers.3.conv.weight, nor encoder.layers.3.conv.weight_g and _v");
    expect_refusal("encoder.layers.1.block.3.conv.bias", drop, "no tensor encoder.layers.1.block.3.conv.bias");
    expect_refusal("encoder.layers.4.shortcut.conv.weight", drop, "encoder.layers.4.shortcut.conv.weight");
    expect_refusal("encoder.layers.7.lstm.weight_hh_l1", drop, "no tensor encoder.layers.7.lstm.weight_hh_l1");
    expect_refusal("decoder.layers.1.lstm.bias_ih_l0", drop, "no tensor decoder.layers.1.lstm.bias_ih_l0");
    expect_refusal("quantizer.layers.1.codebook.embed", drop, "no tensor quantizer.layers.1.codebook.embed");
    expect_refusal("encoder.layers.0.conv.weight", widen,
                   "encoder.layers.0.conv.weight has the shape (3, 1, 7); the config asks for (2, 1, 7)");
    expect_refusal("decoder.layers.3.conv.weight", flatten, "has the shape (32, 4); the config asks for (8, 4, 4)");
    expect_refusal("decoder.layers.9.conv.bias", widen, "has the shape (2); the config asks for (1)");
    expect_refusal("encoder.layers.7.lstm.weight_ih_l0", widen, "has the shape (33, 8); the config asks for (32, 8)");
    expect_refusal("quantizer.layers.0.codebook.embed", make_integer, "is of dtype I32; F32, F16, BF16 or F64");
    expect_refusal("encoder.layers.0.conv.weight", rename_to_half, "no tensor encoder.layers.0.conv.weight_g");
}

/* Numbers are looked at when they are read. */
static void numbers_that_are_none(void **state) {
    (void)state;
    struct config config = parse_config(SMALL_CONFIG(""));
    struct architecture a;
    architecture_encoder(&config, &a);
    static const uint64_t g_shape[] = {2, 1, 1}, v_shape[] = {2, 1, 7};
    static const float g[] = {1, 2}, v[14] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    float bad[14] = {0}, weight[14], bias[2];
    bad[13] = INFINITY;
    ecdc_error err;
    for (int zero_row = 0; zero_row < 2; zero_row++) {
        struct builder *b = builder_of_config(&config);
        if (zero_row) {
            builder_drop(b, "encoder.layers.0.conv.weight");
            builder_add(b, "encoder.layers.0.conv.weight_g", DTYPE_F32, 3, g_shape, g);
            builder_add(b, "encoder.layers.0.conv.weight_v", DTYPE_F32, 3, v_shape, v);
        } else {
            b->data[builder_find(b, "encoder.layers.0.conv.weight") - b->items] = bad;
        }
        size_t n;
        void *image = builder_image(b, &n);
        struct checkpoint *c = open_image(image, n);
        check(c, &config);
        assert_int_equal(checkpoint_conv(c, &a.layers[0].conv, weight, bias, &err), ECDC_E_MODEL);
        assert_message(err, zero_row ? "row 1 of tensor encoder.layers.0.conv.weight_v cannot be scaled"
                                     : "encoder.layers.0.conv.weight holds a number that is infinite");
        checkpoint_close(c);
        free(image);
        free(b);
    }
}

static void broken_images_are_not_opened(void **state) {
    const struct fixture *f = *state;
    struct checkpoint *c = NULL;
    ecdc_error err;
    assert_int_equal(checkpoint_open("p", f->bytes, 5000, &c, &err), ECDC_E_FORMAT);
    assert_null(c);
    checkpoint_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fixture_is_complete),
        cmocka_unit_test(weight_norm_is_folded),
        cmocka_unit_test(all_namings_give_the_same_weights),
        cmocka_unit_test(lstms_and_codebooks_are_read),
        cmocka_unit_test(every_dtype_gives_the_same_weights),
        cmocka_unit_test(group_norms_are_found),
        cmocka_unit_test(missing_and_misshaped_tensors),
        cmocka_unit_test(numbers_that_are_none),
        cmocka_unit_test(broken_images_are_not_opened),
    };
    return cmocka_run_group_tests(tests, load_fixture, free_fixture);
}
