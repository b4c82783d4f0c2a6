/* The series of a mask's voxels. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "fmri/deviation.h"
#include "fmri/mask.h"
#include "fmri/nifti.h"
#include "fmri/scan_settings.h"

enum {
    PIECE = 2048, /* voxels of a volume that are converted at once, in the nearest cache */
    BLOCK = 256   /* voxels that are finished at once: all their TRs stay in the next one */
};

struct extraction {
    ecdc_nifti *nifti;
    const ecdc_mask *mask;
    const ecdc_scan_settings *settings;
    int64_t n_trs;
    double *first;     /* per voxel what zscore subtracts before it rounds to float32, see base_of; else NULL */
    bool some_missing; /* a number was not finite, and is NaN in the series until finish_block */
};

/* Whether a float32 can hold it. */
static inline bool fits(double number) {
    return fabs((float)number) <= 3.4028234663852886e38F;
}

static bool all_fit(const double *numbers, size_t n) {
    bool all = true;
    for (size_t v = 0; v < n; v++)
        all &= fits(numbers[v]);
    return all;
}

/* What is subtracted from a voxel's numbers: its first one, or 0 where that is so large that a difference from it could be more than
 * a float32 holds. */
static double base_of(double first) {
    return fabs(first) < 1e30 ? first : 0;
}

/* Differences from the first number: rounded to float32 they have more digits than the numbers would. */
static void store(struct extraction *e, int64_t tr, const double *numbers, size_t at, size_t n, float *row) {
    double *first = e->first ? e->first + at : NULL;
    if (!e->some_missing && all_fit(numbers, n)) {
        for (size_t v = 0; first && tr == 0 && v < n; v++)
            first[v] = base_of(numbers[v]);
        if (first)
            for (size_t v = 0; v < n; v++)
                row[v] = (float)(numbers[v] - first[v]);
        else
            for (size_t v = 0; v < n; v++)
                row[v] = (float)numbers[v];
        return;
    }
    e->some_missing = true;
    for (size_t v = 0; v < n; v++) {
        bool fine = fits(numbers[v]);
        if (first && (tr == 0 || isnan(first[v])))
            first[v] = fine ? base_of(numbers[v]) : NAN;
        row[v] = fine ? (float)(first ? numbers[v] - first[v] : numbers[v]) : NAN;
    }
}

static void read_row(struct extraction *e, int64_t tr, float *row) {
    unsigned char packed[PIECE * sizeof(double)];
    double numbers[PIECE];
    for (size_t at = 0; at < e->mask->n; at += PIECE) {
        size_t n = e->mask->n - at < PIECE ? e->mask->n - at : PIECE;
        nifti_gather(e->nifti, e->mask->places + at, packed, n);
        nifti_to_double(e->nifti, packed, numbers, n);
        store(e, tr, numbers, at, n, row + at);
    }
}

static ecdc_status read_rows(struct extraction *e, float *series, ecdc_error *err) {
    const ecdc_scan_settings *s = e->settings;
    for (int64_t tr = 0; tr < e->n_trs; tr++) {
        ecdc_status status = nifti_read_raw(e->nifti, err);
        if (status != ECDC_OK)
            return status;
        read_row(e, tr, series + (size_t)tr * e->mask->n);
        if (s->progress)
            s->progress(s->context, (double)(tr + 1) / (double)e->n_trs);
        if (s->stop && s->stop(s->context))
            return scan_fail_stopped(err);
    }
    return ECDC_OK;
}

/* What is known of a block's voxels once all of its TRs are read. */
struct block {
    double sum[BLOCK], squares[BLOCK]; /* of differences from the first */
    float first[BLOCK];                /* finite number of the series; 0 where there is none */
    int64_t count[BLOCK];              /* finite numbers */
};

static void find_first(const struct extraction *e, const float *series, size_t n, struct block *b) {
    for (size_t v = 0; v < n; v++) {
        b->sum[v] = b->squares[v] = 0;
        b->first[v] = series[v];
        b->count[v] = e->n_trs;
        for (int64_t tr = 1; tr < e->n_trs && isnan(b->first[v]); tr++)
            b->first[v] = series[(size_t)tr * e->mask->n + v];
        if (isnan(b->first[v]))
            b->first[v] = 0;
    }
}

static void sum_block(const struct extraction *e, const float *series, size_t n, struct block *b) {
    find_first(e, series, n, b);
    for (int64_t tr = 0; tr < e->n_trs; tr++) {
        const float *row = series + (size_t)tr * e->mask->n;
        for (size_t v = 0; !e->some_missing && v < n; v++) {
            double difference = (double)row[v] - (double)b->first[v];
            b->sum[v] += difference;
            b->squares[v] += difference * difference;
        }
        for (size_t v = 0; e->some_missing && v < n; v++) {
            bool missing = isnan(row[v]);
            double difference = missing ? 0 : (double)row[v] - (double)b->first[v];
            b->count[v] -= missing;
            b->sum[v] += difference;
            b->squares[v] += difference * difference;
        }
    }
}

/* Voxels that never change. Most do at once: a few TRs tell. */
static int64_t count_constant(const struct extraction *e, const float *series, size_t n) {
    bool varies[BLOCK] = {false};
    size_t n_varying = 0;
    for (int64_t tr = 1; tr < e->n_trs && n_varying < n; tr++) {
        const float *row = series + (size_t)tr * e->mask->n;
        n_varying = 0;
        for (size_t v = 0; v < n; v++) {
            varies[v] |= row[v] != series[v];
            n_varying += varies[v];
        }
    }
    return (int64_t)(n - n_varying);
}

/* With all TRs of n voxels read: the report, z-scores, and what stands for missing numbers. */
static void finish_block(const struct extraction *e, float *series, size_t n, ecdc_extraction *report) {
    struct block b;
    double mean[BLOCK], scale[BLOCK];
    bool zscore = e->settings->zscore;
    if (!zscore && !e->some_missing) { /* the series stays as it is */
        report->n_constant += count_constant(e, series, n);
        return;
    }
    sum_block(e, series, n, &b);
    for (size_t v = 0; v < n; v++) {
        const struct deviation d = {b.first[v], b.sum[v], b.squares[v]};
        double count = (double)b.count[v], deviation = count > 0 ? deviation_of(&d, count) : 0;
        report->n_constant += deviation == 0;
        report->n_not_finite += e->n_trs - b.count[v];
        report->n_voxels_not_finite += b.count[v] < e->n_trs;
        mean[v] = count > 0 ? d.first + d.sum / count : 0;
        scale[v] = deviation == 0 ? 1 : 1 / deviation;
    }
    for (int64_t tr = 0; tr < e->n_trs; tr++) {
        float *row = series + (size_t)tr * e->mask->n;
        for (size_t v = 0; e->some_missing && v < n; v++)
            if (isnan(row[v]))
                row[v] = (float)mean[v];
        for (size_t v = 0; zscore && v < n; v++)
            row[v] = (float)((row[v] - mean[v]) * scale[v]);
    }
}

static ecdc_status prepare(struct extraction *e, ecdc_error *err) {
    const ecdc_nifti_info *info = &e->nifti->header.info;
    ecdc_status status = nifti_require_series(e->nifti, err);
    if (status == ECDC_OK)
        status = nifti_space_compare(info->path, &info->space, "the mask", &e->mask->space, err);
    if (status != ECDC_OK)
        return status;
    if (e->nifti->n_read > 0)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: has been read from; open it again", info->path);
    e->n_trs = e->settings->n_trs ? e->settings->n_trs : info->n_trs;
    if (e->n_trs > info->n_trs)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: has %" PRId64 " TRs, %" PRId64 " are asked for", info->path, info->n_trs, e->n_trs);
    if (e->settings->zscore && !(e->first = ecdc_alloc_array(e->mask->n, sizeof *e->first)))
        return ecdc_fail_memory(err, "a series");
    return ECDC_OK;
}

ecdc_status ecdc_nifti_extract(ecdc_nifti *nifti, const ecdc_mask *mask, const ecdc_scan_settings *settings, float *series,
                               ecdc_extraction *report, ecdc_error *err) {
    ecdc_scan_settings taken;
    ecdc_status status = scan_settings_take(settings, &taken, err);
    if (status != ECDC_OK)
        return status;
    struct extraction e = {.nifti = nifti, .mask = mask, .settings = &taken};
    status = prepare(&e, err);
    if (status == ECDC_OK)
        status = read_rows(&e, series, err);
    if (status == ECDC_OK) {
        ecdc_extraction found = {.n_trs = e.n_trs};
        for (size_t v = 0; v < mask->n; v += BLOCK)
            finish_block(&e, series + v, mask->n - v < BLOCK ? mask->n - v : BLOCK, &found);
        if (report)
            *report = found;
    }
    free(e.first);
    return status;
}
