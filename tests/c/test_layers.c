/* Each layer of the network on the reference's own input for it: what a wrong padding, gate order or shortcut would
 * change is seen in the layer where it happens. */
#include "codec/quantizer.h"
#include "codec/stage.h"
#include "golden.h"

static struct engine open_engine(ecdc_cpu cpu, int threads) {
    ecdc_error err;
    struct engine engine;
    ecdc_settings settings = ecdc_default_settings();
    settings.cpu = cpu;
    settings.n_threads = threads;
    MUST(engine_open(&engine, &settings, &err));
    return engine;
}

/* The output of module `index` of a part; what comes before the first one is the part's input. */
static float *layer_output(const char *part, int index, size_t *n, int64_t dims[2]) {
    char name[64];
    if (index < 0)
        snprintf(name, sizeof name, "layers/%s", strcmp(part, "encoder") ? "quantized" : "input");
    else
        snprintf(name, sizeof name, "layers/%s_%d", part, index);
    return golden_floats(name, n, dims);
}

static void compare(const float *got, const float *want, size_t n, const char *what, int index, const char *cpu) {
    double worst = 0, peak = 0;
    for (size_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
        peak = fmax(peak, fabs((double)want[i]));
    }
    printf("  %-9s %s_%d: largest difference %.2g of %.2g\n", cpu, what, index, worst, peak);
    assert_true(worst < 2e-6 * peak);
}

/* Runs one layer on the rows that the reference gave it, in pieces of `piece` rows. */
static void run_layer(const struct network *net, size_t i, int input_index, int index, const char *part,
                      const struct engine *engine, size_t piece) {
    ecdc_error err;
    struct stage stage;
    size_t n_in, n_out, n_elu;
    int64_t dims[2], out_dims[2], elu_dims[2];
    MUST(stage_init(&stage, &net->layers[i], &err));
    struct rows out = {.width = net->layers[i].out, .has_raw = true, .has_elu = true};
    float *in = layer_output(part, input_index, &n_in, dims), *want = layer_output(part, index, &n_out, out_dims);
    for (size_t t = 0; t < (size_t)dims[0]; t += piece) {
        size_t n = (size_t)dims[0] - t < piece ? (size_t)dims[0] - t : piece;
        MUST(rows_reserve(&stage.in, n, &err));
        size_t width = stage.in.width;
        for (size_t j = 0; j < n * width; j++) {
            float x = in[t * width + j];
            /* where an ELU stands before the layer, the golden input has been through it */
            if (stage.in.has_raw)
                rows_raw(&stage.in, stage.in.n)[j] = x;
            if (stage.in.has_elu)
                rows_elu(&stage.in, stage.in.n)[j] = net->layers[i].elu_before ? x : x > 0 ? x : expm1f(x);
        }
        stage.in.n += n;
        MUST(stage_run(&stage, engine, &out, SIZE_MAX, &err));
    }
    MUST(stage_finish(&stage, &err));
    MUST(stage_run(&stage, engine, &out, SIZE_MAX, &err));
    assert_int_equal(out.n * out.width, n_out);
    compare(rows_raw(&out, 0), want, n_out, part, index, engine->kernels->name);
    if (i + 1 < net->n_layers && net->layers[i + 1].elu_before) {
        float *want_elu = layer_output(part, index + 1, &n_elu, elu_dims);
        compare(rows_elu(&out, 0), want_elu, n_elu, part, index + 1, engine->kernels->name);
        free(want_elu);
    }
    free(in);
    free(want);
    rows_free(&out);
    stage_free(&stage);
}

static void test_layers(void **state) {
    ecdc_model *model = *state;
    ecdc_error err;
    static const struct { enum network_part part; const char *name; } parts[] = {{NETWORK_ENCODER, "encoder"},
                                                                                 {NETWORK_DECODER, "decoder"}};
    for (int cpu = 0; cpu < N_CPUS; cpu++) {
        if (!kernels_for(all_cpus[cpu], ECDC_PRECISION_F32))
            continue;
        struct engine engine = open_engine(all_cpus[cpu], 2);
        for (int p = 0; p < 2; p++) {
            const struct network *net;
            MUST(network_get(model, parts[p].part, engine.kernels, 0, &net, &err));
            int index = 0;
            for (size_t i = 0; i < net->n_layers; i++, index++) {
                index += net->layers[i].elu_before;
                run_layer(net, i, index - 1, index, parts[p].name, &engine, 37);
            }
            assert_int_equal(index, 16);
        }
        engine_close(&engine);
    }
}

static void test_quantizer(void **state) {
    ecdc_model *model = *state;
    ecdc_error err;
    size_t n, n_want;
    int64_t dims[2], want_dims[2];
    for (int cpu = 0; cpu < N_CPUS; cpu++) {
        if (!kernels_for(all_cpus[cpu], ECDC_PRECISION_F32))
            continue;
        struct engine engine = open_engine(all_cpus[cpu], 1);
        const struct network *codebooks;
        MUST(network_get(model, NETWORK_CODEBOOK_SEARCH, engine.kernels, 8, &codebooks, &err));
        float *vectors = golden_floats("layers/encoder_15", &n, dims), *want = golden_floats("layers/quantized", &n_want, want_dims);
        float *scratch = malloc(quantizer_scratch(codebooks) * sizeof *scratch);
        int32_t codes[30 * 8];
        assert_int_equal(dims[0], 30);
        quantizer_encode(codebooks, &engine, 8, vectors, 30, scratch, codes);
        quantizer_decode(codebooks, 8, codes, 30, vectors);
        compare(vectors, want, n_want, "quantized", 0, engine.kernels->name);
        free(vectors);
        free(want);
        free(scratch);
        engine_close(&engine);
    }
}

/* Of two equal entries the lower index is taken, as torch's max does. */
static void test_ties(void **state) {
    (void)state;
    float rows[3 * 2] = {5, 5, 1, 1, 1, 1};
    struct engine engine = open_engine(ECDC_CPU_REFERENCE, 1);
    struct matrix m;
    size_t w_floats, bias_floats;
    engine.kernels->matrix_layout(&m, 2, 3, true, &w_floats, &bias_floats);
    m.w = calloc(w_floats, sizeof(float));
    m.bias = calloc(bias_floats, sizeof(float));
    struct matrix_source source = {.w = (float[]){-5, -5, -1, -1, -1, -1}, .rows = 2, .row_inner = 2, .row_inner_step = 1,
                                   .columns = 3, .column_inner = 3, .column_inner_step = 2};
    matrix_pack(engine.kernels, &m, 0, &source);
    m.bias[0] = 25;
    m.bias[1] = m.bias[2] = 1;
    struct network codebooks = {.n_codebooks = 1, .entries = 3, .dimension = 2, .rows = rows, .search = &m};
    float vector[2] = {1.5f, 0.5f}, scratch[QUANTIZER_FRAMES * 3];
    int32_t code;
    quantizer_encode(&codebooks, &engine, 1, vector, 1, scratch, &code);
    assert_int_equal(code, 1);
    assert_true(vector[0] == 0.5f && vector[1] == -0.5f); /* the residual */
    free(m.w);
    free(m.bias);
    engine_close(&engine);
}

static int open_model(void **state) {
    *state = open_golden_model();
    return 0;
}

static int close_model(void **state) {
    ecdc_model_close(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_quantizer),
        cmocka_unit_test(test_ties),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
