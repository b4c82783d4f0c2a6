/* A file as libzip reads it. */
#ifndef ECDC_BASE_ARCHIVE_SOURCE_H
#define ECDC_BASE_ARCHIVE_SOURCE_H

#include <stdint.h>
#include <zip.h>

/* The first n_bytes of a regular file. libzip's own sources for files go through the C library's streams, to which a read that a
 * signal interrupts (EINTR, possible on network file systems) is an error; here it is tried again. The source closes `fd`. NULL
 * where memory is short, with `why` saying so: `fd` stays open.
 * @param read_error  becomes errno where the file cannot be read: of most such failures libzip says that the file ends too soon */
zip_source_t *archive_source(int fd, uint64_t n_bytes, int *read_error, zip_error_t *why);

#endif
