/* Writing into the cache of the hub as huggingface_hub 2 does, so that either finds what the other has downloaded:
 *     <cache>/CACHEDIR.TAG                             says to backups that everything here can be had again
 *            /.locks/<repository>/<etag>.lock          flock, while a blob is being written; the file stays
 *            /<repository>/blobs/<etag>                the bytes; <etag>.incomplete while they come
 *                         /snapshots/<commit>/<file>   -> ../../blobs/<etag>
 *                         /refs/<revision>             the commit, 40 digits without a newline
 *                         /.no_exist/<commit>/<file>   empty: this commit has no such file */
#ifndef ECDC_HUB_STORE_H
#define ECDC_HUB_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "ecdc.h"

struct hub_store {
    char *cache, *repository, *locks; /* directories, which need not exist */
};

/* Only makes the names; `folder` is the repository's in the cache. ECDC_E_MODEL, ECDC_E_MEMORY. */
ecdc_status hub_store_open(const char *name, const char *folder, struct hub_store *store, ecdc_error *err);
void hub_store_close(struct hub_store *store);

/* Fresh strings; NULL: out of memory. */
char *hub_store_blob(const struct hub_store *store, const char *etag);
char *hub_store_snapshot(const struct hub_store *store, const char *commit);
char *hub_store_file(const struct hub_store *store, const char *commit, const char *file);

/* A regular file of that size (behind links). */
bool hub_store_is_complete(const char *path, uint64_t size);

/* Makes the directories for a commit. ECDC_E_IO (the message names the one that cannot be made, and what moves the cache),
 * ECDC_E_MEMORY. */
ecdc_status hub_store_prepare(const struct hub_store *store, const char *commit, ecdc_error *err);
/* Whether n bytes more fit; ECDC_E_IO where they do not. */
ecdc_status hub_store_check_space(const struct hub_store *store, uint64_t n, ecdc_error *err);

/* Waits for the lock of a blob, -1 where the file system has no locks: a blob is safe without, only perhaps downloaded
 * twice. Give it to hub_store_unlock. ECDC_E_IO, ECDC_E_STOPPED, ECDC_E_MEMORY. */
ecdc_status hub_store_lock(const struct hub_store *store, const char *etag, const ecdc_hub_settings *settings, int *lock,
                           ecdc_error *err);
void hub_store_unlock(int lock);

/* Writes a small blob in one piece. ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status hub_store_put_blob(const struct hub_store *store, const char *etag, const void *bytes, size_t n,
                               ecdc_error *err);
/* Makes a snapshot's file a link to a blob; replaces what is there. */
ecdc_status hub_store_link(const struct hub_store *store, const char *commit, const char *file, const char *etag,
                           ecdc_error *err);
/* Notes that a commit has no such file; that this can fail does no harm. */
void hub_store_note_absent(const struct hub_store *store, const char *commit, const char *file);
/* Makes the revision point to the commit, where it does not and is no commit itself. */
ecdc_status hub_store_set_ref(const struct hub_store *store, const char *revision, const char *commit, ecdc_error *err);

#endif
