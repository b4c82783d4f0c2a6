/* The hub as a server: which files a repository has, and their bytes. Follows redirects, tries again where that can help, and
 * says what to do where it cannot. */
#ifndef ECDC_HUB_CLIENT_H
#define ECDC_HUB_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "hub/environment.h"
#include "hub/http.h"

struct hub_client {
    struct hub_environment environment;
    struct http *http;
    const ecdc_hub_settings *settings;
    bool answered; /* the server has, at least once: what breaks from now on is worth another try */
};

ecdc_status hub_client_open(struct hub_client *c, const ecdc_hub_settings *settings, ecdc_error *err);
void hub_client_close(struct hub_client *c);

/* A file in a repository. */
struct hub_file {
    const char *repository, *revision, *name; /* "facebook/encodec_24khz", "main", "config.json"; the caller's */
    bool exists;
    char commit[41];
    char etag[HTTP_TEXT]; /* a plain file name: letters, digits, - _ . */
    uint64_t size;
};

/* Asks for a file's commit, ETag and size. One that the repository does not have is no failure: exists is false.
 * ECDC_E_MODEL (no such repository or revision, or no right to it), ECDC_E_IO (no connection, the server fails),
 * ECDC_E_FORMAT (the answer is not a hub's), ECDC_E_STOPPED, ECDC_E_MEMORY. */
ecdc_status hub_client_head(struct hub_client *c, struct hub_file *file, ecdc_error *err);

/* Where the bytes of a file go; each call says at which offset. */
struct hub_sink {
    ecdc_status (*write)(void *context, uint64_t offset, const void *bytes, size_t n, ecdc_error *err);
    void *context;
};

/* Gets a file from `offset` (at most its size) to its end, exactly file->size bytes in all. What was written before a
 * failure stays: *offset says how far it came. A server that cannot resume begins again at 0. Fails as hub_client_head
 * and the sink do. */
ecdc_status hub_client_get(struct hub_client *c, const struct hub_file *file, uint64_t *offset,
                           const struct hub_sink *sink, ecdc_error *err);

/* Waits; ECDC_E_STOPPED where the caller's stop function ends that. */
ecdc_status hub_client_sleep(const ecdc_hub_settings *settings, double seconds, ecdc_error *err);

#endif
