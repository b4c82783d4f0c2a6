/* Measures by hand-worked examples. */
#include "golden.h"

enum { N = 6000 };
static float reference[N], degraded[N];

static ecdc_metrics measure(size_t n) {
    ecdc_error err;
    ecdc_metrics m;
    MUST(ecdc_compare(reference, degraded, n, 24000, &m, &err));
    return m;
}

static void assert_near(double got, double want, double tolerance) {
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.9g, expected %.9g", got, want);
}

/* Alternating signs, so that signal and noise are orthogonal and without mean. */
static void fill(float signal, float noise, float gain) {
    for (int i = 0; i < N; i++) {
        float s = i % 2 ? signal : -signal, e = i / 2 % 2 ? noise : -noise;
        reference[i] = s;
        degraded[i] = gain * (s + e);
    }
}

static void test_snr(void **state) {
    (void)state;
    fill(1, 0.1f, 1);
    assert_near(measure(N).snr_db, 20, 1e-5);
    assert_near(measure(N).si_sdr_db, 20, 1e-5);
    fill(1, 0.1f, 0.5f); /* half as loud: noise 0.5^2 + 0.05^2; the scale-invariant measure does not mind */
    assert_near(measure(N).snr_db, 10 * log10(1 / 0.2525), 1e-5);
    assert_near(measure(N).si_sdr_db, 20, 1e-5);
    fill(1, 0, 1);
    assert_true(isinf(measure(N).snr_db) && isinf(measure(N).si_sdr_db));
    assert_near(measure(N).lsd_db, 0, 0);
}

/* Ten times as loud is 20 dB in every bin. */
static void test_lsd(void **state) {
    (void)state;
    uint32_t seed = 1;
    for (int i = 0; i < N; i++) {
        reference[i] = random_float(&seed);
        degraded[i] = 10 * reference[i];
    }
    assert_near(measure(N).lsd_db, 20, 1e-3);
    assert_near(measure(100).lsd_db, 20, 1e-3); /* shorter than a window */
    memset(degraded, 0, sizeof degraded); /* the floor: a unit impulse has magnitude w in every bin */
    memset(reference, 0, sizeof reference);
    reference[1024] = 1; /* the window's middle, where it is 1 */
    assert_near(measure(2048).lsd_db, 200, 1e-3);
}

/* Where a ratio has no number, and what STOI says to a quarter of a second. */
static void test_limits(void **state) {
    (void)state;
    fill(1, 0.1f, 1);
    assert_true(isnan(measure(N).stoi) && isnan(measure(N).estoi));
    memset(reference, 0, sizeof reference); /* a silent reference */
    assert_true(measure(N).snr_db == -INFINITY && measure(N).si_sdr_db == -INFINITY);
    memset(degraded, 0, sizeof degraded); /* and equal to it */
    assert_true(measure(N).snr_db == INFINITY && measure(N).si_sdr_db == INFINITY);
    assert_near(measure(N).lsd_db, 0, 0);
    fill(1, 0.1f, 1);
    memset(degraded, 0, sizeof degraded); /* nothing is left of it */
    assert_near(measure(N).snr_db, 0, 1e-9);
    assert_true(measure(N).si_sdr_db == -INFINITY);
}

/* All measures in one call are the single ones. */
static void test_all(void **state) {
    (void)state;
    ecdc_error err;
    ecdc_metrics m;
    double stoi, estoi;
    uint32_t seed = 1;
    for (int i = 0; i < N; i++) {
        reference[i] = random_float(&seed);
        degraded[i] = reference[i] + random_float(&seed);
    }
    MUST(ecdc_compare(reference, degraded, N, 8000, &m, &err));
    MUST(ecdc_stoi(reference, degraded, N, 8000, &stoi, &estoi, &err));
    assert_true(m.stoi == stoi && m.estoi == estoi);
    assert_true(stoi > 0.2 && stoi < 0.8 && estoi > 0.2 && estoi < 0.8);
    assert_near(m.snr_db, 0, 0.1);
}

static void test_refusals(void **state) {
    (void)state;
    ecdc_error err;
    ecdc_metrics m = {.snr_db = 5};
    fill(1, 0.1f, 1);
    degraded[N - 1] = NAN;
    assert_int_equal(ecdc_compare(reference, degraded, N, 24000, &m, &err), ECDC_E_ARGUMENT);
    assert_non_null(strstr(err.message, "sample 5999 of the degraded signal is nan"));
    assert_int_equal(ecdc_compare(reference, degraded, N - 1, 0, &m, &err), ECDC_E_ARGUMENT);
    assert_non_null(strstr(err.message, "0 Hz"));
    assert_int_equal(ecdc_compare(reference, degraded, 0, 24000, &m, &err), ECDC_E_ARGUMENT);
    assert_non_null(strstr(err.message, "0 samples"));
    assert_true(m.snr_db == 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snr),
        cmocka_unit_test(test_lsd),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
