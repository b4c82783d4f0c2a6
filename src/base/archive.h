/* Zip archives in memory: read entry by entry, or made at once; .th and .npz files. Nothing that an archive says about itself is
 * believed before it is checked: no entry costs more memory than its compressed bytes can justify, nor more than the
 * caller allows. */
#ifndef ECDC_BASE_ARCHIVE_H
#define ECDC_BASE_ARCHIVE_H

#include <stdbool.h>

#include "base/status.h"

/* May be used by one thread at a time. */
struct archive;

struct archive_entry {
    const char *name; /* the archive's; as stored, directories included */
    uint64_t size;    /* of its contents, as declared */
};

/* Opens an archive for reading. The names are checked here to be different, and the entries to fit into the file without
 * sharing bytes; contents are checked when they are read.
 * ECDC_E_IO (no such file, not a regular one), ECDC_E_FORMAT (not an archive, or cut short), ECDC_E_MEMORY. */
ecdc_status archive_open(const char *path, struct archive **out, ecdc_error *err);
/* The same for an archive in memory; `bytes` must stay valid and unchanged until archive_close. `path` is for messages. */
ecdc_status archive_open_bytes(const char *path, const void *bytes, size_t n, struct archive **out, ecdc_error *err);
/* The same for a regular file of n_bytes that is open; the descriptor is the archive's from here on, also when this fails. */
ecdc_status archive_open_descriptor(const char *path, int fd, uint64_t n_bytes, struct archive **out, ecdc_error *err);
void archive_close(struct archive *a); /* NULL is fine */

/* The entries, in the order of their names. */
size_t archive_count(const struct archive *a);
struct archive_entry archive_entry_at(const struct archive *a, size_t index);
/* False where there is none of that name. */
bool archive_find(const struct archive *a, const char *name, size_t *index);

/* The contents of an entry in pieces, from its start. What archive_read checks is checked here, too: the entry before its first
 * byte, size and CRC-32 with its last one. The archive must stay open. */
struct archive_stream;
ecdc_status archive_stream_open(struct archive *a, size_t index, struct archive_stream **out, ecdc_error *err);
/* The next n bytes; ECDC_E_FORMAT where fewer are left, too. */
ecdc_status archive_stream_read(struct archive_stream *s, void *bytes, size_t n, ecdc_error *err);
void archive_stream_close(struct archive_stream *s); /* NULL is fine */

/* The contents of an entry, followed by a zero byte that *n does not count; free() it. Stored and deflated entries can be
 * read; size and CRC-32 are checked.
 * ECDC_E_FORMAT (more than max_bytes, a size that is not the real one, damaged), ECDC_E_UNSUPPORTED (encrypted, another
 * method), ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status archive_read(struct archive *a, size_t index, uint64_t max_bytes, void **bytes, size_t *n, ecdc_error *err);

/* One entry of an archive to be made. */
struct archive_item {
    const char *name;
    const void *bytes;
    size_t n;
};

/* Makes an archive of stored entries, the same bytes every time; free() it. ECDC_E_MEMORY. */
ecdc_status archive_make(const struct archive_item *items, size_t n_items, void **image, size_t *n_bytes, ecdc_error *err);

#endif
