#include "report/page.h"

#include <string.h>

#include "base/embed.h"
#include "report/page_text.h"

#ifndef ECDC_REPORT_PAGE
#error "page.c needs ECDC_REPORT_PAGE, the path of page.html"
#endif

EMBED(ecdc_report_page, ECDC_REPORT_PAGE);

static void write_title(struct page_text *p, const struct report_material *m) {
    text_escaped(p, m->title);
}

static double duration_s(const struct report_material *m) {
    return (double)m->n_samples / m->model.sampling_rate_hz;
}

/* "49.4 min" or "11.0 s". */
static void write_duration(struct page_text *p, double s) {
    if (s >= 120)
        text_format(p, "%.1f min", s / 60);
    else
        text_format(p, "%.2f s", s);
}

static void write_tr(struct page_text *p, const struct report_material *m) {
    text_format(p, "%.6g s", m->grid.tr_s);
}

static const char *alignment(const struct report_material *m) {
    return m->grid.alignment == ECDC_ALIGN_EXACT ? "exact" : "giblet";
}

static void write_summary(struct page_text *p, const struct report_material *m) {
    write_duration(p, duration_s(m));
    text_format(p, " of sound, %lld TR%s of ", (long long)m->n_trs, m->n_trs == 1 ? "" : "s");
    write_tr(p, m);
    text_format(p, ", codes of ");
    text_escaped(p, m->model.name);
    for (int i = 0; i < m->n_tracks; i++)
        text_format(p, "%s%g", i == 0 ? " at " : i + 1 < m->n_tracks ? ", " : " and ", m->tracks[i].bandwidth_kbps);
    text_format(p, " kbps");
}

/* What the reader mended. */
static void write_notes(struct page_text *p, const struct report_material *m) {
    if (*m->broken_off) {
        text_format(p, "<p class=\"note\">");
        text_escaped(p, m->broken_off);
        text_format(p, "; what comes before is used.</p>\n");
    }
    if (m->input.audio_start_s > 0.001)
        text_format(p, "<p class=\"note\">The sound starts at %.3f s; silence stands before it.</p>\n", m->input.audio_start_s);
    if (m->input.n_gaps)
        text_format(p, "<p class=\"note\">%lld gap(s) in the sound, %.3f s in all, are filled with silence.</p>\n",
                    (long long)m->input.n_gaps, m->input.gap_s);
    if (m->input.n_overlaps)
        text_format(p, "<p class=\"note\">%lld overlap(s) in the sound, %.3f s in all, are cut.</p>\n",
                    (long long)m->input.n_overlaps, m->input.overlap_s);
}

static void write_cell(struct page_text *p, double x, int decimals) {
    text_format(p, "<td>");
    text_number(p, x, decimals);
    text_format(p, "</td>");
}

static void write_measures(struct page_text *p, const struct report_material *m) {
    for (int i = 0; i < m->n_tracks; i++) {
        const struct report_track *t = &m->tracks[i];
        text_format(p, "<tr><th scope=\"row\">%g kbps</th><td>%d</td>", t->bandwidth_kbps, t->n_codebooks);
        write_cell(p, t->metrics.stoi, 3);
        write_cell(p, t->metrics.estoi, 3);
        write_cell(p, t->metrics.snr_db, 2);
        write_cell(p, t->metrics.si_sdr_db, 2);
        write_cell(p, t->metrics.lsd_db, 2);
        text_format(p, "</tr>\n");
    }
}

static void write_trs_note(struct page_text *p, const struct report_material *m) {
    double rest_s = duration_s(m) - ecdc_tr_grid_start_s(&m->grid, m->n_trs);
    text_format(p, "Press a number to play that TR. Level: root mean square, full scale is 0 dB.");
    if (m->n_trs == 0)
        text_format(p, " The sound is shorter than one TR.");
    else if (rest_s > 0.001)
        text_format(p, " The last %.2f s of the sound fill no TR.", rest_s);
}

static void write_trs_head(struct page_text *p, const struct report_material *m) {
    for (int i = 0; i < m->n_tracks; i++)
        text_format(p, "<th scope=\"col\">SNR at %g kbps, dB</th>", m->tracks[i].bandwidth_kbps);
}

static void write_trs(struct page_text *p, const struct report_material *m) {
    for (int64_t i = 0; i < m->n_trs; i++) {
        int64_t first, count;
        ecdc_tr_grid_frames(&m->grid, i, &first, &count);
        if (m->grid.alignment == ECDC_ALIGN_GIBLET)
            count = m->grid.frames_per_tr;
        text_format(p, "<tr data-tr=\"%lld\"><th scope=\"row\"><button aria-label=\"Play TR %lld\">%lld</button></th>",
                    (long long)i, (long long)i, (long long)i);
        write_cell(p, ecdc_tr_grid_start_s(&m->grid, i), 2);
        write_cell(p, ecdc_tr_grid_start_s(&m->grid, i + 1), 2);
        text_format(p, "<td>%lld</td>", (long long)count);
        write_cell(p, tr_levels_rms_db(&m->levels, i), 1);
        for (int t = 0; t < m->n_tracks; t++)
            write_cell(p, tr_levels_snr_db(&m->levels, i, t), 1);
        text_format(p, "</tr>\n");
    }
}

static void write_about(struct page_text *p, const struct report_material *m) {
    text_format(p, "<dt>Sound</dt><dd>");
    text_escaped(p, m->title);
    text_format(p, ", %d Hz, %d channel%s; read at %d Hz, mono</dd>\n", m->input.source_rate_hz, m->input.source_channels,
                m->input.source_channels == 1 ? "" : "s", m->model.sampling_rate_hz);
    text_format(p, "<dt>Model</dt><dd>");
    text_escaped(p, m->model.name);
    text_format(p, ", SHA-256 %s</dd>\n<dt>Grid</dt><dd>", m->model_sha256);
    write_tr(p, m);
    text_format(p, " per TR, %d frames per second, alignment %s</dd>\n", m->model.frame_rate_hz, alignment(m));
    text_format(p, "<dt>Measures</dt><dd>reconstruction against the sound as the model hears it, mono at %d Hz</dd>\n",
                m->model.sampling_rate_hz);
    text_format(p, "<dt>Players</dt><dd>what you hear went through AAC at 48 kbps per channel; the measures and pictures did "
                   "not</dd>\n");
}

/* ------------------------------------------------------------------------------------------------ data --- */

static void write_json(struct page_text *p, const struct report_material *m) {
    text_format(p, "<script type=\"application/json\" id=\"report\">{\"duration_s\": %.9g, \"sampling_rate_hz\": %d, \"tr_s\": %.17g, "
                   "\"n_trs\": %lld, ",
                duration_s(m), m->model.sampling_rate_hz, m->grid.tr_s, (long long)m->n_trs);
    text_format(p, "\"frame_rate_hz\": %d, \"n_frames\": %lld, \"n_codebooks\": %d, \"column_s\": %.17g, \"n_columns\": %lld, "
                   "\"n_bands\": %d, ",
                m->model.frame_rate_hz, (long long)m->n_frames, m->n_codebooks, m->original.column_s, (long long)m->original.n,
                COLUMN_BANDS);
    for (int i = 0; i < m->n_tracks; i++)
        text_format(p, "%s%.9g", i ? ", " : "\"bandwidths_kbps\": [", m->tracks[i].bandwidth_kbps);
    for (int i = 0; i < m->n_tracks; i++)
        text_format(p, "%s%d", i ? ", " : "], \"codebooks\": [", m->tracks[i].n_codebooks);
    text_format(p, "]}</script>\n");
}

static void write_columns(struct page_text *p, int number, const struct columns *c) {
    text_data(p, "envelope", number, c->envelope, (size_t)c->n * sizeof *c->envelope);
    text_data(p, "levels", number, c->levels, (size_t)c->n * sizeof *c->levels);
}

static void write_data(struct page_text *p, const struct report_material *m) {
    write_json(p, m);
    write_columns(p, 0, &m->original);
    for (int i = 0; i < m->n_tracks; i++) {
        write_columns(p, 1 + i, &m->tracks[i].columns);
        text_data_file(p, "sound", 1 + i, m->tracks[i].sound);
    }
    text_data(p, "codes", -1, m->codes, (size_t)m->n_frames * (size_t)m->n_codebooks * sizeof *m->codes);
}

static void write_version(struct page_text *p, const struct report_material *m) {
    (void)m;
    text_format(p, "%s", ecdc_version());
}

static const struct {
    const char *name;
    void (*write)(struct page_text *p, const struct report_material *m);
} places[] = {
    {"TITLE", write_title}, {"SUMMARY", write_summary}, {"NOTES", write_notes}, {"MEASURES", write_measures},
    {"TRS_NOTE", write_trs_note}, {"TRS_HEAD", write_trs_head}, {"TRS", write_trs}, {"ABOUT", write_about},
    {"VERSION", write_version}, {"DATA", write_data},
};
enum { N_PLACES = sizeof places / sizeof *places };

static void fill(struct page_text *p, const struct report_material *m, const char *name, size_t n) {
    for (size_t i = 0; i < N_PLACES; i++)
        if (strlen(places[i].name) == n && !memcmp(places[i].name, name, n))
            places[i].write(p, m);
}

ecdc_status page_write(struct output *o, const struct report_material *m, ecdc_error *err) {
    struct page_text p = {.output = o, .err = err};
    const char *at = ecdc_report_page; /* ends with a 0 */
    for (const char *open; (open = strstr(at, "{{")); ) {
        const char *close = strstr(open, "}}");
        text_bytes(&p, at, (size_t)(open - at));
        fill(&p, m, open + 2, (size_t)(close - open - 2));
        at = close + 2;
    }
    text_bytes(&p, at, strlen(at));
    return p.status;
}
