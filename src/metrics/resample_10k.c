/* A windowed sinc, as pystoi's resample_oct (after Octave's resample) designs it, and a polyphase sum, as
 * scipy.signal.resample_poly runs it: conceptually `up` - 1 zeros go between the samples, the filter runs over them, and
 * every `down`-th value is kept. */
#include "metrics/resample_10k.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

enum { RATE = 10000, BLOCK = 1024, LONGEST_FILTER = 1 << 23 };

struct resample_10k {
    int64_t up, down;
    int64_t reach;       /* the filter goes from -reach to reach, counted in steps of 1 / (up * input rate) */
    int64_t n_taps;      /* inputs that an output is made of */
    double *filter;      /* (up, n_taps): one row for every place that an output can have between two inputs */
    double (*input)[2];  /* (capacity): what later outputs need; zeros stand before the first and after the last input */
    int64_t first;       /* the number of input[0], from -reach / up */
    int64_t n_held, capacity;
    int64_t n_in, n_out;
    bool ended;
};

static int64_t greatest_divisor(int64_t a, int64_t b) {
    return b ? greatest_divisor(b, a % b) : a;
}

/* The modified Bessel function I0 by its power series; x is at most 6 here, and all terms are positive. */
static double bessel_i0(double x) {
    double sum = 1, term = 1;
    for (int k = 1; term > 1e-17 * sum; k++) {
        term *= (x / (2 * k)) * (x / (2 * k));
        sum += term;
    }
    return sum;
}

/* Half the length of the filter: 60 dB of rejection, a transition of a tenth of the cut-off frequency. */
static int64_t filter_reach(int64_t widest) {
    double cutoff = 1.0 / (2 * (double)widest), roll_off = cutoff / 10, rejection_db = 60;
    return (int64_t)ceil((rejection_db - 8) / (28.714 * roll_off));
}

/* The coefficient at distance t from the centre, but for a factor: sinc times a Kaiser window. */
static double coefficient(int64_t t, int64_t reach, int64_t widest) {
    const double pi = 3.14159265358979323846, beta = 0.1102 * (60 - 8.7);
    double angle = pi * (double)t / (double)widest, place = (double)t / (double)reach;
    return (t ? sin(angle) / angle : 1) * bessel_i0(beta * sqrt(1 - place * place));
}

/* The coefficients in the order of their use, so scaled that a constant stays what it is. */
static void fill_filter(struct resample_10k *r) {
    int64_t widest = r->up > r->down ? r->up : r->down;
    double sum = 0;
    for (int64_t t = 0; t <= r->reach; t++) {
        double c = r->reach ? coefficient(t, r->reach, widest) : 1;
        sum += t ? 2 * c : c;
        for (int side = 0; side < 2; side++) { /* both are symmetric to the centre */
            int64_t at = side ? r->reach + t : r->reach - t;
            r->filter[at % r->up * r->n_taps + at / r->up] = c;
        }
    }
    for (int64_t i = 0; i < r->up * r->n_taps; i++)
        r->filter[i] *= (double)r->up / sum;
}

ecdc_status resample_10k_new(int rate_hz, struct resample_10k **out, ecdc_error *err) {
    if (rate_hz < 1)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "a sampling rate of %d Hz is not positive", rate_hz);
    int64_t divisor = greatest_divisor(RATE, rate_hz);
    int64_t up = RATE / divisor, down = rate_hz / divisor;
    int64_t reach = up == down ? 0 : filter_reach(up > down ? up : down);
    if (reach > LONGEST_FILTER / 2)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED,
                         "STOI at %d Hz needs a filter of %lld coefficients to come to 10 kHz; convert to a rounder rate first",
                         rate_hz, 2 * (long long)reach + 1);
    struct resample_10k *r = ecdc_alloc_zeros(1, sizeof *r);
    if (!r)
        return ecdc_fail_memory(err, "a resampler");
    r->up = up;
    r->down = down;
    r->reach = reach;
    r->n_taps = 2 * reach / up + 1;
    r->capacity = 2 * r->n_taps + BLOCK;
    r->filter = ecdc_alloc_zeros((size_t)(up * r->n_taps), sizeof *r->filter);
    r->input = ecdc_alloc_array((size_t)r->capacity, sizeof *r->input);
    if (!r->filter || !r->input) {
        resample_10k_free(r);
        return ecdc_fail_memory(err, "a resampler");
    }
    fill_filter(r);
    resample_10k_restart(r);
    *out = r;
    return ECDC_OK;
}

void resample_10k_free(struct resample_10k *r) {
    if (!r)
        return;
    free(r->filter);
    free(r->input);
    free(r);
}

static void push_zeros(struct resample_10k *r, int64_t n) {
    memset(r->input + r->n_held, 0, (size_t)n * sizeof *r->input);
    r->n_held += n;
}

void resample_10k_restart(struct resample_10k *r) {
    r->n_held = r->n_in = r->n_out = 0;
    r->ended = false;
    r->first = -(r->reach / r->up);
    push_zeros(r, -r->first);
}

/* The first input that the next output needs, and the row of the filter that meets it. */
static int64_t next_input(const struct resample_10k *r, int64_t *row) {
    int64_t begin = r->n_out * r->down - r->reach; /* in the filter's steps; rounded up to an input */
    *row = (r->up - begin % r->up) % r->up;
    return (begin + *row) / r->up;
}

static void drop_used(struct resample_10k *r) {
    int64_t row, n = next_input(r, &row) - r->first;
    n = n < r->n_held ? n : r->n_held;
    memmove(r->input, r->input + n, (size_t)(r->n_held - n) * sizeof *r->input);
    r->first += n;
    r->n_held -= n;
}

size_t resample_10k_push(struct resample_10k *r, const float *reference, const float *degraded, size_t n) {
    drop_used(r);
    int64_t room = r->capacity - r->n_taps - r->n_held; /* n_taps stay free for the zeros at the end */
    size_t taken = n < (size_t)room ? n : (size_t)room;
    for (size_t i = 0; i < taken; i++) {
        r->input[r->n_held][0] = (double)reference[i];
        r->input[r->n_held++][1] = (double)degraded[i];
    }
    r->n_in += (int64_t)taken;
    return taken;
}

void resample_10k_finish(struct resample_10k *r) {
    drop_used(r);
    push_zeros(r, r->n_taps);
    r->ended = true;
}

/* Four sums, so that an addition need not wait for the one before. */
static void weigh(const double *weights, double (*input)[2], int64_t n, double pair[2]) {
    double sums[4][2] = {{0}};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++)
            for (int s = 0; s < 2; s++)
                sums[k][s] += weights[i + k] * input[i + k][s];
    for (; i < n; i++)
        for (int s = 0; s < 2; s++)
            sums[0][s] += weights[i] * input[i][s];
    for (int s = 0; s < 2; s++)
        pair[s] = (sums[0][s] + sums[1][s]) + (sums[2][s] + sums[3][s]);
}

bool resample_10k_next(struct resample_10k *r, double pair[2]) {
    int64_t row, begin = next_input(r, &row) - r->first;
    /* Beyond the end: output n_out lies behind the last input, at n_out * down >= n_in * up. */
    if (begin + r->n_taps > r->n_held || (r->ended && r->n_out * r->down >= r->n_in * r->up))
        return false;
    weigh(r->filter + row * r->n_taps, r->input + begin, r->n_taps, pair);
    r->n_out++;
    return true;
}
