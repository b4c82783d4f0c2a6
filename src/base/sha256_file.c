#include "base/sha256_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/listener.h"
#include "base/memory.h"
#include "base/status.h"

enum { PIECE = 1 << 20 };

static ecdc_status hash_descriptor(int fd, const char *path, const ecdc_listener *listener, char hex[SHA256_TEXT],
                                   uint64_t *n_bytes, ecdc_error *err) {
    unsigned char *piece = ecdc_alloc_array(PIECE, 1);
    struct sha256 *sha = sha256_new();
    bool hashed = piece && sha;
    ecdc_status status = ECDC_OK;
    for (ssize_t n = 1; hashed && status == ECDC_OK && n > 0;) {
        n = read(fd, piece, PIECE);
        if (n < 0 && errno == EINTR) {
            n = 1; /* once more */
        } else if (n < 0) {
            status = ecdc_fail(err, ECDC_E_IO, "%s: cannot be read: %s", path, strerror(errno));
        } else {
            hashed = sha256_update(sha, piece, (size_t)n);
            *n_bytes += (uint64_t)n;
        }
        if (status == ECDC_OK && listener_stops(listener))
            status = listener_fail(err);
    }
    hashed = hashed && sha256_finish(sha, hex);
    sha256_free(sha);
    free(piece);
    return status == ECDC_OK && !hashed ? ecdc_fail_memory(err, "a SHA-256") : status;
}

ecdc_status sha256_file(const char *path, const ecdc_listener *listener, char hex[SHA256_TEXT], uint64_t *n_bytes,
                        ecdc_error *err) {
    uint64_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ecdc_fail(err, ECDC_E_IO, "%s: %s", path, strerror(errno));
    ecdc_status status = hash_descriptor(fd, path, listener, hex, &n, err);
    close(fd);
    if (status == ECDC_OK && n_bytes)
        *n_bytes = n;
    return status;
}
