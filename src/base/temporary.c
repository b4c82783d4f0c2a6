#include "base/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/stream.h"

const char *ecdc_temporary_directory(void) {
    const char *directory = getenv("TMPDIR");
    return directory && *directory ? directory : "/tmp";
}

int ecdc_temporary_file(void) {
    char *path = ecdc_strfmt("%s/ecdc.XXXXXX", ecdc_temporary_directory());
    if (!path) {
        errno = ENOMEM;
        return -1;
    }
    int fd = mkostemp(path, O_CLOEXEC), error = errno;
    if (fd >= 0)
        unlink(path);
    free(path);
    errno = error;
    return fd;
}

ecdc_status ecdc_fail_temporary(const char *purpose, ecdc_error *err) {
    return ecdc_fail(err, ECDC_E_IO, "a temporary file in %s for %s: %s (TMPDIR names another directory)",
                     ecdc_temporary_directory(), purpose, strerror(errno));
}

ecdc_status ecdc_temporary_stream(const char *purpose, FILE **file, ecdc_error *err) {
    int fd = ecdc_temporary_file();
    if (fd >= 0 && (*file = ecdc_stream_open(fd, "w+b")))
        return ECDC_OK;
    ecdc_status status = ecdc_fail_temporary(purpose, err);
    if (fd >= 0)
        close(fd);
    return status;
}
