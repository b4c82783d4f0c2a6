/* The bytes of a scan: a plain file, or what gzip holds, from first to last. */
#ifndef ECDC_FMRI_SCAN_STREAM_H
#define ECDC_FMRI_SCAN_STREAM_H

#include <stdbool.h>
#include <zlib.h>

#include "media/input.h"

struct scan_stream {
    struct input in;
    bool compressed;
    bool inflating;       /* zlib has memory */
    bool between_members; /* of gzip: the last one's checksum was right, the next one has not begun */
    z_stream z;
    unsigned char *block; /* of the compressed file */
};

/* The first two bytes say whether it is gzip. ECDC_E_IO, ECDC_E_FORMAT (an empty file), ECDC_E_MEMORY. */
ecdc_status scan_stream_open(struct scan_stream *s, const char *path, ecdc_error *err);
/* Fine on a zeroed struct and after scan_stream_open failed. */
void scan_stream_close(struct scan_stream *s);

/* The most bytes that a file of this size can hold. */
uint64_t scan_stream_capacity(const struct scan_stream *s);

/* The next n bytes; ECDC_E_FORMAT where the file ends before or is damaged. */
ecdc_status scan_stream_read(struct scan_stream *s, void *bytes, size_t n, ecdc_error *err);
ecdc_status scan_stream_skip(struct scan_stream *s, uint64_t n, ecdc_error *err);
/* Goes on to the end of gzip's current member, so that its checksum is compared. */
ecdc_status scan_stream_verify(struct scan_stream *s, ecdc_error *err);

#endif
