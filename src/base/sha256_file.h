/* SHA-256 of a file. */
#ifndef ECDC_BASE_SHA256_FILE_H
#define ECDC_BASE_SHA256_FILE_H

#include "base/sha256.h"
#include "ecdc.h"

/* Reads the file in pieces and asks the listener between them whether to stop.
 * @param n_bytes  how many there were; NULL: not wanted
 * ECDC_E_IO, ECDC_E_STOPPED, ECDC_E_MEMORY. */
ecdc_status sha256_file(const char *path, const ecdc_listener *listener, char hex[SHA256_TEXT], uint64_t *n_bytes,
                        ecdc_error *err);

#endif
