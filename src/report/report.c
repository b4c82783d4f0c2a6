/* ecdc_report: what it is asked for, checked; the material gathered; the page or the figure written. */
#include <string.h>

#include "base/status.h"
#include "media/output.h"
#include "report/figure.h"
#include "report/material.h"
#include "report/page.h"

ecdc_report_settings ecdc_default_report_settings(void) {
    return (ecdc_report_settings){.n_bandwidths = 1, .bandwidths_kbps = {3}, .tr = "1.5", .input = ecdc_default_reader_settings()};
}

static ecdc_status check(const ecdc_model *model, const ecdc_report_settings *s, ecdc_error *err) {
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    if (info.chunked)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s encodes chunks with scales, not one sequence of frames: a report has no place for "
                         "them; use a model such as facebook/encodec_24khz", info.name);
    if (info.codebook_size > UINT16_MAX + 1)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s has %d entries per codebook; a report holds at most 65536", info.name,
                         info.codebook_size);
    if (s->n_bandwidths < 1 || s->n_bandwidths > ECDC_MAX_BANDWIDTHS)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "n_bandwidths is %d, allowed are 1 to %d", s->n_bandwidths, ECDC_MAX_BANDWIDTHS);
    if (s->format != ECDC_REPORT_HTML && s->format != ECDC_REPORT_PNG)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "format %d is neither a page (0) nor a figure (1)", (int)s->format);
    if (s->n_threads < 0 || s->n_threads > 256)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "n_threads is %d, allowed are 1 to 256, and 0", s->n_threads);
    for (int i = 0; i < s->n_bandwidths; i++)
        for (int k = 0; k < i; k++)
            if (s->bandwidths_kbps[i] == s->bandwidths_kbps[k])
                return ecdc_fail(err, ECDC_E_ARGUMENT, "bandwidth %g kbps is named twice", s->bandwidths_kbps[i]);
    return ECDC_OK;
}

/* What a report is called where the caller does not say. */
static const char *name_of(const char *input) {
    const char *slash = strrchr(input, '/');
    return !strcmp(input, "-") ? "standard input" : slash && slash[1] ? slash + 1 : input;
}

static void summarise(const struct report_material *m, uint64_t n_bytes, ecdc_report_result *r) {
    memset(r, 0, sizeof *r);
    r->n_samples = m->n_samples;
    r->n_frames = m->n_frames;
    r->n_trs = m->n_trs;
    r->sampling_rate_hz = m->model.sampling_rate_hz;
    r->n_bandwidths = m->n_tracks;
    for (int i = 0; i < m->n_tracks; i++) {
        r->bandwidths_kbps[i] = m->tracks[i].bandwidth_kbps;
        r->metrics[i] = m->tracks[i].metrics;
    }
    r->input = m->input;
    _Static_assert(sizeof r->broken_off == sizeof m->broken_off, "as long as a message");
    memcpy(r->broken_off, m->broken_off, sizeof r->broken_off);
    r->n_bytes = n_bytes;
}

ecdc_status ecdc_report(const ecdc_model *model, const char *input, const char *output, const ecdc_report_settings *settings,
                        ecdc_report_result *result, ecdc_error *err) {
    ecdc_report_settings s = settings ? *settings : ecdc_default_report_settings();
    struct output *out = NULL;
    struct gatherer *gatherer = NULL;
    struct report_material material;
    uint64_t n_bytes = 0;
    ecdc_status status = check(model, &s, err);
    if (status == ECDC_OK) /* first: that it cannot be written is said before the work */
        status = output_open(output, s.overwrite, false, &out, err);
    if (status == ECDC_OK)
        status = gather(model, input, &s, s.format == ECDC_REPORT_HTML, &gatherer, &material, err);
    if (status == ECDC_OK) {
        material.title = s.title ? s.title : name_of(input);
        status = (s.format == ECDC_REPORT_HTML ? page_write : figure_write)(out, &material, err);
    }
    if (status == ECDC_OK) {
        n_bytes = output_size(out);
        status = output_commit(out, err);
        out = NULL; /* output_commit frees it */
    }
    output_discard(out);
    if (status == ECDC_OK && result)
        summarise(&material, n_bytes, result);
    gatherer_free(gatherer);
    return status;
}
