#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"

/* Jobs are short (tens of microseconds) and follow each other closely while a signal is being encoded, so threads look
 * for the next one for a while before they sleep.
 *
 * Each thread has a part of its own, which keeps that part's weights in its cache. A part that its thread has not begun is
 * taken by whoever is done first: on a busy machine a thread that the system does not let run holds nobody up.
 *
 * So it is in a process that was forked, such as a Python worker's: its copy of a pool has no threads but the caller's, which does
 * everything. The mutex may have been held by a thread that is not there, and there is nobody to wake or to wait for. */
enum { SPINS = 4000 };

struct pool {
    int n_threads;
    int n_started;
    pid_t process; /* that has the threads */
    pthread_t *threads;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    void (*work)(void *context, int part);
    void *context;
    atomic_uint generation; /* number of the current job; its increase publishes work and context */
    atomic_uint *taken;     /* per part: the last job in which somebody took it */
    atomic_int done;        /* parts of the current job */
    atomic_int asleep;
    atomic_bool stop;
};

struct helper {
    struct pool *pool;
    int part;
};

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Waits for a generation other than `seen`. */
static unsigned next_generation(struct pool *pool, unsigned seen) {
    unsigned now;
    for (int i = 0; i < SPINS; i++) {
        if ((now = atomic_load_explicit(&pool->generation, memory_order_acquire)) != seen)
            return now;
        relax();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->asleep, 1);
    while ((now = atomic_load(&pool->generation)) == seen)
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->asleep, 1);
    pthread_mutex_unlock(&pool->mutex);
    return now;
}

static void publish(struct pool *pool) {
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->asleep) && pool->process == getpid()) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->mutex);
    }
}

/* Takes one part of job number `job` and works on it; false if somebody has it already. A thread that comes late, with the
 * number of a job that has ended, finds every part taken. */
static bool work_on(struct pool *pool, unsigned job, int part) {
    unsigned before = job - 1;
    if (!atomic_compare_exchange_strong(&pool->taken[part], &before, job))
        return false;
    pool->work(pool->context, part); /* pool_run waits for this part, so they stay what they are */
    atomic_fetch_add_explicit(&pool->done, 1, memory_order_release);
    return true;
}

/* First the part of one's own, then what others have left. */
static void work_from(struct pool *pool, unsigned job, int own) {
    for (int i = 0; i < pool->n_threads; i++)
        work_on(pool, job, (own + i) % pool->n_threads);
}

static void *helper_main(void *argument) {
    struct helper helper = *(struct helper *)argument;
    free(argument);
    unsigned seen = 0;
    for (;;) {
        seen = next_generation(helper.pool, seen);
        if (atomic_load(&helper.pool->stop))
            return NULL;
        work_from(helper.pool, seen, helper.part);
    }
}

ecdc_status pool_new(int n_threads, struct pool **out, ecdc_error *err) {
    struct pool *pool = ecdc_alloc_zeros(1, sizeof *pool);
    if (!pool)
        return ecdc_fail_memory(err, "threads");
    pool->n_threads = n_threads;
    pool->process = getpid();
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->threads = ecdc_alloc_zeros((size_t)n_threads, sizeof *pool->threads);
    pool->taken = ecdc_alloc_zeros((size_t)n_threads, sizeof *pool->taken);
    for (int part = 1; pool->threads && pool->taken && part < n_threads; part++) {
        struct helper *helper = ecdc_alloc_zeros(1, sizeof *helper);
        if (helper)
            *helper = (struct helper){pool, part};
        if (!helper || pthread_create(&pool->threads[part], NULL, helper_main, helper) != 0) {
            free(helper);
            break;
        }
        pool->n_started++;
    }
    if (!pool->threads || !pool->taken || pool->n_started != n_threads - 1) {
        pool_free(pool);
        return ecdc_fail(err, ECDC_E_MEMORY, "cannot start %d threads: there is no memory, or the system allows no more", n_threads);
    }
    *out = pool;
    return ECDC_OK;
}

void pool_free(struct pool *pool) {
    if (!pool)
        return;
    if (pool->process == getpid()) {
        atomic_store(&pool->stop, true);
        publish(pool);
        for (int i = 1; i <= pool->n_started; i++)
            pthread_join(pool->threads[i], NULL);
        pthread_cond_destroy(&pool->wake);
        pthread_mutex_destroy(&pool->mutex);
    }
    free(pool->threads);
    free(pool->taken);
    free(pool);
}

int pool_threads(const struct pool *pool) {
    return pool ? pool->n_threads : 1;
}

void pool_run(struct pool *pool, void (*work)(void *context, int part), void *context) {
    if (pool->n_threads == 1) {
        work(context, 0);
        return;
    }
    pool->work = work;
    pool->context = context;
    atomic_store(&pool->done, 0);
    publish(pool);
    work_from(pool, atomic_load(&pool->generation), 0);
    for (int spins = 0; atomic_load_explicit(&pool->done, memory_order_acquire) < pool->n_threads; spins++) {
        if (spins < SPINS)
            relax();
        else
            sched_yield(); /* more threads than processors: let the others finish */
    }
}

int pool_processors(void) {
    enum { SETS = 64 }; /* of 1024 processors each; the system refuses a mask that has no room for all that it could have */
    cpu_set_t sets[SETS];
    long n = sched_getaffinity(0, sizeof sets, sets) == 0 ? CPU_COUNT_S(sizeof sets, sets) : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 256 ? 256 : (int)n;
}
