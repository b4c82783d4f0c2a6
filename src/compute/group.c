/* A member that comes with a run waits until enough others are there for the same layer, or until no other can come because
 * all wait. Whoever sees that takes the runs, computes, and wakes their owners; meanwhile the next ones gather. A member that
 * is busy elsewhere (with its convolutions, with its file) holds nobody up for longer than WAIT_MS. */
#include "compute/group.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "base/status.h"

enum {
    ENOUGH = 4,   /* sequences per reading of the weights: 8 would save another tenth, and cost twice the streams in memory */
    MOST = 8,
    WAIT_MS = 20, /* what a member computes elsewhere between two runs, at full size: 30 ms */
};

enum progress { WAITING, TAKEN, DONE };

struct ticket {
    struct lstm_run *run;
    enum progress progress;
    struct ticket *next;
};

struct ecdc_group {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    size_t members, waiting;
    struct ticket *first; /* those that wait, in the order of their coming */
};

ecdc_status ecdc_group_new(ecdc_group **out, ecdc_error *err) {
    ecdc_group *group = ecdc_alloc_zeros(1, sizeof *group);
    if (!group)
        return ecdc_fail_memory(err, "a group");
    pthread_mutex_init(&group->mutex, NULL);
    pthread_cond_init(&group->changed, NULL);
    *out = group;
    return ECDC_OK;
}

void ecdc_group_free(ecdc_group *group) {
    if (!group)
        return;
    pthread_cond_destroy(&group->changed);
    pthread_mutex_destroy(&group->mutex);
    free(group);
}

static void count(ecdc_group *group, size_t change) {
    pthread_mutex_lock(&group->mutex);
    group->members += change;
    pthread_cond_broadcast(&group->changed); /* those who wait may now be all */
    pthread_mutex_unlock(&group->mutex);
}

void group_join(ecdc_group *group) {
    count(group, 1);
}

void group_leave(ecdc_group *group) {
    count(group, (size_t)-1);
}

/* Takes up to MOST runs of one layer out of the list. */
static size_t take(ecdc_group *group, const struct recurrence *r, struct ticket *taken[MOST]) {
    size_t n = 0;
    for (struct ticket **link = &group->first; *link && n < MOST;) {
        struct ticket *t = *link;
        if (t->run->r != r) {
            link = &t->next;
            continue;
        }
        *link = t->next;
        t->progress = TAKEN;
        taken[n++] = t;
    }
    group->waiting -= n;
    return n;
}

static size_t waiting_for(const ecdc_group *group, const struct recurrence *r) {
    size_t n = 0;
    for (const struct ticket *t = group->first; t; t = t->next)
        n += t->run->r == r;
    return n;
}

/* The layer for which most wait; of equals the one that waits longest. */
static const struct recurrence *fullest(const ecdc_group *group) {
    const struct recurrence *best = NULL;
    size_t most = 0;
    for (const struct ticket *t = group->first; t; t = t->next) {
        size_t n = waiting_for(group, t->run->r);
        best = n > most ? t->run->r : best;
        most = n > most ? n : most;
    }
    return best;
}

/* The layer to compute now, NULL while it is better to wait. Fewer members than ENOUGH may each have a core to themselves, which
 * would stand still while one computes for the others. */
static const struct recurrence *next_layer(const ecdc_group *group, const struct lstm_run *own, bool patient) {
    if (!patient || group->members < ENOUGH || waiting_for(group, own->r) >= ENOUGH)
        return own->r;
    return group->waiting >= group->members ? fullest(group) : NULL;
}

/* Steps of n runs side by side; who has fewer drops out. */
static void run_together(const struct kernels *kernels, struct ticket *const tickets[], size_t n) {
    const struct recurrence *r = tickets[0]->run->r;
    size_t units = r->groups * kernels->group;
    for (size_t t = 0;; t++) {
        struct lstm_sequence sequences[MOST];
        size_t active = 0;
        for (size_t i = 0; i < n; i++) {
            struct lstm_run *run = tickets[i]->run;
            if (t < run->steps)
                sequences[active++] = (struct lstm_sequence){run->x_gates + t * 4 * units, t ? run->h_rows + (t - 1) * units : run->h,
                                                             run->c, run->h_rows + t * units};
        }
        if (active == 0)
            break;
        kernels->lstm_step(r, sequences, active, 0, r->groups, t % 2);
    }
}

static struct timespec deadline(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t); /* the clock of pthread_cond_timedwait; a jump costs one wait */
    t.tv_nsec += WAIT_MS * 1000000L;
    t.tv_sec += t.tv_nsec / 1000000000L;
    t.tv_nsec %= 1000000000L;
    return t;
}

void group_lstm(ecdc_group *group, const struct kernels *kernels, struct lstm_run *run) {
    struct ticket own = {.run = run, .progress = WAITING, .next = NULL}, *taken[MOST], **last;
    struct timespec until = deadline();
    bool patient = true;
    pthread_mutex_lock(&group->mutex);
    for (last = &group->first; *last;)
        last = &(*last)->next;
    *last = &own;
    group->waiting++;
    while (own.progress != DONE) {
        const struct recurrence *layer = own.progress == WAITING ? next_layer(group, run, patient) : NULL;
        if (layer) {
            size_t n = take(group, layer, taken);
            pthread_mutex_unlock(&group->mutex);
            run_together(kernels, taken, n);
            pthread_mutex_lock(&group->mutex);
            for (size_t i = 0; i < n; i++)
                taken[i]->progress = DONE;
            pthread_cond_broadcast(&group->changed);
        } else if (own.progress == TAKEN) {
            pthread_cond_wait(&group->changed, &group->mutex);
        } else {
            patient = pthread_cond_timedwait(&group->changed, &group->mutex, &until) == 0;
        }
    }
    pthread_mutex_unlock(&group->mutex);
}
