/* The process: signals, memory. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/status.h"
#include "cli.h"

static volatile sig_atomic_t stop_requested;

static void on_signal(int number) {
    (void)number;
    stop_requested = 1;
}

bool interrupted(void) {
    return stop_requested;
}

int stop_on_signal(void *context) {
    (void)context;
    return interrupted();
}

ecdc_status fail_interrupted(ecdc_error *err) {
    return ecdc_fail(err, ECDC_E_STOPPED, "interrupted; no file was written");
}

void hold_standard_files(void) {
    /* Read-only: writing to it still fails, as it should. */
    for (int fd; (fd = open("/dev/null", O_RDONLY)) >= 0;)
        if (fd > STDERR_FILENO) {
            close(fd);
            break;
        }
}

void catch_signals(void) {
    /* The first signal ends the work tidily, the second one at once. */
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND}, before;
        /* What nohup, or a shell that starts us in the background, has switched off stays off. */
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    }
    /* A closed pipe and a file-size limit are failed writes with a message. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

double peak_rss_mb(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024; /* Linux counts in KiB */
}
