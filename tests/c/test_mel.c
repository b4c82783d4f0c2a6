/* Mel spectrograms against librosa's numbers, and the rows that TRs make of their frames. */
#include "features/mel_filters.h"
#include "features/mel_rows.h"
#include "golden.h"

static const double same_db = 1e-3;

static void assert_fails(ecdc_status status, ecdc_status wanted, const ecdc_error *err, const char *says) {
    assert_int_equal(status, wanted);
    if (!strstr(err->message, says))
        fail_msg("`%s` does not say `%s`", err->message, says);
}

enum { MELS = 2048, SPEECH_FRAMES = 44 };
static float power[SPEECH_FRAMES * MELS], cut[SPEECH_FRAMES * MELS];

static float *speech(size_t *n) {
    int64_t dims[2];
    int64_t *codes = golden_codes("../features/speech", dims);
    *n = (size_t)dims[0];
    float *samples = malloc(*n * sizeof *samples);
    for (size_t i = 0; i < *n; i++)
        samples[i] = (float)codes[i] / 32768;
    free(codes);
    return samples;
}

static void test_librosa(void **state) {
    (void)state;
    static const size_t stored[] = {0, 1, 5, 20, 42, 43};
    ecdc_error err;
    size_t n, n_db, one;
    int64_t dims[2];
    float *samples = speech(&n), *db = golden_floats("../features/mel_db", &n_db, dims);
    float *peak = golden_floats("../features/mel_peak", &one, dims);
    MUST(ecdc_mel_spectrogram(NULL, samples, n, power, &err));
    double ref = 0, worst = 0;
    for (size_t i = 0; i < SPEECH_FRAMES * MELS; i++)
        ref = fmax(ref, (double)power[i]);
    assert_true(fabs(ref / (double)peak[0] - 1) < 1e-6);
    ecdc_power_to_db(power, SPEECH_FRAMES * MELS, ref, 80, cut);
    assert_int_equal(n_db, sizeof stored / sizeof *stored * MELS);
    for (size_t i = 0; i < n_db; i++)
        worst = fmax(worst, fabs((double)(cut[stored[i / MELS] * MELS + i % MELS] - db[i])));
    print_message("largest difference from librosa: %.1e dB\n", worst);
    assert_true(worst < same_db);
    free(samples);
    free(db);
    free(peak);
}

static void test_pieces_are_the_whole(void **state) {
    (void)state;
    ecdc_error err;
    size_t n, frames = 0;
    float *samples = speech(&n);
    ecdc_mel *mel;
    MUST(ecdc_mel_spectrogram(NULL, samples, n, power, &err));
    MUST(ecdc_mel_new(NULL, &mel, &err));
    for (size_t i = 0, part = 1; i < n; i += part, part = part * 3 % 5003) {
        part = part < n - i ? part : n - i;
        MUST(ecdc_mel_push(mel, samples + i, part, &err));
        frames += ecdc_mel_pull(mel, cut + frames * MELS, 1);
    }
    MUST(ecdc_mel_finish(mel, &err));
    assert_int_equal(ecdc_mel_ready(mel), SPEECH_FRAMES - frames);
    assert_int_equal(ecdc_mel_pull(mel, cut + frames * MELS, SPEECH_FRAMES), SPEECH_FRAMES - frames);
    assert_memory_equal(cut, power, sizeof power);
    double peak = 0;
    for (size_t i = 0; i < SPEECH_FRAMES * MELS; i++)
        peak = fmax(peak, (double)power[i]);
    assert_true(ecdc_mel_peak(mel) == peak);
    assert_int_equal(ecdc_mel_empty_filters(mel), 303); /* librosa: (filters.mel(...).max(1) == 0).sum() */
    assert_fails(ecdc_mel_push(mel, samples, 1, &err), ECDC_E_ARGUMENT, &err, "has ended");
    ecdc_mel_free(mel);
    free(samples);
}

/* Filter m of three from 0 to 1000 Hz, all in the linear part: edges 0, 250, 500, 750, 1000 Hz, bins 31.25 Hz apart. */
static void test_filters_by_hand(void **state) {
    (void)state;
    ecdc_error err;
    struct mel_filters f;
    ecdc_mel_settings s = ecdc_default_mel_settings();
    s.sampling_rate_hz = 2000;
    s.n_fft = s.hop = 64;
    s.n_mels = 3;
    MUST(mel_filters_init(&f, &s, &err));
    assert_int_equal(f.n_empty, 0);
    for (size_t m = 0; m < 3; m++) {
        assert_int_equal(f.bin[m], 8 * m + 1);
        assert_int_equal(f.first[m + 1] - f.first[m], 15);
        for (size_t i = 0; i < 15; i++) {
            double triangle = (i < 8 ? (double)(i + 1) : (double)(15 - i)) / 8;
            assert_true(fabs((double)f.weights[f.first[m] + i] - triangle * 2 / 500) < 1e-9);
        }
    }
    mel_filters_free(&f);
}

static void test_lengths(void **state) {
    (void)state;
    ecdc_error err;
    ecdc_mel_settings s = ecdc_default_mel_settings();
    ecdc_mel *mel;
    static const float sound[1024] = {0.5f};
    assert_int_equal(ecdc_mel_frames(&s, 0), 0);
    assert_int_equal(ecdc_mel_frames(&s, 1), 1);
    assert_int_equal(ecdc_mel_frames(&s, 511), 1);
    assert_int_equal(ecdc_mel_frames(&s, 512), 2);
    for (size_t n = 0; n <= 1024; n += 256) {
        MUST(ecdc_mel_new(&s, &mel, &err));
        MUST(ecdc_mel_push(mel, sound, n, &err));
        MUST(ecdc_mel_finish(mel, &err));
        assert_int_equal(ecdc_mel_ready(mel), ecdc_mel_frames(&s, (int64_t)n));
        ecdc_mel_free(mel);
    }
}

static void test_decibels(void **state) {
    (void)state;
    const float in[] = {2, 0.2f, 1e-12f, 0};
    float db[4], back[4];
    ecdc_power_to_db(in, 4, 2, 80, db);
    assert_true(db[0] == 0 && fabsf(db[1] + 10) < 1e-5f && db[2] == -80 && db[3] == -80);
    ecdc_db_to_power(db, 4, 2, back);
    assert_true(back[0] == 2 && fabsf(back[1] - 0.2f) < 1e-6f && fabsf(back[3] - 2e-8f) < 1e-13f);
    ecdc_power_to_db(in + 2, 2, 1e-12, 80, db); /* below librosa's amin everything is as loud as the reference */
    assert_true(db[0] == 0 && db[1] == 0);
    ecdc_power_to_db(in + 3, 1, 0, 80, db);
    assert_true(db[0] == 0);
    ecdc_db_to_power(db, 1, 0, back);
    assert_true(back[0] == 0);
}

static void test_refusals(void **state) {
    (void)state;
    ecdc_error err;
    ecdc_mel *mel = NULL;
    const float samples[] = {0, 1, NAN};
    ecdc_mel_settings s = ecdc_default_mel_settings();
#define REFUSED(field, value, says)                                                       \
    s = ecdc_default_mel_settings();                                                      \
    s.field = value;                                                                      \
    assert_fails(ecdc_mel_new(&s, &mel, &err), ECDC_E_ARGUMENT, &err, says);
    REFUSED(sampling_rate_hz, 999, "sampling_rate_hz is 999, allowed are 1000 to 384000")
    REFUSED(n_fft, 4095, "n_fft is 4095, allowed are powers of two from 64 to 65536")
    REFUSED(n_fft, 32, "n_fft is 32")
    REFUSED(hop, 63, "hop is 63, allowed are 64 to 4096")
    REFUSED(hop, 4097, "hop is 4097")
    REFUSED(n_mels, 0, "n_mels is 0, allowed are 1 to 65536")
    REFUSED(iterations, -1, "iterations is -1, allowed are 0 to 1000")
    REFUSED(momentum, 1.5, "momentum is 1.5, allowed are 0 to 1")
    REFUSED(momentum, NAN, "momentum is nan")
    assert_null(mel);
    MUST(ecdc_mel_new(NULL, &mel, &err));
    MUST(ecdc_mel_push(mel, samples, 2, &err));
    assert_fails(ecdc_mel_push(mel, samples + 1, 2, &err), ECDC_E_ARGUMENT, &err, "sample 3 is not finite");
    ecdc_mel_free(mel);
    ecdc_mel_free(NULL);
}

/* 1.5 s at 22.05 kHz are 33 075 samples or 64.6 hops: rows start at frames 0, 64, 129, 193 ... */
static void test_rows(void **state) {
    (void)state;
    ecdc_error err;
    ecdc_mel_settings s = ecdc_default_mel_settings();
    s.n_mels = 2;
    ecdc_mel_grid grid;
    struct mel_rows rows;
    for (int alignment = 0; alignment < 2; alignment++) {
        MUST(ecdc_mel_grid_init(&grid, &s, "1.5", (ecdc_alignment)alignment, &err));
        assert_int_equal(grid.width, 65);
        static const int64_t starts[] = {0, 64, 129, 193, 258};
        for (int64_t i = 0, first, count; i < 4; i++) {
            ecdc_mel_grid_frames(&grid, i, &first, &count);
            assert_int_equal(first, starts[i]);
            assert_int_equal(count, starts[i + 1] - starts[i]);
        }
    }
    MUST(mel_rows_init(&rows, &grid, &err));
    float row[2 * 65];
    int64_t n_frames;
    for (int t = 0; t < 100; t++) {
        assert_int_equal(mel_rows_next(&rows, false, row, &n_frames), t == 64);
        if (t == 64) {
            assert_int_equal(n_frames, 64);
            assert_true(row[0] == 0 && row[63] == -63 && row[64] == -80 && row[65] == -0.5f && row[65 + 64] == -80);
        }
        const float frame[] = {(float)-t, (float)-t - 0.5f};
        MUST(mel_rows_push(&rows, frame, 1, &err));
    }
    assert_true(mel_rows_next(&rows, true, row, &n_frames)); /* the sound has ended */
    assert_int_equal(n_frames, 36);
    assert_true(row[0] == -64 && row[35] == -99 && row[36] == -80);
    mel_rows_free(&rows);
}

/* Rows that share or lose no frame for any TR in integers. */
static void test_exact_rows_tile(void **state) {
    (void)state;
    static const char *const trs[] = {"0.72", "2/3", "1.49", "2.0", "1/75"};
    ecdc_error err;
    ecdc_mel_settings s = ecdc_default_mel_settings();
    for (size_t k = 0; k < sizeof trs / sizeof *trs; k++) {
        ecdc_mel_grid grid;
        MUST(ecdc_mel_grid_init(&grid, &s, trs[k], ECDC_ALIGN_EXACT, &err));
        for (int64_t i = 0, next = 0, first, count; i < 5000; i++, next = first + count) {
            ecdc_mel_grid_frames(&grid, i, &first, &count);
            assert_int_equal(first, next);
            assert_in_range(count, 0, (int64_t)grid.width);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_librosa),  cmocka_unit_test(test_pieces_are_the_whole), cmocka_unit_test(test_filters_by_hand),
        cmocka_unit_test(test_lengths),  cmocka_unit_test(test_decibels),             cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_exact_rows_tile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
