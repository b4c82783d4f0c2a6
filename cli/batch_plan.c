/* What ecdc batch finds done already. OUTDIR/ecdc-batch.json holds the settings that every output of the directory is made with.
 * An output counts as done and whole where it is younger than that file and no older than its input (a file gets its name when it is
 * complete, so that it is whole if it is there), and where the description beside features fits both. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/paths.h"
#include "base/status.h"
#include "batch.h"
#include "json_out.h"
#include "media/output_json.h"
#include "model/model.h"

/* ------------------------------------------------------------------------------------------- the settings --- */

static void describe_features(const struct options *o, cJSON *json) {
    json_put_string(json, "mode", mode_name(o->mode));
    ecdc_tr_grid grid; /* 1.5, 1.50 and 3/2 are the same */
    char tr[48] = "";
    if (ecdc_tr_grid_init(&grid, o->tr, 75, ECDC_ALIGN_EXACT, NULL) == ECDC_OK)
        snprintf(tr, sizeof tr, "%lld/%lld", (long long)grid.tr_num, (long long)grid.tr_den);
    json_put_string(json, "tr", tr);
    json_put_string(json, "alignment", alignment_name(o->alignment));
    json_put_string(json, "layout", layout_name(o->layout));
    json_put_string(json, "dtype", o->dtype ? o->dtype : "int64");
    json_put_string(json, "hrf", hrf_name(o->hrf));
    json_put_integer(json, "codebooks", o->codebooks);
    json_put_integer(json, "max_trs", o->max_trs);
    json_put_bool(json, "partial", o->partial);
    json_put_bool(json, "per_frame", o->per_frame);
}

static cJSON *describe(const struct batch *b) {
    const struct options *o = b->o;
    cJSON *json = cJSON_CreateObject();
    json_put_string(json, "task", b->task->name);
    json_put_string(json, "format", b->format);
    if (b->model) {
        ecdc_model_info info;
        ecdc_model_get_info(b->model, &info);
        json_put_string(json, "model", info.name);
        json_put_string(json, "sha256", ecdc_model_sha256(b->model));
        json_put_number(json, "bandwidth", o->bandwidth_kbps);
        json_put_string(json, "precision", ecdc_precision_name(o->precision));
    }
    if (b->task == &command_features)
        describe_features(o, json);
    json_put_integer(json, "track", o->track);
    json_put_bool(json, "partial_input", o->partial_input);
    return json;
}

static ecdc_status compare(const struct batch *b, const char *path, const cJSON *wanted, const cJSON *found, ecdc_error *err) {
    if (!cJSON_IsObject(wanted)) /* spoilt (base/json_put.h): what is missing would not be compared */
        return ecdc_fail_memory(err, "the settings");
    const cJSON *member;
    cJSON_ArrayForEach(member, wanted) {
        const cJSON *other = cJSON_GetObjectItemCaseSensitive(found, member->string);
        char *now = cJSON_PrintUnformatted(member), *then = other ? cJSON_PrintUnformatted(other) : ecdc_strdup("missing");
        ecdc_status status = !now || !then ? ecdc_fail_memory(err, "the settings") : ECDC_OK;
        bool both_tr = !strcmp(member->string, "tr") && cJSON_IsString(member) && cJSON_IsString(other);
        char tr_now[48], tr_then[48];
        if (status == ECDC_OK && strcmp(now, then))
            status = ecdc_fail(err, ECDC_E_EXISTS, "%s: the outputs in %s are made with other settings: %s is %s there, %s now; name "
                               "another directory, or make them again with -f", path, b->o->output, member->string,
                               both_tr ? tr_text(other->valuestring, tr_then) : then,
                               both_tr ? tr_text(member->valuestring, tr_now) : now);
        cJSON_free(now);
        free(then);
        if (status != ECDC_OK)
            return status;
    }
    return ECDC_OK;
}

static ecdc_status refuse_stranger(const char *path, ecdc_error *err) {
    struct stat s;
    if (!path)
        return ecdc_fail_memory(err, "a path");
    return lstat(path, &s) != 0 ? ECDC_OK
                                : ecdc_fail(err, ECDC_E_EXISTS, "%s: exists already, and no ecdc-batch.json says how it was made (-f "
                                            "overwrites it)", path);
}

/* Where no batch has worked, an output that exists is somebody else's, and so is what would be written beside it. */
static ecdc_status refuse_strangers(const struct batch *b, ecdc_error *err) {
    static const char *const beside[] = {".tsv", ".json"};
    size_t n = b->task == &command_features ? 2 : 0;
    for (size_t i = 0; i < b->n; i++) {
        const char *output = b->items[i].output;
        if (b->items[i].state != BATCH_OPEN)
            continue;
        ecdc_status status = refuse_stranger(output, err);
        for (size_t j = 0; status == ECDC_OK && j < n; j++) {
            char *path = path_replace(output, ".npy", beside[j]);
            status = refuse_stranger(path, err);
            free(path);
        }
        if (status != ECDC_OK)
            return status;
    }
    return ECDC_OK;
}

/* Another task of the same job may write the file at this moment, and its first outputs: then ours is not written, and theirs is read. */
static ecdc_status claim(const struct batch *b, const char *path, const cJSON *settings, ecdc_error *err) {
    struct stat s;
    if (b->o->overwrite)
        return output_save_json(path, b->o->overwrite, settings, err);
    if (stat(path, &s) != 0) {
        ecdc_status status = refuse_strangers(b, err);
        if (status == ECDC_OK)
            status = output_save_json(path, b->o->overwrite, settings, err);
        if (status == ECDC_OK || stat(path, &s) != 0)
            return status;
    }
    cJSON *found = NULL;
    ecdc_status status = json_read_object(path, &found, err);
    if (status == ECDC_OK)
        status = compare(b, path, settings, found, err);
    cJSON_Delete(found);
    return status;
}

ecdc_status batch_claim(const struct batch *b, struct timespec *since, ecdc_error *err) {
    const char *hex; /* for the settings */
    ecdc_status known = b->model ? model_sha256(b->model, &hex, err) : ECDC_OK;
    if (known != ECDC_OK)
        return known;
    char *path = ecdc_strfmt("%s/ecdc-batch.json", b->o->output);
    cJSON *settings = path ? describe(b) : NULL;
    struct stat s;
    ecdc_status status = path && settings ? file_make_directories(path, strlen(b->o->output), err)
                                          : ecdc_fail_memory(err, "the settings");
    if (status == ECDC_OK)
        status = claim(b, path, settings, err);
    if (status == ECDC_OK && stat(path, &s) != 0)
        status = ecdc_fail(err, ECDC_E_IO, "%s: %s", path, strerror(errno));
    if (status == ECDC_OK)
        *since = s.st_mtim;
    cJSON_Delete(settings);
    free(path);
    return status;
}

/* -------------------------------------------------------------------------------------- what is done and whole --- */

static bool is_older(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

static bool is_integer(const cJSON *object, const char *name, int64_t x) {
    double number;
    return json_integer(cJSON_GetObjectItemCaseSensitive(object, name), -9e15, 9e15, &number) && (int64_t)number == x;
}

/* Whether the description is that of this array and, where the input is still there, of this input. */
static bool description_fits(const char *npy, const struct stat *out, const struct stat *in) {
    char *path = path_replace(npy, ".npy", ".json"), *table = path_replace(npy, ".npy", ".tsv");
    cJSON *json = NULL;
    ecdc_error ignored;
    bool fits = path && table && file_is_regular(table) && file_is_regular(path) && json_read_object(path, &json, &ignored) == ECDC_OK;
    const cJSON *input = cJSON_GetObjectItemCaseSensitive(json, "input"), *array = cJSON_GetObjectItemCaseSensitive(json, "npy");
    fits = fits && is_integer(array, "bytes", out->st_size) &&
           (!in || (is_integer(input, "size", in->st_size) && is_integer(input, "mtime", in->st_mtime)));
    cJSON_Delete(json);
    free(table);
    free(path);
    return fits;
}

static bool is_whole(const struct batch *b, const struct batch_item *item, const struct timespec *since) {
    struct stat in, out;
    if (stat(item->output, &out) != 0 || !S_ISREG(out.st_mode) || is_older(&out.st_mtim, since))
        return false;
    bool there = stat(item->input, &in) == 0;
    if (there && is_older(&out.st_mtim, &in.st_mtim))
        return false;
    return b->task != &command_features || description_fits(item->output, &out, there ? &in : NULL);
}

/* What stands beside an array that is still to be made, and is no remains of a batch: the sidecar of a film that came later to a
 * directory of both, say. A description that cannot be read is one that something has damaged. */
static bool is_strangers_json(const char *path) {
    cJSON *json = NULL;
    ecdc_error ignored;
    bool strangers = file_is_regular(path) && json_read_object(path, &json, &ignored) == ECDC_OK &&
                     !cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(json, "npy"));
    cJSON_Delete(json);
    return strangers;
}

static bool is_strangers_table(const char *path) {
    static const char begin[] = "tr_index\t";
    char found[sizeof begin] = "";
    FILE *file = file_is_regular(path) ? fopen(path, "r") : NULL;
    bool strangers = file && fgets(found, sizeof found, file) && strcmp(found, begin) != 0;
    if (file)
        fclose(file);
    return strangers;
}

static ecdc_status spare_strangers(struct batch_item *item, ecdc_error *err) {
    char *json = path_replace(item->output, ".npy", ".json"), *table = path_replace(item->output, ".npy", ".tsv");
    const char *found = !json || !table ? NULL : is_strangers_json(json) ? json : is_strangers_table(table) ? table : NULL;
    ecdc_status status = json && table ? ECDC_OK : ecdc_fail_memory(err, "a path");
    if (found) {
        item->state = BATCH_FAILED;
        item->reason = ecdc_strfmt("%s: exists already, and no batch has made it (-f overwrites it)", found);
        status = item->reason ? ECDC_OK : ecdc_fail_memory(err, "a message");
    }
    free(table);
    free(json);
    return status;
}

/* ---------------------------------------------------------------------------------- what a killed run has left --- */

/* Whether a file of this path would be an output of ours: of this shard, that is, and still to be made. */
static bool is_open(const struct batch_item **open_items, size_t n, const char *path) {
    const char *ending = path_ends_with(path, ".tsv") ? ".tsv" : path_ends_with(path, ".json") ? ".json" : NULL;
    char *array = ending ? path_replace(path, ending, ".npy") : ecdc_strdup(path);
    const struct batch_item key = {.output = array}, *wanted = &key;
    bool found = array && bsearch(&wanted, open_items, n, sizeof *open_items, batch_by_output);
    free(array);
    return found;
}

/* The settings and the tables: no film's output has such a name there. */
static bool is_the_batchs(const struct batch *b, const char *path) {
    size_t n = strlen(b->o->output);
    return strncmp(path, b->o->output, n) == 0 && strncmp(path + n, "/ecdc-batch", strlen("/ecdc-batch")) == 0;
}

static void sweep_directory(const struct batch *b, const struct batch_item **open_items, size_t n, const char *directory,
                            size_t n_directory) {
    char *path = ecdc_strfmt("%.*s", (int)n_directory, directory);
    DIR *entries = path ? opendir(path) : NULL;
    free(path);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        size_t n_base;
        if (!output_is_temporary(entry->d_name, &n_base))
            continue;
        char *target = ecdc_strfmt("%.*s%.*s", (int)n_directory, directory, (int)n_base, entry->d_name + 1);
        path = ecdc_strfmt("%.*s%s", (int)n_directory, directory, entry->d_name);
        if (target && path && (is_open(open_items, n, target) || is_the_batchs(b, target)))
            output_remove_abandoned(path);
        free(target);
        free(path);
    }
    if (entries)
        closedir(entries);
}

/* Removes the temporary files of a run that was killed: those of outputs that this run makes, and of its tables. */
static ecdc_status sweep(const struct batch *b, ecdc_error *err) {
    size_t n, n_last = 0;
    const struct batch_item **open_items = batch_open_items(b, &n);
    if (!open_items)
        return ecdc_fail_memory(err, "the list of files");
    const char *last = NULL;
    for (size_t i = 0; i < n; i++) {
        const char *path = open_items[i]->output;
        size_t n_directory = (size_t)(strrchr(path, '/') - path) + 1;
        if (!last || n_directory != n_last || strncmp(last, path, n_directory))
            sweep_directory(b, open_items, n, path, n_directory);
        last = path;
        n_last = n_directory;
    }
    char *own = ecdc_strfmt("%s/", b->o->output);
    if (own)
        sweep_directory(b, open_items, n, own, strlen(own));
    free(own);
    free(open_items);
    return ECDC_OK;
}

ecdc_status batch_plan(struct batch *b, const struct timespec *since, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (size_t i = 0; i < b->n && status == ECDC_OK; i++) {
        struct batch_item *item = &b->items[i];
        if (item->state != BATCH_OPEN)
            continue;
        if (is_whole(b, item, since))
            item->state = BATCH_KEPT;
        else if (b->task == &command_features && !b->o->overwrite)
            status = spare_strangers(item, err);
    }
    return status == ECDC_OK ? sweep(b, err) : status;
}
