#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/status.h"

ecdc_status file_open_regular(const char *path, int *fd, struct stat *st, ecdc_error *err) {
    /* not blocking: a named pipe without a writer would hold us for ever */
    int f = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (f < 0)
        return ecdc_fail_errno(err, "open", path, errno);
    ecdc_status status = ECDC_OK;
    if (fstat(f, st) != 0)
        status = ecdc_fail_errno(err, "look at", path, errno);
    else if (S_ISDIR(st->st_mode))
        status = ecdc_fail(err, ECDC_E_IO, "cannot read %s: it is a directory", path);
    else if (!S_ISREG(st->st_mode))
        status = ecdc_fail(err, ECDC_E_IO, "cannot read %s: it is not a regular file", path);
    else if ((uint64_t)st->st_size > SIZE_MAX / 2)
        status = ecdc_fail(err, ECDC_E_IO, "cannot read %s: it is too large", path);
    if (status) {
        close(f);
        return status;
    }
    *fd = f;
    return ECDC_OK;
}

static ecdc_status read_all(int fd, const char *path, char *text, size_t *n, ecdc_error *err) {
    size_t done = 0;
    while (done < *n) {
        ssize_t got = read(fd, text + done, *n - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ecdc_fail_errno(err, "read", path, errno);
        if (got == 0)
            break; /* it became shorter */
        done += (size_t)got;
    }
    *n = done;
    return ECDC_OK;
}

ecdc_status file_read_text(const char *path, size_t max, char **text, size_t *n, ecdc_error *err) {
    int fd = -1;
    struct stat st;
    ecdc_status status = file_open_regular(path, &fd, &st, err);
    if (status)
        return status;
    char *buffer = NULL;
    size_t size = (size_t)st.st_size;
    if (size > max)
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s has %zu bytes; at most %zu are expected", path, size, max);
    else if (!(buffer = ecdc_alloc_array(size + 1, 1)))
        status = ecdc_fail_memory(err, path);
    else
        status = read_all(fd, path, buffer, &size, err);
    close(fd);
    if (status) {
        free(buffer);
        return status;
    }
    buffer[size] = '\0';
    *text = buffer;
    *n = size;
    return ECDC_OK;
}

bool file_is_directory(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool file_is_regular(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

ecdc_status file_make_directories(const char *path, size_t n, ecdc_error *err) {
    char *part = ecdc_strfmt("%.*s", (int)n, path);
    if (!part)
        return ecdc_fail_memory(err, path);
    ecdc_status status = ECDC_OK;
    for (size_t i = 1; !status && i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (!file_is_directory(part) && mkdir(part, 0777) != 0) {
            if (errno != EEXIST)
                status = ecdc_fail_errno(err, "create the directory", part, errno);
            else if (!file_is_directory(part)) /* where it is one, another process was faster */
                status = ecdc_fail(err, ECDC_E_IO, "%s is not a directory", part);
        }
        part[i] = i < n ? '/' : '\0';
    }
    free(part);
    return status;
}
