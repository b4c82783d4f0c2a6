/* Memory runs out at the first allocation, at the second, ... at every one that opening a model, encoding and decoding make: each
 * time an error that says so, nothing leaked (AddressSanitizer looks), nothing half done that looks whole.
 *
 * The linker gives this program's own names to the library's calls of malloc and its kin (--wrap in CMakeLists.txt), and cJSON is
 * told to call them, too; what FFmpeg, OpenSSL and the C library allocate for themselves is not counted. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <pthread.h>

#include "golden.h"

static struct {
    long left;   /* allocations until one fails; below 0: none will */
    int failed;
} supply = {-1, 0};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* encoders have threads */

static bool granted(void) {
    pthread_mutex_lock(&lock);
    bool ok = supply.left != 0;
    supply.failed += !ok;
    if (supply.left >= 0)
        supply.left = ok ? supply.left - 1 : -1; /* one fails, those after it succeed: as on a machine that swaps */
    pthread_mutex_unlock(&lock);
    if (!ok)
        errno = ENOMEM; /* as malloc has it */
    return ok;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);

void *__wrap_malloc(size_t n) {
    return granted() ? __real_malloc(n) : NULL;
}

void *__wrap_calloc(size_t n, size_t size) {
    return granted() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *old, size_t n) {
    return granted() ? __real_realloc(old, n) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t n) {
    return granted() ? __real_aligned_alloc(alignment, n) : NULL;
}

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
        supply.left = n;
        supply.failed = 0;
        ecdc_status status = run(&got);
        supply.left = -1;
        done = supply.failed == 0;
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
    cJSON_InitHooks(&(cJSON_Hooks){__wrap_malloc, free});
    return cmocka_run_group_tests(tests, NULL, NULL);
}
