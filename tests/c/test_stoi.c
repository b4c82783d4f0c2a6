/* STOI and ESTOI against pystoi's numbers, and where they end. */
#include "golden.h"
#include "metrics/resample_10k.h"
#include "metrics/stoi_segments.h"
#include "metrics/stoi_stream.h"

static const double same = 1e-9; /* both compute in doubles; the table has ten digits */

static void assert_near(double got, double want, double tolerance) {
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.12g, expected %.12g", got, want);
}

static void assert_fails(ecdc_status status, ecdc_status wanted, const ecdc_error *err, const char *says) {
    assert_int_equal(status, wanted);
    if (!strstr(err->message, says))
        fail_msg("`%s` does not say `%s`", err->message, says);
}

/* ------------------------------------------------------------------------------------------- real sound -- */

enum { RECORDED_HZ = 44100, SECONDS = 4, LONGEST = SECONDS * 48000 };
static float recorded[SECONDS * RECORDED_HZ + 1], clean[LONGEST], noisy[LONGEST];

static void read_recording(void) {
    ecdc_error err;
    ecdc_reader *reader;
    MUST(ecdc_reader_open(ECDC_AUDIO_DIR "/jfk.flac", NULL, &reader, &err));
    size_t n = 0, wanted = sizeof recorded / sizeof *recorded;
    for (size_t part = 1; n < wanted && part; n += part)
        MUST(ecdc_reader_read(reader, recorded + n, wanted - n, &part, &err));
    ecdc_reader_close(reader);
    assert_int_equal(n, wanted);
}

/* The arithmetic of tests/tools/make_stoi.py. */
static size_t make_signals(int rate, double gain) {
    size_t n = (size_t)(SECONDS * rate);
    uint32_t seed = 1;
    for (size_t i = 0; i < n; i++) {
        size_t place = i * RECORDED_HZ, whole = place / (size_t)rate;
        double part = (double)(place % (size_t)rate) / rate;
        double x = (double)recorded[whole], next = (double)recorded[whole + 1];
        bool silent = i >= (size_t)rate && i < (size_t)(rate + rate / 2);
        clean[i] = silent ? 0 : (float)(x + part * (next - x));
        noisy[i] = (float)((double)clean[i] + gain * (random_bits(&seed) / (double)(1 << 23) - 1));
    }
    return n;
}

/* A stream in pieces of many sizes gives the same bits as whole signals. */
static void check_stream(size_t n, int rate, double stoi, double estoi) {
    ecdc_error err;
    struct stoi_stream *stream;
    double piecewise, extended;
    MUST(stoi_stream_new(rate, &stream, &err));
    for (size_t i = 0, part = 1; i < n; i += part, part = part * 3 % 5003) {
        part = part < n - i ? part : n - i;
        MUST(stoi_stream_push(stream, clean + i, noisy + i, part, &err));
    }
    MUST(stoi_stream_finish(stream, &piecewise, &extended, &err));
    stoi_stream_free(stream);
    assert_true(piecewise == stoi && extended == estoi);
}

static void test_pystoi(void **state) {
    (void)state;
    read_recording();
    FILE *table = fopen(ECDC_TEST_DATA "/stoi.tsv", "r");
    assert_non_null(table);
    int rate, snr_db, rows = 0;
    double gain, stoi, estoi, got, got_extended, worst = 0;
    assert_int_equal(fscanf(table, "%*[^\n]"), 0); /* the header */
    while (fscanf(table, "%d %d %lf %lf %lf", &rate, &snr_db, &gain, &stoi, &estoi) == 5) {
        ecdc_error err;
        size_t n = make_signals(rate, gain);
        MUST(ecdc_stoi(clean, noisy, n, rate, &got, &got_extended, &err));
        worst = fmax(worst, fmax(fabs(got - stoi), fabs(got_extended - estoi)));
        if (snr_db == 0)
            check_stream(n, rate, got, got_extended);
        rows++;
    }
    fclose(table);
    print_message("%d rows, largest difference from pystoi %.1e\n", rows, worst);
    assert_int_equal(rows, 35);
    assert_true(worst <= same);
}

/* --------------------------------------------------------------------------------------- hand-worked -- */

/* Equal signals correlate perfectly, at any level; ESTOI too. */
static void test_equal(void **state) {
    (void)state;
    ecdc_error err;
    double stoi, estoi;
    make_signals(16000, 0);
    MUST(ecdc_stoi(clean, clean, 64000, 16000, &stoi, &estoi, &err));
    assert_near(stoi, 1, 1e-9);
    assert_near(estoi, 1, 1e-9);
    for (int i = 0; i < 64000; i++)
        noisy[i] = -0.01f * clean[i];
    MUST(ecdc_stoi(clean, noisy, 64000, 16000, &stoi, NULL, &err));
    assert_near(stoi, 1, 1e-6);
    MUST(ecdc_stoi(clean, noisy, 64000, 16000, NULL, &estoi, &err));
    assert_near(estoi, 1, 1e-6);
}

/* One segment whose bands are a ramp up against one down: -1 without clipping; the clip at 1 + 10^(15/20) = 6.62 times the
 * reference bites where the ramp starts. Worked by the definition, in the plainest way. */
static void test_segment(void **state) {
    (void)state;
    struct stoi_segments s = {.n_frames = 0};
    double stoi, estoi, mean = 0, up = 0, dot = 0, norm = 0, y[STOI_FRAMES];
    for (int i = 0; i < STOI_FRAMES; i++) {
        double bands[2][STOI_BANDS];
        for (int b = 0; b < STOI_BANDS; b++) {
            bands[0][b] = i + 1;
            bands[1][b] = 7 * (STOI_FRAMES - i);
        }
        stoi_segments_result(&s, &stoi, &estoi);
        assert_true(isnan(stoi) && isnan(estoi));
        stoi_segments_push(&s, bands);
    }
    stoi_segments_result(&s, &stoi, &estoi);
    for (int i = 0; i < STOI_FRAMES; i++) { /* brought to one level the degraded ramp is 30 ... 1 */
        y[i] = fmin(STOI_FRAMES - i, 6.623413251903491 * (i + 1));
        mean += y[i] / STOI_FRAMES;
    }
    for (int i = 0; i < STOI_FRAMES; i++) {
        double x = i + 1 - 15.5;
        dot += x * (y[i] - mean);
        up += x * x;
        norm += (y[i] - mean) * (y[i] - mean);
    }
    assert_true(dot / sqrt(up * norm) > -0.99); /* it did bite */
    assert_near(stoi, dot / sqrt(up * norm), 1e-12);
}

/* ESTOI of one segment: bands rise and fall by turns, and the degraded signal has them the other way round: -1. */
static void test_spectra(void **state) {
    (void)state;
    struct stoi_segments s = {.n_frames = 0};
    double stoi, estoi;
    for (int i = 0; i < STOI_FRAMES; i++) {
        double bands[2][STOI_BANDS];
        for (int b = 0; b < STOI_BANDS; b++) {
            int step = (b + i) % 2;
            bands[0][b] = 2 + step;
            bands[1][b] = 3 - step;
        }
        stoi_segments_push(&s, bands);
    }
    stoi_segments_result(&s, &stoi, &estoi);
    assert_near(stoi, -1, 1e-9);
    assert_near(estoi, -1, 1e-9);
}

/* A constant stays one in the middle, and n samples become ceil(n * 10000 / rate). */
static void test_resampling(void **state) {
    (void)state;
    static const int rates[] = {1000, 8000, 9999, 10000, 11025, 20000, 44100, 47952, 48000, 96000};
    float ones[2000], halves[2000];
    for (int i = 0; i < 2000; i++) {
        ones[i] = 1;
        halves[i] = 0.5f;
    }
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        ecdc_error err;
        struct resample_10k *r;
        MUST(resample_10k_new(rates[i], &r, &err));
        for (int again = 0; again < 2; again++) { /* a restart forgets */
            double pair[2];
            size_t n = 0, wanted = (size_t)((2000LL * 10000 + rates[i] - 1) / rates[i]);
            for (size_t taken = 0; taken < 2000;) {
                taken += resample_10k_push(r, ones + taken, halves + taken, 2000 - taken);
                for (; resample_10k_next(r, pair); n++)
                    if (n >= wanted / 3 && n < wanted / 2) {
                        assert_near(pair[0], 1, 2e-3); /* 60 dB: the ripple of the filter */
                        assert_near(pair[1], 0.5, 1e-3);
                    }
            }
            resample_10k_finish(r);
            while (resample_10k_next(r, pair))
                n++;
            assert_int_equal(n, wanted);
            resample_10k_restart(r);
        }
        resample_10k_free(r);
    }
}

/* ------------------------------------------------------------------------------------------------ edges -- */

static void make_noise(size_t n) {
    uint32_t first = 1, second = 7;
    for (size_t i = 0; i < n; i++) {
        double x = random_bits(&first) / (double)(1 << 23) - 1;
        clean[i] = (float)x;
        noisy[i] = (float)(x + 0.5 * (random_bits(&second) / (double)(1 << 23) - 1));
    }
}

/* 31 frames of 256 samples, half overlapping, and one sample behind them: numbers of pystoi 0.4.1. */
static void test_shortest(void **state) {
    (void)state;
    ecdc_error err;
    double stoi, estoi;
    make_noise(4225);
    MUST(ecdc_stoi(clean, noisy, 4096, 10000, &stoi, &estoi, &err));
    assert_true(isnan(stoi) && isnan(estoi));
    MUST(ecdc_stoi(clean, noisy, 4097, 10000, &stoi, &estoi, &err));
    assert_near(stoi, 0.7654590683733988, same);
    assert_near(estoi, 0.7683983831832834, same);
    MUST(ecdc_stoi(clean, noisy, 4225, 10000, &stoi, &estoi, &err));
    assert_near(stoi, 0.76727644788506, same);
    assert_near(estoi, 0.7701852663137778, same);
    MUST(ecdc_stoi(clean, noisy, 1, 48000, &stoi, &estoi, &err));
    assert_true(isnan(stoi) && isnan(estoi));
    /* Long enough, but all but 0.35 s is silent. */
    make_noise(20000);
    memset(clean + 3500, 0, 16500 * sizeof *clean);
    MUST(ecdc_stoi(clean, noisy, 20000, 10000, &stoi, &estoi, &err));
    assert_true(isnan(stoi) && isnan(estoi));
}

static void test_silence(void **state) {
    (void)state;
    static const float zeros[20000];
    ecdc_error err;
    double stoi, estoi;
    make_noise(20000);
    MUST(ecdc_stoi(zeros, noisy, 20000, 10000, &stoi, &estoi, &err));
    assert_true(isnan(stoi) && isnan(estoi));
    MUST(ecdc_stoi(zeros, zeros, 20000, 24000, &stoi, &estoi, &err));
    assert_true(isnan(stoi) && isnan(estoi));
    MUST(ecdc_stoi(clean, zeros, 20000, 24000, &stoi, &estoi, &err));
    assert_true(stoi == 0 && estoi == 0);
}

static void test_refusals(void **state) {
    (void)state;
    ecdc_error err;
    double stoi = 5, estoi = 5;
    make_noise(100);
    noisy[17] = NAN;
    assert_fails(ecdc_stoi(clean, noisy, 100, 10000, &stoi, &estoi, &err), ECDC_E_ARGUMENT, &err,
                 "sample 17 of the degraded signal is nan, not a finite number");
    clean[99] = INFINITY;
    assert_fails(ecdc_stoi(clean, noisy, 100, 10000, &stoi, &estoi, &err), ECDC_E_ARGUMENT, &err,
                 "sample 99 of the reference signal is inf");
    assert_fails(ecdc_stoi(clean, noisy, 0, 10000, &stoi, &estoi, &err), ECDC_E_ARGUMENT, &err, "0 samples");
    assert_fails(ecdc_stoi(clean, noisy, 17, 0, &stoi, &estoi, &err), ECDC_E_ARGUMENT, &err, "0 Hz is not positive");
    assert_fails(ecdc_stoi(clean, noisy, 17, -8000, &stoi, &estoi, &err), ECDC_E_ARGUMENT, &err, "-8000 Hz");
    assert_fails(ecdc_stoi(clean, noisy, 17, 191999, &stoi, &estoi, &err), ECDC_E_UNSUPPORTED, &err,
                 "STOI at 191999 Hz needs a filter of");
    assert_fails(ecdc_stoi(clean, noisy, 17, INT32_MAX, &stoi, &estoi, &err), ECDC_E_UNSUPPORTED, &err, "rounder rate");
    assert_true(stoi == 5 && estoi == 5);
    MUST(ecdc_stoi(clean, noisy, 17, 768000, &stoi, &estoi, &err));
}

static void test_temporary_directory(void **state) {
    (void)state;
    ecdc_error err;
    struct stoi_stream *stream;
    setenv("TMPDIR", "/does/not/exist", 1);
    assert_fails(stoi_stream_new(24000, &stream, &err), ECDC_E_IO, &err, "/does/not/exist for STOI: No such file");
    unsetenv("TMPDIR");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pystoi),   cmocka_unit_test(test_equal),    cmocka_unit_test(test_segment),
        cmocka_unit_test(test_spectra),  cmocka_unit_test(test_resampling), cmocka_unit_test(test_shortest),
        cmocka_unit_test(test_silence),  cmocka_unit_test(test_refusals), cmocka_unit_test(test_temporary_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
