/* Models that have been downloaded, by us (hub/fetch.c) or by other programs: the cache of the Hugging Face hub,
 *     <cache>/models--<org>--<name>/refs/<revision>            a file with a commit
 *                                  /snapshots/<commit>/config.json, model.safetensors
 * where <cache> is $HF_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub: the first
 * whose variable is set and not empty. Nothing is written here. */
#ifndef ECDC_MODEL_HUB_CACHE_H
#define ECDC_MODEL_HUB_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "ecdc.h"

/* "org/name" or "org/name@revision" in the characters that the hub allows: nothing that could leave the cache. */
bool hub_cache_is_name(const char *name);

/* The parts of such a name; fresh strings. */
struct hub_name {
    char *repository; /* "facebook/encodec_24khz" */
    char *revision;   /* a branch, a tag or a commit; "main" where the name has none */
    char *folder;     /* of the repository in the cache: "models--facebook--encodec_24khz" */
};

/* ECDC_E_ARGUMENT (not a hub name), ECDC_E_MEMORY. */
ecdc_status hub_name_parse(const char *name, struct hub_name *parts, ecdc_error *err);
void hub_name_free(struct hub_name *parts);

/* 40 hexadecimal digits in lower case. */
bool hub_cache_is_commit(const char *s);

/* base + tail, with a leading ~ of base replaced as the hub's own library does; free() it. NULL: out of memory. */
char *hub_cache_expand(const char *base, const char *tail);

/* The cache's directory, which need not exist; free() it. NULL: out of memory, or no variable tells where it is. */
char *hub_cache_directory(void);
/* The same as a status: ECDC_E_MODEL where no variable tells; `name` of a model is for the message. */
ecdc_status hub_cache_require_directory(const char *name, char **directory, ecdc_error *err);

/* The snapshot directory of a model; free() it. The revision is a branch, a tag or a commit, by default "main".
 * ECDC_E_ARGUMENT (not a hub name), ECDC_E_MODEL (not there, or incomplete; the message says what was looked for),
 * ECDC_E_FORMAT (a broken ref), ECDC_E_MEMORY. */
ecdc_status hub_cache_find(const char *name, char **directory, ecdc_error *err);

/* One snapshot of an EnCodec model. */
struct hub_model {
    char *name;       /* "facebook/encodec_24khz" */
    char *revision;   /* a ref that points here, "main" if that one does; "" if none does */
    char *commit;
    char *path;       /* the snapshot's directory */
    uint64_t n_bytes; /* of model.safetensors; 0 where it is missing */
    bool complete;    /* config.json and model.safetensors are there */
};

/* Every snapshot whose config.json says that it is an EnCodec model, by name and commit; no cache is an empty list.
 * ECDC_E_IO (a cache that cannot be read), ECDC_E_MEMORY. */
ecdc_status hub_cache_list(struct hub_model **models, size_t *n, ecdc_error *err);
void hub_cache_list_free(struct hub_model *models, size_t n);

#endif
