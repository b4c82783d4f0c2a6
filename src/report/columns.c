#include "report/columns.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "compute/spectrum.h"

enum { FIRST_PER_S = 200, WINDOW_PER_S = 25 }; /* columns of 5 ms; spectra of about 40 ms */

static const double FLOOR_DB = -100;

/* The bins of a band, first ... last. */
struct band {
    int first, last;
};

struct columns_maker {
    int rate, hop, window; /* hop: samples of one of the first columns */
    int merged;            /* of them make one column now */
    struct band bands[COLUMN_BANDS];
    double *shape, scale;  /* of the window; a full-scale sine's power becomes 1 */
    struct spectrum spectrum;
    float *history;        /* the last `window` samples, the spectrum's middle on a column's middle */
    size_t filled;
    int64_t n_pushed;      /* samples of the sound */
    int64_t n_seen;        /* of the first columns whose samples have gone by */
    float low, high;       /* of the samples of the column at hand */
    int in_column;
    int64_t n_spectra;     /* first columns with their spectrum */
    int8_t (*envelope)[2];
    uint8_t (*levels)[COLUMN_BANDS];
};

double columns_mel(double hz) {
    return 2595 * log10(1 + hz / 700);
}

static double mel_to_hz(double m) {
    return 700 * (pow(10, m / 2595) - 1);
}

static void place_bands(struct columns_maker *m) {
    double top = columns_mel(m->rate / 2.0);
    for (int b = 0; b < COLUMN_BANDS; b++) {
        int first = (int)(mel_to_hz(top * b / COLUMN_BANDS) * m->window / m->rate);
        int last = (int)(mel_to_hz(top * (b + 1) / COLUMN_BANDS) * m->window / m->rate) - 1;
        m->bands[b] = (struct band){first, last > first ? last : first};
    }
}

static void shape_window(struct columns_maker *m) {
    double sum = 0;
    for (int i = 0; i < m->window; i++)
        sum += m->shape[i] = 0.5 - 0.5 * cos(2 * 3.14159265358979323846 * i / m->window);
    m->scale = 4 / (sum * sum);
}

ecdc_status columns_new(int rate_hz, struct columns_maker **out, ecdc_error *err) {
    struct columns_maker *m = ecdc_alloc_zeros(1, sizeof *m);
    if (!m)
        return ecdc_fail_memory(err, "a picture");
    m->rate = rate_hz;
    m->hop = rate_hz / FIRST_PER_S > 1 ? rate_hz / FIRST_PER_S : 1;
    m->merged = 1;
    for (m->window = 64; m->window < rate_hz / WINDOW_PER_S;)
        m->window *= 2;
    m->shape = ecdc_alloc_array((size_t)m->window, sizeof *m->shape);
    m->history = ecdc_alloc_array((size_t)m->window, sizeof *m->history);
    m->envelope = ecdc_alloc_zeros(COLUMNS_MAX, sizeof *m->envelope);
    m->levels = ecdc_alloc_zeros(COLUMNS_MAX, sizeof *m->levels);
    if (!m->shape || !m->history || !m->envelope || !m->levels || !spectrum_init(&m->spectrum, m->window)) {
        columns_free(m);
        return ecdc_fail_memory(err, "a picture");
    }
    place_bands(m);
    shape_window(m);
    m->filled = (size_t)(m->window - m->hop) / 2; /* silence before the sound */
    memset(m->history, 0, m->filled * sizeof *m->history);
    *out = m;
    return ECDC_OK;
}

void columns_free(struct columns_maker *m) {
    if (!m)
        return;
    spectrum_free(&m->spectrum);
    free(m->shape);
    free(m->history);
    free(m->envelope);
    free(m->levels);
    free(m);
}

/* Two columns become one, until column `index` of the first ones has a place. */
static int64_t place(struct columns_maker *m, int64_t index) {
    while (index / m->merged >= COLUMNS_MAX) {
        for (int i = 0; i < COLUMNS_MAX / 2; i++) {
            int8_t *e = m->envelope[i], *one = m->envelope[2 * i], *two = m->envelope[2 * i + 1];
            int8_t low = one[0] < two[0] ? one[0] : two[0], high = one[1] > two[1] ? one[1] : two[1];
            e[0] = low;
            e[1] = high;
            for (int b = 0; b < COLUMN_BANDS; b++) {
                uint8_t x = m->levels[2 * i][b], y = m->levels[2 * i + 1][b];
                m->levels[i][b] = x > y ? x : y;
            }
        }
        memset(m->envelope + COLUMNS_MAX / 2, 0, COLUMNS_MAX / 2 * sizeof *m->envelope);
        memset(m->levels + COLUMNS_MAX / 2, 0, COLUMNS_MAX / 2 * sizeof *m->levels);
        m->merged *= 2;
    }
    return index / m->merged;
}

static int8_t to_int8(float x) {
    float scaled = roundf(127 * x);
    return (int8_t)(scaled > 127 ? 127 : scaled < -127 ? -127 : scaled);
}

static void end_of_column(struct columns_maker *m) {
    int64_t i = place(m, m->n_seen);
    int8_t *e = m->envelope[i], low = to_int8(m->low), high = to_int8(m->high);
    bool first = m->n_seen % m->merged == 0;
    e[0] = first || low < e[0] ? low : e[0];
    e[1] = first || high > e[1] ? high : e[1];
    m->n_seen++;
    m->in_column = 0;
}

static void scan(struct columns_maker *m, const float *samples, size_t n) {
    for (size_t i = 0; i < n; i++) {
        m->low = m->in_column == 0 || samples[i] < m->low ? samples[i] : m->low;
        m->high = m->in_column == 0 || samples[i] > m->high ? samples[i] : m->high;
        if (++m->in_column == m->hop)
            end_of_column(m);
    }
}

static void measure(struct columns_maker *m) {
    for (int i = 0; i < m->window; i++)
        m->spectrum.signal[i] = (double)m->history[i] * m->shape[i];
    spectrum_run(&m->spectrum);
    uint8_t *levels = m->levels[place(m, m->n_spectra++)];
    for (int b = 0; b < COLUMN_BANDS; b++) {
        double loudest = 0;
        for (int k = m->bands[b].first; k <= m->bands[b].last; k++) {
            AVComplexDouble z = m->spectrum.bins[k];
            loudest = fmax(loudest, z.re * z.re + z.im * z.im);
        }
        double db = 10 * log10(loudest * m->scale + 1e-12), level = 255 * (1 - db / FLOOR_DB);
        uint8_t rounded = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level + 0.5);
        levels[b] = rounded > levels[b] ? rounded : levels[b];
    }
}

static void transform(struct columns_maker *m, const float *samples, size_t n) {
    size_t window = (size_t)m->window, hop = (size_t)m->hop;
    while (n) {
        size_t part = window - m->filled < n ? window - m->filled : n;
        memcpy(m->history + m->filled, samples, part * sizeof *samples);
        m->filled += part;
        samples += part;
        n -= part;
        if (m->filled == window) {
            measure(m);
            memmove(m->history, m->history + hop, (window - hop) * sizeof *m->history);
            m->filled = window - hop;
        }
    }
}

ecdc_status columns_push(struct columns_maker *m, const float *samples, size_t n, ecdc_error *err) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(samples[i]))
            return ecdc_fail(err, ECDC_E_ARGUMENT, "sample %lld is not a finite number", (long long)m->n_pushed + (long long)i);
    m->n_pushed += (int64_t)n;
    scan(m, samples, n);
    transform(m, samples, n);
    return ECDC_OK;
}

void columns_finish(struct columns_maker *m, struct columns *result) {
    if (m->in_column)
        end_of_column(m);
    float silence[256] = {0};
    while (m->n_spectra < m->n_seen) { /* the last spectra reach beyond the end */
        size_t missing = (size_t)m->window - m->filled;
        transform(m, silence, missing < 256 ? missing : 256);
    }
    *result = (struct columns){(double)m->hop * m->merged / m->rate, (m->n_seen + m->merged - 1) / m->merged, m->envelope,
                               m->levels};
}
