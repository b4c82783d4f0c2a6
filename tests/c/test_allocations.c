/* Memory runs out at the first allocation, at the second, ... at every one that opening a model, encoding and decoding make: each
 * time an error that says so, nothing leaked (AddressSanitizer looks), nothing half done that looks whole
 * (failing_allocations.h). */
#include "failing_allocations.h"
#include "golden.h"

enum { SAMPLES = 4000, FRAMES = 13, CODEBOOKS = 4 };

struct run {
    float x[SAMPLES], sound[FRAMES * 320];
    int32_t codes[FRAMES * CODEBOOKS];
    ecdc_error err;
};

static ecdc_status encode(const ecdc_model *model, const ecdc_settings *s, struct run *r) {
    ecdc_encoder *e;
    ecdc_status status = ecdc_encoder_new(model, s, &e, &r->err);
    if (status != ECDC_OK)
        return status;
    size_t n = 0;
    for (size_t i = 0; status == ECDC_OK && i < SAMPLES; i += 1000) {
        status = ecdc_encoder_push(e, r->x + i, 1000, &r->err);
        n += ecdc_encoder_pull(e, r->codes + n * CODEBOOKS, FRAMES - n);
    }
    if (status == ECDC_OK)
        status = ecdc_encoder_finish(e, &r->err);
    if (status == ECDC_OK)
        assert_int_equal(n + ecdc_encoder_pull(e, r->codes + n * CODEBOOKS, FRAMES - n), FRAMES);
    else
        ecdc_encoder_reset(e); /* must leave it fit for use, or saying that it is not */
    ecdc_encoder_free(e);
    return status;
}

static ecdc_status run(struct run *r) {
    ecdc_model *model = NULL;
    ecdc_group *group = NULL;
    ecdc_settings s = ecdc_default_settings();
    s.n_threads = 2;
    ecdc_status status = ecdc_model_open(ECDC_TEST_DATA "/tiny24", &model, &r->err);
    if (status == ECDC_OK)
        status = ecdc_group_new(&group, &r->err);
    s.group = group;
    if (status == ECDC_OK)
        status = encode(model, &s, r);
    if (status == ECDC_OK)
        status = ecdc_decode(model, &s, r->codes, FRAMES, r->sound, &r->err);
    ecdc_group_free(group);
    ecdc_model_close(model);
    return status;
}

static void test_every_allocation(void **state) {
    (void)state;
    static struct run want, got;
    uint32_t seed = 5;
    for (int i = 0; i < SAMPLES; i++)
        want.x[i] = got.x[i] = 0.3f * random_float(&seed);
    assert_int_equal(run(&want), ECDC_OK);
    long n = 0;
    for (bool done = false; !done; n++) {
        assert_true(n < 100000);
        got.err.message[0] = '\0';
        allocations_fail_after(n);
        ecdc_status status = run(&got);
        done = !allocations_failed();
        allocations_fail_after(-1);
        if (status == ECDC_OK) { /* none failed, or one that could be done without */
            assert_memory_equal(got.codes, want.codes, sizeof want.codes);
            assert_memory_equal(got.sound, want.sound, sizeof want.sound);
        } else if (status != ECDC_E_MEMORY || !strstr(got.err.message, "memory")) {
            fail_msg("allocation %ld: %s: '%s'", n, ecdc_status_name(status), got.err.message);
        }
    }
    printf("  %ld allocations\n", n - 1);
    assert_true(n > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation)};
    allocations_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
