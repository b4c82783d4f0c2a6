/* Every part once, whatever the threads do. */
#include "base/pool.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>

#include "golden.h"

struct job {
    atomic_int calls[16];
};

static void work(void *context, int part) {
    struct job *job = context;
    atomic_fetch_add(&job->calls[part], 1);
}

static void test_every_part_once(void **state) {
    (void)state;
    ecdc_error err;
    for (int threads = 1; threads <= 16; threads += 5) {
        struct pool *pool;
        MUST(pool_new(threads, &pool, &err));
        assert_int_equal(pool_threads(pool), threads);
        for (int round = 0; round < 3000; round++) {
            struct job job = {0};
            pool_run(pool, work, &job);
            for (int part = 0; part < 16; part++)
                assert_int_equal(atomic_load(&job.calls[part]), part < threads);
        }
        pool_free(pool);
    }
    pool_free(NULL);
    assert_true(pool_processors() >= 1);
}

/* A machine whose system wants masks of so many bytes; 0: none suffices. */
static size_t mask_bytes = 128;

int __real_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set) {
    if (mask_bytes > 0 && size >= mask_bytes)
        return __real_sched_getaffinity(pid, size, set);
    errno = EINVAL;
    return -1;
}

static void test_processors(void **state) {
    (void)state;
    cpu_set_t all, one;
    assert_int_equal(__real_sched_getaffinity(0, sizeof all, &all), 0);
    int n = CPU_COUNT(&all) < 256 ? CPU_COUNT(&all) : 256, first = 0;
    assert_int_equal(pool_processors(), n);
    mask_bytes = 1024; /* 8192 processors */
    assert_int_equal(pool_processors(), n);
    while (!CPU_ISSET(first, &all))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(pool_processors(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    mask_bytes = 0;
    assert_true(pool_processors() >= n);
    mask_bytes = 128;
}

static void test_shares(void **state) {
    (void)state;
    for (size_t n = 0; n < 200; n += 7)
        for (int parts = 1; parts < 9; parts++) {
            size_t next = 0;
            for (int part = 0; part < parts; part++) {
                struct range r = pool_share(n, 12, part, parts);
                assert_int_equal(r.begin, next);
                assert_true(r.end >= r.begin && (r.begin % 12 == 0 || r.begin == n));
                next = r.end;
            }
            assert_int_equal(next, n);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_part_once),
        cmocka_unit_test(test_processors),
        cmocka_unit_test(test_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
