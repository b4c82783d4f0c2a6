/* The ecdc command: finds the subcommand and runs it. */
#include <errno.h>
#include <libavutil/log.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/status.h"
#include "cli.h"

static const struct command *const commands[] = {
    &command_encode, &command_decode, &command_features, &command_reconstruct,
    &command_compare, &command_info, &command_model, &command_bench,
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static volatile sig_atomic_t stop_requested;

static void on_signal(int number) {
    (void)number;
    stop_requested = 1;
}

bool interrupted(void) {
    return stop_requested;
}

ecdc_status fail_interrupted(ecdc_error *err) {
    return ecdc_fail(err, ECDC_E_IO, "interrupted; nothing was written");
}

int report_error(const ecdc_error *err) {
    fprintf(stderr, "ecdc: %s\n", err->message);
    return EXIT_FAILED;
}

int report_usage(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("ecdc: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return EXIT_USAGE;
}

void report_note(const struct options *o, const char *format, ...) {
    if (o->quiet)
        return;
    va_list args;
    va_start(args, format);
    fputs("ecdc: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

ecdc_settings settings_of(const struct options *o) {
    ecdc_settings s = ecdc_default_settings();
    s.bandwidth_kbps = o->bandwidth_kbps;
    s.n_threads = o->threads;
    s.cpu = o->cpu;
    return s;
}

double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double peak_rss_mb(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024; /* Linux counts in KiB */
}

static void print_help(FILE *to) {
    fputs("usage: ecdc COMMAND [OPTION ...] [ARGUMENT ...]\n"
          "\n"
          "EnCodec codes of films and recordings on the fMRI time grid, and back into sound.\n"
          "\n", to);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(to, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n"
          "  ecdc COMMAND --help     options of a command\n"
          "  ecdc --version          version and kernels in use\n", to);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("ecdc %s (%s)\n", ecdc_version(), ecdc_cpu_name(ECDC_CPU_AUTO));
        return EXIT_DONE;
    }
    const struct command *command = NULL;
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (!strcmp(argv[1], commands[i]->name))
            command = commands[i];
    if (!command)
        return report_usage("no command '%s'; ecdc --help lists them", argv[1]);

    /* The first signal ends the work tidily, the second one at once. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is a failed write with a message */
    av_log_set_level(AV_LOG_QUIET); /* what is wrong with a file is said once, by us */

    struct options options;
    int status = options_parse(command, argc - 1, argv + 1, &options);
    if (status != EXIT_DONE || options.help)
        return status;
    status = command->run(&options);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "ecdc: standard output: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    return status;
}
