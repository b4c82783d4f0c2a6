/* How the parts of a cache are: fresh, missing, stale or damaged. */
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"
#include "media/npy.h"
#include "study/cache.h"

static void conclude(ecdc_part_info *info, ecdc_part_state state, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void conclude(ecdc_part_info *info, ecdc_part_state state, const char *format, ...) {
    info->state = state;
    va_list args;
    va_start(args, format);
    vsnprintf(info->why, sizeof info->why, format, args);
    va_end(args);
}

/* A name that does not fit is no name. */
static ecdc_status keep_path(ecdc_part_info *info, const char *path, ecdc_error *err) {
    if ((size_t)snprintf(info->path, sizeof info->path, "%s", path) < sizeof info->path)
        return ECDC_OK;
    return ecdc_fail(err, ECDC_E_ARGUMENT, "%.100s...: the path is too long", path);
}

/* ------------------------------------------------------------------------------------------ one file --- */

/* The array is as long as its description says, and has its rows. */
static void check_array(ecdc_part_info *info, const cJSON *description) {
    struct npy_reader *reader;
    ecdc_error why;
    double n_trs;
    if (npy_open(info->path, &reader, &why) != ECDC_OK) { /* a file that is shorter than its header says, too */
        conclude(info, ECDC_PART_DAMAGED, "%s", why.message);
        return;
    }
    const struct npy_shape *shape = npy_shape_of(reader);
    if (!json_integer(cJSON_GetObjectItemCaseSensitive(description, "n_trs"), 1, 9e15, &n_trs) || shape->n_dims < 2 ||
        shape->dims[0] != (int64_t)n_trs)
        conclude(info, ECDC_PART_DAMAGED, "%s: its rows are not those that its description tells of", info->path);
    info->n_trs = shape->dims[0];
    info->n_voxels = shape->n_dims == 2 && shape->dtype == NPY_F32 ? shape->dims[1] : 0;
    npy_close(reader);
}

static void check_mask(ecdc_part_info *info, const cJSON *description) {
    double bytes, n_voxels;
    struct stat s;
    const cJSON *file = cJSON_GetObjectItemCaseSensitive(description, "file");
    if (stat(info->path, &s) != 0 || !json_integer(cJSON_GetObjectItemCaseSensitive(file, "bytes"), 0, 9e15, &bytes) ||
        !json_integer(cJSON_GetObjectItemCaseSensitive(description, "n_voxels"), 1, 9e15, &n_voxels) || s.st_size != (off_t)bytes)
        conclude(info, ECDC_PART_DAMAGED, "%s: is not as long as its description tells", info->path);
    else
        info->n_voxels = (int64_t)n_voxels;
}

/* A limit that the film did not reach is no limit: all of its TRs are there, and whoever asks for as many or more, or for all, is
 * served. Then the key that is stored becomes, here in memory, the one that is wanted. */
static void forgive_limit(const cJSON *key, const cJSON *description) {
    const cJSON *wanted = cJSON_GetObjectItemCaseSensitive(key, "max_trs");
    cJSON *stored = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(description, "key"), "max_trs");
    double n_trs;
    if (!cJSON_IsNumber(wanted) || !cJSON_IsNumber(stored) ||
        !json_integer(cJSON_GetObjectItemCaseSensitive(description, "n_trs"), 1, 9e15, &n_trs))
        return;
    bool all = stored->valuedouble == 0 || n_trs < stored->valuedouble;
    if (all && (wanted->valuedouble == 0 || n_trs <= wanted->valuedouble))
        cJSON_SetNumberHelper(stored, wanted->valuedouble);
}

/* The file at info->path against the key that is wanted. */
static ecdc_status look_at_file(const struct ecdc_study *study, const cJSON *key, ecdc_part_info *info, bool *by_contents,
                                ecdc_error *err) {
    struct stat s;
    cJSON *description = NULL;
    ecdc_error why;
    struct key_match match;
    if (stat(info->path, &s) != 0) {
        conclude(info, ECDC_PART_MISSING, "%s: not there", info->path);
        return ECDC_OK;
    }
    ecdc_status status = read_description(info->path, &description, &why);
    if (status == ECDC_E_MEMORY)
        return ecdc_fail(err, status, "%s", why.message);
    if (status != ECDC_OK || !description) {
        conclude(info, ECDC_PART_DAMAGED, "%s: %s", info->path, status == ECDC_OK ? "has no description beside it" : why.message);
        return ECDC_OK;
    }
    forgive_limit(key, description);
    status = key_compare(key, cJSON_GetObjectItemCaseSensitive(description, "key"), &study->s.listener, &match, err);
    if (status == ECDC_OK && !match.same)
        conclude(info, ECDC_PART_STALE, "%s: %s", info->path, match.why);
    else if (status == ECDC_OK) {
        *by_contents = match.by_contents;
        conclude(info, ECDC_PART_FRESH, "%s", "");
        size_t n = strlen(info->path);
        (n > 4 && strcmp(info->path + n - 4, ".npy") == 0 ? check_array : check_mask)(info, description);
    }
    cJSON_Delete(description);
    return status;
}

/* --------------------------------------------------------------------------------------------- the parts --- */

static bool is_film_name(const char *name, const char *head, const char *tail) {
    size_t n = strlen(head);
    if (strncmp(name, head, n) != 0)
        return false;
    size_t digits = strspn(name + n, "0123456789");
    return digits > 0 && strcmp(name + n + digits, tail) == 0;
}

/* Of the files whose names differ in their number of TRs alone, the one that is fresh, or else one that is there. */
static ecdc_status look_at_film(const struct ecdc_study *study, ecdc_part_info *info, bool *by_contents, ecdc_error *err) {
    char head[160], tail[64];
    film_name_head(study, head, sizeof head);
    film_name_tail(study, tail, sizeof tail);
    conclude(info, ECDC_PART_MISSING, "%s/%sNNN%s: not there", study->cache, head, tail);
    DIR *directory = opendir(study->cache);
    if (!directory)
        return ECDC_OK;
    cJSON *key = NULL;
    ecdc_status status = film_key(study, &key, err);
    ecdc_part_info candidate = {.state = ECDC_PART_MISSING};
    for (struct dirent *entry; status == ECDC_OK && info->state != ECDC_PART_FRESH && (entry = readdir(directory));) {
        if (!is_film_name(entry->d_name, head, tail))
            continue;
        char *path = ecdc_strfmt("%s/%s", study->cache, entry->d_name);
        status = path ? keep_path(&candidate, path, err) : ecdc_fail_memory(err, "a path");
        free(path);
        if (status == ECDC_OK)
            status = look_at_file(study, key, &candidate, by_contents, err);
        candidate.n_voxels = 0; /* its columns are no voxels */
        if (status == ECDC_OK && candidate.state != ECDC_PART_MISSING)
            *info = candidate;
    }
    cJSON_Delete(key);
    closedir(directory);
    return status;
}

static ecdc_status look_at_mask(const struct ecdc_study *study, ecdc_part_info *info, bool *by_contents, ecdc_error *err) {
    cJSON *key = NULL;
    char *path = mask_path(study);
    ecdc_status status = path ? keep_path(info, path, err) : ecdc_fail_memory(err, "a path");
    free(path);
    if (status == ECDC_OK)
        status = mask_key(study, &key, err);
    if (status == ECDC_OK)
        status = look_at_file(study, key, info, by_contents, err);
    cJSON_Delete(key);
    return status;
}

static ecdc_status look_at_scan(const struct ecdc_study *study, size_t subject, ecdc_part_info *info, bool *by_contents,
                                ecdc_error *err) {
    cJSON *key = NULL;
    char *path = scan_path(study, subject), *mask = mask_path(study), sha256[65] = "";
    ecdc_error why;
    ecdc_status status = path && mask ? keep_path(info, path, err) : ecdc_fail_memory(err, "a path");
    if (status == ECDC_OK && mask_sha256_of(mask, sha256, &why) != ECDC_OK)
        *sha256 = 0; /* then nothing fits it */
    if (status == ECDC_OK)
        status = scan_key(study, subject, sha256, &key, err);
    if (status == ECDC_OK)
        status = look_at_file(study, key, info, by_contents, err);
    cJSON_Delete(key);
    free(path);
    free(mask);
    return status;
}

ecdc_status look_at_part(const struct ecdc_study *study, ecdc_part part, int64_t subject, ecdc_part_info *info, bool *by_contents,
                         ecdc_error *err) {
    if (part == ECDC_PART_SCAN && (subject < 0 || (uint64_t)subject >= study->subjects.n))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "subject %lld: the study has %zu, counted from 0", (long long)subject, study->subjects.n);
    ecdc_part_info found = {.state = ECDC_PART_MISSING};
    *by_contents = false;
    ecdc_status status = part == ECDC_PART_FILM   ? look_at_film(study, &found, by_contents, err)
                         : part == ECDC_PART_MASK ? look_at_mask(study, &found, by_contents, err)
                         : part == ECDC_PART_SCAN ? look_at_scan(study, (size_t)subject, &found, by_contents, err)
                                                  : ecdc_fail(err, ECDC_E_ARGUMENT, "part %d: there is none", (int)part);
    if (status == ECDC_OK)
        *info = found;
    return status;
}

ecdc_status ecdc_study_look(const ecdc_study *study, ecdc_part part, int64_t subject, ecdc_part_info *info, ecdc_error *err) {
    bool by_contents;
    return look_at_part(study, part, subject, info, &by_contents, err);
}
