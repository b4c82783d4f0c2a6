/* The mask that scans share: each votes, half of them decide. */
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/pool.h"
#include "fmri/deviation.h"
#include "fmri/mask.h"
#include "fmri/nifti.h"
#include "fmri/scan_settings.h"

enum { PIECE = 4096 };

/* What the threads share. Scans are handed out one by one. */
struct ballot {
    const char *const *paths;
    size_t n_paths, n_voxels;
    const ecdc_scan_settings *settings;
    ecdc_nifti_space space;     /* of the first scan */
    pthread_t caller;           /* the thread that may be spoken to */
    atomic_size_t next;         /* scan to be taken */
    atomic_llong n_trs_done;
    int64_t n_trs_all;
    atomic_bool failed, stopped;
    pthread_mutex_t mutex;      /* for what stands below */
    size_t failed_at;           /* the first scan that failed, so that the message is always the same */
    ecdc_error failure;
    uint32_t *counts;           /* votes per voxel */
    ecdc_mask_vote *votes;      /* per scan; NULL: not wanted */
};

static int64_t trs_that_count(const ecdc_nifti *nifti, const ecdc_scan_settings *settings) {
    int64_t n = nifti->header.info.n_trs;
    return n < settings->mask_trs ? n : settings->mask_trs;
}

/* Opens scan i, which must be a series in the space of the first. */
static ecdc_status open_scan(const struct ballot *b, size_t i, ecdc_nifti **nifti, ecdc_error *err) {
    ecdc_nifti *opened;
    ecdc_status status = ecdc_nifti_open(b->paths[i], &opened, err);
    if (status != ECDC_OK)
        return status;
    status = nifti_require_series(opened, err);
    if (status == ECDC_OK && i > 0)
        status = nifti_space_compare(b->paths[i], &opened->header.info.space, b->paths[0], &b->space, err);
    if (status == ECDC_OK && b->n_voxels > 0 && opened->header.n_voxels != b->n_voxels)
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: changed while it was being read", b->paths[i]);
    if (status != ECDC_OK) {
        ecdc_nifti_close(opened);
        return status;
    }
    *nifti = opened;
    return ECDC_OK;
}

/* True where the work is to end. */
static bool tick(struct ballot *b) {
    const ecdc_scan_settings *s = b->settings;
    long long done = atomic_fetch_add(&b->n_trs_done, 1) + 1;
    if (pthread_equal(pthread_self(), b->caller)) {
        if (s->progress)
            s->progress(s->context, (double)done / (double)b->n_trs_all);
        if (s->stop && s->stop(s->context))
            atomic_store(&b->stopped, true);
    }
    return atomic_load(&b->stopped);
}

static void add_volume(const ecdc_nifti *nifti, struct deviation *deviations, size_t n_voxels, bool first) {
    double numbers[PIECE];
    for (size_t at = 0; at < n_voxels; at += PIECE) {
        size_t n = n_voxels - at < PIECE ? n_voxels - at : PIECE;
        nifti_to_double(nifti, nifti->raw + at * nifti->header.item_bytes, numbers, n);
        if (first)
            for (size_t v = 0; v < n; v++)
                deviation_begin(&deviations[at + v], numbers[v] * 0 == 0 ? numbers[v] : NAN);
        else
            for (size_t v = 0; v < n; v++)
                deviation_add(&deviations[at + v], numbers[v]);
    }
}

/* Standard deviations into deviations[v].sum, NaN where a number was not finite. */
static ecdc_status measure(struct ballot *b, ecdc_nifti *nifti, struct deviation *deviations, int64_t n_trs, ecdc_error *err) {
    for (int64_t tr = 0; tr < n_trs; tr++) {
        ecdc_status status = nifti_read_raw(nifti, err);
        if (status != ECDC_OK)
            return status;
        add_volume(nifti, deviations, b->n_voxels, tr == 0);
        if (tick(b))
            return scan_fail_stopped(err);
    }
    for (size_t v = 0; v < b->n_voxels; v++) {
        double deviation = deviation_of(&deviations[v], (double)n_trs);
        bool finite = isfinite(deviation) && isfinite(deviations[v].first);
        deviations[v].sum = finite ? deviation : NAN;
    }
    return ECDC_OK;
}

/* The scan's threshold and its votes. `values` has room for a number per voxel. */
static ecdc_status vote(struct ballot *b, size_t scan, const struct deviation *deviations, double *values, ecdc_mask_vote *vote,
                        ecdc_error *err) {
    size_t n = 0;
    for (size_t v = 0; v < b->n_voxels; v++) {
        double deviation = deviations[v].sum;
        vote->n_not_finite += isnan(deviation);
        vote->n_constant += deviation == 0;
        if (deviation > 0)
            values[n++] = deviation;
    }
    if (n == 0)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: no voxel varies over the first %" PRId64 " TRs (%" PRId64 " are constant, %" PRId64
                         " have numbers that are not finite)", b->paths[scan], vote->n_trs, vote->n_constant, vote->n_not_finite);
    vote->threshold = percentile(values, n, b->settings->mask_percentile);
    pthread_mutex_lock(&b->mutex);
    for (size_t v = 0; v < b->n_voxels; v++) {
        bool above = deviations[v].sum > vote->threshold;
        vote->n_voxels += above;
        b->counts[v] += above;
    }
    if (b->votes)
        b->votes[scan] = *vote;
    pthread_mutex_unlock(&b->mutex);
    return ECDC_OK;
}

static ecdc_status take_scan(struct ballot *b, size_t scan, struct deviation *deviations, double *values, ecdc_error *err) {
    ecdc_nifti *nifti;
    ecdc_status status = open_scan(b, scan, &nifti, err);
    if (status != ECDC_OK)
        return status;
    ecdc_mask_vote cast = {.n_trs = trs_that_count(nifti, b->settings)};
    status = measure(b, nifti, deviations, cast.n_trs, err);
    ecdc_nifti_close(nifti); /* its volume's memory is free before the sort */
    return status == ECDC_OK ? vote(b, scan, deviations, values, &cast, err) : status;
}

static void note_failure(struct ballot *b, size_t scan, const ecdc_error *err) {
    pthread_mutex_lock(&b->mutex);
    if (!atomic_load(&b->failed) || scan < b->failed_at) {
        b->failed_at = scan;
        b->failure = *err;
    }
    atomic_store(&b->failed, true);
    pthread_mutex_unlock(&b->mutex);
}

static void work(void *context, int part) {
    (void)part;
    struct ballot *b = context;
    size_t scan = 0;
    ecdc_error err;
    struct deviation *deviations = NULL;
    double *values = NULL;
    while (!atomic_load(&b->failed) && (scan = atomic_fetch_add(&b->next, 1)) < b->n_paths) {
        if (!deviations)
            deviations = ecdc_alloc_array(b->n_voxels, sizeof *deviations);
        if (!values)
            values = ecdc_alloc_array(b->n_voxels, sizeof *values);
        ecdc_status status = deviations && values ? take_scan(b, scan, deviations, values, &err) : ecdc_fail_memory(&err, "a scan");
        if (status != ECDC_OK)
            note_failure(b, scan, &err);
    }
    free(deviations);
    free(values);
}

/* Every header before any number: what does not fit together is said at once. */
static ecdc_status look(struct ballot *b, ecdc_error *err) {
    size_t n_voxels = 0;
    for (size_t i = 0; i < b->n_paths; i++) {
        ecdc_nifti *nifti;
        ecdc_status status = open_scan(b, i, &nifti, err);
        if (status != ECDC_OK)
            return status;
        if (i == 0) {
            b->space = nifti->header.info.space;
            n_voxels = nifti->header.n_voxels;
        }
        b->n_trs_all += trs_that_count(nifti, b->settings);
        ecdc_nifti_close(nifti);
        if (b->settings->stop && b->settings->stop(b->settings->context)) /* the caller may get no scan to read below */
            return scan_fail_stopped(err);
    }
    b->n_voxels = n_voxels;
    return ECDC_OK;
}

static ecdc_status count(struct ballot *b, ecdc_mask **mask, ecdc_error *err) {
    uint32_t needed = (uint32_t)((b->n_paths + 1) / 2);
    uint8_t *volume = ecdc_alloc_array(b->n_voxels, 1);
    if (!volume)
        return ecdc_fail_memory(err, "a mask");
    for (size_t v = 0; v < b->n_voxels; v++)
        volume[v] = b->counts[v] >= needed;
    char *name = b->n_paths == 1 ? ecdc_strdup(b->paths[0]) : ecdc_strfmt("%s and %zu more", b->paths[0], b->n_paths - 1);
    ecdc_status status = name ? mask_from_volume(name, &b->space, volume, mask, err) : ecdc_fail_memory(err, "a mask");
    free(name);
    free(volume);
    return status;
}

static ecdc_status run(struct ballot *b, ecdc_error *err) {
    struct pool *pool;
    size_t n = b->n_paths < (size_t)b->settings->n_threads ? b->n_paths : (size_t)b->settings->n_threads;
    ecdc_status status = pool_new((int)n, &pool, err);
    if (status != ECDC_OK)
        return status;
    b->caller = pthread_self();
    pthread_mutex_init(&b->mutex, NULL);
    pool_run(pool, work, b);
    pool_free(pool);
    pthread_mutex_destroy(&b->mutex);
    if (!atomic_load(&b->failed))
        return ECDC_OK;
    if (err)
        *err = b->failure;
    return b->failure.status;
}

ecdc_status ecdc_mask_share(const char *const *paths, size_t n_paths, const ecdc_scan_settings *settings, ecdc_mask **mask,
                            ecdc_mask_vote *votes, ecdc_error *err) {
    ecdc_scan_settings taken;
    if (n_paths < 1 || n_paths > UINT32_MAX / 2)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "a mask is shared by 1 scan or more, not by %zu", n_paths);
    ecdc_status status = scan_settings_take(settings, &taken, err);
    if (status != ECDC_OK)
        return status;
    struct ballot b = {.paths = paths, .n_paths = n_paths, .settings = &taken, .votes = votes};
    status = look(&b, err);
    if (status == ECDC_OK && !(b.counts = ecdc_alloc_zeros(b.n_voxels, sizeof *b.counts)))
        status = ecdc_fail_memory(err, "a mask");
    if (status == ECDC_OK)
        status = run(&b, err);
    if (status == ECDC_OK)
        status = count(&b, mask, err);
    free(b.counts);
    return status;
}
