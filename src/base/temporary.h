/* Files without a name, for what has to wait on disk. */
#ifndef ECDC_BASE_TEMPORARY_H
#define ECDC_BASE_TEMPORARY_H

#include <stdio.h>

#include "base/status.h"

/* Where they lie: $TMPDIR, or /tmp. */
const char *ecdc_temporary_directory(void);
/* A new one, empty and already unlinked: it is gone when it is closed. -1 with errno set. */
int ecdc_temporary_file(void);

/* The same as a stream to write and read. ECDC_E_IO says what the file was for. */
ecdc_status ecdc_temporary_stream(const char *purpose, FILE **file, ecdc_error *err);
/* The message for a failed read or write (errno) of such a stream. */
ecdc_status ecdc_fail_temporary(const char *purpose, ecdc_error *err);

#endif
