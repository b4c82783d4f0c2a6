#include "media/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/status.h"

ecdc_status input_open(struct input *in, const char *path, ecdc_error *err) {
    memset(in, 0, sizeof *in);
    /* O_NONBLOCK: opening a FIFO would wait for a writer, before we could see what it is. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return ecdc_fail(err, ECDC_E_IO, "%s: %s", path, strerror(errno));
    struct stat st;
    ecdc_status status = ECDC_OK;
    if (fstat(fd, &st) != 0)
        status = ecdc_fail(err, ECDC_E_IO, "%s: %s", path, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        status = ecdc_fail(err, ECDC_E_IO, "%s: Is a directory", path);
    else if (!S_ISREG(st.st_mode))
        status = ecdc_fail(err, ECDC_E_IO, "%s: not a regular file", path);
    else if (!(in->path = ecdc_strdup(path)) || !(in->file = fdopen(fd, "rb")))
        status = ecdc_fail_memory(err, "an input file");
    if (status != ECDC_OK) {
        free(in->path);
        in->path = NULL;
        close(fd);
        return status;
    }
    in->size = (uint64_t)st.st_size;
    return ECDC_OK;
}

ecdc_status input_read(struct input *in, void *bytes, size_t n, ecdc_error *err) {
    size_t got = fread(bytes, 1, n, in->file);
    in->read += got;
    if (got == n)
        return ECDC_OK;
    if (ferror(in->file))
        return ecdc_fail(err, ECDC_E_IO, "%s: %s while reading", in->path, strerror(errno));
    return ecdc_fail(err, ECDC_E_FORMAT, "%s: is cut off after %llu bytes", in->path, (unsigned long long)in->read);
}

ecdc_status input_seek(struct input *in, uint64_t offset, ecdc_error *err) {
    if (offset != in->read && fseeko(in->file, (off_t)offset, SEEK_SET) != 0)
        return ecdc_fail(err, ECDC_E_IO, "%s: %s while seeking", in->path, strerror(errno));
    in->read = offset;
    return ECDC_OK;
}

void input_close(struct input *in) {
    if (in->file)
        fclose(in->file);
    free(in->path);
    memset(in, 0, sizeof *in);
}
