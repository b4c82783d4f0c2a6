/* A code autoencoder small enough to be computed by hand, every kernel table, every way for its file to be wrong. */
#include "model_support.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

/* 2 codebooks of 3 entries, frames of 2 numbers, patches of 2 frames, 3 frames per TR: 2 patches, the last one half empty. The
 * encoder's first layer takes the first number of both frames and the second of both, apart; the bottleneck has 2 numbers per patch. */
enum { CODEBOOKS = 2, ENTRIES = 3, FRAMES = 3, BOTTLENECK = 4, N_TENSORS = 11 };

static const float embedding[] = {1, 0, 0, 1, 2, 2, /* codebook 1: */ 0.5f, 0, 0, 0.5f, -1, -1};
static const float encoder_0[] = {1, 0, 1, 0, 0, 1, 0, 1}, encoder_0_bias[] = {0, -1};
static const float encoder_2[] = {1, 0, 1, 1}, encoder_2_bias[] = {0.25f, 0};
static const float decoder_0[] = {1, 0, 0, 1, -1, 1}, decoder_0_bias[] = {0, 0, 0};
static const float decoder_2[] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1}, decoder_2_bias[] = {0, 0, 0, -2};
static const float head_weight[] = {1, 0, 0, 1, 0.5f, 0.5f, -1, 0, 0, -1, 1, 1}, head_bias[] = {0, 0, 0.125f, 0, 0, 0};

struct item {
    const char *name, *shape;
    const float *values;
    size_t n;
};
#define ITEM(name, shape, values) {name, shape, values, sizeof(values) / sizeof *(values)}
static const struct item items[N_TENSORS] = {
    ITEM("embedding", "[2, 3, 2]", embedding),        ITEM("encoder.0.weight", "[2, 4]", encoder_0),
    ITEM("encoder.0.bias", "[2]", encoder_0_bias),    ITEM("encoder.2.weight", "[2, 2]", encoder_2),
    ITEM("encoder.2.bias", "[2]", encoder_2_bias),    ITEM("decoder.0.weight", "[3, 2]", decoder_0),
    ITEM("decoder.0.bias", "[3]", decoder_0_bias),    ITEM("decoder.2.weight", "[4, 3]", decoder_2),
    ITEM("decoder.2.bias", "[4]", decoder_2_bias),    ITEM("head_weight", "[2, 3, 2]", head_weight),
    ITEM("head_bias", "[2, 3]", head_bias),
};

/* A file with these tensors; `changed` gets another shape (and zeros to fill it), or is left out where that is NULL. */
static const char *write_model(const char *metadata, const char *changed, const char *shape, size_t n_changed) {
    static char path[64];
    char header[4096];
    static const float zeros[1 << 12];
    size_t at = 0;
    int n = snprintf(header, sizeof header, "{\"__metadata__\": %s", metadata);
    for (int i = 0; i < N_TENSORS; i++) {
        bool change = changed && !strcmp(changed, items[i].name);
        size_t bytes = (change ? n_changed : items[i].n) * sizeof(float);
        if (change && !shape)
            continue;
        n += snprintf(header + n, sizeof header - (size_t)n, ", \"%s\": {\"dtype\": \"F32\", \"shape\": %s, \"data_offsets\": [%zu, %zu]}",
                      items[i].name, change ? shape : items[i].shape, at, at + bytes);
        at += bytes;
    }
    n += snprintf(header + n, sizeof header - (size_t)n, "}");
    snprintf(path, sizeof path, "/tmp/ecdc-autoencoder-%ld.safetensors", (long)getpid());
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    uint64_t length = (uint64_t)n;
    assert_int_equal(fwrite(&length, 8, 1, file), 1);
    assert_int_equal(fwrite(header, (size_t)n, 1, file), 1);
    for (int i = 0; i < N_TENSORS; i++) {
        bool change = changed && !strcmp(changed, items[i].name);
        if (change && shape)
            assert_int_equal(fwrite(zeros, sizeof *zeros, n_changed, file), n_changed);
        else if (!change)
            assert_int_equal(fwrite(items[i].values, sizeof(float), items[i].n, file), items[i].n);
    }
    assert_int_equal(fclose(file), 0);
    return path;
}

static const char GOOD[] = "{\"frames_per_tr\": \"3\", \"model\": \"tiny\", \"model_sha256\": \"ab\"}";

static ecdc_autoencoder *open_good(ecdc_cpu cpu) {
    ecdc_settings settings = ecdc_default_settings();
    settings.cpu = cpu;
    settings.n_threads = 2;
    ecdc_autoencoder *a = NULL;
    ecdc_error err;
    const char *path = write_model(GOOD, NULL, NULL, 0);
    ecdc_status status = ecdc_autoencoder_open(path, &settings, &a, &err);
    unlink(path);
    if (status == ECDC_E_UNSUPPORTED)
        return NULL;
    assert_int_equal(status, ECDC_OK);
    return a;
}

static double elu(double x) {
    return x > 0 ? x : expm1(x);
}

/* The same in doubles, number by number. */
static void by_hand(const int64_t *codes, double bottleneck[BOTTLENECK], double logits[CODEBOOKS][FRAMES][ENTRIES]) {
    for (int patch = 0; patch < 2; patch++) {
        double x[4] = {0}, h[2], *b = bottleneck + 2 * patch, d[3], y[4];
        for (int f = 0; f < 2 && 2 * patch + f < FRAMES; f++)
            for (int q = 0; q < CODEBOOKS; q++)
                for (int i = 0; i < 2 && codes[q * FRAMES + 2 * patch + f] >= 0; i++)
                    x[2 * f + i] += embedding[(q * ENTRIES + codes[q * FRAMES + 2 * patch + f]) * 2 + i];
        h[0] = elu(x[0] + x[2]);
        h[1] = elu(x[1] + x[3] - 1);
        b[0] = h[0] + 0.25;
        b[1] = h[0] + h[1];
        d[0] = elu(b[0]);
        d[1] = elu(b[1]);
        d[2] = elu(b[1] - b[0]);
        y[0] = elu(d[0]);
        y[1] = elu(d[1]);
        y[2] = elu(d[2]);
        y[3] = elu(d[0] + d[1] + d[2] - 2);
        for (int f = 0; f < 2 && 2 * patch + f < FRAMES; f++)
            for (int q = 0; q < CODEBOOKS; q++)
                for (int e = 0; e < ENTRIES; e++)
                    logits[q][2 * patch + f][e] = head_weight[(q * ENTRIES + e) * 2] * y[2 * f] +
                                                  head_weight[(q * ENTRIES + e) * 2 + 1] * y[2 * f + 1] + head_bias[q * ENTRIES + e];
    }
}

static void rows_of_codes(int64_t *codes, size_t n_trs) {
    for (size_t i = 0; i < n_trs * CODEBOOKS * FRAMES; i++)
        codes[i] = (int64_t)((i * 7 + i / 5) % ENTRIES);
}

static void a_model_by_hand(void **state) {
    (void)state;
    enum { TRS = 70 }; /* more patches than are computed at a time */
    static int64_t codes[TRS * CODEBOOKS * FRAMES], result[TRS * CODEBOOKS * FRAMES], one[CODEBOOKS * FRAMES];
    static float bottleneck[TRS * BOTTLENECK], logits[TRS * CODEBOOKS * FRAMES * ENTRIES], again[CODEBOOKS * FRAMES * ENTRIES];
    int n_tables = 0;
    rows_of_codes(codes, TRS);
    codes[5 * CODEBOOKS * FRAMES + 2] = codes[5 * CODEBOOKS * FRAMES + 5] = -1; /* TR 5 has no last frame */
    for (int cpu = ECDC_CPU_AUTO; cpu <= ECDC_CPU_NEON; cpu++) {
        ecdc_autoencoder *a = open_good((ecdc_cpu)cpu);
        if (!a)
            continue;
        n_tables++;
        assert_int_equal(ecdc_autoencoder_run(a, codes, TRS, result, bottleneck, logits, NULL), ECDC_OK);
        for (int tr = 0; tr < TRS; tr++) {
            double b[BOTTLENECK], l[CODEBOOKS][FRAMES][ENTRIES];
            const int64_t *row = codes + tr * CODEBOOKS * FRAMES;
            by_hand(row, b, l);
            for (int i = 0; i < BOTTLENECK; i++)
                assert_float_equal(bottleneck[tr * BOTTLENECK + i], b[i], 1e-5);
            for (int i = 0; i < CODEBOOKS * FRAMES; i++) {
                const double *of = l[i / FRAMES][i % FRAMES];
                int best = 0;
                for (int e = 0; e < ENTRIES; e++) {
                    assert_float_equal(logits[(tr * CODEBOOKS * FRAMES + i) * ENTRIES + e], of[e], 1e-5);
                    best = of[e] > of[best] + 1e-6 ? e : best;
                }
                assert_int_equal(result[tr * CODEBOOKS * FRAMES + i], row[i] < 0 ? -1 : best);
            }
            /* alone, in place, without what is not asked for: the same bits */
            memcpy(one, row, sizeof one);
            assert_int_equal(ecdc_autoencoder_run(a, one, 1, one, NULL, again, NULL), ECDC_OK);
            assert_memory_equal(one, result + tr * CODEBOOKS * FRAMES, sizeof one);
            assert_memory_equal(again, logits + tr * CODEBOOKS * FRAMES * ENTRIES, sizeof again);
        }
        ecdc_autoencoder_close(a);
    }
    assert_true(n_tables >= 2);
}

static void facts(void **state) {
    (void)state;
    ecdc_autoencoder *a = open_good(ECDC_CPU_AUTO);
    ecdc_autoencoder_info info;
    ecdc_autoencoder_get_info(a, &info);
    assert_int_equal(info.n_codebooks, 2);
    assert_int_equal(info.codebook_size, 3);
    assert_int_equal(info.frames_per_tr, 3);
    assert_int_equal(info.patch_frames, 2);
    assert_int_equal(info.n_patches, 2);
    assert_int_equal(info.bottleneck, 4);
    assert_int_equal(info.n_parameters, 12 + 8 + 2 + 4 + 2 + 6 + 3 + 12 + 4 + 12 + 6);
    assert_string_equal(info.model, "tiny");
    assert_string_equal(info.model_sha256, "ab");
    assert_int_equal(ecdc_autoencoder_run(a, NULL, 0, NULL, NULL, NULL, NULL), ECDC_OK);
    ecdc_autoencoder_close(a);
    ecdc_autoencoder_close(NULL);
}

static void codes_out_of_range(void **state) {
    (void)state;
    static const struct {
        size_t at;
        int64_t code;
        const char *says;
    } cases[] = {
        {7, 3, "code 3 of TR 1, codebook 0, frame 1 is out of range; allowed are 0 to 2"},
        {3, -2, "code -2 of TR 0, codebook 1, frame 0"},
        {0, INT64_MIN, "of TR 0, codebook 0, frame 0"},
        {4, INT64_MAX, "of TR 0, codebook 1, frame 1"},
        {2, -1, "TR 0, codebook 1, frame 2"}, /* a frame is not there in one codebook and there in the other */
        {5, -1, "code -1 of TR 0, codebook 1, frame 2"},
    };
    ecdc_autoencoder *a = open_good(ECDC_CPU_AUTO);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t codes[2 * CODEBOOKS * FRAMES], result[2 * CODEBOOKS * FRAMES];
        ecdc_error err;
        rows_of_codes(codes, 2);
        codes[cases[i].at] = cases[i].code;
        assert_int_equal(ecdc_autoencoder_run(a, codes, 2, result, NULL, NULL, &err), ECDC_E_ARGUMENT);
        assert_message(err, cases[i].says);
    }
    ecdc_autoencoder_close(a);
}

static void expect_refusal(const char *path, ecdc_status status, const char *says) {
    ecdc_autoencoder *a = NULL;
    ecdc_error err = {ECDC_OK, ""};
    assert_int_equal(ecdc_autoencoder_open(path, NULL, &a, &err), status);
    assert_message(err, path);
    assert_message(err, says);
    assert_null(a);
    unlink(path);
}

static void tensors_that_are_missing_or_do_not_fit(void **state) {
    (void)state;
    for (int i = 0; i < N_TENSORS; i++) {
        char says[64];
        snprintf(says, sizeof says, "no tensor %s", items[i].name);
        expect_refusal(write_model(GOOD, items[i].name, NULL, 0), ECDC_E_MODEL, says);
    }
    static const struct {
        const char *name, *shape;
        size_t n;
        const char *says;
    } cases[] = {
        {"embedding", "[2, 6]", 12, "tensor embedding is (2, 6), the others need (any, any, any)"},
        {"embedding", "[2, 3, 0]", 0, "tensor embedding is (2, 3, 0)"},
        {"embedding", "[2, 4, 2]", 16, "tensor head_weight is (2, 3, 2), the others need (2, 4, any)"},
        {"embedding", "[2, 3, 3]", 18, "encoder.0 takes 4 numbers, no whole number of frames of 3 each"},
        {"encoder.0.weight", "[2, 8]", 16, "encoder.0 takes patches of 4 frames, a TR has 3 (frames_per_tr)"},
        {"encoder.0.weight", "[2, 2]", 4, "tensor decoder.2.weight is (4, 3), the others need (2, 3)"},
        {"encoder.0.bias", "[3]", 3, "tensor encoder.0.bias is (3), the others need (2)"},
        {"encoder.2.weight", "[2, 3]", 6, "tensor encoder.2.weight is (2, 3), the others need (any, 2)"},
        {"decoder.0.weight", "[3, 1]", 3, "tensor decoder.0.weight is (3, 1), the others need (any, 2)"},
        {"decoder.2.weight", "[5, 3]", 15, "tensor decoder.2.weight is (5, 3), the others need (4, 3)"},
        {"head_weight", "[2, 3, 1]", 6, "tensor decoder.2.weight is (4, 3), the others need (2, 3)"},
        {"head_bias", "[6]", 6, "tensor head_bias is (6), the others need (2, 3)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(write_model(GOOD, cases[i].name, cases[i].shape, cases[i].n), ECDC_E_MODEL, cases[i].says);
    expect_refusal(write_model(GOOD, "embedding", "[4611686018427387904, 4611686018427387904, 2]", 12), ECDC_E_FORMAT, "embedding");
}

static void metadata_that_is_missing_or_wrong(void **state) {
    (void)state;
    static const char *const none[] = {"{}", "[]", "7"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        expect_refusal(write_model(none[i], NULL, NULL, 0), ECDC_E_MODEL, "its metadata has no frames_per_tr");
    static const char *const frames[] = {"{\"frames_per_tr\": 3}", "{\"frames_per_tr\": \"\"}", "{\"frames_per_tr\": \"3x\"}",
                                         "{\"frames_per_tr\": \"0\"}", "{\"frames_per_tr\": \"99999999999999999999\"}"};
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
        expect_refusal(write_model(frames[i], NULL, NULL, 0), ECDC_E_MODEL, "frames_per_tr in its metadata is '");
    expect_refusal(write_model("{\"frames_per_tr\": \"3\", \"source\": \"fmri\"}", NULL, NULL, 0), ECDC_E_MODEL, "from scans");
}

static void files_that_are_none(void **state) {
    (void)state;
    ecdc_autoencoder *a = NULL;
    ecdc_error err;
    assert_int_equal(ecdc_autoencoder_open("/no/such/file", NULL, &a, &err), ECDC_E_IO);
    assert_message(err, "/no/such/file");
    assert_int_equal(ecdc_autoencoder_open(ECDC_MODEL_DIR "/config.json", NULL, &a, &err), ECDC_E_FORMAT);
    assert_int_equal(ecdc_autoencoder_open(ECDC_MODEL_DIR "/model.safetensors", NULL, &a, &err), ECDC_E_MODEL);
    assert_message(err, "frames_per_tr");
    ecdc_settings settings = ecdc_default_settings();
    settings.n_threads = 1000;
    assert_int_equal(ecdc_autoencoder_open("/no/such/file", &settings, &a, &err), ECDC_E_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_by_hand),
        cmocka_unit_test(facts),
        cmocka_unit_test(codes_out_of_range),
        cmocka_unit_test(tensors_that_are_missing_or_do_not_fit),
        cmocka_unit_test(metadata_that_is_missing_or_wrong),
        cmocka_unit_test(files_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
