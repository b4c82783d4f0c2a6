/* The ecdc command: finds the subcommand and runs it. */
#include <errno.h>
#include <libavutil/log.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const struct command *const commands[] = {
    &command_encode, &command_decode, &command_features, &command_reconstruct,
    &command_report, &command_compare, &command_info, &command_model, &command_bench, &command_fmri, &command_dataset,
    &command_autoencoder, &command_batch,
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_help(FILE *to) {
    fputs("usage: ecdc COMMAND [OPTION ...] [ARGUMENT ...]\n"
          "\n"
          "EnCodec codes of films and recordings on the fMRI time grid, and back into sound.\n"
          "\n", to);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(to, "  %-12s  %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n"
          "  ecdc COMMAND --help     options of a command\n"
          "  ecdc --version          version and kernels in use\n", to);
}

static int run_command(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    bool help = !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help");
    if (help && argc == 2) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("ecdc %s (%s)\n", ecdc_version(), ecdc_cpu_name(ECDC_CPU_AUTO));
        return EXIT_DONE;
    }
    const char *name = argv[help ? 2 : 1]; /* help COMMAND is COMMAND --help */
    const struct command *command = NULL;
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (!strcmp(name, commands[i]->name))
            command = commands[i];
    if (!command)
        return report_usage("no command '%s'; ecdc --help lists them", name);
    if (help && argc > 3)
        return report_usage("usage: ecdc help COMMAND");
    struct options options;
    char flag[] = "--help", *for_help[] = {argv[0], flag, NULL};
    int status = help ? options_parse(command, 2, for_help, &options) : options_parse(command, argc - 1, argv + 1, &options);
    return status != EXIT_DONE || options.help ? status : command->run(&options);
}

int main(int argc, char **argv) {
    hold_standard_files();
    catch_signals();
    av_log_set_level(AV_LOG_QUIET); /* what is wrong with a file is said once, by us */
    int status = run_command(argc, argv);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "ecdc: standard output: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    return status;
}
