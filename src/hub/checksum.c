#include "hub/checksum.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/status.h"

enum { PIECE = 1 << 18, SHA1_DIGITS = 40, SHA256_DIGITS = 64 };

/* NULL for an ETag that is no checksum; *out of memory* is told by `status`. */
static EVP_MD_CTX *begin(const char *etag, uint64_t size, ecdc_status *status) {
    size_t n = strspn(etag, "0123456789abcdef");
    *status = ECDC_OK;
    if (etag[n] || (n != SHA1_DIGITS && n != SHA256_DIGITS))
        return NULL;
    char head[32];
    int n_head = snprintf(head, sizeof head, "blob %llu", (unsigned long long)size) + 1; /* with the zero byte */
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    if (c && EVP_DigestInit_ex(c, n == SHA1_DIGITS ? EVP_sha1() : EVP_sha256(), NULL) == 1 &&
        (n != SHA1_DIGITS || EVP_DigestUpdate(c, head, (size_t)n_head) == 1))
        return c;
    EVP_MD_CTX_free(c);
    *status = ECDC_E_MEMORY;
    return NULL;
}

/* Gives back c. */
static ecdc_status end(EVP_MD_CTX *c, const char *name, const char *etag, ecdc_error *err) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    int done = EVP_DigestFinal_ex(c, digest, &size);
    EVP_MD_CTX_free(c);
    if (done != 1)
        return ecdc_fail_memory(err, "a checksum");
    for (unsigned int i = 0; i < size; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    if (strcmp(hex, etag) == 0)
        return ECDC_OK;
    return ecdc_fail(err, ECDC_E_FORMAT, "%s: what came has the %s %s, the hub announced %s; it was not kept, try again", name,
                     size == 20 ? "SHA-1" : "SHA-256", hex, etag);
}

ecdc_status checksum_bytes(const char *name, const char *etag, const void *bytes, size_t n, ecdc_error *err) {
    ecdc_status status;
    EVP_MD_CTX *c = begin(etag, n, &status);
    if (!c)
        return status ? ecdc_fail_memory(err, "a checksum") : ECDC_OK;
    if (EVP_DigestUpdate(c, bytes, n) == 1)
        return end(c, name, etag, err);
    EVP_MD_CTX_free(c);
    return ecdc_fail_memory(err, "a checksum");
}

ecdc_status checksum_file(const char *name, const char *etag, int fd, uint64_t size, ecdc_error *err) {
    ecdc_status status;
    EVP_MD_CTX *c = begin(etag, size, &status);
    if (!c)
        return status ? ecdc_fail_memory(err, "a checksum") : ECDC_OK;
    unsigned char *piece = ecdc_alloc_array(PIECE, 1);
    uint64_t done = 0;
    ssize_t n = 1;
    while (piece && done < size && n > 0) {
        n = pread(fd, piece, PIECE, (off_t)done);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0 && EVP_DigestUpdate(c, piece, (size_t)n) == 1)
            done += (uint64_t)n;
        else
            break;
    }
    bool complete = piece && done == size;
    if (!piece)
        status = ecdc_fail_memory(err, "a checksum");
    else if (!complete)
        status = ecdc_fail(err, ECDC_E_IO, "%s: cannot read back what was downloaded: %s", name,
                           n < 0 ? strerror(errno) : "it became shorter");
    free(piece);
    if (complete)
        return end(c, name, etag, err);
    EVP_MD_CTX_free(c);
    return status;
}
