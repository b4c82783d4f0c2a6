#include "base/sha256.h"

#include <openssl/evp.h>
#include <stdio.h>

/* struct sha256 is libcrypto's context under a name of ours. */
static EVP_MD_CTX *context(struct sha256 *s) {
    return (EVP_MD_CTX *)s;
}

struct sha256 *sha256_new(void) {
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    if (c && !EVP_DigestInit_ex(c, EVP_sha256(), NULL)) {
        EVP_MD_CTX_free(c);
        c = NULL;
    }
    return (struct sha256 *)c;
}

bool sha256_update(struct sha256 *s, const void *bytes, size_t n) {
    return EVP_DigestUpdate(context(s), bytes, n) == 1;
}

bool sha256_finish(struct sha256 *s, char hex[SHA256_TEXT]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (EVP_DigestFinal_ex(context(s), digest, &size) != 1 || size != 32)
        return false;
    for (unsigned int i = 0; i < size; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    return true;
}

void sha256_free(struct sha256 *s) {
    EVP_MD_CTX_free(context(s));
}

bool sha256_of(const void *bytes, size_t n, char hex[SHA256_TEXT]) {
    struct sha256 *s = sha256_new();
    bool done = s && sha256_update(s, bytes, n) && sha256_finish(s, hex);
    sha256_free(s);
    return done;
}
