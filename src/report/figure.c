#include "report/figure.h"

#include <math.h>
#include <stdlib.h>
#include <stdio.h>

#include "base/text.h"
#include "report/canvas.h"
#include "report/png.h"

enum {
    WIDTH = 1600, LEFT = 92, RIGHT = WIDTH - 32, INNER = RIGHT - LEFT,
    TITLE_HEIGHT = 104, HEADING = 44, WAVE = 96, LEVELS = 200, GAP = 22, AXIS = 84
};

static const struct colour PAPER = {255, 255, 255}, INK = {22, 25, 29}, SOFT = {91, 100, 112}, LINE = {223, 227, 232},
                           WAVE_COLOUR = {47, 111, 181};
static const double RANGE_DB = 65; /* of the spectrograms */

struct figure {
    const struct report_material *m;
    struct canvas canvas;
    int y;               /* where the next thing goes */
    double low, high;    /* levels shown as silence and as loudest */
    double full_scale;   /* of the waveforms */
};

static double duration_s(const struct figure *f) {
    return (double)f->m->n_samples / f->m->model.sampling_rate_hz;
}

/* The columns behind pixel x: first ... last - 1, at least one. */
static void columns_at(const struct columns *c, int x, int64_t *first, int64_t *last) {
    *first = c->n * x / INNER;
    *last = c->n * (x + 1) / INNER;
    if (*last <= *first)
        *last = *first + 1;
}

/* From what all but a thousandth of the original stays below. */
static void set_range(struct figure *f) {
    const struct columns *c = &f->m->original;
    int64_t counts[256] = {0}, above = 0, all = c->n * COLUMN_BANDS;
    for (int64_t i = 0; i < c->n; i++)
        for (int b = 0; b < COLUMN_BANDS; b++)
            counts[c->levels[i][b]]++;
    int high = 255;
    while (high > 80 && (above += counts[high]) * 1000 < all)
        high--;
    f->high = high;
    f->low = high - RANGE_DB * 2.55;
    int peak = 8;
    for (int64_t i = 0; i < c->n; i++)
        for (int k = 0; k < 2; k++)
            peak = abs(c->envelope[i][k]) > peak ? abs(c->envelope[i][k]) : peak;
    f->full_scale = peak;
}

static struct colour level_colour(const struct figure *f, int level) {
    static const double stops[][3] = {{255, 255, 255}, {222, 235, 247}, {158, 202, 225}, {66, 146, 198}, {8, 81, 156}, {6, 30, 70}};
    double at = fmin(fmax((level - f->low) / (f->high - f->low), 0), 1) * 5;
    int k = at < 4 ? (int)at : 4;
    double rgb[3];
    for (int c = 0; c < 3; c++)
        rgb[c] = stops[k][c] + (at - k) * (stops[k + 1][c] - stops[k][c]);
    return (struct colour){(uint8_t)rgb[0], (uint8_t)rgb[1], (uint8_t)rgb[2]};
}

/* ------------------------------------------------------------------------------------------- pictures --- */

static void draw_wave(struct figure *f, const struct columns *c) {
    canvas_fill(&f->canvas, LEFT, f->y + WAVE / 2, INNER, 1, LINE);
    for (int x = 0; x < INNER; x++) {
        int64_t first, last;
        columns_at(c, x, &first, &last);
        int low = 127, high = -127;
        for (int64_t i = first; i < last; i++) {
            low = c->envelope[i][0] < low ? c->envelope[i][0] : low;
            high = c->envelope[i][1] > high ? c->envelope[i][1] : high;
        }
        double top = fmax(1 - high / f->full_scale, 0), bottom = fmin(1 - low / f->full_scale, 2);
        int y = (int)(WAVE / 2 * top), height = (int)(WAVE / 2 * bottom) - y;
        canvas_fill(&f->canvas, LEFT + x, f->y + y, 1, height > 1 ? height : 1, WAVE_COLOUR);
    }
    f->y += WAVE;
}

static double mel(double hz) {
    return 2595 * log10(1 + hz / 700);
}

static void label_frequencies(struct figure *f) {
    static const int ticks[] = {500, 1000, 2000, 4000, 8000};
    double top = mel(f->m->model.sampling_rate_hz / 2.0);
    for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++) {
        int y = f->y + LEVELS - (int)(LEVELS * mel(ticks[i]) / top);
        char text[20];
        snprintf(text, sizeof text, ticks[i] < 1000 ? "%d Hz" : "%d kHz", ticks[i] < 1000 ? ticks[i] : ticks[i] / 1000);
        if (y < f->y + 8)
            continue;
        canvas_fill(&f->canvas, LEFT - 6, y, 6, 1, SOFT);
        canvas_text(&f->canvas, LEFT - 10, y, ANCHOR_RIGHT, FACE_REGULAR, SOFT, text);
    }
}

static void draw_levels(struct figure *f, const struct columns *c) {
    for (int x = 0; x < INNER; x++) {
        int64_t first, last;
        columns_at(c, x, &first, &last);
        for (int y = 0; y < LEVELS; y++) {
            int band = (LEVELS - 1 - y) * COLUMN_BANDS / LEVELS, level = 0;
            for (int64_t i = first; i < last; i++)
                level = c->levels[i][band] > level ? c->levels[i][band] : level;
            canvas_fill(&f->canvas, LEFT + x, f->y + y, 1, 1, level_colour(f, level));
        }
    }
    label_frequencies(f);
    f->y += LEVELS + GAP;
}

static int codes_row_height(const struct report_material *m) {
    return m->n_codebooks > 8 ? 10 : 22;
}

/* Codes are labels: each has a hue of its own, without any order. */
static struct colour code_colour(int code) {
    double hue = fmod(code * 0.6180339887, 1), rgb[3];
    for (int c = 0; c < 3; c++)
        rgb[c] = 255 * fmin(fmax(0.55 + 0.33 * cos(2 * 3.14159265358979323846 * (hue - c / 3.0)), 0), 1);
    return (struct colour){(uint8_t)rgb[0], (uint8_t)rgb[1], (uint8_t)rgb[2]};
}

static void draw_codes(struct figure *f) {
    const struct report_material *m = f->m;
    int height = codes_row_height(m);
    double frames = (double)m->n_samples / m->model.hop; /* the last one may reach beyond the sound */
    for (int x = 0; x < INNER; x++) {
        int64_t frame = (int64_t)(frames * (x + 0.5) / INNER);
        for (int k = 0; k < m->n_codebooks; k++)
            canvas_fill(&f->canvas, LEFT + x, f->y + k * height, 1, height, code_colour(m->codes[frame * m->n_codebooks + k]));
    }
    for (int k = 0; k < m->n_codebooks; k += m->n_codebooks > 8 ? 4 : 1) {
        char text[20];
        snprintf(text, sizeof text, "%d", k);
        canvas_text(&f->canvas, LEFT - 10, f->y + k * height + height / 2, ANCHOR_RIGHT, FACE_REGULAR, SOFT, text);
    }
    f->y += m->n_codebooks * height;
}

/* ---------------------------------------------------------------------------------------- axis, labels --- */

static double nice_step(double least) {
    static const double steps[] = {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (steps[i] >= least)
            return steps[i];
    return ceil(least / 36000) * 36000;
}

static void draw_axis(struct figure *f) {
    double length = duration_s(f), tr_s = f->m->grid.tr_s, step = nice_step(length * 90 / INNER);
    int y = f->y;
    char text[40];
    for (int64_t i = 0; (double)i * step <= length; i++) {
        double t = (double)i * step;
        int x = LEFT + (int)(t / length * INNER);
        canvas_fill(&f->canvas, x, y, 1, 8, SOFT);
        if (length >= 120)
            snprintf(text, sizeof text, "%d:%02d", (int)t / 60, (int)t % 60);
        else
            snprintf(text, sizeof text, "%g", t);
        int half = canvas_text_width(&f->canvas, FACE_REGULAR, text) / 2;
        canvas_text(&f->canvas, x + half < WIDTH - 4 ? x : WIDTH - 4 - half, y + 22, ANCHOR_MIDDLE, FACE_REGULAR, SOFT, text);
    }
    canvas_text(&f->canvas, LEFT - 10 - 20, y + 22, ANCHOR_RIGHT, FACE_REGULAR, SOFT, length >= 120 ? "min:s" : "s");
    double every = fmax(1, nice_step(60 * length / tr_s / INNER));
    for (double i = 0; i < (double)f->m->n_trs; i += every) {
        int x = LEFT + (int)(i * tr_s / length * INNER);
        snprintf(text, sizeof text, "%.0f", i);
        canvas_fill(&f->canvas, x, y + 44, 1, 22, SOFT);
        canvas_text(&f->canvas, x + 6, y + 55, ANCHOR_LEFT, FACE_REGULAR, SOFT, text);
    }
    canvas_fill(&f->canvas, LEFT + (int)((double)f->m->n_trs * tr_s / length * INNER), y + 44, 1, 22, SOFT); /* the last one's end */
    canvas_text(&f->canvas, LEFT - 10 - 20, y + 55, ANCHOR_RIGHT, FACE_REGULAR, SOFT, "TR");
    f->y += AXIS;
}

static void draw_title(struct figure *f) {
    const struct report_material *m = f->m;
    char text[400], duration[40];
    double s = duration_s(f);
    canvas_text(&f->canvas, LEFT, 44, ANCHOR_LEFT, FACE_BOLD, INK, m->title);
    snprintf(duration, sizeof duration, s >= 120 ? "%.1f min" : "%.2f s", s >= 120 ? s / 60 : s);
    snprintf(text, sizeof text, "%s of sound, %lld TR%s of %.6g s, codes of %s", duration, (long long)m->n_trs, m->n_trs == 1 ? "" : "s",
             m->grid.tr_s, m->model.name);
    canvas_text(&f->canvas, LEFT, 80, ANCHOR_LEFT, FACE_REGULAR, SOFT, text);
    f->y = TITLE_HEIGHT;
}

static void draw_heading(struct figure *f, const char *name, const char *about) {
    canvas_text(&f->canvas, LEFT, f->y + 20, ANCHOR_LEFT, FACE_BOLD, INK, name);
    canvas_text(&f->canvas, LEFT + canvas_text_width(&f->canvas, FACE_BOLD, name) + 18, f->y + 22, ANCHOR_LEFT, FACE_REGULAR, SOFT,
                about);
    f->y += HEADING;
}

static void describe(const struct report_track *t, char *text, size_t size) {
    char stoi[80] = "";
    if (!isnan(t->metrics.stoi))
        snprintf(stoi, sizeof stoi, "STOI %.3f, ESTOI %.3f, ", t->metrics.stoi, t->metrics.estoi);
    snprintf(text, size, "%d codebook%s, %sSNR %.2f dB, SI-SDR %.2f dB, LSD %.2f dB", t->n_codebooks, t->n_codebooks == 1 ? "" : "s",
             stoi, t->metrics.snr_db, t->metrics.si_sdr_db, t->metrics.lsd_db);
}

static void draw(struct figure *f) {
    const struct report_material *m = f->m;
    char name[40], text[200];
    set_range(f);
    draw_title(f);
    draw_heading(f, "Original", "");
    draw_wave(f, &m->original);
    draw_levels(f, &m->original);
    for (int i = 0; i < m->n_tracks; i++) {
        snprintf(name, sizeof name, "%g kbps", m->tracks[i].bandwidth_kbps);
        describe(&m->tracks[i], text, sizeof text);
        draw_heading(f, name, text);
        draw_wave(f, &m->tracks[i].columns);
        draw_levels(f, &m->tracks[i].columns);
    }
    draw_heading(f, "Codes", "codebook by time; a code is a label, so is its colour");
    draw_codes(f);
    draw_axis(f);
}

ecdc_status figure_write(struct output *o, const struct report_material *m, ecdc_error *err) {
    struct figure f = {.m = m};
    int height = TITLE_HEIGHT + (1 + m->n_tracks) * (HEADING + WAVE + LEVELS + GAP) + HEADING +
                 m->n_codebooks * codes_row_height(m) + AXIS;
    ecdc_status status = canvas_init(&f.canvas, WIDTH, height, PAPER, err);
    if (status == ECDC_OK) {
        locale_t before = numbers_begin();
        draw(&f);
        numbers_end(before);
        status = png_write(o, f.canvas.rgb, WIDTH, height, err);
    }
    canvas_free(&f.canvas);
    return status;
}
