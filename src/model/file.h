/* Files that a model is read from, and directories. */
#ifndef ECDC_MODEL_FILE_H
#define ECDC_MODEL_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "ecdc.h"

/* A whole small text file, followed by a zero byte that *n does not count; free() it. ECDC_E_FORMAT where it is larger
 * than `max`, ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status file_read_text(const char *path, size_t max, char **text, size_t *n, ecdc_error *err);

/* Maps a whole regular file for reading; file_unmap it. A file that another program cuts short while it is mapped ends
 * the process (SIGBUS): replace weight files by renaming. ECDC_E_IO, ECDC_E_FORMAT (empty). */
ecdc_status file_map(const char *path, const void **bytes, size_t *n, ecdc_error *err);
void file_unmap(const void *bytes, size_t n);

/* mkdir -p of the first n bytes of a path. ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status file_make_directories(const char *path, size_t n, ecdc_error *err);

bool file_is_directory(const char *path);
bool file_is_regular(const char *path);

#endif
