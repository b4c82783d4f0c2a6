/* Whether bytes are those that an ETag of the hub stands for: 64 digits are the SHA-256 of a large file, 40 digits git's
 * SHA-1 of a small one ("blob SIZE", a zero byte, the bytes). Another ETag says nothing about the bytes. */
#ifndef ECDC_HUB_CHECKSUM_H
#define ECDC_HUB_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "ecdc.h"

/* `name` of the file is for the message. ECDC_E_FORMAT (other bytes), ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status checksum_bytes(const char *name, const char *etag, const void *bytes, size_t n, ecdc_error *err);
/* Reads all of an open file of that size. */
ecdc_status checksum_file(const char *name, const char *etag, int fd, uint64_t size, ecdc_error *err);

#endif
