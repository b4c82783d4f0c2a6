/* Generated models: complete, and the same bytes everywhere. */
#include "model_support.h"

#include <math.h>

#include "model/model.h"
#include "model/random.h"

struct expectation {
    const char *name, *sha256;
    int rate_hz, channels, codebooks;
    uint64_t n_parameters;
};

static void check_model(const struct expectation *e) {
    ecdc_model *model;
    ecdc_error err;
    if (ecdc_model_open(e->name, &model, &err))
        fail_msg("%s", err.message);
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    assert_string_equal(info.name, e->name);
    assert_string_equal(info.origin, "generated");
    assert_int_equal(info.sampling_rate_hz, e->rate_hz);
    assert_int_equal(info.channels, e->channels);
    assert_int_equal(info.n_codebooks, e->codebooks);
    assert_int_equal(info.hop, 320);
    assert_int_equal(info.dimension, 128);
    assert_int_equal(info.chunked, e->channels == 2);
    assert_true(info.n_parameters == e->n_parameters);
    assert_string_equal(ecdc_model_sha256(model), e->sha256);
    ecdc_model_close(model);
}

/* A digest that changes here changes every figure measured with these models. */
static void the_24khz_model_is_pinned(void **state) {
    (void)state;
    check_model(&(struct expectation){.name = "random:encodec_24khz",
                                      .sha256 = "60df4309c1072787b49fc14661da87dffe162cce88234929f5572027f1350eb7",
                                      .rate_hz = 24000, .channels = 1, .codebooks = 32,
                                      .n_parameters = 14846817 + 32 * 1024 * 128});
}

static void the_48khz_model_is_pinned(void **state) {
    (void)state;
    check_model(&(struct expectation){.name = "random:encodec_48khz",
                                      .sha256 = "1b577330236abd28b705811acd7ea469d3d51e1800c798ca3d556a3e30cade1a",
                                      .rate_hz = 48000, .channels = 2, .codebooks = 16,
                                      .n_parameters = 14856294 + 16 * 1024 * 128});
}

static void numbers_are_finite_and_bell_shaped(void **state) {
    (void)state;
    struct config config;
    void *image;
    size_t n;
    assert_int_equal(random_model_make("random:encodec_24khz", &config, &image, &n, NULL), ECDC_OK);
    struct tensor_table table = {0};
    assert_int_equal(safetensors_read("random", image, n, &table, NULL), ECDC_OK);
    const struct tensor *t = tensor_table_find(&table, "quantizer.layers.0.codebook.embed");
    const float *embed = t->data;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < 1024 * 128; i++) {
        assert_true(fabsf(embed[i]) < 1);
        sum += embed[i];
        squares += (double)embed[i] * embed[i];
    }
    assert_true(fabs(sum / (1024 * 128)) < 0.002);
    assert_true(fabs(sqrt(squares / (1024 * 128)) - 0.2) < 0.001);

    /* the last convolution of the encoder answers nothing to a constant */
    t = tensor_table_find(&table, "encoder.layers.15.conv.parametrizations.weight.original1");
    const float *v = t->data;
    for (size_t i = 0; i < 128 * 512; i++) {
        double taps = 0;
        for (size_t k = 0; k < 7; k++)
            taps += v[7 * i + k];
        assert_true(fabs(taps) < 1e-5);
    }
    tensor_table_free(&table);
    free(image);
}

static void unknown_names_are_answered_with_the_known(void **state) {
    (void)state;
    struct config config;
    void *image;
    size_t n;
    ecdc_error err;
    assert_true(random_model_is_name("random:"));
    assert_false(random_model_is_name("random"));
    assert_int_equal(random_model_make("random:other", &config, &image, &n, &err), ECDC_E_MODEL);
    assert_message(err, "random:other");
    for (int i = 0; RANDOM_MODEL_NAMES[i]; i++)
        assert_message(err, RANDOM_MODEL_NAMES[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_24khz_model_is_pinned),
        cmocka_unit_test(the_48khz_model_is_pinned),
        cmocka_unit_test(numbers_are_finite_and_bell_shaped),
        cmocka_unit_test(unknown_names_are_answered_with_the_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
