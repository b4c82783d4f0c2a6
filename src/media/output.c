#include "media/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/sha256.h"
#include "base/status.h"
#include "base/temporary.h"

enum {
    BUFFER_BYTES = 1 << 16,
    LONGEST_NAME = 255,   /* bytes in a file name, on every file system in use */
    RANDOM_DIGITS = 6,
    TEMPORARY_TRIES = 100 /* 36^6 names: a second try is rare, a hundredth means something else is wrong */
};

struct output {
    char *name;        /* for messages */
    char *target;      /* what to rename to; NULL for a pipe */
    char *temporary;   /* beside the target; NULL for a pipe */
    int fd;            /* where bytes go now: temporary file, spool or the pipe itself */
    int pipe_fd;       /* the pipe, -1 where the output is a regular file */
    bool overwrite;
    bool seekable;     /* fd is a file that can be patched */
    bool broken;       /* `failure` says why */
    uint64_t size;     /* bytes written, buffered ones too */
    size_t n_buffered; /* at the end of the file, not yet written */
    ecdc_error failure;
    unsigned char buffer[BUFFER_BYTES];
};

/* ------------------------------------------------------------------------------------------- failures --- */

static ecdc_status fail_again(const struct output *o, ecdc_error *err) {
    if (err)
        *err = o->failure;
    return o->failure.status;
}

/* Records the first failure of the operating system, so that a caller who goes on cannot commit half a file. */
static ecdc_status fail_io(struct output *o, const char *doing, int error, ecdc_error *err) {
    o->broken = true;
    ecdc_fail(&o->failure, ECDC_E_IO, "%s: %s while %s", o->name, strerror(error), doing);
    return fail_again(o, err);
}

/* ------------------------------------------------------------------------------------------- raw bytes --- */

/* Returns 0 or an errno. A pipe set to non-blocking by whoever shares it is waited for. */
static int write_all(int fd, const unsigned char *bytes, size_t n) {
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);
        if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            struct pollfd waiting = {.fd = fd, .events = POLLOUT};
            if (poll(&waiting, 1, -1) < 0 && errno != EINTR)
                return errno;
            continue;
        }
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : EIO;
        bytes += written;
        n -= (size_t)written;
    }
    return 0;
}

static int write_all_at(int fd, const unsigned char *bytes, size_t n, uint64_t offset) {
    while (n > 0) {
        ssize_t written = pwrite(fd, bytes, n, (off_t)offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : EIO;
        bytes += written;
        n -= (size_t)written;
        offset += (uint64_t)written;
    }
    return 0;
}

static int read_all_at(int fd, unsigned char *bytes, size_t n, uint64_t offset) {
    while (n > 0) {
        ssize_t got = pread(fd, bytes, n, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? errno : EIO; /* 0: somebody cut our temporary file */
        bytes += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 0;
}

static ecdc_status flush(struct output *o, ecdc_error *err) {
    int error = write_all(o->fd, o->buffer, o->n_buffered);
    o->n_buffered = 0;
    return error ? fail_io(o, "writing", error, err) : ECDC_OK;
}

/* --------------------------------------------------------------------------------------------- opening --- */

/* Splits a path at its last slash; *directory is "." where there is none. Returns false when memory is short. */
static bool split_path(const char *path, char **directory, const char **base) {
    const char *slash = strrchr(path, '/');
    *base = slash ? slash + 1 : path;
    if (!slash)
        *directory = ecdc_strdup(".");
    else if (slash == path)
        *directory = ecdc_strdup("/");
    else
        *directory = ecdc_strfmt("%.*s", (int)(slash - path), path);
    return *directory != NULL;
}

static ecdc_status fail_directory(const char *path, const char *directory, int error, ecdc_error *err) {
    struct stat st;
    if (error == ENOENT && stat(directory, &st) != 0)
        return ecdc_fail(err, ECDC_E_IO, "%s: the directory %s does not exist", path, directory);
    if (error == ENOTDIR)
        return ecdc_fail(err, ECDC_E_IO, "%s: %s is not a directory", path, directory);
    return ecdc_fail(err, ECDC_E_IO, "%s: no file can be created in the directory %s (%s)", path, directory,
                     strerror(error));
}

static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz";

static void random_digits(char digits[RANDOM_DIGITS + 1]) {
    unsigned char bytes[RANDOM_DIGITS];
    if (getentropy(bytes, sizeof bytes) != 0) /* old kernels; O_EXCL keeps a guessable name safe */
        for (int i = 0; i < RANDOM_DIGITS; i++)
            bytes[i] = (unsigned char)((unsigned)getpid() >> (2 * i));
    for (int i = 0; i < RANDOM_DIGITS; i++)
        digits[i] = alphabet[bytes[i] % (sizeof alphabet - 1)];
    digits[RANDOM_DIGITS] = '\0';
}

/* Says that a temporary file is in use, where the file system can, so that output_remove_abandoned leaves it. False where it came
 * between the making of the file and this. */
static bool hold(int fd) {
    struct stat st;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return false;
    return fstat(fd, &st) != 0 || st.st_nlink > 0;
}

/* Creates the temporary file beside o->target. mkstemp would make it private; open with 0666 gives it the rights that
 * any new file gets here. */
static ecdc_status create_temporary(struct output *o, ecdc_error *err) {
    char *directory;
    const char *base;
    if (!split_path(o->target, &directory, &base))
        return ecdc_fail_memory(err, "the output's name");
    const int longest_base = LONGEST_NAME - (int)sizeof ".." - RANDOM_DIGITS - (int)sizeof ".part";
    ecdc_status status = ECDC_OK;
    int error = EEXIST;
    for (int i = 0; i < TEMPORARY_TRIES && error == EEXIST; i++) {
        char digits[RANDOM_DIGITS + 1];
        random_digits(digits);
        free(o->temporary);
        o->temporary = ecdc_strfmt("%s/.%.*s.%s.part", directory, longest_base, base, digits);
        if (!o->temporary) {
            status = ecdc_fail_memory(err, "the output's name");
            break;
        }
        do
            o->fd = open(o->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        while (o->fd < 0 && errno == EINTR);
        error = o->fd < 0 ? errno : 0;
        if (o->fd >= 0 && !hold(o->fd)) {
            close(o->fd);
            o->fd = -1;
            error = EEXIST; /* another name */
        }
    }
    if (o->fd < 0) {
        free(o->temporary); /* not ours: nothing to remove */
        o->temporary = NULL;
        if (status == ECDC_OK)
            status = fail_directory(o->name, directory, error, err);
    }
    free(directory);
    return status;
}

bool output_is_temporary(const char *name, size_t *n_base) {
    const size_t n_tail = 1 + RANDOM_DIGITS + sizeof ".part" - 1;
    size_t n = strlen(name);
    if (n <= 1 + n_tail || name[0] != '.' || name[n - n_tail] != '.' || strcmp(name + n - (sizeof ".part" - 1), ".part") ||
        strspn(name + n - n_tail + 1, alphabet) != RANDOM_DIGITS)
        return false;
    *n_base = n - 1 - n_tail;
    return true;
}

bool output_remove_abandoned(const char *path) {
    /* for writing, too: network file systems give no exclusive lock otherwise */
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool removed = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && unlink(path) == 0;
    if (fd >= 0)
        close(fd);
    return removed;
}

static ecdc_status create_spool(struct output *o, ecdc_error *err) {
    o->fd = ecdc_temporary_file();
    return o->fd < 0 ? fail_directory(o->name, ecdc_temporary_directory(), errno, err) : ECDC_OK;
}

static ecdc_status open_pipe(struct output *o, const char *path, bool patched, ecdc_error *err) {
    if (path) {
        do
            o->pipe_fd = open(path, O_WRONLY | O_CLOEXEC); /* waits for a FIFO's reader, as any program does */
        while (o->pipe_fd < 0 && errno == EINTR);
        if (o->pipe_fd < 0)
            return ecdc_fail(err, ECDC_E_IO, "%s: %s", o->name, strerror(errno));
    } else {
        if (fcntl(STDOUT_FILENO, F_GETFL) < 0)
            return ecdc_fail(err, ECDC_E_IO, "standard output is closed");
        o->pipe_fd = STDOUT_FILENO;
    }
    if (patched)
        return create_spool(o, err);
    o->fd = o->pipe_fd;
    return ECDC_OK;
}

static ecdc_status open_file(struct output *o, const char *path, const struct stat *existing, ecdc_error *err) {
    /* The rename must replace what a symbolic link points to, not the link. */
    o->target = existing ? realpath(path, NULL) : ecdc_strdup(path);
    if (!o->target)
        return existing && errno != ENOMEM ? ecdc_fail(err, ECDC_E_IO, "%s: %s", path, strerror(errno))
                                           : ecdc_fail_memory(err, "the output's name");
    ecdc_status status = create_temporary(o, err);
    /* An overwritten file keeps its rights, as if it had been opened; that this can fail for other owners' files and
     * on file systems without rights does no harm. */
    if (status == ECDC_OK && existing)
        (void)fchmod(o->fd, existing->st_mode & 0777);
    return status;
}

ecdc_status output_open(const char *path, bool overwrite, bool patched, struct output **out, ecdc_error *err) {
    bool standard = strcmp(path, "-") == 0;
    struct stat st = {0}, link_st;
    bool exists = !standard && stat(path, &st) == 0;
    if (!standard && !exists && errno == ENAMETOOLONG) /* now, not when all is computed: the temporary name is shorter */
        return ecdc_fail(err, ECDC_E_IO, "%s: %s", path, strerror(ENAMETOOLONG));
    bool dangling = !standard && !exists && lstat(path, &link_st) == 0;
    size_t length = strlen(path);
    if (length == 0)
        return ecdc_fail(err, ECDC_E_IO, "the output has an empty name");
    if (exists && S_ISDIR(st.st_mode))
        return ecdc_fail(err, ECDC_E_IO, "%s: is a directory", path);
    if (path[length - 1] == '/')
        return ecdc_fail(err, ECDC_E_IO, "%s: names a directory, not a file", path);
    if (!overwrite && (dangling || (exists && S_ISREG(st.st_mode))))
        return ecdc_fail(err, ECDC_E_EXISTS, "%s: exists already (" OUTPUT_IS_KEPT ")", path);

    struct output *o = ecdc_alloc_zeros(1, sizeof *o);
    if (!o)
        return ecdc_fail_memory(err, "an output");
    o->fd = o->pipe_fd = -1;
    o->overwrite = overwrite;
    o->name = ecdc_strdup(standard ? "standard output" : path);
    ecdc_status status;
    if (!o->name)
        status = ecdc_fail_memory(err, "the output's name");
    else if (standard || (exists && !S_ISREG(st.st_mode)))
        status = open_pipe(o, standard ? NULL : path, patched, err);
    else
        status = open_file(o, path, exists ? &st : NULL, err);
    if (status != ECDC_OK) {
        output_discard(o);
        return status;
    }
    o->seekable = o->pipe_fd < 0 || patched;
    *out = o;
    return ECDC_OK;
}

/* --------------------------------------------------------------------------------------------- writing --- */

ecdc_status output_write(struct output *o, const void *bytes, size_t n, ecdc_error *err) {
    if (o->broken)
        return fail_again(o, err);
    if (n > BUFFER_BYTES - o->n_buffered) {
        ecdc_status status = flush(o, err);
        if (status != ECDC_OK)
            return status;
    }
    if (n > BUFFER_BYTES) {
        int error = write_all(o->fd, bytes, n);
        if (error)
            return fail_io(o, "writing", error, err);
    } else if (n > 0) {
        memcpy(o->buffer + o->n_buffered, bytes, n);
        o->n_buffered += n;
    }
    o->size += n;
    return ECDC_OK;
}

ecdc_status output_write_at(struct output *o, uint64_t offset, const void *bytes, size_t n, ecdc_error *err) {
    if (o->broken)
        return fail_again(o, err);
    if (!o->seekable)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: a pipe cannot be completed afterwards", o->name);
    if (offset > o->size || n > o->size - offset)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: %zu bytes at %llu are past the end", o->name, n,
                         (unsigned long long)offset);
    ecdc_status status = flush(o, err);
    if (status != ECDC_OK)
        return status;
    int error = write_all_at(o->fd, bytes, n, offset);
    return error ? fail_io(o, "writing", error, err) : ECDC_OK;
}

/* Copies [offset, end) to offset + delta piece by piece, starting at the end that is moved away from, so that no byte
 * is overwritten before it was read. Uses the (empty) write buffer. */
static int move_bytes(struct output *o, uint64_t offset, uint64_t end, int64_t delta) {
    uint64_t n = end - offset;
    for (uint64_t done = 0; done < n;) {
        size_t piece = n - done < BUFFER_BYTES ? (size_t)(n - done) : BUFFER_BYTES;
        uint64_t from = delta > 0 ? end - done - piece : offset + done;
        int error = read_all_at(o->fd, o->buffer, piece, from);
        if (!error)
            error = write_all_at(o->fd, o->buffer, piece, from + (uint64_t)delta);
        if (error)
            return error;
        done += piece;
    }
    return 0;
}

ecdc_status output_shift(struct output *o, uint64_t offset, int64_t delta, ecdc_error *err) {
    if (o->broken)
        return fail_again(o, err);
    if (!o->seekable)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: a pipe cannot be completed afterwards", o->name);
    if (offset > o->size || (delta < 0 && 0 - (uint64_t)delta > offset) ||
        (delta > 0 && (uint64_t)delta > INT64_MAX - o->size))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: bytes from %llu on cannot move by %lld", o->name,
                         (unsigned long long)offset, (long long)delta);
    ecdc_status status = flush(o, err);
    if (status != ECDC_OK || delta == 0)
        return status;
    uint64_t size = o->size + (uint64_t)delta;
    int error = move_bytes(o, offset, o->size, delta);
    /* Backwards this cuts off the rest; forwards it only matters where nothing was moved. */
    if (!error && (ftruncate(o->fd, (off_t)size) != 0 || lseek(o->fd, (off_t)size, SEEK_SET) < 0))
        error = errno;
    if (error)
        return fail_io(o, "moving data", error, err);
    o->size = size;
    return ECDC_OK;
}

ecdc_status output_read_at(struct output *o, uint64_t offset, void *bytes, size_t n, ecdc_error *err) {
    if (o->broken)
        return fail_again(o, err);
    if (!o->seekable || offset > o->size || n > o->size - offset)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: %zu bytes at %llu cannot be read back", o->name, n,
                         (unsigned long long)offset);
    ecdc_status status = flush(o, err);
    int error = status == ECDC_OK ? read_all_at(o->fd, bytes, n, offset) : 0;
    return error ? fail_io(o, "reading back", error, err) : status;
}

uint64_t output_size(const struct output *o) {
    return o->size;
}

ecdc_status output_sha256(struct output *o, char hex[SHA256_TEXT], ecdc_error *err) {
    unsigned char block[16384];
    struct sha256 *sha = sha256_new();
    bool hashed = sha != NULL;
    ecdc_status status = ECDC_OK;
    for (uint64_t at = 0; hashed && status == ECDC_OK && at < output_size(o);) {
        size_t n = output_size(o) - at < sizeof block ? (size_t)(output_size(o) - at) : sizeof block;
        status = output_read_at(o, at, block, n, err);
        hashed = sha256_update(sha, block, n);
        at += n;
    }
    hashed = hashed && sha256_finish(sha, hex);
    sha256_free(sha);
    return status == ECDC_OK && !hashed ? ecdc_fail_memory(err, "a SHA-256") : status;
}

bool output_is_pipe(const struct output *o) {
    return o->pipe_fd >= 0;
}

const char *output_name(const struct output *o) {
    return o->name;
}

/* --------------------------------------------------------------------------------------------- the end --- */

static ecdc_status copy_spool(struct output *o, ecdc_error *err) {
    for (uint64_t done = 0; done < o->size;) {
        size_t piece = o->size - done < BUFFER_BYTES ? (size_t)(o->size - done) : BUFFER_BYTES;
        int error = read_all_at(o->fd, o->buffer, piece, done);
        if (error)
            return fail_io(o, "reading the spooled output", error, err);
        error = write_all(o->pipe_fd, o->buffer, piece);
        if (error)
            return fail_io(o, "writing", error, err);
        done += piece;
    }
    return ECDC_OK;
}

/* Renames, but never over a file that appeared meanwhile. Returns 0 or an errno. */
static int rename_new(const char *from, const char *to) {
#ifdef RENAME_NOREPLACE
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
#endif
    /* A hard link has the same property on file systems that know links. */
    if (link(from, to) == 0) {
        unlink(from);
        return 0;
    }
    if (errno != EPERM && errno != ENOSYS && errno != EOPNOTSUPP && errno != EMLINK)
        return errno;
    /* Neither: look first. The gap between the two calls remains. */
    struct stat st;
    if (lstat(to, &st) == 0)
        return EEXIST;
    return rename(from, to) == 0 ? 0 : errno;
}

static ecdc_status put_in_place(struct output *o, ecdc_error *err) {
    if (fsync(o->fd) != 0 && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return fail_io(o, "writing", errno, err);
    int fd = o->fd, held = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* the lock lasts until the file has its name */
    o->fd = -1;
    int error = close(fd) != 0 && errno != EINTR ? errno : 0; /* network file systems may report a full disk only here */
    bool closed = error == 0;
    if (closed && o->overwrite)
        error = rename(o->temporary, o->target) == 0 ? 0 : errno;
    else if (closed)
        error = rename_new(o->temporary, o->target);
    if (held >= 0)
        close(held);
    if (!closed)
        return fail_io(o, "writing", error, err);
    if (error == EEXIST && !o->overwrite)
        return ecdc_fail(err, ECDC_E_EXISTS, "%s: appeared while this output was written (" OUTPUT_IS_KEPT ")", o->name);
    if (error)
        return fail_io(o, "renaming the finished output", error, err);
    free(o->temporary);
    o->temporary = NULL;
    return ECDC_OK;
}

ecdc_status output_commit(struct output *o, ecdc_error *err) {
    ecdc_status status = o->broken ? fail_again(o, err) : flush(o, err);
    if (status == ECDC_OK && o->temporary)
        status = put_in_place(o, err);
    else if (status == ECDC_OK && o->fd != o->pipe_fd)
        status = copy_spool(o, err);
    if (status == ECDC_OK && o->pipe_fd >= 0 && o->pipe_fd != STDOUT_FILENO) {
        int fd = o->pipe_fd;
        if (o->fd == fd)
            o->fd = -1;
        o->pipe_fd = -1;
        if (close(fd) != 0 && errno != EINTR)
            status = fail_io(o, "writing", errno, err);
    }
    output_discard(o);
    return status;
}

ecdc_status output_commit_all(struct output **const outputs[], size_t n, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (size_t i = 0; status == ECDC_OK && i < n; i++) {
        struct output *output = *outputs[i];
        *outputs[i] = NULL;
        if (output)
            status = output_commit(output, err);
    }
    return status;
}

void output_discard(struct output *o) {
    if (!o)
        return;
    if (o->fd >= 0 && o->fd != o->pipe_fd)
        close(o->fd);
    if (o->pipe_fd >= 0 && o->pipe_fd != STDOUT_FILENO)
        close(o->pipe_fd);
    if (o->temporary)
        unlink(o->temporary);
    free(o->temporary);
    free(o->target);
    free(o->name);
    free(o);
}
