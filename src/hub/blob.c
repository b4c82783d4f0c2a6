#include "hub/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/status.h"
#include "hub/checksum.h"

struct download {
    const ecdc_hub_settings *settings;
    const char *path;       /* <etag>.incomplete */
    int fd;
    uint64_t before, total; /* for the progress function */
    bool no_room;           /* the file system took no more */
};

uint64_t hub_blob_left_over(const struct hub_store *store, const struct hub_file *file) {
    char *blob = hub_store_blob(store, file->etag), *path = blob ? ecdc_strfmt("%s.incomplete", blob) : NULL;
    struct stat st;
    uint64_t n = 0;
    if (blob && hub_store_is_complete(blob, file->size))
        n = file->size;
    else if (path && lstat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size <= file->size)
        n = (uint64_t)st.st_size;
    free(path);
    free(blob);
    return n;
}

/* Every byte has one place, so that two processes that a broken lock lets in write the same file twice, not a wrong one. */
static ecdc_status write_at(void *context, uint64_t offset, const void *bytes, size_t n, ecdc_error *err) {
    struct download *d = context;
    for (const char *at = bytes; n > 0;) {
        ssize_t written = pwrite(d->fd, at, n, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            d->no_room = true;
            return ecdc_fail(err, ECDC_E_IO, "cannot write %s: %s; the part that had come was removed; free %.1f MB, or name "
                             "another place for the Hugging Face cache with HF_HUB_CACHE or HF_HOME", d->path,
                             strerror(written < 0 ? errno : ENOSPC), (double)d->total / 1e6);
        }
        at += written;
        n -= (size_t)written;
        offset += (uint64_t)written;
    }
    if (d->settings->progress)
        d->settings->progress(d->settings->context, d->before + offset, d->total);
    return ECDC_OK;
}

/* From `offset` to the end, then the check. *offset says how far it came. */
static ecdc_status download_from(struct hub_client *c, struct download *d, const struct hub_file *file, uint64_t *offset,
                                 ecdc_error *err) {
    struct hub_sink sink = {write_at, d};
    char name[300];
    snprintf(name, sizeof name, "%s of %s", file->name, file->repository);
    ecdc_status status = hub_client_get(c, file, offset, &sink, err);
    if (!status)
        status = checksum_file(name, file->etag, d->fd, file->size, err);
    if (!status && fsync(d->fd) != 0 && errno != EINVAL) {
        d->no_room = true;
        status = ecdc_fail(err, ECDC_E_IO, "cannot write %s: %s", d->path, strerror(errno));
    }
    return status;
}

static ecdc_status download(struct hub_client *c, struct download *d, const struct hub_file *file, const char *blob,
                            uint64_t left_over, ecdc_error *err) {
    d->fd = open(d->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (d->fd < 0)
        return ecdc_fail(err, ECDC_E_IO, "cannot create %s: %s", d->path, strerror(errno));
    uint64_t offset = left_over;
    ecdc_status status = offset > 0 || ftruncate(d->fd, 0) == 0
                             ? download_from(c, d, file, &offset, err)
                             : ecdc_fail(err, ECDC_E_IO, "cannot write %s: %s", d->path, strerror(errno));
    if (status == ECDC_E_FORMAT && left_over > 0 && ftruncate(d->fd, 0) == 0) { /* what was left over may have been wrong */
        offset = 0;
        status = download_from(c, d, file, &offset, err);
    }
    if (!status && rename(d->path, blob) != 0)
        status = ecdc_fail(err, ECDC_E_IO, "cannot rename %s: %s", d->path, strerror(errno));
    if (status && (status == ECDC_E_FORMAT || d->no_room || offset == 0))
        unlink(d->path);
    close(d->fd);
    return status;
}

ecdc_status hub_blob_download(struct hub_client *c, const struct hub_store *store, const struct hub_file *file,
                              uint64_t before, uint64_t total, ecdc_error *err) {
    char *blob = hub_store_blob(store, file->etag), *path = blob ? ecdc_strfmt("%s.incomplete", blob) : NULL;
    int lock = -1;
    ecdc_status status = path ? hub_store_lock(store, file->etag, c->settings, &lock, err) : ecdc_fail_memory(err, "a file");
    if (!status && !hub_store_is_complete(blob, file->size)) { /* another process may have made it meanwhile */
        struct download d = {.settings = c->settings, .path = path, .before = before, .total = total};
        status = download(c, &d, file, blob, hub_blob_left_over(store, file), err);
    }
    hub_store_unlock(lock);
    free(path);
    free(blob);
    return status;
}
