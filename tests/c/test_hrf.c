/* The haemodynamic response: nilearn's kernel, where the peak of each convolution falls; latents; alignment by resampling. */
#include "features/convolution.h"
#include "golden.h"

static void assert_fails(ecdc_status status, ecdc_status wanted, const ecdc_error *err, const char *says) {
    assert_int_equal(status, wanted);
    if (!strstr(err->message, says))
        fail_msg("`%s` does not say `%s`", err->message, says);
}

static void test_nilearn(void **state) {
    (void)state;
    static const double trs[] = {0.72, 1.5, 2.0};
    static const char *const names[] = {"0.72", "1.5", "2.0"};
    static const int oversamplings[] = {1, 50};
    static double kernel[4000];
    for (int i = 0; i < 6; i++) {
        ecdc_error err;
        char name[64];
        size_t n;
        int64_t dims[2];
        double worst = 0, sum = 0;
        snprintf(name, sizeof name, "../features/hrf_%s_%d", names[i / 2], oversamplings[i % 2]);
        float *wanted = golden_floats(name, &n, dims);
        assert_int_equal(ecdc_glover_hrf_length(trs[i / 2], oversamplings[i % 2], 32), n);
        MUST(ecdc_glover_hrf(trs[i / 2], oversamplings[i % 2], 32, 0, kernel, &err));
        for (size_t k = 0; k < n; k++) {
            worst = fmax(worst, fabs(kernel[k] - (double)wanted[k]));
            sum += kernel[k];
        }
        print_message("%s: %zu points, largest difference %.1e\n", name, n, worst);
        assert_true(worst < 1e-6 && fabs(sum - 1) < 1e-12);
        free(wanted);
    }
}

static void test_kernel_refusals(void **state) {
    (void)state;
    ecdc_error err;
    double kernel[100];
    assert_fails(ecdc_glover_hrf(0, 50, 32, 0, kernel, &err), ECDC_E_ARGUMENT, &err, "tr is 0 s");
    assert_fails(ecdc_glover_hrf(NAN, 50, 32, 0, kernel, &err), ECDC_E_ARGUMENT, &err, "tr is nan s");
    assert_fails(ecdc_glover_hrf(1.5, 0, 32, 0, kernel, &err), ECDC_E_ARGUMENT, &err, "oversampling is 0, allowed are 1 to");
    assert_fails(ecdc_glover_hrf(1.5, 1, -1, 0, kernel, &err), ECDC_E_ARGUMENT, &err, "time_length is -1 s");
    assert_fails(ecdc_glover_hrf(1.5, 1, 32, INFINITY, kernel, &err), ECDC_E_ARGUMENT, &err, "onset is not a finite");
    assert_fails(ecdc_glover_hrf(1.5, 1, 0.5, 0, kernel, &err), ECDC_E_ARGUMENT, &err, "are no point");
    assert_fails(ecdc_glover_hrf(1e-6, 1, 32, 0, kernel, &err), ECDC_E_ARGUMENT, &err, "more than 1e+07");
    assert_fails(ecdc_glover_hrf(1.5, 1, 32, 40, kernel, &err), ECDC_E_ARGUMENT, &err, "miss the response");
    assert_fails(ecdc_glover_hrf(30, 1, 32, 0, kernel, &err), ECDC_E_ARGUMENT, &err, "1 points from 0 to 32 s miss the response");
    assert_int_equal(ecdc_glover_hrf_length(0, 1, 32), 0);
    assert_fails(ecdc_hrf_convolve((ecdc_hrf)7, 1.5, NULL, 0, 1, 0, NULL, &err), ECDC_E_ARGUMENT, &err, "hrf is 7");
}

/* The row at which the response to one row is largest, counted from that row. */
static int peak_of(ecdc_hrf hrf, double tr) {
    enum { N = 60, AT = 30 };
    ecdc_error err;
    float series[N] = {0}, result[N];
    int best = 0;
    series[AT] = 1;
    MUST(ecdc_hrf_convolve(hrf, tr, series, N, 1, 0, result, &err));
    for (int i = 0; i < N; i++)
        best = result[i] > result[best] ? i : best;
    return best - AT;
}

static void test_where_the_peak_falls(void **state) {
    (void)state;
    /* causal: Glover's kernel peaks at 5.0 s. What sounds from 0 to TR has the largest response when the kernel from t - TR to
     * t has the largest sum, about TR / 2 after that: at 5.8 s for a TR of 1.5 s, whose nearest volume is 4 (6.0 s); at 6.0 s
     * for 2 s: 3; at 5.4 s for 0.72 s, between 7 (5.04 s, hears the kernel from 4.32 s on) and 8 (up to 5.76 s): the first gamma
     * density is the same at 4.32 and 5.76 s to 3 %, the undershoot takes more from the latter, so 7. */
    assert_int_equal(peak_of(ECDC_HRF_CAUSAL, 1.5), 4);
    assert_int_equal(peak_of(ECDC_HRF_CAUSAL, 2.0), 3);
    assert_int_equal(peak_of(ECDC_HRF_CAUSAL, 0.72), 7);
    /* giblet: at TR 1.5 s 21 points, 1.6 s apart; shifted by one TR the kernel peaks at 6.5 s, point 4 (6.4 s). Centred: point
     * 10 stands at the stimulus, so the response peaks 6 volumes before it. */
    assert_int_equal(peak_of(ECDC_HRF_GIBLET, 1.5), 4 - 10);
    /* 16 points, 2.13 s apart, the peak at 7.0 s: point 3 (6.4 s); scipy's centre is point 7, giblet's one later. */
    assert_int_equal(peak_of(ECDC_HRF_GIBLET, 2.0), 3 - 7 + 1);
}

static void test_causal_is_causal_and_keeps_constants(void **state) {
    (void)state;
    enum { N = 40 };
    ecdc_error err;
    float series[2 * N], result[2 * N];
    for (int i = 0; i < N; i++) {
        series[2 * i] = -80;           /* silence stays silence */
        series[2 * i + 1] = i < 20 ? 0 : 1;
    }
    MUST(ecdc_hrf_convolve(ECDC_HRF_CAUSAL, 1.5, series, N, 2, -80, result, &err));
    for (int i = 0; i < N; i++)
        assert_true(fabsf(result[2 * i] + 80) < 1e-4f);
    MUST(ecdc_hrf_convolve(ECDC_HRF_CAUSAL, 1.5, series, N, 2, 0, result, &err));
    for (int i = 0; i <= 20; i++) /* at the start of row 20 nothing of it has been heard */
        assert_true(result[2 * i + 1] == 0);
    assert_true(result[2 * 21 + 1] > 0);
    MUST(ecdc_hrf_convolve(ECDC_HRF_NONE, 1.5, series, N, 2, 0, result, &err));
    assert_memory_equal(series, result, sizeof series);
}

/* nilearn's compute_regressor for rows that hold for a TR. */
static void test_regressor(void **state) {
    (void)state;
    static const double trs[] = {1.5, 2.0};
    for (int i = 0; i < 2; i++) {
        ecdc_error err;
        size_t n, m;
        int64_t dims[2];
        float *stimulus = golden_floats("../features/stimulus", &n, dims), result[100];
        float *wanted = golden_floats(i ? "../features/regressor_2.0" : "../features/regressor_1.5", &m, dims);
        assert_int_equal(n, m);
        MUST(ecdc_hrf_convolve(ECDC_HRF_CAUSAL, trs[i], stimulus, n, 1, 0, result, &err));
        for (size_t k = 0; k < n; k++)
            assert_true(fabsf(result[k] - wanted[k]) < 1e-6f);
        free(stimulus);
        free(wanted);
    }
}

/* Against the sum written out, for odd and even kernels, series shorter and longer than them. */
static void test_centred(void **state) {
    (void)state;
    static const double trs[] = {0.72, 1.5, 2.0, 14};
    for (int i = 0; i < 4; i++)
        for (size_t n = 1; n < 70; n += 17)
            for (int centred = 0; centred < 2; centred++) {
                ecdc_error err;
                double kernel[64], peak = 0;
                float series[70];
                size_t n_kernel = ecdc_glover_hrf_length(trs[i], 1, 32), made = 0;
                uint32_t seed = 2;
                MUST(ecdc_glover_hrf(trs[i], 1, 32, 0, kernel, &err));
                for (size_t k = 0; k < n_kernel; k++)
                    peak = fmax(peak, kernel[k]);
                for (size_t k = 0; k < n; k++)
                    series[k] = 1000 * random_float(&seed);
                struct convolver c;
                MUST(convolver_init(&c, centred ? ECDC_HRF_GIBLET_DOC : ECDC_HRF_GIBLET, trs[i], 1, 0, &err));
                int64_t first = (int64_t)(n_kernel - 1) / 2 - (!centred && n_kernel % 2 == 0);
                for (size_t k = 0; made < n; k++) {
                    if (!convolver_push(&c, k < n ? series + k : NULL))
                        continue;
                    double sum = 0;
                    for (int64_t j = 0; j < (int64_t)n; j++) {
                        int64_t at = (int64_t)made + first - j;
                        sum += at >= 0 && at < (int64_t)n_kernel ? kernel[at] / peak * (double)series[j] : 0;
                    }
                    assert_true(fabs(c.result[0] - sum) < (centred ? 0.5 : 0) + 1e-9); /* centred: rounded */
                    assert_true(!centred || c.result[0] == rint(c.result[0]));
                    made++;
                }
                convolver_free(&c);
            }
}

static void test_resampling(void **state) {
    (void)state;
    ecdc_error err;
    const int64_t codes[] = {10, 11, 20, 21, 30, 31, 40, 41}; /* 4 rows of 2 */
    int64_t nearest[14];
    /* 7 places 0, 0.5, 1, 1.5, 2, 2.5, 3: halves go to the even row, as np.round has it. */
    MUST(ecdc_resample_nearest(codes, 4, 2, 7, nearest, &err));
    const int64_t rows[] = {0, 0, 1, 2, 2, 2, 3};
    for (int i = 0; i < 7; i++)
        assert_true(nearest[2 * i] == codes[2 * rows[i]] && nearest[2 * i + 1] == codes[2 * rows[i] + 1]);
    const float values[] = {0, 10, 40};
    float linear[5];
    MUST(ecdc_resample_linear(values, 3, 1, 5, linear, &err));
    const float wanted[] = {0, 5, 10, 25, 40};
    assert_memory_equal(linear, wanted, sizeof wanted);
    MUST(ecdc_resample_linear(values, 3, 1, 1, linear, &err));
    assert_true(linear[0] == 0);
    MUST(ecdc_resample_linear(values, 1, 1, 3, linear, &err));
    assert_true(linear[2] == 0);
    assert_fails(ecdc_resample_linear(values, 0, 1, 3, linear, &err), ECDC_E_ARGUMENT, &err, "from 0 to 3 rows");
    assert_fails(ecdc_resample_nearest(codes, 2, 1, 0, nearest, &err), ECDC_E_ARGUMENT, &err, "from 2 to 0 rows");
}

/* The reference's vectors between encoder and decoder, from the codes of the same samples. */
static void test_latents(void **state) {
    (void)state;
    ecdc_error err;
    size_t n, n_samples;
    int64_t dims[2], unused[2];
    ecdc_model *model = open_golden_model();
    float *wanted = golden_floats("layers/quantized", &n, dims), *samples = golden_floats("layers/input", &n_samples, unused);
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    assert_int_equal(dims[1], info.dimension);
    ecdc_settings settings = ecdc_default_settings();
    settings.n_codebooks = info.n_codebooks;
    int32_t *codes = calloc((size_t)(dims[0] * info.n_codebooks), sizeof *codes);
    float *vectors = calloc(n, sizeof *vectors);
    assert_int_equal(ecdc_model_frames(model, (int64_t)n_samples), dims[0]);
    MUST(ecdc_encode(model, &settings, samples, n_samples, codes, &err));
    MUST(ecdc_dequantize(model, info.n_codebooks, codes, (size_t)dims[0], vectors, &err));
    for (size_t i = 0; i < n; i++)
        assert_true(fabsf(vectors[i] - wanted[i]) < 1e-5f);
    codes[3] = info.codebook_size;
    assert_fails(ecdc_dequantize(model, 2, codes, 2, vectors, &err), ECDC_E_ARGUMENT, &err,
                 "at frame 1, codebook 1 is outside 0 to");
    assert_fails(ecdc_dequantize(model, 0, codes, 1, vectors, &err), ECDC_E_ARGUMENT, &err, "n_codebooks is 0");
    assert_fails(ecdc_dequantize(model, 99, codes, 1, vectors, &err), ECDC_E_ARGUMENT, &err,
                 "n_codebooks is 99, tiny24 has 1 to 8");
    free(codes);
    free(vectors);
    free(samples);
    free(wanted);
    ecdc_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nilearn),
        cmocka_unit_test(test_kernel_refusals),
        cmocka_unit_test(test_where_the_peak_falls),
        cmocka_unit_test(test_causal_is_causal_and_keeps_constants),
        cmocka_unit_test(test_regressor),
        cmocka_unit_test(test_centred),
        cmocka_unit_test(test_resampling),
        cmocka_unit_test(test_latents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
