#include "media/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/stream.h"
#include "base/temporary.h"

/* Copies a pipe to its end into a fresh file without a name, of *size bytes. */
static ecdc_status spool(const char *name, int fd, FILE **out, uint64_t *size, ecdc_error *err) {
    char block[1 << 16];
    int spool_fd = ecdc_temporary_file();
    FILE *file = spool_fd < 0 ? NULL : ecdc_stream_open(spool_fd, "w+b");
    if (!file) {
        ecdc_status status = ecdc_fail(err, ECDC_E_IO, "%s: no temporary file in %s to copy it into: %s", name,
                                       ecdc_temporary_directory(), strerror(errno));
        if (spool_fd >= 0)
            close(spool_fd);
        return status;
    }
    ssize_t n = 1;
    bool written = true;
    while (n > 0 && written) {
        n = read(fd, block, sizeof block);
        if (n < 0 && errno == EINTR) {
            n = 1;
        } else if (n > 0) {
            written = fwrite(block, 1, (size_t)n, file) == (size_t)n;
            *size += (uint64_t)n;
        }
    }
    if (n < 0 || !written || fflush(file) != 0 || fseeko(file, 0, SEEK_SET) != 0) {
        ecdc_status status = ecdc_fail(err, ECDC_E_IO, "%s: %s while copying it into a temporary file", name, strerror(errno));
        fclose(file);
        return status;
    }
    *out = file;
    return ECDC_OK;
}

ecdc_status input_open(struct input *in, const char *path, ecdc_error *err) {
    memset(in, 0, sizeof *in);
    bool standard = strcmp(path, "-") == 0;
    const char *name = standard ? "standard input" : path;
    int fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ecdc_fail(err, ECDC_E_IO, "%s: %s", name, strerror(errno));
    struct stat st;
    ecdc_status status = ECDC_OK;
    if (fstat(fd, &st) != 0)
        status = ecdc_fail(err, ECDC_E_IO, "%s: %s", name, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        status = ecdc_fail(err, ECDC_E_IO, "%s: Is a directory", name);
    else if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode))
        status = spool(name, fd, &in->file, &in->size, err);
    else if (!S_ISREG(st.st_mode))
        status = ecdc_fail(err, ECDC_E_IO, "%s: not a file or a pipe", name);
    else if (!(in->file = ecdc_stream_open(fd, "rb")))
        status = ecdc_fail_memory(err, "an input file");
    else {
        fd = -1; /* the stream's now */
        in->size = (uint64_t)st.st_size;
    }
    if (fd >= 0)
        close(fd);
    if (status == ECDC_OK && !(in->path = ecdc_strdup(name)))
        status = ecdc_fail_memory(err, "an input file");
    if (status != ECDC_OK)
        input_close(in);
    return status;
}

ecdc_status input_open_entry(struct input *in, const char *archive_path, struct archive *archive, size_t entry,
                             ecdc_error *err) {
    struct archive_entry e = archive_entry_at(archive, entry);
    memset(in, 0, sizeof *in);
    in->archive = archive;
    in->entry = entry;
    in->size = e.size;
    in->path = ecdc_strfmt("%s: %s", archive_path, e.name);
    ecdc_status status = in->path ? archive_stream_open(archive, entry, &in->stream, err)
                                  : ecdc_fail_memory(err, "an input file");
    if (status != ECDC_OK)
        input_close(in);
    return status;
}

/* Entries can only be read forwards. */
static ecdc_status seek_entry(struct input *in, uint64_t offset, ecdc_error *err) {
    unsigned char skipped[4096];
    ecdc_status status = ECDC_OK;
    if (offset < in->read) {
        archive_stream_close(in->stream);
        in->stream = NULL;
        in->read = 0;
        status = archive_stream_open(in->archive, in->entry, &in->stream, err);
    }
    while (status == ECDC_OK && in->read < offset) {
        size_t n = offset - in->read < sizeof skipped ? (size_t)(offset - in->read) : sizeof skipped;
        status = input_read(in, skipped, n, err);
    }
    return status;
}

ecdc_status input_read(struct input *in, void *bytes, size_t n, ecdc_error *err) {
    if (in->archive) {
        ecdc_status status = archive_stream_read(in->stream, bytes, n, err);
        in->read += status == ECDC_OK ? n : 0;
        return status;
    }
    size_t got = fread(bytes, 1, n, in->file);
    in->read += got;
    if (got == n)
        return ECDC_OK;
    if (ferror(in->file))
        return ecdc_fail(err, ECDC_E_IO, "%s: %s while reading", in->path, strerror(errno));
    return ecdc_fail(err, ECDC_E_FORMAT, "%s: is cut off after %llu bytes", in->path, (unsigned long long)in->read);
}

ecdc_status input_seek(struct input *in, uint64_t offset, ecdc_error *err) {
    if (in->archive)
        return seek_entry(in, offset, err);
    if (offset != in->read && fseeko(in->file, (off_t)offset, SEEK_SET) != 0)
        return ecdc_fail(err, ECDC_E_IO, "%s: %s while seeking", in->path, strerror(errno));
    in->read = offset;
    return ECDC_OK;
}

void input_close(struct input *in) {
    if (in->file)
        fclose(in->file);
    archive_stream_close(in->stream);
    free(in->path);
    memset(in, 0, sizeof *in);
}
