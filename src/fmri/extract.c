/* The series of a mask's voxels. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "fmri/deviation.h"
#include "fmri/mask.h"
#include "fmri/nifti.h"
#include "fmri/scan_settings.h"

struct extraction {
    ecdc_nifti *nifti;
    const ecdc_mask *mask;
    const ecdc_scan_settings *settings;
    int64_t n_trs;
    unsigned char *packed;        /* a volume's numbers of the mask, as the file has them */
    double *numbers;              /* the same, scaled */
    struct deviation *deviations; /* of the finite ones */
    int64_t *missing;             /* per voxel: numbers that were not finite; NULL while there is none */
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

/* A row whose numbers all fit, with nothing missing before it. With zscore the difference from the first is kept: rounded
 * to float32 it has more digits than the number would. */
static void add_row(struct extraction *e, int64_t tr, float *row) {
    struct deviation *d = e->deviations;
    size_t n = e->mask->n;
    if (tr == 0)
        for (size_t v = 0; v < n; v++)
            deviation_begin(&d[v], e->numbers[v]);
    else
        for (size_t v = 0; v < n; v++)
            deviation_add(&d[v], e->numbers[v]);
    if (e->settings->zscore)
        for (size_t v = 0; v < n; v++)
            row[v] = (float)(e->numbers[v] - d[v].first);
    else
        for (size_t v = 0; v < n; v++)
            row[v] = (float)e->numbers[v];
}

/* The same voxel by voxel; what is missing becomes NaN until fill_missing. */
static ecdc_status add_row_with_missing(struct extraction *e, int64_t tr, float *row, ecdc_error *err) {
    if (!e->missing && !(e->missing = ecdc_alloc_zeros(e->mask->n, sizeof *e->missing)))
        return ecdc_fail_memory(err, "a series");
    for (size_t v = 0; v < e->mask->n; v++) {
        struct deviation *d = &e->deviations[v];
        double number = e->numbers[v];
        if (!fits(number)) {
            e->missing[v]++;
            row[v] = NAN;
            continue;
        }
        if (e->missing[v] == tr) /* the voxel's first */
            deviation_begin(d, number);
        else
            deviation_add(d, number);
        row[v] = (float)(e->settings->zscore ? number - d->first : number);
    }
    return ECDC_OK;
}

static ecdc_status read_rows(struct extraction *e, float *series, ecdc_error *err) {
    const ecdc_scan_settings *s = e->settings;
    size_t n = e->mask->n;
    for (int64_t tr = 0; tr < e->n_trs; tr++) {
        float *row = series + (size_t)tr * n;
        ecdc_status status = nifti_read_raw(e->nifti, err);
        if (status != ECDC_OK)
            return status;
        nifti_gather(e->nifti, e->mask->places, e->packed, n);
        nifti_to_double(e->nifti, e->packed, e->numbers, n);
        if (!e->missing && all_fit(e->numbers, n))
            add_row(e, tr, row);
        else if ((status = add_row_with_missing(e, tr, row, err)) != ECDC_OK)
            return status;
        if (s->progress)
            s->progress(s->context, (double)(tr + 1) / (double)e->n_trs);
        if (s->stop && s->stop(s->context))
            return scan_fail_stopped(err);
    }
    return ECDC_OK;
}

/* Per voxel, in its deviation: what to subtract (sum), what to multiply by (squares), and what stands for a missing number
 * (first). */
static void finish_voxels(struct extraction *e, ecdc_extraction *report) {
    for (size_t v = 0; v < e->mask->n; v++) {
        struct deviation *d = &e->deviations[v];
        int64_t missing = e->missing ? e->missing[v] : 0;
        double n = (double)(e->n_trs - missing);
        report->n_not_finite += missing;
        report->n_voxels_not_finite += missing > 0;
        double mean = n > 0 ? deviation_mean(d, n) : 0, deviation = n > 0 ? deviation_of(d, n) : 0;
        report->n_constant += deviation == 0;
        *d = (struct deviation){
            .first = e->settings->zscore || n == 0 ? 0 : d->first + mean, .sum = mean, .squares = deviation == 0 ? 1 : 1 / deviation};
    }
}

static void finish_rows(const struct extraction *e, float *series) {
    const struct deviation *d = e->deviations;
    size_t n = e->mask->n;
    for (int64_t tr = 0; tr < e->n_trs && (e->missing || e->settings->zscore); tr++) {
        float *row = series + (size_t)tr * n;
        if (e->settings->zscore)
            for (size_t v = 0; v < n; v++)
                row[v] = (float)((row[v] - d[v].sum) * d[v].squares);
        for (size_t v = 0; e->missing && v < n; v++)
            if (e->missing[v] > 0 && isnan(row[v]))
                row[v] = (float)d[v].first;
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
    e->packed = ecdc_alloc_array(e->mask->n, e->nifti->header.item_bytes);
    e->numbers = ecdc_alloc_array(e->mask->n, sizeof *e->numbers);
    e->deviations = ecdc_alloc_zeros(e->mask->n, sizeof *e->deviations);
    return e->packed && e->numbers && e->deviations ? ECDC_OK : ecdc_fail_memory(err, "a series");
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
        finish_voxels(&e, &found);
        finish_rows(&e, series);
        if (report)
            *report = found;
    }
    free(e.packed);
    free(e.numbers);
    free(e.deviations);
    free(e.missing);
    return status;
}
