/* SHA-256 as hexadecimal text, through libcrypto. */
#ifndef ECDC_BASE_SHA256_H
#define ECDC_BASE_SHA256_H

#include <stdbool.h>
#include <stddef.h>

enum { SHA256_TEXT = 65 }; /* 64 digits and the terminator */

/* Of bytes that come in pieces. All return false where libcrypto fails, which short memory can bring about. */
struct sha256;
struct sha256 *sha256_new(void); /* NULL on failure */
bool sha256_update(struct sha256 *s, const void *bytes, size_t n);
bool sha256_finish(struct sha256 *s, char hex[SHA256_TEXT]);
void sha256_free(struct sha256 *s); /* NULL is fine */

/* Of bytes in one piece. */
bool sha256_of(const void *bytes, size_t n, char hex[SHA256_TEXT]);

#endif
