#include "base/stream.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

static int descriptor(void *cookie) {
    return (int)(intptr_t)cookie;
}

static ssize_t read_again(void *cookie, char *bytes, size_t n) {
    ssize_t got;
    do
        got = read(descriptor(cookie), bytes, n);
    while (got < 0 && errno == EINTR);
    return got;
}

static ssize_t write_again(void *cookie, const char *bytes, size_t n) {
    size_t done = 0;
    while (done < n) {
        ssize_t put = write(descriptor(cookie), bytes + done, n - done);
        if (put > 0)
            done += (size_t)put;
        else if (put == 0 || errno != EINTR)
            break;
    }
    return (ssize_t)done; /* fewer than n: an error, as fopencookie has it */
}

static int seek(void *cookie, off64_t *offset, int whence) {
    off64_t at = lseek64(descriptor(cookie), *offset, whence);
    if (at < 0)
        return -1;
    *offset = at;
    return 0;
}

static int close_descriptor(void *cookie) {
    return close(descriptor(cookie));
}

FILE *ecdc_stream_open(int fd, const char *mode) {
    const cookie_io_functions_t functions = {.read = read_again, .write = write_again, .seek = seek, .close = close_descriptor};
    return fopencookie((void *)(intptr_t)fd, mode, functions);
}
