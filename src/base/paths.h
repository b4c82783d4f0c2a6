/* File names. */
#ifndef ECDC_BASE_PATHS_H
#define ECDC_BASE_PATHS_H

#include <stdbool.h>

bool path_ends_with(const char *path, const char *extension); /* ".npy"; letters of either case */
/* `path` with `from` at its end replaced by `to` (appended where `from` is not there); free() it. */
char *path_replace(const char *path, const char *from, const char *to);

#endif
