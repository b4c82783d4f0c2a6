#include "study/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/listener.h"
#include "base/memory.h"
#include "base/status.h"

static ecdc_status wait_for(int fd, const char *name, const ecdc_listener *listener, int *lock, ecdc_error *err) {
    static const struct timespec pause = {.tv_nsec = 100000000};
    for (bool told = false; flock(fd, LOCK_EX | LOCK_NB) != 0; told = true) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK) {
            close(fd);
            return ECDC_OK;
        }
        if (listener_stops(listener)) {
            close(fd);
            return listener_fail(err);
        }
        if (!told)
            listener_note(listener, "waiting for another process that makes %s", name);
        nanosleep(&pause, NULL);
    }
    *lock = fd;
    return ECDC_OK;
}

ecdc_status lock_take(const char *directory, const char *name, const ecdc_listener *listener, int *lock, ecdc_error *err) {
    char *path = ecdc_strfmt("%s/.%s.lock", directory, name);
    if (!path)
        return ecdc_fail_memory(err, "a lock");
    *lock = -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    ecdc_status status = fd >= 0 ? wait_for(fd, name, listener, lock, err)
                                 : ecdc_fail(err, ECDC_E_IO, "%s: cannot be made: %s", path, strerror(errno));
    free(path);
    return status;
}

void lock_give_back(int lock) {
    if (lock >= 0)
        close(lock);
}
