#include "report/tr_levels.h"

#include <math.h>

/* The first sample of TR i; the margin is for starts that doubles put a hair above a sample's time. */
static int64_t first_sample(const struct tr_levels *l, int64_t i) {
    return (int64_t)ceil(ecdc_tr_grid_start_s(&l->grid, i) * l->rate - 1e-6);
}

void tr_levels_init(struct tr_levels *l, const ecdc_tr_grid *grid, int rate_hz, int n_tracks) {
    *l = (struct tr_levels){.grid = *grid, .rate = rate_hz, .n_tracks = n_tracks, .tr = -1,
                            .rows = {.item_size = (1 + (size_t)n_tracks) * sizeof(double)}};
}

void tr_levels_free(struct tr_levels *l) {
    fifo_free(&l->rows);
}

static double *row(const struct tr_levels *l, int64_t i) {
    return (double *)fifo_items(&l->rows) + i * (1 + l->n_tracks);
}

static ecdc_status next_tr(struct tr_levels *l, ecdc_error *err) {
    double *energies = fifo_reserve(&l->rows, 1);
    if (!energies)
        return ecdc_fail_memory(err, "the levels of the TRs");
    for (int k = 0; k < 1 + l->n_tracks; k++)
        energies[k] = 0;
    fifo_commit(&l->rows, 1);
    l->tr++;
    l->tr_end = first_sample(l, l->tr + 1);
    return ECDC_OK;
}

ecdc_status tr_levels_push(struct tr_levels *l, const float *original, float *const *tracks, size_t n, ecdc_error *err) {
    for (size_t done = 0; done < n;) {
        if (l->n_samples == l->tr_end) {
            ecdc_status status = next_tr(l, err);
            if (status != ECDC_OK)
                return status;
        }
        int64_t left = l->tr_end - l->n_samples;
        size_t part = (int64_t)(n - done) < left ? n - done : (size_t)left;
        double *energies = row(l, l->tr);
        for (size_t i = done; i < done + part; i++) {
            double x = (double)original[i];
            energies[0] += x * x;
            for (int t = 0; t < l->n_tracks; t++)
                energies[1 + t] += (x - (double)tracks[t][i]) * (x - (double)tracks[t][i]);
        }
        done += part;
        l->n_samples += (int64_t)part;
    }
    return ECDC_OK;
}

double tr_levels_rms_db(const struct tr_levels *l, int64_t i) {
    int64_t end = first_sample(l, i + 1), n = (end < l->n_samples ? end : l->n_samples) - first_sample(l, i);
    return 10 * log10(row(l, i)[0] / (double)n);
}

double tr_levels_snr_db(const struct tr_levels *l, int64_t i, int track) {
    double signal = row(l, i)[0], noise = row(l, i)[1 + track];
    if (noise <= 0)
        return INFINITY;
    return signal > 0 ? 10 * log10(signal / noise) : -INFINITY;
}
