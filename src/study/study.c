/* A study opened: settings checked, everything found. */
#include "study/study.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sha256.h"
#include "base/status.h"
#include "features/file_job.h"
#include "study/cache.h"

ecdc_study_settings ecdc_default_study_settings(void) {
    return (ecdc_study_settings){.tr = "1.5", .bandwidth_kbps = 3, .zscore = 1};
}

void ecdc_study_close(ecdc_study *study) {
    if (!study)
        return;
    subjects_free(&study->subjects);
    free(study->data);
    free(study->cache);
    free(study->film);
    free(study->only_scans);
    free(study->tr);
    free(study);
}

/* Strings of the settings become the study's. */
static ecdc_status copy_settings(ecdc_study *study, const char *data, const ecdc_study_settings *s, ecdc_error *err) {
    size_t n = strlen(data);
    while (n > 1 && data[n - 1] == '/')
        n--;
    study->s = *s;
    study->data = ecdc_strfmt("%.*s", (int)n, data);
    study->tr = ecdc_strdup(s->tr ? s->tr : "1.5");
    if (study->data)
        study->cache = s->cache ? ecdc_strdup(s->cache) : ecdc_strfmt("%s/cache", study->data);
    if (s->film)
        study->film = ecdc_strdup(s->film);
    if (s->scans)
        study->only_scans = ecdc_strdup(s->scans);
    bool copied = study->data && study->tr && study->cache && (!s->film || study->film) && (!s->scans || study->only_scans);
    study->s.cache = study->s.film = study->s.subjects = study->s.scans = study->s.tr = NULL; /* were the caller's */
    return copied ? ECDC_OK : ecdc_fail_memory(err, "a study");
}

static ecdc_status check_model(ecdc_study *study, ecdc_error *err) {
    ecdc_study_settings *s = &study->s;
    int at_bandwidth;
    if (s->mode == ECDC_MODE_MEL)
        return ECDC_OK;
    if (!study->model)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "a study with codes or latents of its film needs a model");
    ecdc_model_info info;
    ecdc_model_get_info(study->model, &info);
    if (info.chunked)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s encodes normalised chunks that overlap: it has no single frame grid for TRs; use a "
                         "24 kHz model", info.name);
    ecdc_status status = ecdc_model_codebooks(study->model, s->bandwidth_kbps, &at_bandwidth, err);
    if (status == ECDC_OK && (s->n_codebooks < 0 || s->n_codebooks > at_bandwidth))
        status = ecdc_fail(err, ECDC_E_ARGUMENT, "--codebooks %d: %g kbps has %d", s->n_codebooks, s->bandwidth_kbps, at_bandwidth);
    if (status == ECDC_OK && s->n_codebooks == at_bandwidth)
        s->n_codebooks = 0; /* one name for one thing */
    if (status == ECDC_OK)
        study->n_codebooks = s->n_codebooks ? s->n_codebooks : at_bandwidth;
    return status;
}

static ecdc_status check_settings(ecdc_study *study, ecdc_error *err) {
    enum { FRAME_RATE_HZ = 75 }; /* for the TR's sake alone */
    ecdc_status status = ecdc_tr_grid_init(&study->grid, study->tr, FRAME_RATE_HZ, ECDC_ALIGN_GIBLET, err);
    if (status == ECDC_OK && study->s.max_trs < 0)
        status = ecdc_fail(err, ECDC_E_ARGUMENT, "max_trs %lld: 0 or more is allowed", (long long)study->s.max_trs);
    ecdc_features_settings features = film_settings(study);
    if (status == ECDC_OK)
        status = features_check(&features, err);
    return status == ECDC_OK ? check_model(study, err) : status;
}

/* Opens the film's sound: whether there is any, and how long it claims to be. */
static ecdc_status look_at_sound(ecdc_study *study, ecdc_error *err) {
    ecdc_reader *reader;
    ecdc_reader_info info;
    ecdc_status status = ecdc_reader_open(study->film, NULL, &reader, err);
    if (status != ECDC_OK)
        return status;
    ecdc_reader_get_info(reader, &info);
    study->film_trs_hint = (int64_t)(info.duration_hint_s / study->grid.tr_s);
    ecdc_reader_close(reader);
    return ECDC_OK;
}

/* Eight digits that stand for the subjects in names. */
static ecdc_status name_subjects(ecdc_study *study, ecdc_error *err) {
    char hex[SHA256_TEXT] = "";
    struct sha256 *sha = sha256_new();
    bool hashed = sha != NULL;
    for (size_t i = 0; hashed && i < study->subjects.n; i++) {
        const char *label = study->subjects.items[i].label;
        hashed = sha256_update(sha, label, strlen(label) + 1);
    }
    hashed = hashed && sha256_finish(sha, hex);
    sha256_free(sha);
    memcpy(study->subjects_hex, hex, sizeof study->subjects_hex - 1);
    return hashed ? ECDC_OK : ecdc_fail_memory(err, "a SHA-256");
}

ecdc_status ecdc_study_open(const char *data, const ecdc_study_settings *settings, const ecdc_model *model, ecdc_study **out,
                            ecdc_error *err) {
    ecdc_study_settings s = settings ? *settings : ecdc_default_study_settings();
    ecdc_study *study = ecdc_alloc_zeros(1, sizeof *study);
    if (!study)
        return ecdc_fail_memory(err, "a study");
    study->model = model;
    ecdc_status status = copy_settings(study, data, &s, err);
    if (status == ECDC_OK)
        status = check_settings(study, err);
    if (status == ECDC_OK)
        status = find_subjects(study->data, study->only_scans, &study->bids, &study->subjects, err);
    if (status == ECDC_OK)
        status = choose_subjects(&study->subjects, s.subjects, err);
    if (status == ECDC_OK)
        status = name_subjects(study, err);
    if (status == ECDC_OK)
        status = read_scan_facts(study->data, &study->subjects, &study->grid, err);
    if (status == ECDC_OK && !study->film)
        status = find_film(study->data, &study->film, err);
    if (status == ECDC_OK)
        status = look_at_sound(study, err);
    if (status == ECDC_OK)
        *out = study;
    else
        ecdc_study_close(study);
    return status;
}

void ecdc_study_get_info(const ecdc_study *study, ecdc_study_info *info) {
    *info = (ecdc_study_info){.data = study->data, .cache = study->cache, .film = study->film, .layout = study->bids ? "bids" : "giblet",
                              .tr_s = study->grid.tr_s, .n_subjects = (int64_t)study->subjects.n,
                              .film_trs_hint = study->film_trs_hint};
}

ecdc_status ecdc_study_get_subject(const ecdc_study *study, int64_t index, ecdc_study_subject *subject, ecdc_error *err) {
    if (index < 0 || (uint64_t)index >= study->subjects.n)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "subject %lld: the study has %zu, counted from 0", (long long)index, study->subjects.n);
    const struct study_subject *s = &study->subjects.items[index];
    *subject = (ecdc_study_subject){.label = s->label, .scan = s->scan, .number = s->number, .n_trs = s->n_trs, .tr_s = s->tr_s};
    return ECDC_OK;
}
