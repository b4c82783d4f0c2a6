/* Streams of the C library over descriptors. */
#ifndef ECDC_BASE_STREAM_H
#define ECDC_BASE_STREAM_H

#include <stdio.h>

/* fdopen, but what a signal interrupts (EINTR, possible on pipes and some network file systems) is tried again; the C library would
 * call it an error and lose what it had in hand. The stream closes `fd`; has no fileno. NULL with errno set: `fd` stays open. */
FILE *ecdc_stream_open(int fd, const char *mode);

#endif
