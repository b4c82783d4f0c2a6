#include "study/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/json_put.h"
#include "base/memory.h"
#include "base/paths.h"
#include "base/status.h"
#include "features/names.h"
#include "model/model.h"

enum { KEY_VERSION = 1 };

/* ------------------------------------------------------------------------------------------------ names --- */

void film_name_head(const struct ecdc_study *study, char *head, size_t size) {
    const ecdc_study_settings *s = &study->s;
    char bandwidth[40], tr[40], codebooks[24] = "";
    number_text(s->bandwidth_kbps, bandwidth, sizeof bandwidth);
    number_text(study->grid.tr_s, tr, sizeof tr);
    if (s->n_codebooks)
        snprintf(codebooks, sizeof codebooks, "_k%d", s->n_codebooks);
    if (s->mode == ECDC_MODE_MEL)
        snprintf(head, size, "audio_features_mel_tr%s_", tr);
    else
        snprintf(head, size, "audio_features_%s_bw%s%s_tr%s_", mode_name(s->mode), bandwidth, codebooks, tr);
}

void film_name_tail(const struct ecdc_study *study, char *tail, size_t size) {
    ecdc_hrf usual = study->s.mode == ECDC_MODE_ENCODEC ? ECDC_HRF_GIBLET : ECDC_HRF_CAUSAL;
    if (study->s.hrf == ECDC_HRF_NONE)
        snprintf(tail, size, "trs.npy");
    else if (study->s.hrf == usual)
        snprintf(tail, size, "trs_hrf.npy");
    else
        snprintf(tail, size, "trs_hrf-%s.npy", hrf_name(study->s.hrf));
}

char *mask_path(const struct ecdc_study *study) {
    return ecdc_strfmt("%s/fmri_mask_%zusubjects_%s.nii.gz", study->cache, study->subjects.n, study->subjects_hex);
}

static int64_t trs_of(const struct ecdc_study *study, size_t subject) {
    int64_t n = study->subjects.items[subject].n_trs, most = study->s.max_trs;
    return most > 0 && most < n ? most : n;
}

char *scan_path(const struct ecdc_study *study, size_t subject) {
    char tr[40];
    number_text(study->grid.tr_s, tr, sizeof tr);
    return ecdc_strfmt("%s/fmri_sub-%s_tr%s_%lldtrs_%s%s.npy", study->cache, study->subjects.items[subject].label, tr,
                       (long long)trs_of(study, subject), study->subjects_hex, study->s.zscore ? "_zscore" : "");
}

/* ------------------------------------------------------------------------------------------------- keys --- */

static ecdc_status begin_key(const char *kind, cJSON **key, ecdc_error *err) {
    *key = cJSON_CreateObject();
    if (*key && cJSON_AddNumberToObject(*key, "version", KEY_VERSION) && cJSON_AddStringToObject(*key, "kind", kind))
        return ECDC_OK;
    cJSON_Delete(*key);
    *key = NULL;
    return ecdc_fail_memory(err, "a key");
}

/* Gives the key back where it is not complete. */
static ecdc_status end_key(cJSON **key, bool complete, ecdc_status status, ecdc_error *err) {
    if (status == ECDC_OK && !complete)
        status = ecdc_fail_memory(err, "a key");
    if (status != ECDC_OK) {
        cJSON_Delete(*key);
        *key = NULL;
    }
    return status;
}

static bool add_tr(cJSON *key, const ecdc_tr_grid *grid) {
    char fraction[48];
    snprintf(fraction, sizeof fraction, "%lld/%lld", (long long)grid->tr_num, (long long)grid->tr_den);
    return cJSON_AddStringToObject(key, "tr", fraction) != NULL;
}

ecdc_status film_key(const struct ecdc_study *study, cJSON **key, ecdc_error *err) {
    const ecdc_study_settings *s = &study->s;
    ecdc_status status = begin_key("film", key, err);
    if (status != ECDC_OK)
        return status;
    bool added = cJSON_AddStringToObject(*key, "mode", mode_name(s->mode)) && cJSON_AddStringToObject(*key, "hrf", hrf_name(s->hrf)) &&
                 cJSON_AddNumberToObject(*key, "max_trs", (double)s->max_trs) && add_tr(*key, &study->grid);
    if (added && study->model) {
        ecdc_model_info info;
        ecdc_model_get_info(study->model, &info);
        const char *sha256;
        status = model_sha256(study->model, &sha256, err);
        added = status == ECDC_OK && cJSON_AddStringToObject(*key, "model", sha256) &&
                cJSON_AddNumberToObject(*key, "bandwidth", s->bandwidth_kbps) &&
                cJSON_AddNumberToObject(*key, "n_codebooks", study->n_codebooks) &&
                cJSON_AddStringToObject(*key, "precision", ecdc_precision_name(s->precision));
    }
    if (added)
        status = key_add_file(*key, "film", study->film, err);
    return end_key(key, added, status, err);
}

ecdc_status mask_key(const struct ecdc_study *study, cJSON **key, ecdc_error *err) {
    ecdc_scan_settings defaults = ecdc_default_scan_settings();
    ecdc_status status = begin_key("mask", key, err);
    if (status != ECDC_OK)
        return status;
    cJSON *scans = NULL;
    bool added = cJSON_AddNumberToObject(*key, "mask_trs", (double)defaults.mask_trs) &&
                 cJSON_AddNumberToObject(*key, "percentile", defaults.mask_percentile) &&
                 (scans = cJSON_AddObjectToObject(*key, "scans"));
    for (size_t i = 0; added && status == ECDC_OK && i < study->subjects.n; i++)
        status = key_add_file(scans, study->subjects.items[i].label, study->subjects.items[i].scan, err);
    return end_key(key, added, status, err);
}

ecdc_status scan_key(const struct ecdc_study *study, size_t subject, const char *mask_sha256, cJSON **key, ecdc_error *err) {
    ecdc_status status = begin_key("scan", key, err);
    if (status != ECDC_OK)
        return status;
    bool added = cJSON_AddStringToObject(*key, "mask", mask_sha256) && cJSON_AddBoolToObject(*key, "zscore", study->s.zscore) &&
                 cJSON_AddNumberToObject(*key, "n_trs", (double)trs_of(study, subject));
    if (added)
        status = key_add_file(*key, "scan", study->subjects.items[subject].scan, err);
    return end_key(key, added, status, err);
}

ecdc_features_settings film_settings(const struct ecdc_study *study) {
    ecdc_features_settings f = ecdc_default_features_settings();
    f.mode = study->s.mode;
    f.bandwidth_kbps = study->s.bandwidth_kbps;
    f.n_codebooks = study->s.n_codebooks;
    f.tr = study->tr;
    f.max_trs = study->s.max_trs;
    f.hrf = study->s.hrf;
    f.n_threads = study->s.n_threads;
    f.cpu = study->s.cpu;
    f.precision = study->s.precision;
    return f;
}

/* ------------------------------------------------------------------------------------------ descriptions --- */

char *description_path(const char *path) {
    return path_replace(path, path_ends_with(path, ".gz") ? ".nii.gz" : ".npy", ".json");
}

ecdc_status read_description(const char *path, cJSON **json, ecdc_error *err) {
    char *beside = description_path(path);
    *json = NULL;
    if (!beside)
        return ecdc_fail_memory(err, "a path");
    ecdc_status status = access(beside, F_OK) == 0 ? json_read_object(beside, json, err) : ECDC_OK;
    free(beside);
    return status;
}

ecdc_status mask_sha256_of(const char *path, char hex[65], ecdc_error *err) {
    cJSON *json;
    ecdc_status status = read_description(path, &json, err);
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(json, "file"), "sha256"));
    snprintf(hex, 65, "%s", text ? text : "");
    cJSON_Delete(json);
    return status;
}
