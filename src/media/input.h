/* A file, or an entry of an archive, that is read at any place: what the readers of .npy, .npz and .ecdc share. */
#ifndef ECDC_MEDIA_INPUT_H
#define ECDC_MEDIA_INPUT_H

#include <stdint.h>
#include <stdio.h>

#include "base/archive.h"

struct input {
    FILE *file;
    struct archive *archive; /* or an entry of it, then file is NULL */
    size_t entry;
    struct archive_stream *stream;
    char *path;    /* for messages */
    uint64_t size; /* bytes, when it was opened */
    uint64_t read; /* where the next byte is read */
};

/* A regular file; or a pipe, "-" being standard input, which is first copied into an unlinked temporary file ($TMPDIR or
 * /tmp). ECDC_E_IO where the path cannot be opened or is a directory or a device. */
ecdc_status input_open(struct input *in, const char *path, ecdc_error *err);
/* An entry of an archive, which must stay open until input_close. Going back means to read it again from its start. */
ecdc_status input_open_entry(struct input *in, const char *archive_path, struct archive *archive, size_t entry, ecdc_error *err);
/* Exactly n bytes; ECDC_E_FORMAT where the file ends before. */
ecdc_status input_read(struct input *in, void *bytes, size_t n, ecdc_error *err);
/* The next read begins at `offset`, which must not lie behind the end. */
ecdc_status input_seek(struct input *in, uint64_t offset, ecdc_error *err);
/* Fine on a zeroed struct and after input_open failed. */
void input_close(struct input *in);

#endif
