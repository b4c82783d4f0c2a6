/* The work of ecdc batch: threads that take one file after another, the largest first so that none is left alone at the end. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/status.h"
#include "batch.h"
#include "encode_file.h"
#include "features_file.h"
#include "progress.h"

/* Files per processor from which on sharing pays: fewer would wait for each other while a processor stands still (ecdc_group).
 * So the last ones of a list work alone. */
enum { GROUP_PER_PROCESSOR = 4 };

struct crew {
    struct batch *b;
    ecdc_group *group;    /* files that share passes over the LSTM's weights; NULL where there are too few of them from the start */
    size_t group_from;    /* files in work or waiting, from which on there are enough */
    struct batch_item **queue;
    size_t n, next;
    size_t n_unlisted;    /* which failed before there was a queue */
    int n_working;
    pthread_mutex_t lock; /* guards what stands here and the items' states */
    pthread_cond_t changed;
    struct batch_sum *sum;
    bool terminal;        /* there is a progress line */
    double n_bytes, n_bytes_done, start_s;
};

/* --------------------------------------------------------------------------------------------- one file --- */

/* What became of a file, and what there is to say of it. */
struct outcome {
    ecdc_status status;
    ecdc_error err;
    int64_t samples;
    int sampling_rate_hz;
    double seconds_wall;
    char notes[sizeof((ecdc_error *)0)->message]; /* "; " between them, as many as fit */
};

static void take_note(void *context, const char *text) {
    struct outcome *r = context;
    size_t n = strlen(r->notes);
    snprintf(r->notes + n, sizeof r->notes - n, "%s%s", n ? "; " : "", text);
}

/* A pipe that nobody writes to would hold a thread for ever, beyond the reach of signals; and none can be read again by the next run. */
static ecdc_status refuse_pipe(const char *path, ecdc_error *err) {
    struct stat s;
    if (stat(path, &s) == 0 && (S_ISFIFO(s.st_mode) || S_ISSOCK(s.st_mode) || S_ISCHR(s.st_mode)))
        return ecdc_fail(err, ECDC_E_IO, "%s: is a pipe or a device; batch reads files", path);
    return ECDC_OK;
}

static void convert(const struct batch *b, ecdc_group *group, const struct batch_item *item, struct outcome *r) {
    const ecdc_listener listener = {.note = take_note, .stop = stop_on_signal, .context = r};
    struct options o = *b->o;
    o.arguments[0] = item->input;
    o.output = item->output;
    o.overwrite = true; /* what is worth keeping has been sorted out */
    o.threads = 1;
    *r = (struct outcome){.status = ECDC_OK};
    size_t n_directory = (size_t)(strrchr(item->output, '/') - item->output);
    if ((r->status = refuse_pipe(item->input, &r->err)) != ECDC_OK ||
        (r->status = file_make_directories(item->output, n_directory, &r->err)) != ECDC_OK)
        return;
    if (b->task == &command_encode) {
        struct encoded made;
        if ((r->status = encode_file(&o, b->format, b->model, group, &listener, &made, &r->err)) != ECDC_OK)
            return;
        r->samples = made.samples;
        r->sampling_rate_hz = made.sampling_rate_hz;
        r->seconds_wall = made.seconds_wall;
    } else {
        ecdc_features_settings settings = features_settings(&o, &listener);
        settings.group = group;
        ecdc_features_result made;
        if ((r->status = ecdc_write_features(b->model, item->input, item->output, &settings, &made, &r->err)) != ECDC_OK)
            return;
        r->samples = made.samples;
        r->sampling_rate_hz = made.sampling_rate_hz;
        r->seconds_wall = made.seconds_wall;
    }
}

static void say_failure(const struct crew *c, const struct batch_item *item) {
    if (c->terminal)
        fputs("\r\033[K", stderr);
    bool named = item->reason && strstr(item->reason, item->input);
    char line[4200] = "";
    if (item->line)
        snprintf(line, sizeof line, "%s: line %zu: ", c->b->o->arguments[0], item->line);
    report_line("%s%s%s%s", line, named ? "" : item->input, named ? "" : ": ", item->reason ? item->reason : "failed");
}

/* With the lock held. */
static void record(struct crew *c, struct batch_item *item, const struct outcome *r) {
    if (r->status == ECDC_E_STOPPED)
        return; /* stays open */
    c->n_bytes_done += (double)item->n_bytes;
    if (r->status == ECDC_OK) {
        item->state = BATCH_DONE;
        item->seconds_audio = (double)r->samples / r->sampling_rate_hz;
        item->seconds_wall = r->seconds_wall;
        item->reason = *r->notes ? ecdc_strdup(r->notes) : NULL;
        c->sum->seconds_audio += item->seconds_audio;
        c->sum->n_done++;
    } else {
        item->state = BATCH_FAILED;
        item->reason = ecdc_strdup(r->err.message);
        c->sum->n_failed++;
        say_failure(c, item);
    }
}

static void *work(void *context) {
    struct crew *c = context;
    pthread_mutex_lock(&c->lock);
    while (c->next < c->n && !interrupted()) {
        struct batch_item *item = c->queue[c->next++];
        ecdc_group *group = c->n - c->sum->n_done - c->sum->n_failed >= c->group_from ? c->group : NULL;
        pthread_mutex_unlock(&c->lock);
        struct outcome result;
        convert(c->b, group, item, &result);
        pthread_mutex_lock(&c->lock);
        record(c, item, &result);
        pthread_cond_signal(&c->changed);
    }
    c->n_working--;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

/* ------------------------------------------------------------------------------------------ the whole crew --- */

static int by_size(const void *a, const void *b) {
    const struct batch_item *x = *(struct batch_item *const *)a, *y = *(struct batch_item *const *)b;
    return x->n_bytes != y->n_bytes ? (x->n_bytes < y->n_bytes ? 1 : -1) : (x > y) - (x < y);
}

static bool fill_queue(struct crew *c) {
    struct batch *b = c->b;
    c->queue = ecdc_alloc_array(b->n, sizeof *c->queue);
    for (size_t i = 0; c->queue && i < b->n; i++) {
        struct batch_item *item = &b->items[i];
        if (item->state == BATCH_OPEN) {
            c->queue[c->n++] = item;
            c->n_bytes += (double)item->n_bytes;
        } else if (item->state == BATCH_FAILED) {
            say_failure(c, item);
            c->n_unlisted++;
        }
    }
    if (c->queue)
        qsort(c->queue, c->n, sizeof *c->queue, by_size);
    return c->queue != NULL;
}

static void show_progress(const struct crew *c) {
    if (!c->terminal)
        return;
    const struct batch_sum *sum = c->sum;
    double elapsed = now_s() - c->start_s;
    fprintf(stderr, "\r%zu of %zu files", sum->n_done + sum->n_failed, c->n);
    if (sum->n_failed)
        fprintf(stderr, ", %zu failed", sum->n_failed);
    if (sum->n_done && elapsed > 0)
        fprintf(stderr, ", %.0f x realtime", sum->seconds_audio / elapsed);
    if (c->n_bytes_done > 0) {
        fputs(", ", stderr);
        progress_clock(elapsed / c->n_bytes_done * (c->n_bytes - c->n_bytes_done));
        fputs(" left", stderr);
    }
    fputs("\033[K", stderr);
    fflush(stderr);
}

/* Shows how it goes until all threads have ended. With the lock held. */
static void watch(struct crew *c) {
    for (;;) {
        show_progress(c);
        if (c->n_working == 0)
            break;
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&c->changed, &c->lock, &until);
    }
    if (c->terminal)
        fputs("\r\033[K", stderr);
}

static ecdc_status work_together(struct crew *c, pthread_t *threads, int jobs, ecdc_error *err) {
    int n_started = 0;
    pthread_mutex_lock(&c->lock);
    while (n_started < jobs && pthread_create(&threads[n_started], NULL, work, c) == 0)
        n_started++;
    c->n_working = n_started;
    c->sum->jobs = n_started;
    watch(c);
    pthread_mutex_unlock(&c->lock);
    for (int i = 0; i < n_started; i++)
        pthread_join(threads[i], NULL);
    return n_started || !jobs ? ECDC_OK : ecdc_fail(err, ECDC_E_MEMORY, "no thread can be started");
}

ecdc_status batch_run(struct batch *b, struct batch_sum *sum, ecdc_error *err) {
    struct crew c = {.b = b, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .sum = sum, .start_s = now_s(),
                     .terminal = !b->o->quiet && isatty(STDERR_FILENO)};
    *sum = (struct batch_sum){0};
    if (!fill_queue(&c))
        return ecdc_fail_memory(err, "the list of files");
    int jobs = b->o->jobs ? b->o->jobs : pool_processors();
    if ((size_t)jobs > c.n)
        jobs = (int)c.n;
    pthread_t *threads = ecdc_alloc_array((size_t)jobs, sizeof *threads);
    ecdc_status status = threads ? ECDC_OK : ecdc_fail_memory(err, "threads");
    c.group_from = (size_t)(GROUP_PER_PROCESSOR * pool_processors());
    if (status == ECDC_OK && (size_t)jobs >= c.group_from)
        status = ecdc_group_new(&c.group, err);
    if (status == ECDC_OK)
        status = work_together(&c, threads, jobs, err);
    ecdc_group_free(c.group);
    sum->n_kept = b->n - c.n - c.n_unlisted;
    sum->n_open = c.n - sum->n_done - sum->n_failed;
    sum->n_failed += c.n_unlisted;
    sum->seconds_wall = now_s() - c.start_s;
    free(threads);
    free(c.queue);
    return status;
}
