/* ecdc_hub_fetch: a model comes into the cache. First every file's headers, then the small files into memory, to see what it
 * is; then the announcement; then the cache is written: small files, weights, and last the ref, so that a revision never
 * points to a commit that is not complete. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "hub/blob.h"
#include "hub/card.h"
#include "hub/checksum.h"
#include "hub/client.h"
#include "hub/refusal.h"
#include "hub/store.h"
#include "model/config.h"
#include "model/hub_cache.h"

enum { CONFIG, WEIGHTS, PREPROCESSOR, CARD, N_FILES, MAX_SMALL = 1 << 20, MAX_LICENCE = 64 };

static const char *const NAMES[N_FILES] = {
    [CONFIG] = "config.json", [WEIGHTS] = "model.safetensors", [PREPROCESSOR] = "preprocessor_config.json",
    [CARD] = "README.md",
};

/* One file of the model. */
struct part {
    struct hub_file file;
    bool here;     /* in the snapshot already */
    bool unwanted; /* a card so large that it is none */
    char *text;    /* of a small file that is to be written, or was looked at */
    size_t n;      /* bytes of text so far */
};

struct fetch {
    const char *name;
    const ecdc_hub_settings *settings;
    struct hub_name parts_of_name;
    struct hub_store store;
    struct hub_client client;
    struct part parts[N_FILES];
    char commit[41];
    char licence[MAX_LICENCE];
    uint64_t n_bytes, n_bytes_here, n_bytes_done;
};

ecdc_hub_settings ecdc_default_hub_settings(void) {
    return (ecdc_hub_settings){0};
}

/* ----------------------------------------------------------------------------------------- what there is --- */

/* Other forms of weights that a repository may have instead. */
static ecdc_status refuse_without_weights(struct fetch *f, ecdc_error *err) {
    static const char *const others[] = {"model.safetensors.index.json", "pytorch_model.bin", "checkpoint.th"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct hub_file other = {.repository = f->parts_of_name.repository, .revision = f->commit, .name = others[i]};
        ecdc_status status = hub_client_head(&f->client, &other, err);
        if (status)
            return status;
        if (other.exists)
            return ecdc_fail(err, ECDC_E_MODEL, "%s has no model.safetensors, only %s: load it with transformers, and give the "
                             "directory that save_pretrained writes with -m", f->name, others[i]);
    }
    return ecdc_fail(err, ECDC_E_MODEL, "%s has no model.safetensors: there is nothing to download", f->name);
}

/* Headers of every file, all of one commit, and what the snapshot holds already. */
static ecdc_status look(struct fetch *f, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (int i = 0; !status && i < N_FILES; i++) {
        struct part *p = &f->parts[i];
        p->file = (struct hub_file){.repository = f->parts_of_name.repository, .name = NAMES[i],
                                    .revision = i == CONFIG ? f->parts_of_name.revision : f->commit};
        status = hub_client_head(&f->client, &p->file, err);
        if (!status && !p->file.exists && i == CONFIG)
            status = ecdc_fail(err, ECDC_E_MODEL, "%s has no config.json: it is not a model that transformers loads", f->name);
        else if (!status && !p->file.exists && i == WEIGHTS)
            status = refuse_without_weights(f, err);
        if (status || !p->file.exists)
            continue;
        if (i == CONFIG)
            memcpy(f->commit, p->file.commit, sizeof f->commit);
        p->file.revision = f->commit;
        char *path = hub_store_file(&f->store, f->commit, NAMES[i]);
        if (!path)
            return ecdc_fail_memory(err, f->name);
        p->here = hub_store_is_complete(path, p->file.size);
        p->unwanted = p->file.size > MAX_SMALL && (i == CARD || i == PREPROCESSOR);
        free(path);
    }
    return status;
}

static ecdc_status append(void *context, uint64_t offset, const void *bytes, size_t n, ecdc_error *err) {
    struct part *p = context;
    (void)err; /* n fits: hub_client_get keeps to the size, for which there is room */
    memcpy(p->text + offset, bytes, n);
    p->n = (size_t)offset + n;
    return ECDC_OK;
}

/* A small file's text, from the snapshot or the hub. */
static ecdc_status read_small(struct fetch *f, int i, ecdc_error *err) {
    struct part *p = &f->parts[i];
    if (p->here) {
        char *path = hub_store_file(&f->store, f->commit, NAMES[i]);
        ecdc_status status = path ? file_read_text(path, MAX_SMALL, &p->text, &p->n, err) : ecdc_fail_memory(err, f->name);
        free(path);
        return status;
    }
    if (p->file.size > MAX_SMALL)
        return ecdc_fail(err, ECDC_E_FORMAT, "config.json of %s has %llu bytes; at most %d are expected", f->name,
                         (unsigned long long)p->file.size, (int)MAX_SMALL);
    if (!(p->text = ecdc_alloc_zeros((size_t)p->file.size + 1, 1)))
        return ecdc_fail_memory(err, f->name);
    uint64_t offset = 0;
    struct hub_sink sink = {append, p};
    char name[300];
    snprintf(name, sizeof name, "%s of %s", NAMES[i], f->name);
    ecdc_status status = hub_client_get(&f->client, &p->file, &offset, &sink, err);
    return status ? status : checksum_bytes(name, p->file.etag, p->text, p->n, err);
}

/* Whether this library computes such a model at all, and the licence. */
static ecdc_status examine(struct fetch *f, ecdc_error *err) {
    static const int small[] = {CONFIG, CARD, PREPROCESSOR};
    ecdc_status status = ECDC_OK;
    for (size_t i = 0; !status && i < sizeof small / sizeof *small; i++)
        if (f->parts[small[i]].file.exists && !f->parts[small[i]].unwanted)
            status = read_small(f, small[i], err);
    if (status)
        return status;
    struct config config;
    char name[300];
    snprintf(name, sizeof name, "config.json of %s", f->name);
    status = config_parse(name, f->parts[CONFIG].text, f->parts[CONFIG].n, &config, err);
    if (!status && f->parts[CARD].text)
        card_licence(f->parts[CARD].text, f->parts[CARD].n, f->licence, sizeof f->licence);
    return status;
}

/* --------------------------------------------------------------------------------------- what is missing --- */

static bool is_missing(const struct part *p) {
    return p->file.exists && !p->here && !p->unwanted;
}

static ecdc_status announce(struct fetch *f, ecdc_error *err) {
    char files[128] = "";
    for (int i = 0; i < N_FILES; i++)
        if (is_missing(&f->parts[i])) {
            size_t n = strlen(files);
            snprintf(files + n, sizeof files - n, "%s%s", n ? ", " : "", NAMES[i]);
            f->n_bytes += f->parts[i].file.size;
        }
    if (is_missing(&f->parts[WEIGHTS]))
        f->n_bytes_here = hub_blob_left_over(&f->store, &f->parts[WEIGHTS].file);
    char *directory = hub_store_snapshot(&f->store, f->commit);
    if (!directory)
        return ecdc_fail_memory(err, f->name);
    ecdc_hub_plan plan = {
        .repository = f->parts_of_name.repository, .revision = f->parts_of_name.revision, .commit = f->commit,
        .endpoint = f->client.environment.endpoint, .directory = directory, .files = files, .licence = f->licence,
        .n_bytes = f->n_bytes, .n_bytes_here = f->n_bytes_here,
    };
    if (f->settings->announce)
        f->settings->announce(f->settings->context, &plan);
    free(directory);
    return ECDC_OK;
}

static ecdc_status write_part(struct fetch *f, int i, ecdc_error *err) {
    struct part *p = &f->parts[i];
    char *blob = hub_store_blob(&f->store, p->file.etag);
    if (!blob)
        return ecdc_fail_memory(err, f->name);
    ecdc_status status = ECDC_OK;
    if (hub_store_is_complete(blob, p->file.size))
        ; /* another revision has the same file */
    else if (i == WEIGHTS)
        status = hub_blob_download(&f->client, &f->store, &p->file, f->n_bytes_done, f->n_bytes, err);
    else
        status = hub_store_put_blob(&f->store, p->file.etag, p->text, p->n, err);
    free(blob);
    f->n_bytes_done += p->file.size;
    return status ? status : hub_store_link(&f->store, f->commit, NAMES[i], p->file.etag, err);
}

static ecdc_status write_missing(struct fetch *f, ecdc_error *err) {
    static const int order[] = {CONFIG, CARD, PREPROCESSOR, WEIGHTS};
    ecdc_status status = announce(f, err);
    if (!status)
        status = hub_store_prepare(&f->store, f->commit, err);
    if (!status)
        status = hub_store_check_space(&f->store, f->n_bytes - f->n_bytes_here, err);
    for (int i = 0; !status && i < N_FILES; i++)
        if (is_missing(&f->parts[order[i]]))
            status = write_part(f, order[i], err);
        else if (!f->parts[order[i]].file.exists)
            hub_store_note_absent(&f->store, f->commit, NAMES[order[i]]);
    return status;
}

/* ---------------------------------------------------------------------------------------------- all of it --- */

static ecdc_status run(struct fetch *f, ecdc_error *err) {
    ecdc_status status = look(f, err);
    if (status)
        return status;
    bool missing = false;
    for (int i = 0; i < N_FILES; i++)
        missing = missing || is_missing(&f->parts[i]);
    if (!missing) { /* a cache that cannot be written is good enough then */
        hub_store_set_ref(&f->store, f->parts_of_name.revision, f->commit, NULL);
        return ECDC_OK;
    }
    status = examine(f, err);
    if (!status)
        status = write_missing(f, err);
    if (!status)
        status = hub_store_set_ref(&f->store, f->parts_of_name.revision, f->commit, err);
    return status;
}

static ecdc_status fetch_online(const char *name, const ecdc_hub_settings *settings, ecdc_error *err) {
    struct fetch f = {.name = name, .settings = settings};
    ecdc_status status = hub_name_parse(name, &f.parts_of_name, err);
    if (!status)
        status = hub_store_open(name, f.parts_of_name.folder, &f.store, err);
    if (!status)
        status = hub_client_open(&f.client, settings, err);
    if (!status)
        status = run(&f, err);
    for (int i = 0; i < N_FILES; i++)
        free(f.parts[i].text);
    hub_client_close(&f.client);
    hub_store_close(&f.store);
    hub_name_free(&f.parts_of_name);
    return status;
}

ecdc_status ecdc_hub_fetch(const char *name, const ecdc_hub_settings *settings, ecdc_error *err) {
    if (!name)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "ecdc_hub_fetch: the name is NULL");
    const ecdc_hub_settings silent = ecdc_default_hub_settings();
    const char *offline = hub_offline(), *at = strchr(name, '@');
    char *directory = NULL;
    ecdc_error why;
    ecdc_status cached = hub_cache_find(name, &directory, &why);
    free(directory);
    if (!cached && (offline || (at && hub_cache_is_commit(at + 1)))) /* a commit is what it is for ever */
        return ECDC_OK;
    if (offline && cached == ECDC_E_MODEL)
        return refusal_of_offline(name, offline, why.message, err);
    if (offline || cached == ECDC_E_ARGUMENT)
        return ecdc_fail(err, cached, "%s", why.message);
    ecdc_status status = fetch_online(name, settings ? settings : &silent, &why);
    if (status)
        ecdc_fail(err, status, "%s%s", why.message, cached ? "" : "; what the cache holds can be used as it is");
    return status;
}
