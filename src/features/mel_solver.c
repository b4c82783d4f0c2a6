/* Minimises |A x - b|^2 over x >= 0, A the filters (n_mels x n_bins), b the mel powers, x the powers of the bins.
 *
 * Neighbouring filters overlap, others do not, so A A' is tridiagonal and a bin lies in two filters at most: everything
 * takes a few operations per bin. Where filters are wider than bins (above 3 kHz for 2048 of them) there are many solutions:
 * the start is the shortest one, x = A' (A A' + e)^-1 b, cut at 0. Where filters are narrower than bins there is no exact
 * one. Coordinate descent, bin by bin, does the rest. */
#include "features/mel_solver.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"

enum { SWEEPS = 20 };

static const double damping = 1e-6; /* e, relative to the largest diagonal element */

struct column {      /* of A: the filters that a bin lies in */
    size_t mel;      /* the first of them */
    double w[2];     /* its weight, and the next one's, 0 where there is none */
    double power;    /* |w|^2 */
};

struct mel_solver {
    const struct mel_filters *filters;
    struct column *columns;
    double *factor, *pivot; /* of A A' + e = L D L': below the diagonal of L, and D */
    double *x, *residual;   /* n_bins, n_mels + 1 (a column's second filter may be one past the last, with weight 0) */
    double *y;              /* n_mels */
};

static void fill_columns(struct mel_solver *s) {
    const struct mel_filters *f = s->filters;
    for (size_t m = 0; m < f->n_mels; m++)
        for (size_t i = f->first[m], k = f->bin[m]; i < f->first[m + 1]; i++, k++) {
            struct column *c = &s->columns[k];
            if (c->power == 0)
                c->mel = m;
            c->w[m - c->mel] = (double)f->weights[i];
            c->power += (double)f->weights[i] * (double)f->weights[i];
        }
}

static void factorise(struct mel_solver *s) {
    const struct mel_filters *f = s->filters;
    double largest = 0, *diagonal = s->pivot, *below = s->factor; /* below[m]: between m and m + 1 */
    for (size_t k = 0; k < f->n_bins; k++) {
        const struct column *c = &s->columns[k];
        if (c->power == 0)
            continue;
        diagonal[c->mel] += c->w[0] * c->w[0];
        if (c->mel + 1 < f->n_mels) {
            diagonal[c->mel + 1] += c->w[1] * c->w[1];
            below[c->mel] += c->w[0] * c->w[1];
        }
    }
    for (size_t m = 0; m < f->n_mels; m++)
        largest = fmax(largest, diagonal[m]);
    for (size_t m = 0; m < f->n_mels; m++) {
        diagonal[m] += largest > 0 ? damping * largest : 1;
        if (m > 0) {
            double product = below[m - 1];
            below[m - 1] /= diagonal[m - 1];
            diagonal[m] -= product * below[m - 1];
        }
    }
}

ecdc_status mel_solver_new(const struct mel_filters *filters, struct mel_solver **out, ecdc_error *err) {
    struct mel_solver *s = ecdc_alloc_zeros(1, sizeof *s);
    if (!s)
        return ecdc_fail_memory(err, "a solver");
    s->filters = filters;
    s->columns = ecdc_alloc_zeros(filters->n_bins, sizeof *s->columns);
    s->factor = ecdc_alloc_zeros(filters->n_mels, sizeof *s->factor);
    s->pivot = ecdc_alloc_zeros(filters->n_mels, sizeof *s->pivot);
    s->x = ecdc_alloc_zeros(filters->n_bins, sizeof *s->x);
    s->residual = ecdc_alloc_zeros(filters->n_mels + 1, sizeof *s->residual);
    s->y = ecdc_alloc_zeros(filters->n_mels, sizeof *s->y);
    if (!s->columns || !s->factor || !s->pivot || !s->x || !s->residual || !s->y) {
        mel_solver_free(s);
        return ecdc_fail_memory(err, "a solver");
    }
    fill_columns(s);
    factorise(s);
    *out = s;
    return ECDC_OK;
}

void mel_solver_free(struct mel_solver *s) {
    if (!s)
        return;
    free(s->columns);
    free(s->factor);
    free(s->pivot);
    free(s->x);
    free(s->residual);
    free(s->y);
    free(s);
}

/* x = A' (A A' + e)^-1 b, cut at 0. */
static void start(struct mel_solver *s, const float *mel) {
    size_t n_mels = s->filters->n_mels;
    double *y = s->y;
    for (size_t m = 0; m < n_mels; m++)
        y[m] = (double)mel[m] - (m > 0 ? s->factor[m - 1] * y[m - 1] : 0);
    for (size_t m = n_mels; m-- > 0;)
        y[m] = y[m] / s->pivot[m] - (m + 1 < n_mels ? s->factor[m] * y[m + 1] : 0);
    for (size_t k = 0; k < s->filters->n_bins; k++) {
        const struct column *c = &s->columns[k];
        s->x[k] = c->power == 0 ? 0 : fmax(0, c->w[0] * y[c->mel] + (c->mel + 1 < n_mels ? c->w[1] * y[c->mel + 1] : 0));
    }
}

void mel_solver_run(struct mel_solver *s, const float *mel, float *magnitudes) {
    const struct mel_filters *f = s->filters;
    double *r = s->residual;
    start(s, mel);
    for (size_t m = 0; m < f->n_mels; m++)
        r[m] = (double)mel[m];
    r[f->n_mels] = 0;
    for (size_t k = 0; k < f->n_bins; k++) {
        const struct column *c = &s->columns[k];
        r[c->mel] -= c->w[0] * s->x[k];
        r[c->mel + 1] -= c->w[1] * s->x[k];
    }
    for (int sweep = 0; sweep < SWEEPS; sweep++)
        for (size_t k = 0; k < f->n_bins; k++) {
            const struct column *c = &s->columns[k];
            if (c->power == 0)
                continue;
            double best = fmax(0, s->x[k] + (c->w[0] * r[c->mel] + c->w[1] * r[c->mel + 1]) / c->power);
            double change = best - s->x[k];
            r[c->mel] -= c->w[0] * change;
            r[c->mel + 1] -= c->w[1] * change;
            s->x[k] = best;
        }
    for (size_t k = 0; k < f->n_bins; k++)
        magnitudes[k] = (float)sqrt(s->x[k]);
}
