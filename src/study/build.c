/* Making what a study's cache lacks. Each file is made under a name of this process, then renamed, its description before it; what is
 * stale is removed before that, so that nobody finds a file beside the description of another. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json_put.h"
#include "base/listener.h"
#include "base/memory.h"
#include "base/paths.h"
#include "base/sha256_file.h"
#include "base/status.h"
#include "features/file_job.h"
#include "media/npy.h"
#include "media/output_json.h"
#include "study/cache.h"
#include "study/lock.h"
#include "study/sweep.h"

/* ------------------------------------------------------------------------------------- progress of a part --- */

struct part_progress {
    const ecdc_listener *outer;
    char what[80];
    double from, share; /* of the part, that the work at hand is */
};

static void show(struct part_progress *p, double share) {
    listener_progress(p->outer, p->what, p->from + p->share * (share < 1 ? share : 1), 1);
}

static void hear_share(void *context, double share) {
    show(context, share);
}

static void hear_seconds(void *context, const char *what, double done, double total) {
    struct part_progress *p = context;
    if (strcmp(what, "measuring") == 0) /* the first pass of two */
        p->share = 0.5;
    else if (p->share < 1)
        p->from = 0.5;
    show(p, total > 0 ? done / total : 0);
}

static void hear_note(void *context, const char *text) {
    struct part_progress *p = context;
    listener_note(p->outer, "%s", text);
}

static int hear_stop(void *context) {
    struct part_progress *p = context;
    return listener_stops(p->outer);
}

/* ------------------------------------------------------------------------------------------ into place --- */

/* Where a file is made: hidden, in the cache. */
static char *temporary_path(const struct ecdc_study *study, const char *part, const char *extension) {
    return ecdc_strfmt("%s/.making-%s-%ld%s", study->cache, part, (long)getpid(), extension);
}

static void remove_trio(const char *path) {
    char *json = description_path(path), *tsv = path_replace(path, ".npy", ".tsv");
    unlink(path);
    if (json)
        unlink(json);
    if (tsv)
        unlink(tsv);
    free(json);
    free(tsv);
}

static ecdc_status move(const char *from, const char *to, ecdc_error *err) {
    if (rename(from, to) == 0)
        return ECDC_OK;
    return ecdc_fail(err, ECDC_E_IO, "%s: cannot be put in place: %s", to, strerror(errno));
}

static ecdc_status check_not_foreign(const char *path, ecdc_error *err) {
    char *json = description_path(path);
    bool foreign = json && access(path, F_OK) == 0 && access(json, F_OK) != 0;
    free(json);
    return foreign ? ecdc_fail(err, ECDC_E_EXISTS, "%s: is there without a description beside it, so ecdc did not make it; move it away, "
                               "or name another cache", path)
                   : ECDC_OK;
}

/* A file with its description (and table) from its temporary name to its own. */
static ecdc_status put_in_place(const char *from, const char *to, ecdc_error *err) {
    char *json_from = description_path(from), *json_to = description_path(to);
    char *tsv_from = path_replace(from, ".npy", ".tsv"), *tsv_to = path_replace(to, ".npy", ".tsv");
    ecdc_status status = json_from && json_to && tsv_from && tsv_to ? check_not_foreign(to, err) : ecdc_fail_memory(err, "a path");
    if (status == ECDC_OK && unlink(to) != 0 && errno != ENOENT)
        status = ecdc_fail(err, ECDC_E_IO, "%s: cannot be replaced: %s", to, strerror(errno));
    if (status == ECDC_OK && access(tsv_from, F_OK) == 0)
        status = move(tsv_from, tsv_to, err);
    if (status == ECDC_OK)
        status = move(json_from, json_to, err);
    if (status == ECDC_OK)
        status = move(from, to, err);
    free(json_from);
    free(json_to);
    free(tsv_from);
    free(tsv_to);
    return status;
}

/* Writes the description beside a file and frees it. */
static ecdc_status write_description(const char *path, cJSON *json, ecdc_error *err) {
    char *beside = description_path(path);
    ecdc_status status = beside ? output_save_json(beside, true, json, err) : ecdc_fail_memory(err, "a description");
    cJSON_Delete(json);
    free(beside);
    return status;
}

static cJSON *describe(const cJSON *key, const char *kind) {
    cJSON *json = cJSON_CreateObject();
    json_put_string(json, "version", ecdc_version());
    json_put_string(json, "kind", kind);
    json_put_item(json, "key", cJSON_Duplicate(key, true));
    return json;
}

/* -------------------------------------------------------------------------------------------------- film --- */

static ecdc_status make_film(const struct ecdc_study *study, struct part_progress *p, cJSON *key, const char *path, char **final,
                             ecdc_error *err) {
    ecdc_listener listener = {.note = hear_note, .progress = hear_seconds, .stop = hear_stop, .context = p};
    ecdc_features_settings settings = film_settings(study);
    ecdc_features_result result;
    char head[160], tail[64];
    settings.listener = &listener;
    settings.overwrite = 1;
    ecdc_status status = features_write(study->model, study->film, path, &settings, key, &result, err);
    if (status != ECDC_OK)
        return status;
    film_name_head(study, head, sizeof head);
    film_name_tail(study, tail, sizeof tail);
    *final = ecdc_strfmt("%s/%s%lld%s", study->cache, head, (long long)result.n_trs, tail);
    return *final ? ECDC_OK : ecdc_fail_memory(err, "a path");
}

/* -------------------------------------------------------------------------------------------------- mask --- */

static ecdc_scan_settings scan_settings_of(const struct ecdc_study *study, struct part_progress *p) {
    ecdc_scan_settings s = ecdc_default_scan_settings();
    s.n_threads = study->s.n_threads;
    s.progress = hear_share;
    s.stop = hear_stop;
    s.context = p;
    return s;
}

static ecdc_status describe_mask_file(const char *path, const ecdc_listener *listener, cJSON *json, ecdc_error *err) {
    char hex[SHA256_TEXT];
    uint64_t n;
    ecdc_status status = sha256_file(path, listener, hex, &n, err);
    if (status != ECDC_OK)
        return status;
    cJSON *file = json_put_object(json, "file");
    json_put_integer(file, "bytes", (int64_t)n);
    json_put_string(file, "sha256", hex);
    return status;
}

static void note_votes(const struct ecdc_study *study, const ecdc_mask_vote *votes) {
    for (size_t i = 0; i < study->subjects.n; i++)
        if (votes[i].n_not_finite)
            listener_note(&study->s.listener, "%s: %lld voxels have numbers that are not finite; they have no vote in the mask",
                          study->subjects.items[i].scan, (long long)votes[i].n_not_finite);
}

static ecdc_status share_mask(const struct ecdc_study *study, struct part_progress *p, ecdc_mask **mask, ecdc_error *err) {
    size_t n = study->subjects.n;
    const char **paths = ecdc_alloc_array(n, sizeof *paths);
    ecdc_mask_vote *votes = ecdc_alloc_zeros(n, sizeof *votes);
    ecdc_status status = paths && votes ? ECDC_OK : ecdc_fail_memory(err, "the votes of a mask");
    for (size_t i = 0; status == ECDC_OK && i < n; i++)
        paths[i] = study->subjects.items[i].scan;
    ecdc_scan_settings settings = scan_settings_of(study, p);
    if (status == ECDC_OK)
        status = ecdc_mask_share(paths, n, &settings, mask, votes, err);
    if (status == ECDC_OK)
        note_votes(study, votes);
    free(paths);
    free(votes);
    return status;
}

static ecdc_status make_mask(const struct ecdc_study *study, struct part_progress *p, cJSON *key, const char *path, char **final,
                             ecdc_error *err) {
    ecdc_mask *mask = NULL;
    ecdc_status status = share_mask(study, p, &mask, err);
    if (status == ECDC_OK)
        status = ecdc_mask_save(mask, path, 1, err);
    if (status == ECDC_OK) {
        cJSON *json = describe(key, "mask");
        json_put_integer(json, "n_subjects", (int64_t)study->subjects.n);
        json_put_integer(json, "n_voxels", ecdc_mask_voxels(mask));
        status = describe_mask_file(path, &study->s.listener, json, err);
        if (status == ECDC_OK)
            status = write_description(path, json, err);
        else
            cJSON_Delete(json);
    }
    ecdc_mask_free(mask);
    *final = mask_path(study);
    return status == ECDC_OK && !*final ? ecdc_fail_memory(err, "a path") : status;
}

/* ------------------------------------------------------------------------------------------------- scans --- */

static ecdc_status write_series(const char *path, const float *series, int64_t n_trs, int64_t n_voxels, ecdc_error *err) {
    struct npy_shape shape = {.dtype = NPY_F32, .n_dims = 2, .dims = {n_trs, n_voxels}};
    struct output *out = NULL;
    ecdc_status status = output_open(path, true, true, &out, err);
    if (status == ECDC_OK)
        status = npy_write_header(out, &shape, err);
    if (status == ECDC_OK)
        status = output_write(out, series, (size_t)n_trs * (size_t)n_voxels * sizeof *series, err);
    if (status == ECDC_OK)
        status = npy_finish_header(out, &shape, err);
    if (status == ECDC_OK)
        return output_commit(out, err);
    output_discard(out);
    return status;
}

static ecdc_status extract(const struct ecdc_study *study, const struct study_subject *subject, struct part_progress *p,
                           const ecdc_mask *mask, const cJSON *key, const char *path, ecdc_error *err) {
    ecdc_nifti *nifti = NULL;
    ecdc_extraction report;
    ecdc_scan_settings settings = scan_settings_of(study, p);
    int64_t n_trs = subject->n_trs, n_voxels = ecdc_mask_voxels(mask);
    if (study->s.max_trs > 0 && study->s.max_trs < n_trs)
        n_trs = study->s.max_trs;
    settings.n_trs = n_trs;
    settings.zscore = study->s.zscore;
    size_t n;
    float *series = ecdc_mul_size((size_t)n_trs, (size_t)n_voxels, &n) ? ecdc_alloc_array(n, sizeof *series) : NULL;
    ecdc_status status = series ? ecdc_nifti_open(subject->scan, &nifti, err) : ecdc_fail_memory(err, "a subject's series");
    if (status == ECDC_OK)
        status = ecdc_nifti_extract(nifti, mask, &settings, series, &report, err);
    ecdc_nifti_close(nifti);
    if (status == ECDC_OK)
        status = write_series(path, series, n_trs, n_voxels, err);
    free(series);
    if (status != ECDC_OK)
        return status;
    if (report.n_not_finite)
        listener_note(&study->s.listener, "%s: %lld numbers in %lld voxels are not finite; their voxels' means take their place",
                      subject->scan, (long long)report.n_not_finite, (long long)report.n_voxels_not_finite);
    cJSON *json = describe(key, "scan");
    json_put_string(json, "subject", subject->label);
    json_put_number(json, "tr", study->grid.tr_s);
    json_put_integer(json, "n_trs", n_trs);
    json_put_integer(json, "n_voxels", n_voxels);
    json_put_integer(json, "n_constant", report.n_constant);
    json_put_integer(json, "n_not_finite", report.n_not_finite);
    return write_description(path, json, err);
}

static ecdc_status make_scan(const struct ecdc_study *study, size_t subject, struct part_progress *p, const cJSON *key,
                             const char *path, char **final, ecdc_error *err) {
    ecdc_mask *mask = NULL;
    char *from = mask_path(study);
    *final = scan_path(study, subject);
    ecdc_status status = from && *final ? ecdc_mask_open(from, &mask, err) : ecdc_fail_memory(err, "a path");
    if (status == ECDC_OK)
        status = extract(study, &study->subjects.items[subject], p, mask, key, path, err);
    ecdc_mask_free(mask);
    free(from);
    return status;
}

/* ------------------------------------------------------------------------------------------------- parts --- */

static ecdc_status wanted_key(const struct ecdc_study *study, ecdc_part part, size_t subject, cJSON **key, ecdc_error *err) {
    if (part == ECDC_PART_FILM)
        return film_key(study, key, err);
    if (part == ECDC_PART_MASK)
        return mask_key(study, key, err);
    char sha256[65], *mask = mask_path(study);
    ecdc_status status = mask ? mask_sha256_of(mask, sha256, err) : ecdc_fail_memory(err, "a path");
    free(mask);
    return status == ECDC_OK ? scan_key(study, subject, sha256, key, err) : status;
}

/* Under the part's lock. */
static ecdc_status make_part(const struct ecdc_study *study, ecdc_part part, size_t subject, struct part_progress *p,
                             ecdc_error *err) {
    cJSON *key = NULL;
    char *path = temporary_path(study, p->what, part == ECDC_PART_MASK ? ".nii.gz" : ".npy"), *final = NULL;
    ecdc_status status = path ? wanted_key(study, part, subject, &key, err) : ecdc_fail_memory(err, "a path");
    if (status == ECDC_OK)
        status = key_complete(key, &study->s.listener, err);
    if (status == ECDC_OK)
        status = part == ECDC_PART_FILM   ? make_film(study, p, key, path, &final, err)
                 : part == ECDC_PART_MASK ? make_mask(study, p, key, path, &final, err)
                                          : make_scan(study, subject, p, key, path, &final, err);
    if (status == ECDC_OK)
        status = key_check_unchanged(key, err);
    if (status == ECDC_OK)
        status = put_in_place(path, final, err);
    if (status != ECDC_OK && path)
        remove_trio(path);
    cJSON_Delete(key);
    free(path);
    free(final);
    return status;
}

/* A file that has only another time than when the part was made (a study that was copied) would be read whole at every look: the
 * description gets the new time. Where that is not possible, nothing is lost. */
static void renew_times(const struct ecdc_study *study, ecdc_part part, size_t subject, const char *name) {
    ecdc_part_info info;
    bool by_contents;
    int lock = -1;
    cJSON *key = NULL, *json = NULL;
    if (lock_take(study->cache, name, &study->s.listener, &lock, NULL) == ECDC_OK &&
        look_at_part(study, part, (int64_t)subject, &info, &by_contents, NULL) == ECDC_OK && info.state == ECDC_PART_FRESH &&
        by_contents && wanted_key(study, part, subject, &key, NULL) == ECDC_OK && read_description(info.path, &json, NULL) == ECDC_OK &&
        key_renew_times(cJSON_GetObjectItemCaseSensitive(json, "key"), key)) {
        (void)write_description(info.path, json, NULL);
        json = NULL;
    }
    cJSON_Delete(json);
    cJSON_Delete(key);
    lock_give_back(lock);
}

static ecdc_status build_part(const struct ecdc_study *study, ecdc_part part, size_t subject, const char *name, int *n_made,
                              int64_t *n_trs, ecdc_error *err) {
    struct part_progress p = {.outer = &study->s.listener, .share = 1};
    ecdc_part_info info = {0};
    bool by_contents;
    int lock = -1;
    snprintf(p.what, sizeof p.what, "%s", name);
    if (listener_stops(p.outer))
        return listener_fail(err);
    ecdc_status status = look_at_part(study, part, (int64_t)subject, &info, &by_contents, err);
    if (status == ECDC_OK && info.state == ECDC_PART_FRESH && by_contents)
        renew_times(study, part, subject, name);
    if (status == ECDC_OK && info.state != ECDC_PART_FRESH) {
        status = lock_take(study->cache, name, p.outer, &lock, err);
        if (status == ECDC_OK) /* another process may have made it meanwhile */
            status = ecdc_study_look(study, part, (int64_t)subject, &info, err);
    }
    if (status == ECDC_OK && info.state != ECDC_PART_FRESH && *info.path) /* before the work, not after it */
        status = check_not_foreign(info.path, err);
    if (status == ECDC_OK && info.state != ECDC_PART_FRESH) {
        if (lock >= 0)
            sweep_part(study->cache, name, info.path);
        show(&p, 0);
        status = make_part(study, part, subject, &p, err);
        if (status == ECDC_OK) {
            ++*n_made;
            status = ecdc_study_look(study, part, (int64_t)subject, &info, err);
        }
    }
    lock_give_back(lock);
    if (status == ECDC_OK)
        show(&p, 1);
    *n_trs = info.n_trs;
    return status;
}

/* Time stays true: what is longer is cut where it is used. */
static void note_short_scan(const struct ecdc_study *study, const struct study_subject *subject, int64_t n_trs, int64_t film_trs) {
    if (n_trs < film_trs)
        listener_note(&study->s.listener, "%s: %lld TRs are fewer than the film's %lld; what the scan does not have is not used of the "
                      "film", subject->scan, (long long)n_trs, (long long)film_trs);
}

static ecdc_status build_scans(const struct ecdc_study *study, int64_t film_trs, int *n_made, ecdc_error *err) {
    int64_t n_trs;
    char name[80];
    ecdc_status status = build_part(study, ECDC_PART_MASK, 0, "mask", n_made, &n_trs, err);
    for (size_t i = 0; status == ECDC_OK && i < study->subjects.n; i++) {
        const struct study_subject *subject = &study->subjects.items[i];
        snprintf(name, sizeof name, "sub-%s", subject->label);
        status = build_part(study, ECDC_PART_SCAN, i, name, n_made, &n_trs, err);
        if (status == ECDC_OK)
            note_short_scan(study, subject, n_trs, film_trs);
    }
    return status;
}

ecdc_status ecdc_study_build(const ecdc_study *study, int parts, int *n_made, ecdc_error *err) {
    int made = 0;
    int64_t film_trs = 0;
    ecdc_status status = file_make_directories(study->cache, strlen(study->cache), err);
    if (status == ECDC_OK && parts & ECDC_BUILD_FILM)
        status = build_part(study, ECDC_PART_FILM, 0, "film", &made, &film_trs, err);
    if (status == ECDC_OK && parts & ECDC_BUILD_SCANS)
        status = build_scans(study, film_trs, &made, err);
    if (n_made)
        *n_made = made;
    return status;
}
