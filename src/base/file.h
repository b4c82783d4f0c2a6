/* Regular files and directories, by name. */
#ifndef ECDC_BASE_FILE_H
#define ECDC_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/status.h"

/* A whole small text file, followed by a zero byte that *n does not count; free() it. ECDC_E_FORMAT where it is larger
 * than `max`, ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status file_read_text(const char *path, size_t max, char **text, size_t *n, ecdc_error *err);

/* A descriptor of a regular file, and what the system says of it; never waits. ECDC_E_IO. */
ecdc_status file_open_regular(const char *path, int *fd, struct stat *st, ecdc_error *err);

/* mkdir -p of the first n bytes of a path. ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status file_make_directories(const char *path, size_t n, ecdc_error *err);

bool file_is_directory(const char *path);
bool file_is_regular(const char *path);

#endif
