#include "model/weight_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"

enum { PIECE = 1 << 18 }; /* of what is hashed: it stays in the cache between reading and hashing */

struct weight_file {
    char *path;
    int fd;
    uint64_t size;
    struct timespec changed; /* when it was opened */
};

ecdc_status weight_file_open(const char *path, struct weight_file **out, ecdc_error *err) {
    struct weight_file *f = ecdc_alloc_zeros(1, sizeof *f);
    if (!f || !(f->path = ecdc_strdup(path))) {
        free(f);
        return ecdc_fail_memory(err, path);
    }
    struct stat st;
    ecdc_status status = file_open_regular(path, &f->fd, &st, err);
    if (status) {
        f->fd = -1;
    } else if (st.st_size == 0) {
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s is empty", path);
    } else {
        f->size = (uint64_t)st.st_size;
        f->changed = st.st_mtim;
    }
    if (status)
        weight_file_close(f);
    else
        *out = f;
    return status;
}

void weight_file_close(struct weight_file *f) {
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    free(f->path);
    free(f);
}

const char *weight_file_path(const struct weight_file *f) {
    return f->path;
}

uint64_t weight_file_size(const struct weight_file *f) {
    return f->size;
}

static ecdc_status fail_read(const struct weight_file *f, int error, ecdc_error *err) {
    return ecdc_fail(err, ECDC_E_IO, "%s: cannot be read: %s", f->path, strerror(error));
}

ecdc_status weight_file_descriptor(const struct weight_file *f, int *fd, ecdc_error *err) {
    *fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    return *fd < 0 ? fail_read(f, errno, err) : ECDC_OK;
}

/* Asked after reading: a change before or while is seen, one after it does no harm to what was read. */
static ecdc_status check_unchanged(const struct weight_file *f, ecdc_error *err) {
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return fail_read(f, errno, err);
    if ((uint64_t)st.st_size < f->size)
        return ecdc_fail(err, ECDC_E_IO, "%s: was cut from %llu to %llu bytes while it was in use; replace a model by renaming", f->path,
                         (unsigned long long)f->size, (unsigned long long)st.st_size);
    if ((uint64_t)st.st_size != f->size || st.st_mtim.tv_sec != f->changed.tv_sec || st.st_mtim.tv_nsec != f->changed.tv_nsec)
        return ecdc_fail(err, ECDC_E_IO, "%s: was written to while it was in use; replace a model by renaming", f->path);
    return ECDC_OK;
}

ecdc_status weight_file_read(const struct weight_file *f, uint64_t offset, void *bytes, size_t n, ecdc_error *err) {
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(f->fd, (char *)bytes + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail_read(f, errno, err);
        if (got == 0) {
            ecdc_status status = check_unchanged(f, err);
            return status ? status : fail_read(f, EIO, err);
        }
        done += (size_t)got;
    }
    return check_unchanged(f, err);
}

ecdc_status weight_file_sha256(const struct weight_file *f, char hex[SHA256_TEXT], ecdc_error *err) {
    unsigned char *piece = ecdc_alloc_array(PIECE, 1);
    struct sha256 *sha = sha256_new();
    bool hashed = piece && sha;
    ecdc_status status = ECDC_OK;
    for (uint64_t at = 0; hashed && !status && at < f->size;) {
        size_t n = f->size - at < PIECE ? (size_t)(f->size - at) : PIECE;
        status = weight_file_read(f, at, piece, n, err);
        hashed = status || sha256_update(sha, piece, n);
        at += n;
    }
    hashed = hashed && (status || sha256_finish(sha, hex));
    sha256_free(sha);
    free(piece);
    return status || hashed ? status : ecdc_fail_memory(err, "a SHA-256");
}
