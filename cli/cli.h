/* What the commands share. */
#ifndef ECDC_CLI_CLI_H
#define ECDC_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "ecdc.h"

/* Exit statuses, part of the interface. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Every option of every command; a command names those that it takes (options.c). */
struct options {
    const char *arguments[3];
    int n_arguments;
    const char *output, *format;
    bool overwrite, quiet, json, help;
    const char *model;
    bool model_given;
    double bandwidth_kbps;
    bool bandwidth_given;
    int threads;
    ecdc_cpu cpu;
    const char *tr;
    bool tr_given, alignment_given, layout_given;
    int64_t max_trs; /* -1: all */
    int codebooks;   /* 0: what the bandwidth gives */
    enum { LAYOUT_CODES, LAYOUT_FLAT, LAYOUT_GIBLET } layout;
    ecdc_alignment alignment;
    bool partial;
    const char *dtype; /* NULL: not given */
    const char *python, *audio;
    enum { MODE_ENCODEC, MODE_MEL, MODE_LATENT } mode;
    enum { HRF_NONE, HRF_CAUSAL, HRF_GIBLET, HRF_GIBLET_DOC } hrf;
    bool per_frame, as_giblet;
    int track; /* -1: the best */
    bool partial_input;
    bool float_samples, rescale, force;
    double seconds;
    int repeats;
    bool profile;
    uint64_t given; /* a bit for each row of the table of options */
};

struct command {
    const char *name, *arguments, *summary;
    const char *options; /* names of the options it takes, separated by spaces */
    int min_arguments, max_arguments;
    int (*run)(const struct options *o);
};

/* Parses argv[1...] for a command. EXIT_DONE, or the status to exit with after a message (EXIT_DONE with o->help after
 * the help text). */
int options_parse(const struct command *command, int argc, char **argv, struct options *o);
/* The name of an option that was given and is not in this list (nor quiet or help); NULL: none. */
const char *option_outside(const struct options *o, const char *allowed);
/* The format to write: --format, else what the output's name ends in; `allowed` is a list such as "ecdc npy". NULL after a
 * message. */
const char *output_format(const struct command *command, const struct options *o, const char *allowed);
/* Whether the output is the very file that is read; says so. Writing would end in losing it, also with -f. */
bool output_is_input(const struct options *o);
const char *layout_name(int layout);
const char *alignment_name(ecdc_alignment alignment);
const char *mode_name(int mode);
const char *hrf_name(int hrf);

/* Prints "ecdc: MESSAGE" to stderr; returns the status to exit with. */
int report_error(const ecdc_error *err);
int report_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
void report_note(const struct options *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Called once, first of all: where the caller has closed standard input, output or error, their numbers are taken, so that no
 * file of ours gets one and then our notes. */
void hold_standard_files(void);
/* Called once, before a command runs. */
void catch_signals(void);
/* True once the user has asked to stop (SIGINT, SIGTERM): commands look between blocks. */
bool interrupted(void);
/* The error for that. */
ecdc_status fail_interrupted(ecdc_error *err);

ecdc_settings settings_of(const struct options *o);
double peak_rss_mb(void);

extern const struct command command_encode, command_decode, command_features, command_reconstruct, command_compare,
    command_info, command_model, command_bench;

#endif
