/* The codec through its public interface: the reference's codes and sound at every bandwidth and many lengths, and the same
 * bits however the signal is cut, whatever the number of threads. */
#include "compute/kernels.h"
#include "golden.h"

static ecdc_settings settings_for(ecdc_cpu cpu, int threads, double kbps) {
    ecdc_settings s = ecdc_default_settings();
    s.cpu = cpu;
    s.n_threads = threads;
    s.bandwidth_kbps = kbps;
    return s;
}

/* False where this machine lacks the kernels. */
static bool runs(const ecdc_model *model, ecdc_cpu cpu) {
    ecdc_error err;
    ecdc_encoder *e;
    ecdc_settings s = settings_for(cpu, 1, 3);
    ecdc_status status = ecdc_encoder_new(model, &s, &e, &err);
    if (status == ECDC_E_UNSUPPORTED)
        return false;
    assert_int_equal(status, ECDC_OK);
    ecdc_encoder_free(e);
    return true;
}

static void check_codes(const int32_t *codes, const int64_t *want, int64_t codebooks, int64_t frames) {
    for (int64_t t = 0; t < frames; t++)
        for (int64_t q = 0; q < codebooks; q++)
            if (codes[t * codebooks + q] != want[q * frames + t])
                fail_msg("frame %d, codebook %d: %d, expected %d", (int)t, (int)q, (int)codes[t * codebooks + q],
                         (int)want[q * frames + t]);
}

static void check_sound(const float *sound, const float *want, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(sound[i] - want[i]) < 1e-5f)) /* the promise is 1e-4 */
            fail_msg("sample %zu: %.8g, expected %.8g", i, (double)sound[i], (double)want[i]);
}

static void test_golden(void **state) {
    ecdc_model *model = *state;
    ecdc_error err;
    static const struct { double kbps; const char *name; int codebooks; } rows[] = {{1.5, "1.5", 2}, {3, "3", 4}, {6, "6", 8}};
    size_t n, n_sound;
    int64_t dims[2], sound_dims[2];
    float *input = golden_floats("input", &n, dims);
    for (int cpu = 0; cpu < N_CPUS; cpu++) {
        if (!runs(model, all_cpus[cpu]))
            continue;
        for (int b = 0; b < 3; b++) {
            char name[64];
            ecdc_settings s = settings_for(all_cpus[cpu], 2, rows[b].kbps);
            size_t frames = (size_t)ecdc_model_frames(model, (int64_t)n);
            int32_t *codes = malloc(frames * (size_t)rows[b].codebooks * sizeof *codes);
            MUST(ecdc_encode(model, &s, input, n, codes, &err));
            snprintf(name, sizeof name, "codes_%skbps", rows[b].name);
            int64_t *want = golden_codes(name, dims);
            assert_int_equal(dims[0], rows[b].codebooks);
            assert_int_equal(dims[1], frames);
            check_codes(codes, want, dims[0], dims[1]);

            snprintf(name, sizeof name, "decoded_%skbps", rows[b].name);
            float *want_sound = golden_floats(name, &n_sound, sound_dims);
            assert_int_equal(n_sound, frames * 320);
            float *sound = malloc(n_sound * sizeof *sound);
            MUST(ecdc_decode(model, &s, codes, frames, sound, &err));
            check_sound(sound, want_sound, n_sound);
            free(codes);
            free(want);
            free(want_sound);
            free(sound);
        }
    }
    free(input);
}

static void test_lengths(void **state) {
    ecdc_model *model = *state;
    ecdc_error err;
    static const int lengths[] = {1, 2, 3, 6, 7, 319, 320, 321, 639, 640, 2239, 2240, 2241, 3200};
    size_t n, n_sound;
    int64_t dims[2], sound_dims[2];
    float *input = golden_floats("input", &n, dims);
    for (int cpu = 0; cpu < N_CPUS; cpu++) {
        if (!runs(model, all_cpus[cpu]))
            continue;
        ecdc_settings s = settings_for(all_cpus[cpu], 1, 6);
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            char name[64];
            int32_t codes[10 * 8];
            float sound[3200];
            snprintf(name, sizeof name, "lengths/codes_%d", lengths[l]);
            int64_t *want = golden_codes(name, dims);
            assert_int_equal(dims[1], ecdc_model_frames(model, lengths[l]));
            MUST(ecdc_encode(model, &s, input, (size_t)lengths[l], codes, &err));
            check_codes(codes, want, 8, dims[1]);
            snprintf(name, sizeof name, "lengths/decoded_%d", lengths[l]);
            float *want_sound = golden_floats(name, &n_sound, sound_dims);
            MUST(ecdc_decode(model, &s, codes, (size_t)dims[1], sound, &err));
            check_sound(sound, want_sound, n_sound);
            free(want);
            free(want_sound);
        }
        /* no samples are no frames, and no error */
        MUST(ecdc_encode(model, &s, input, 0, NULL, &err));
        MUST(ecdc_decode(model, &s, NULL, 0, NULL, &err));
        assert_int_equal(ecdc_model_frames(model, 0), 0);
    }
    free(input);
}

/* Pushes pieces of random sizes (often tiny, sometimes none, sometimes everything) and pulls at random moments. */
static size_t encode_in_pieces(ecdc_encoder *e, const float *x, size_t n, int32_t *codes, uint32_t *seed) {
    ecdc_error err;
    size_t frames = 0, k = (size_t)ecdc_encoder_codebooks(e);
    for (size_t i = 0; i < n;) {
        static const uint32_t most[] = {1, 7, 320, 321, 3000, 40000};
        size_t piece = random_bits(seed) % (most[random_bits(seed) % 6] + 1);
        piece = piece < n - i ? piece : n - i;
        MUST(ecdc_encoder_push(e, x + i, piece, &err));
        i += piece;
        if (random_bits(seed) % 2)
            frames += ecdc_encoder_pull(e, codes + frames * k, random_bits(seed) % 20);
    }
    MUST(ecdc_encoder_finish(e, &err));
    return frames + ecdc_encoder_pull(e, codes + frames * k, SIZE_MAX);
}

static size_t decode_in_pieces(ecdc_decoder *d, const int32_t *codes, size_t n, float *x, uint32_t *seed) {
    ecdc_error err;
    size_t samples = 0, k = (size_t)ecdc_decoder_codebooks(d);
    for (size_t t = 0; t < n;) {
        static const uint32_t most[] = {1, 2, 5, 60};
        size_t piece = random_bits(seed) % (most[random_bits(seed) % 4] + 1);
        piece = piece < n - t ? piece : n - t;
        MUST(ecdc_decoder_push(d, codes + t * k, piece, &err));
        t += piece;
        if (random_bits(seed) % 2)
            samples += ecdc_decoder_pull(d, x + samples, random_bits(seed) % 900);
    }
    MUST(ecdc_decoder_finish(d, &err));
    return samples + ecdc_decoder_pull(d, x + samples, SIZE_MAX);
}

static void check_cuts(const ecdc_model *model, ecdc_cpu cpu, ecdc_precision precision, size_t n, uint32_t seed) {
    ecdc_error err;
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = 0.3f * random_float(&seed);
    ecdc_settings one = settings_for(cpu, 1, 6);
    one.precision = precision;
    size_t frames = (size_t)ecdc_model_frames(model, (int64_t)n);
    int32_t *whole = malloc(frames * 8 * sizeof *whole), *pieces = malloc(frames * 8 * sizeof *pieces);
    float *sound = malloc(frames * 320 * sizeof *sound), *sound_pieces = malloc(frames * 320 * sizeof *sound);
    MUST(ecdc_encode(model, &one, x, n, whole, &err));
    MUST(ecdc_decode(model, &one, whole, frames, sound, &err));
    for (int threads = 1; threads <= 3; threads++) {
        ecdc_settings s = settings_for(cpu, threads, 6);
        s.precision = precision;
        ecdc_encoder *e;
        ecdc_decoder *d;
        MUST(ecdc_encoder_new(model, &s, &e, &err));
        MUST(ecdc_decoder_new(model, &s, &d, &err));
        for (int round = 0; round < 2; round++) { /* the second one on a reset state */
            assert_int_equal(encode_in_pieces(e, x, n, pieces, &seed), frames);
            assert_memory_equal(pieces, whole, frames * 8 * sizeof *whole);
            assert_int_equal(decode_in_pieces(d, whole, frames, sound_pieces, &seed), frames * 320);
            assert_memory_equal(sound_pieces, sound, frames * 320 * sizeof *sound);
            ecdc_encoder_reset(e);
            ecdc_decoder_reset(d);
        }
        ecdc_encoder_free(e);
        ecdc_decoder_free(d);
    }
    free(x);
    free(whole);
    free(pieces);
    free(sound);
    free(sound_pieces);
}

static void test_cuts(void **state) {
    ecdc_model *model = *state;
    uint32_t seed = 20260101;
    printf("  seed %u\n", (unsigned)seed);
    for (int cpu = 0; cpu < N_CPUS; cpu++)
        for (int round = 0; round < 3 && runs(model, all_cpus[cpu]); round++)
            check_cuts(model, all_cpus[cpu], ECDC_PRECISION_F32, round == 0 ? 700 : 20000 + random_bits(&seed) % 30000, seed + (uint32_t)round);
}

/* The embedded model is large enough for its products to be shared by threads. */
static void test_cuts_default_model(void **state) {
    (void)state;
    ecdc_error err;
    ecdc_model *model;
    MUST(ecdc_model_open("default", &model, &err));
    check_cuts(model, ECDC_CPU_AUTO, ECDC_PRECISION_F32, 30000, 5);
    if (kernels_for(ECDC_CPU_AUTO, ECDC_PRECISION_BF16))
        check_cuts(model, ECDC_CPU_AUTO, ECDC_PRECISION_BF16, 70000, 6);
    ecdc_model_close(model);
}

/* Fed 320 samples at a time, the first frame comes with the 7th block, each later one at once. */
static void test_latency(void **state) {
    ecdc_model *model = *state;
    ecdc_error err;
    ecdc_encoder *e;
    ecdc_decoder *d;
    ecdc_settings s = settings_for(ECDC_CPU_AUTO, 1, 3);
    MUST(ecdc_encoder_new(model, &s, &e, &err));
    MUST(ecdc_decoder_new(model, &s, &d, &err));
    static const float silence[320];
    static const int32_t codes[4];
    for (size_t i = 1; i <= 20; i++) {
        MUST(ecdc_encoder_push(e, silence, 320, &err));
        assert_int_equal(ecdc_encoder_ready(e), i < 7 ? 0 : i);
        MUST(ecdc_decoder_push(d, codes, 1, &err));
        assert_true(ecdc_decoder_ready(d) <= i * 320);
        assert_true(i < 8 || ecdc_decoder_ready(d) == i * 320);
    }
    ecdc_encoder_free(e);
    ecdc_decoder_free(d);
}

static void expect(ecdc_status got, ecdc_status want, const ecdc_error *err, const char *part) {
    assert_int_equal(got, want);
    if (!strstr(err->message, part))
        fail_msg("'%s' is not in '%s'", part, err->message);
}

static void test_bad_arguments(void **state) {
    ecdc_model *model = *state;
    ecdc_error err;
    ecdc_encoder *e = NULL;
    ecdc_decoder *d = NULL;
    ecdc_settings s = settings_for(ECDC_CPU_AUTO, 1, 5);
    expect(ecdc_encoder_new(model, &s, &e, &err), ECDC_E_ARGUMENT, &err, "1.5, 3, 6 kbps");
    s.bandwidth_kbps = 3;
    s.n_threads = 257;
    expect(ecdc_encoder_new(model, &s, &e, &err), ECDC_E_ARGUMENT, &err, "n_threads is 257");
    s.n_threads = 1;
    s.n_codebooks = 9;
    expect(ecdc_decoder_new(model, &s, &d, &err), ECDC_E_ARGUMENT, &err, "9 codebooks");
    s.n_codebooks = 0;
    s.cpu = (ecdc_cpu)99;
    expect(ecdc_decoder_new(model, &s, &d, &err), ECDC_E_ARGUMENT, &err, "cpu is 99");
    assert_null(e);
    assert_null(d);
    s.cpu = ECDC_CPU_AUTO;

    MUST(ecdc_encoder_new(model, &s, &e, &err));
    float bad[3] = {0, 0, NAN};
    expect(ecdc_encoder_push(e, bad, 3, &err), ECDC_E_ARGUMENT, &err, "sample 2");
    MUST(ecdc_encoder_finish(e, &err));
    assert_int_equal(ecdc_encoder_ready(e), 0); /* nothing of the refused block was taken */
    expect(ecdc_encoder_push(e, bad, 1, &err), ECDC_E_ARGUMENT, &err, "finished");
    ecdc_encoder_free(e);

    MUST(ecdc_decoder_new(model, &s, &d, &err));
    int32_t codes[8] = {0, 1, 2, 1023, 0, 0, 1024, 0};
    expect(ecdc_decoder_push(d, codes, 2, &err), ECDC_E_ARGUMENT, &err, "code 1024 at frame 1, codebook 2");
    codes[6] = -1;
    expect(ecdc_decoder_push(d, codes, 2, &err), ECDC_E_ARGUMENT, &err, "code -1 at frame 1, codebook 2");
    MUST(ecdc_decoder_finish(d, &err));
    assert_int_equal(ecdc_decoder_ready(d), 0);
    ecdc_decoder_free(d);
    ecdc_encoder_free(NULL);
    ecdc_decoder_free(NULL);
    ecdc_model_close(NULL);
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
        cmocka_unit_test(test_golden),  cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_cuts),    cmocka_unit_test(test_cuts_default_model),
        cmocka_unit_test(test_latency), cmocka_unit_test(test_bad_arguments),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
