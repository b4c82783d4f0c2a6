#include "model/hub_cache.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "model/json.h"

enum { MAX_REF = 1024, MAX_CONFIG = 1 << 20, MAX_HUB_NAME = 96 };
static const char PREFIX[] = "models--";

/* --------------------------------------------------------------------------------------------- names --- */

static bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
}

/* Letters, digits, - _ . as the hub has them: not at the ends - or ., not twice in a row. */
static bool is_part(const char *s, size_t n) {
    if (n == 0 || n > MAX_HUB_NAME || strchr("-.", s[0]) || strchr("-.", s[n - 1]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_plain(s[i]) || (i > 0 && s[i] == s[i - 1] && (s[i] == '-' || s[i] == '.')))
            return false;
    return true;
}

/* A branch or tag may have slashes: refs/pr/1. */
static bool is_revision(const char *s) {
    for (;;) {
        size_t n = strcspn(s, "/");
        if (!is_part(s, n))
            return false;
        if (s[n] == '\0')
            return true;
        s += n + 1;
    }
}

bool hub_cache_is_commit(const char *s) {
    size_t n = strlen(s);
    return n == strspn(s, "0123456789abcdef") && n == 40;
}

bool hub_cache_is_name(const char *name) {
    size_t n = strcspn(name, "@");
    const char *slash = memchr(name, '/', n);
    if (!slash || !is_part(name, (size_t)(slash - name)) || !is_part(slash + 1, n - (size_t)(slash - name) - 1))
        return false;
    return name[n] == '\0' || is_revision(name + n + 1);
}

ecdc_status hub_name_parse(const char *name, struct hub_name *parts, ecdc_error *err) {
    if (!hub_cache_is_name(name))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s is not the name of a Hugging Face model: organisation/name, or "
                         "organisation/name@revision", name);
    size_t n = strcspn(name, "@");
    const char *slash = strchr(name, '/');
    int n_org = (int)(slash - name), n_name = (int)(n - (size_t)n_org - 1);
    struct hub_name p = {
        .repository = ecdc_strfmt("%.*s", (int)n, name),
        .revision = ecdc_strdup(name[n] ? name + n + 1 : "main"),
        .folder = ecdc_strfmt("%s%.*s--%.*s", PREFIX, n_org, name, n_name, slash + 1),
    };
    if (!p.repository || !p.revision || !p.folder) {
        hub_name_free(&p);
        return ecdc_fail_memory(err, name);
    }
    *parts = p;
    return ECDC_OK;
}

void hub_name_free(struct hub_name *parts) {
    free(parts->repository);
    free(parts->revision);
    free(parts->folder);
}

/* --------------------------------------------------------------------------------------------- paths --- */

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

char *hub_cache_expand(const char *base, const char *tail) {
    const char *home = variable("HOME");
    if (home && base[0] == '~' && (base[1] == '/' || base[1] == '\0'))
        return ecdc_strfmt("%s%s%s", home, base + 1, tail);
    return ecdc_strfmt("%s%s", base, tail);
}

/* What the cache's path begins with, and ends with; NULL where no variable says. */
static const char *find_base(const char **tail) {
    static const struct {
        const char *variable, *tail;
    } places[] = {
        {"HF_HUB_CACHE", ""}, {"HF_HOME", "/hub"}, {"XDG_CACHE_HOME", "/huggingface/hub"},
        {"HOME", "/.cache/huggingface/hub"},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *base = variable(places[i].variable);
        *tail = places[i].tail;
        if (base)
            return base;
    }
    return NULL;
}

char *hub_cache_directory(void) {
    const char *tail, *base = find_base(&tail);
    return base ? hub_cache_expand(base, tail) : NULL;
}

/* The snapshot that a refs file names, a commit; a fresh string. What is no commit but one plain name passes, as it does in
 * huggingface_hub: caches made by hand have such ones. */
static ecdc_status read_ref(const char *path, char **commit, ecdc_error *err) {
    char *text;
    size_t n;
    ecdc_status status = file_read_text(path, MAX_REF, &text, &n, err);
    if (status)
        return status;
    while (n > 0 && strchr(" \t\r\n", text[n - 1]))
        text[--n] = '\0';
    if (!is_part(text, n)) { /* what follows becomes part of a path */
        free(text);
        return ecdc_fail(err, ECDC_E_FORMAT, "%s does not hold a commit, nor a name of a snapshot", path);
    }
    *commit = text;
    return ECDC_OK;
}

static ecdc_status find_commit(const char *name, const char *repository, const char *revision, char **commit,
                               ecdc_error *err) {
    char *ref = ecdc_strfmt("%s/refs/%s", repository, revision);
    if (!ref)
        return ecdc_fail_memory(err, name);
    ecdc_status status;
    if (file_is_regular(ref))
        status = read_ref(ref, commit, err);
    else if (hub_cache_is_commit(revision))
        status = (*commit = ecdc_strdup(revision)) ? ECDC_OK : ecdc_fail_memory(err, name);
    else
        status = ecdc_fail(err, ECDC_E_MODEL, "%s is not in the Hugging Face cache: %s does not exist", name, ref);
    free(ref);
    return status;
}

static ecdc_status require_file(const char *name, const char *snapshot, const char *file, ecdc_error *err) {
    char *path = ecdc_strfmt("%s/%s", snapshot, file);
    ecdc_status status = ECDC_OK;
    if (!path)
        status = ecdc_fail_memory(err, name);
    else if (!file_is_regular(path))
        status = ecdc_fail(err, ECDC_E_MODEL, "%s is not complete in the Hugging Face cache: %s does not exist", name,
                           path);
    free(path);
    return status;
}

static ecdc_status find_in(const char *cache, const char *name, const struct hub_name *parts, char **directory,
                           ecdc_error *err) {
    char *repository = ecdc_strfmt("%s/%s", cache, parts->folder);
    if (!repository)
        return ecdc_fail_memory(err, name);
    char *commit = NULL, *snapshot = NULL;
    ecdc_status status = ECDC_OK;
    if (!file_is_directory(repository))
        status = ecdc_fail(err, ECDC_E_MODEL, "%s is not in the Hugging Face cache: %s does not exist", name, repository);
    if (!status)
        status = find_commit(name, repository, parts->revision, &commit, err);
    if (!status && !(snapshot = ecdc_strfmt("%s/snapshots/%s", repository, commit)))
        status = ecdc_fail_memory(err, name);
    if (!status)
        status = require_file(name, snapshot, "config.json", err);
    if (!status)
        status = require_file(name, snapshot, "model.safetensors", err);
    free(repository);
    free(commit);
    if (status)
        free(snapshot);
    else
        *directory = snapshot;
    return status;
}

ecdc_status hub_cache_require_directory(const char *name, char **directory, ecdc_error *err) {
    const char *tail;
    if (!find_base(&tail))
        return ecdc_fail(err, ECDC_E_MODEL, "%s cannot be looked up: none of HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME and "
                         "HOME says where the Hugging Face cache is", name);
    return (*directory = hub_cache_directory()) ? ECDC_OK : ecdc_fail_memory(err, name);
}

ecdc_status hub_cache_find(const char *name, char **directory, ecdc_error *err) {
    struct hub_name parts;
    char *cache = NULL;
    ecdc_status status = hub_name_parse(name, &parts, err);
    if (status)
        return status;
    status = hub_cache_require_directory(name, &cache, err);
    if (!status)
        status = find_in(cache, name, &parts, directory, err);
    free(cache);
    hub_name_free(&parts);
    return status;
}

/* ---------------------------------------------------------------------------------------------- list --- */

/* Names in a directory, sorted, without those that begin with a point. */
struct names {
    char **names;
    size_t n;
};

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(struct names *list) {
    for (size_t i = 0; i < list->n; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct names){NULL, 0};
}

/* A directory that does not exist is an empty one. */
static ecdc_status read_names(const char *path, struct names *list, ecdc_error *err) {
    *list = (struct names){NULL, 0};
    DIR *dir = opendir(path);
    if (!dir && (errno == ENOENT || errno == ENOTDIR))
        return ECDC_OK;
    if (!dir)
        return ecdc_fail(err, ECDC_E_IO, "cannot read the directory %s", path);
    const struct dirent *entry;
    ecdc_status status = ECDC_OK;
    while (!status && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        char **grown = ecdc_realloc_array(list->names, list->n + 1, sizeof *grown);
        if (grown)
            list->names = grown;
        char *name = grown ? ecdc_strdup(entry->d_name) : NULL;
        if (name)
            list->names[list->n++] = name;
        else
            status = ecdc_fail_memory(err, path);
    }
    closedir(dir);
    if (status)
        free_names(list);
    else if (list->n > 0)
        qsort(list->names, list->n, sizeof *list->names, by_text);
    return status;
}

static void free_model(struct hub_model *m) {
    free(m->name);
    free(m->revision);
    free(m->commit);
    free(m->path);
}

void hub_cache_list_free(struct hub_model *models, size_t n) {
    for (size_t i = 0; i < n; i++)
        free_model(&models[i]);
    free(models);
}

static bool is_encodec(const char *snapshot) {
    char *path = ecdc_strfmt("%s/config.json", snapshot), *text = NULL;
    size_t n;
    cJSON *config = NULL;
    bool found = false;
    if (path && file_read_text(path, MAX_CONFIG, &text, &n, NULL) == ECDC_OK &&
        json_parse_object(path, text, n, &config, NULL) == ECDC_OK) {
        const cJSON *type = cJSON_GetObjectItemCaseSensitive(config, "model_type");
        found = cJSON_IsString(type) && strcmp(type->valuestring, "encodec") == 0;
    }
    cJSON_Delete(config);
    free(text);
    free(path);
    return found;
}

/* A ref that points to the commit; "main" wins. Fresh string, "" if there is none, NULL: out of memory. */
static char *find_revision(const char *repository, const char *commit) {
    char *directory = ecdc_strfmt("%s/refs", repository);
    struct names refs;
    if (!directory || read_names(directory, &refs, NULL)) {
        free(directory);
        return ecdc_strdup("");
    }
    const char *best = "";
    for (size_t i = 0; i < refs.n; i++) {
        char *path = ecdc_strfmt("%s/%s", directory, refs.names[i]), *target = NULL;
        if (path && is_revision(refs.names[i]) && read_ref(path, &target, NULL) == ECDC_OK &&
            strcmp(target, commit) == 0 && (!*best || strcmp(refs.names[i], "main") == 0))
            best = refs.names[i];
        free(target);
        free(path);
    }
    char *revision = ecdc_strdup(best);
    free_names(&refs);
    free(directory);
    return revision;
}

struct list {
    struct hub_model *models;
    size_t n;
};

/* "models--facebook--encodec_24khz" is facebook/encodec_24khz. */
static char *name_of(const char *folder) {
    const char *name = folder + sizeof PREFIX - 1, *dashes = strstr(name, "--");
    return ecdc_strfmt("%.*s/%s", (int)(dashes - name), name, dashes + 2);
}

static ecdc_status add_snapshot(struct list *list, const char *folder, const char *repository, const char *commit,
                                ecdc_error *err) {
    struct hub_model m = {.path = ecdc_strfmt("%s/snapshots/%s", repository, commit)};
    if (m.path && !is_encodec(m.path)) {
        free_model(&m);
        return ECDC_OK;
    }
    m.name = name_of(folder);
    m.commit = ecdc_strdup(commit);
    m.revision = find_revision(repository, commit);
    char *weights = m.path ? ecdc_strfmt("%s/model.safetensors", m.path) : NULL;
    struct hub_model *grown = ecdc_realloc_array(list->models, list->n + 1, sizeof *grown);
    if (grown)
        list->models = grown;
    if (!m.path || !m.name || !m.commit || !m.revision || !weights || !grown) {
        free_model(&m);
        free(weights);
        return ecdc_fail_memory(err, "the list of models");
    }
    struct stat st;
    m.complete = stat(weights, &st) == 0 && S_ISREG(st.st_mode);
    m.n_bytes = m.complete ? (uint64_t)st.st_size : 0;
    free(weights);
    list->models[list->n++] = m;
    return ECDC_OK;
}

static ecdc_status add_repository(struct list *list, const char *cache, const char *folder, ecdc_error *err) {
    const char *name = folder + sizeof PREFIX - 1;
    if (strncmp(folder, PREFIX, sizeof PREFIX - 1) != 0 || !strstr(name, "--"))
        return ECDC_OK;
    char *repository = ecdc_strfmt("%s/%s", cache, folder);
    char *directory = repository ? ecdc_strfmt("%s/snapshots", repository) : NULL;
    struct names commits = {NULL, 0};
    ecdc_status status = directory ? read_names(directory, &commits, err) : ecdc_fail_memory(err, folder);
    for (size_t i = 0; !status && i < commits.n; i++)
        status = add_snapshot(list, folder, repository, commits.names[i], err);
    free_names(&commits);
    free(directory);
    free(repository);
    return status;
}

ecdc_status hub_cache_list(struct hub_model **models, size_t *n, ecdc_error *err) {
    struct list list = {NULL, 0};
    struct names folders = {NULL, 0};
    char *cache = hub_cache_directory();
    ecdc_status status = cache ? read_names(cache, &folders, err) : ECDC_OK;
    for (size_t i = 0; !status && i < folders.n; i++)
        status = add_repository(&list, cache, folders.names[i], err);
    free_names(&folders);
    free(cache);
    if (status) {
        hub_cache_list_free(list.models, list.n);
        return status;
    }
    *models = list.models;
    *n = list.n;
    return ECDC_OK;
}
