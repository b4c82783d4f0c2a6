/* A weight file that stays open and is read piece by piece, where its numbers are needed. It is not mapped: a file that another
 * program cuts short, or a network file system that fails, would end the process by a signal; here either is an error. */
#ifndef ECDC_MODEL_WEIGHT_FILE_H
#define ECDC_MODEL_WEIGHT_FILE_H

#include <stdint.h>

#include "base/sha256.h"
#include "ecdc.h"

/* May be read by many threads. */
struct weight_file;

/* ECDC_E_IO (no regular file, no right to read it), ECDC_E_FORMAT (empty), ECDC_E_MEMORY. */
ecdc_status weight_file_open(const char *path, struct weight_file **out, ecdc_error *err);
void weight_file_close(struct weight_file *f); /* NULL is fine */

const char *weight_file_path(const struct weight_file *f);
uint64_t weight_file_size(const struct weight_file *f);
/* A descriptor of the same file, at no particular place; close it. ECDC_E_IO. */
ecdc_status weight_file_descriptor(const struct weight_file *f, int *fd, ecdc_error *err);

/* The n bytes from `offset` on. What is read in several calls is of one and the same state of the file: ECDC_E_IO where it was
 * cut or written to since it was opened. */
ecdc_status weight_file_read(const struct weight_file *f, uint64_t offset, void *bytes, size_t n, ecdc_error *err);
/* ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status weight_file_sha256(const struct weight_file *f, char hex[SHA256_TEXT], ecdc_error *err);

#endif
