#include "hub/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "hub/client.h"
#include "model/hub_cache.h"

enum { MAX_REF = 64, MAX_LOST = 5 /* locks in a row that vanish while they are opened */ };

/* Word for word the hub's own, which others may look for. */
static const char CACHE_TAG[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                                "# This file is a cache directory tag created by huggingface_hub.\n"
                                "# For information about cache directory tags, see:\n"
                                "#\thttps://bford.info/cachedir/\n";

static const char remedy[] = "HF_HUB_CACHE or HF_HOME names another place for the Hugging Face cache";

static ecdc_status fail_errno(ecdc_error *err, const char *what, const char *path) {
    return ecdc_fail(err, ECDC_E_IO, "cannot %s %s: %s; %s", what, path, strerror(errno), remedy);
}

/* --------------------------------------------------------------------------------------------- names --- */

ecdc_status hub_store_open(const char *name, const char *folder, struct hub_store *store, ecdc_error *err) {
    struct hub_store s = {NULL, NULL, NULL};
    ecdc_status status = hub_cache_require_directory(name, &s.cache, err);
    if (status)
        return status;
    s.repository = ecdc_strfmt("%s/%s", s.cache, folder);
    s.locks = ecdc_strfmt("%s/.locks/%s", s.cache, folder);
    if (!s.repository || !s.locks) {
        hub_store_close(&s);
        return ecdc_fail_memory(err, name);
    }
    *store = s;
    return ECDC_OK;
}

void hub_store_close(struct hub_store *store) {
    free(store->cache);
    free(store->repository);
    free(store->locks);
    *store = (struct hub_store){NULL, NULL, NULL};
}

char *hub_store_blob(const struct hub_store *store, const char *etag) {
    return ecdc_strfmt("%s/blobs/%s", store->repository, etag);
}

char *hub_store_snapshot(const struct hub_store *store, const char *commit) {
    return ecdc_strfmt("%s/snapshots/%s", store->repository, commit);
}

char *hub_store_file(const struct hub_store *store, const char *commit, const char *file) {
    return ecdc_strfmt("%s/snapshots/%s/%s", store->repository, commit, file);
}

bool hub_store_is_complete(const char *path, uint64_t size) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
}

/* --------------------------------------------------------------------------------------- directories --- */

static ecdc_status make_directories(const char *path, size_t n, ecdc_error *err) {
    ecdc_error why;
    ecdc_status status = file_make_directories(path, n, &why);
    return status == ECDC_OK ? status : ecdc_fail(err, status, "%s; %s", why.message, remedy);
}

/* The directory that a path lies in. */
static ecdc_status make_parents(const char *path, ecdc_error *err) {
    return make_directories(path, (size_t)(strrchr(path, '/') - path), err);
}

static void write_tag(const struct hub_store *store) {
    char *path = ecdc_strfmt("%s/CACHEDIR.TAG", store->cache);
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666) : -1;
    if (fd >= 0) {
        if (write(fd, CACHE_TAG, sizeof CACHE_TAG - 1) != (ssize_t)sizeof CACHE_TAG - 1)
            unlink(path); /* a hint for others, no more */
        close(fd);
    }
    free(path);
}

ecdc_status hub_store_prepare(const struct hub_store *store, const char *commit, ecdc_error *err) {
    char *file = hub_store_file(store, commit, ""), *blob = hub_store_blob(store, "");
    ecdc_status status = file && blob ? make_parents(file, err) : ecdc_fail_memory(err, "the cache");
    if (!status)
        status = make_parents(blob, err);
    if (!status)
        status = make_directories(store->locks, strlen(store->locks), err);
    if (!status)
        write_tag(store);
    free(file);
    free(blob);
    return status;
}

ecdc_status hub_store_check_space(const struct hub_store *store, uint64_t n, ecdc_error *err) {
    struct statvfs fs;
    if (statvfs(store->repository, &fs) != 0 || fs.f_frsize == 0 || n / fs.f_frsize < fs.f_bavail)
        return ECDC_OK; /* where the file system does not tell, writing will */
    return ecdc_fail(err, ECDC_E_IO, "%s has room for %.1f MB, %.1f MB are needed: free some, or name another place for the "
                     "Hugging Face cache with HF_HUB_CACHE or HF_HOME", store->cache,
                     (double)fs.f_bavail * (double)fs.f_frsize / 1e6, (double)n / 1e6);
}

/* -------------------------------------------------------------------------------------------- locks --- */

/* The lock's file; -1 with errno. Group-writable, as the hub's own library makes it, for caches that a group shares. */
static int open_lock(const char *path) {
    int flags = O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
    int fd = open(path, flags | O_CREAT | O_EXCL, 0664);
    if (fd >= 0)
        (void)fchmod(fd, 0664);
    else if (errno == EEXIST)
        fd = open(path, flags);
    return fd;
}

/* 1: ours. 0: somebody else's. -1: the file system has no locks. Somebody may have removed the file meanwhile: then it
 * guards nothing, and the next call opens a new one. */
static int try_lock(int fd) {
    struct stat st;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK || errno == EACCES || errno == EINTR ? 0 : -1;
    return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

ecdc_status hub_store_lock(const struct hub_store *store, const char *etag, const ecdc_hub_settings *settings, int *lock,
                           ecdc_error *err) {
    char *path = ecdc_strfmt("%s/%s.lock", store->locks, etag);
    if (!path)
        return ecdc_fail_memory(err, "a lock");
    ecdc_status status = ECDC_OK;
    int lost = 0;
    bool told = false;
    for (;;) {
        int fd = open_lock(path), got = 0;
        if (fd < 0 && errno == ENOENT && lost++ < MAX_LOST) { /* somebody tidies up: the file went, or its directory */
            if ((status = make_directories(store->locks, strlen(store->locks), err)))
                break;
            continue;
        }
        if (fd < 0) {
            status = fail_errno(err, "open the lock", path);
            break;
        }
        if ((got = try_lock(fd)) != 0) {
            if (got < 0)
                close(fd);
            *lock = got > 0 ? fd : -1;
            break;
        }
        close(fd);
        if (!told && settings->waiting)
            settings->waiting(settings->context, "another process is downloading the same file", -1);
        told = true;
        if ((status = hub_client_sleep(settings, 0.1, err)))
            break;
    }
    free(path);
    return status;
}

void hub_store_unlock(int lock) {
    if (lock >= 0)
        close(lock); /* lets go of it; the file stays, others may be waiting at it */
}

/* ------------------------------------------------------------------------------------- links and refs --- */

/* A name beside `path` that nobody else uses. */
static char *name_beside(const char *path, const char *ending) {
    unsigned int digits;
    if (getentropy(&digits, sizeof digits) != 0)
        digits = (unsigned int)getpid(); /* old kernels */
    return ecdc_strfmt("%s.%08x.%s", path, digits, ending);
}

/* False with errno. */
static bool write_all(int fd, const char *bytes, size_t n) {
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            errno = written < 0 ? errno : EIO;
            return false;
        }
        bytes += written;
        n -= (size_t)written;
    }
    return true;
}

/* A whole small file; complete or absent. */
static ecdc_status write_file(const char *path, const char *ending, const void *bytes, size_t n, ecdc_error *err) {
    char *fresh = name_beside(path, ending);
    if (!fresh)
        return ecdc_fail_memory(err, path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    ecdc_status status = ECDC_OK;
    if (fd < 0) {
        status = fail_errno(err, "create", fresh);
    } else {
        if (!write_all(fd, bytes, n))
            status = fail_errno(err, "write", path);
        if (close(fd) != 0 && !status)
            status = fail_errno(err, "write", path);
        if (!status && rename(fresh, path) != 0)
            status = fail_errno(err, "write", path);
        if (status)
            unlink(fresh);
    }
    free(fresh);
    return status;
}

ecdc_status hub_store_put_blob(const struct hub_store *store, const char *etag, const void *bytes, size_t n,
                               ecdc_error *err) {
    char *path = hub_store_blob(store, etag);
    ecdc_status status = path ? write_file(path, "incomplete", bytes, n, err) : ecdc_fail_memory(err, "a file");
    free(path);
    return status;
}

ecdc_status hub_store_link(const struct hub_store *store, const char *commit, const char *file, const char *etag,
                           ecdc_error *err) {
    char *path = hub_store_file(store, commit, file), *target = ecdc_strfmt("../../blobs/%s", etag);
    char *fresh = path ? name_beside(path, "tmp") : NULL;
    ecdc_status status = ECDC_OK;
    if (!path || !target || !fresh)
        status = ecdc_fail_memory(err, "a link");
    else if (symlink(target, fresh) != 0)
        status = fail_errno(err, "create the symbolic link", fresh);
    else if (rename(fresh, path) != 0) {
        status = fail_errno(err, "create the symbolic link", path);
        unlink(fresh);
    }
    free(path);
    free(target);
    free(fresh);
    return status;
}

void hub_store_note_absent(const struct hub_store *store, const char *commit, const char *file) {
    char *path = ecdc_strfmt("%s/.no_exist/%s/%s", store->repository, commit, file);
    if (path && make_parents(path, NULL) == ECDC_OK) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (fd >= 0)
            close(fd);
    }
    free(path);
}

static bool ref_is(const char *path, const char *commit) {
    char *text;
    size_t n;
    if (file_read_text(path, MAX_REF, &text, &n, NULL) != ECDC_OK)
        return false;
    bool same = strcmp(text, commit) == 0;
    free(text);
    return same;
}

ecdc_status hub_store_set_ref(const struct hub_store *store, const char *revision, const char *commit, ecdc_error *err) {
    if (strcmp(revision, commit) == 0)
        return ECDC_OK;
    char *path = ecdc_strfmt("%s/refs/%s", store->repository, revision);
    ecdc_status status = ECDC_OK;
    if (!path)
        status = ecdc_fail_memory(err, "a ref");
    else if (!ref_is(path, commit)) {
        status = make_parents(path, err);
        if (!status)
            status = write_file(path, "tmp", commit, strlen(commit), err);
    }
    free(path);
    return status;
}
