#include "base/archive_source.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"

struct file {
    int fd;
    uint64_t at, n_bytes;
    int *read_error;
    zip_error_t error;
};

static zip_int64_t read_file(struct file *f, void *bytes, uint64_t n) {
    ssize_t got;
    n = n < SSIZE_MAX ? n : SSIZE_MAX;
    do
        got = pread(f->fd, bytes, n, (off_t)f->at);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        *f->read_error = errno;
        zip_error_set(&f->error, ZIP_ER_READ, errno);
    } else {
        f->at += (uint64_t)got;
    }
    return got;
}

static zip_int64_t seek(struct file *f, void *arguments, uint64_t n) {
    zip_int64_t to = zip_source_seek_compute_offset(f->at, f->n_bytes, arguments, n, &f->error);
    if (to < 0)
        return -1;
    f->at = (uint64_t)to;
    return 0;
}

static zip_int64_t describe(struct file *f, void *answer, uint64_t n) {
    zip_stat_t *st = ZIP_SOURCE_GET_ARGS(zip_stat_t, answer, n, &f->error);
    if (!st)
        return -1;
    zip_stat_init(st);
    st->size = f->n_bytes;
    st->valid |= ZIP_STAT_SIZE;
    return (zip_int64_t)sizeof *st;
}

static zip_int64_t give_back(struct file *f) {
    close(f->fd);
    zip_error_fini(&f->error);
    free(f);
    return 0;
}

/* What libzip asks: zip_source_function(3). */
static zip_int64_t answer(void *context, void *data, zip_uint64_t n, zip_source_cmd_t command) {
    struct file *f = context;
    switch (command) {
    case ZIP_SOURCE_OPEN: f->at = 0; return 0;
    case ZIP_SOURCE_READ: return read_file(f, data, n);
    case ZIP_SOURCE_CLOSE: return 0;
    case ZIP_SOURCE_SEEK: return seek(f, data, n);
    case ZIP_SOURCE_TELL: return (zip_int64_t)f->at;
    case ZIP_SOURCE_STAT: return describe(f, data, n);
    case ZIP_SOURCE_ERROR: return zip_error_to_data(&f->error, data, n);
    case ZIP_SOURCE_FREE: return give_back(f);
    case ZIP_SOURCE_SUPPORTS: return ZIP_SOURCE_SUPPORTS_SEEKABLE;
    default: zip_error_set(&f->error, ZIP_ER_OPNOTSUPP, 0); return -1;
    }
}

zip_source_t *archive_source(int fd, uint64_t n_bytes, int *read_error, zip_error_t *why) {
    struct file *f = ecdc_alloc_zeros(1, sizeof *f);
    if (!f) {
        zip_error_set(why, ZIP_ER_MEMORY, 0);
        return NULL;
    }
    *f = (struct file){.fd = fd, .n_bytes = n_bytes, .read_error = read_error};
    zip_error_init(&f->error);
    zip_source_t *source = zip_source_function_create(answer, f, why);
    if (!source)
        free(f);
    return source;
}
