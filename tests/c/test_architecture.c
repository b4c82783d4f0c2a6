/* The list of layers against transformers' module numbers and shapes. */
#include "model_support.h"

static void expect_conv(const struct conv_spec *c, const char *name, int in, int out, int kernel, int stride,
                        int dilation, bool transposed) {
    assert_string_equal(c->name, name);
    assert_int_equal(c->in, in);
    assert_int_equal(c->out, out);
    assert_int_equal(c->kernel, kernel);
    assert_int_equal(c->stride, stride);
    assert_int_equal(c->dilation, dilation);
    assert_int_equal(c->transposed, transposed);
}

static void the_24khz_encoder(void **state) {
    (void)state;
    struct config c = parse_config("{}");
    struct architecture a;
    architecture_encoder(&c, &a);
    /* 0 conv, (residual, down) x 4, LSTM, conv; activations are 2, 5, 8, 11 and 14 */
    static const enum layer_kind kinds[] = {LAYER_CONV, LAYER_RESIDUAL, LAYER_CONV, LAYER_RESIDUAL,
                                            LAYER_CONV, LAYER_RESIDUAL, LAYER_CONV, LAYER_RESIDUAL,
                                            LAYER_CONV, LAYER_LSTM,     LAYER_CONV};
    static const int indices[] = {0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15};
    static const bool elu[] = {0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
    assert_int_equal(a.n_layers, 11);
    for (int i = 0; i < 11; i++) {
        assert_int_equal(a.layers[i].kind, kinds[i]);
        assert_int_equal(a.layers[i].index, indices[i]);
        assert_int_equal(a.layers[i].elu_before, elu[i]);
    }
    expect_conv(&a.layers[0].conv, "encoder.layers.0.conv", 1, 32, 7, 1, 1, false);
    expect_conv(&a.layers[1].residual.narrow, "encoder.layers.1.block.1.conv", 32, 16, 3, 1, 1, false);
    expect_conv(&a.layers[1].residual.widen, "encoder.layers.1.block.3.conv", 16, 32, 1, 1, 1, false);
    expect_conv(&a.layers[1].residual.shortcut, "encoder.layers.1.shortcut.conv", 32, 32, 1, 1, 1, false);
    expect_conv(&a.layers[2].conv, "encoder.layers.3.conv", 32, 64, 4, 2, 1, false);
    expect_conv(&a.layers[8].conv, "encoder.layers.12.conv", 256, 512, 16, 8, 1, false);
    assert_string_equal(a.layers[9].lstm.name, "encoder.layers.13.lstm");
    assert_int_equal(a.layers[9].lstm.size, 512);
    assert_int_equal(a.layers[9].lstm.n_layers, 2);
    expect_conv(&a.layers[10].conv, "encoder.layers.15.conv", 512, 128, 7, 1, 1, false);
}

static void the_24khz_decoder(void **state) {
    (void)state;
    struct config c = parse_config("{}");
    struct architecture a;
    architecture_decoder(&c, &a);
    static const enum layer_kind kinds[] = {LAYER_CONV,           LAYER_LSTM,     LAYER_CONV_TRANSPOSE, LAYER_RESIDUAL,
                                            LAYER_CONV_TRANSPOSE, LAYER_RESIDUAL, LAYER_CONV_TRANSPOSE, LAYER_RESIDUAL,
                                            LAYER_CONV_TRANSPOSE, LAYER_RESIDUAL, LAYER_CONV};
    static const int indices[] = {0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15};
    static const bool elu[] = {0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
    assert_int_equal(a.n_layers, 11);
    for (int i = 0; i < 11; i++) {
        assert_int_equal(a.layers[i].kind, kinds[i]);
        assert_int_equal(a.layers[i].index, indices[i]);
        assert_int_equal(a.layers[i].elu_before, elu[i]);
    }
    expect_conv(&a.layers[0].conv, "decoder.layers.0.conv", 128, 512, 7, 1, 1, false);
    assert_string_equal(a.layers[1].lstm.name, "decoder.layers.1.lstm");
    expect_conv(&a.layers[2].conv, "decoder.layers.3.conv", 512, 256, 16, 8, 1, true);
    expect_conv(&a.layers[3].residual.narrow, "decoder.layers.4.block.1.conv", 256, 128, 3, 1, 1, false);
    expect_conv(&a.layers[8].conv, "decoder.layers.12.conv", 64, 32, 4, 2, 1, true);
    expect_conv(&a.layers[9].residual.shortcut, "decoder.layers.13.shortcut.conv", 32, 32, 1, 1, 1, false);
    expect_conv(&a.layers[10].conv, "decoder.layers.15.conv", 32, 1, 7, 1, 1, false);
}

static void other_depths(void **state) {
    (void)state;
    struct config c = parse_config("{\"num_residual_layers\": 3, \"upsampling_ratios\": [5, 2], \"num_lstm_layers\": 1,"
                                   " \"use_conv_shortcut\": false, \"num_filters\": 8, \"compress\": 4}");
    struct architecture a;
    architecture_encoder(&c, &a);
    assert_int_equal(a.n_layers, 1 + 2 * 4 + 2);
    for (int i = 1; i <= 3; i++) { /* dilations 1, 2, 4 */
        assert_int_equal(a.layers[i].residual.narrow.dilation, 1 << (i - 1));
        assert_int_equal(a.layers[i].residual.narrow.out, 2);
        assert_int_equal(a.layers[i].residual.shortcut.out, 0);
    }
    expect_conv(&a.layers[4].conv, "encoder.layers.5.conv", 8, 16, 4, 2, 1, false);
    expect_conv(&a.layers[8].conv, "encoder.layers.10.conv", 16, 32, 10, 5, 1, false);
    assert_string_equal(a.layers[9].lstm.name, "encoder.layers.11.lstm");
    assert_int_equal(a.layers[9].lstm.n_layers, 1);
    expect_conv(&a.layers[10].conv, "encoder.layers.13.conv", 32, 128, 7, 1, 1, false);
    architecture_decoder(&c, &a);
    expect_conv(&a.layers[2].conv, "decoder.layers.3.conv", 32, 16, 10, 5, 1, true);
    assert_string_equal(a.layers[5].residual.widen.name, "decoder.layers.6.block.3.conv");
}

static void the_largest_network_fits(void **state) {
    (void)state;
    struct config c = parse_config("{\"num_residual_layers\": 8, \"upsampling_ratios\": [2,2,2,2,2,2,2,2],"
                                   " \"num_lstm_layers\": 8, \"residual_kernel_size\": 1}");
    struct architecture *a = malloc(sizeof *a);
    assert_non_null(a);
    architecture_encoder(&c, a);
    assert_int_equal(a->n_layers, ARCHITECTURE_MAX_LAYERS);
    assert_string_equal(a->layers[a->n_layers - 1].conv.name, "encoder.layers.83.conv");
    architecture_decoder(&c, a);
    assert_int_equal(a->n_layers, ARCHITECTURE_MAX_LAYERS);
    assert_string_equal(a->layers[a->n_layers - 1].conv.name, "decoder.layers.83.conv");
    free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_24khz_encoder),
        cmocka_unit_test(the_24khz_decoder),
        cmocka_unit_test(other_depths),
        cmocka_unit_test(the_largest_network_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
