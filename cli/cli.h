/* What the commands share. */
#ifndef ECDC_CLI_CLI_H
#define ECDC_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "ecdc.h"
#include "features/names.h"

/* Exit statuses, part of the interface. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Every option of every command; a command names those that it takes (options.c). */
struct options {
    const char *arguments[3];
    int n_arguments;
    char *const *words; /* all of the arguments, where there may be more than three */
    const char *output, *format;
    bool overwrite, quiet, json, help;
    const char *model;
    bool model_given;
    double bandwidth_kbps;                     /* the first of them */
    double bandwidths_kbps[ECDC_MAX_BANDWIDTHS];
    int n_bandwidths;
    bool bandwidth_given;
    int threads;
    ecdc_cpu cpu;
    ecdc_precision precision;
    const char *tr;
    bool tr_given, alignment_given, layout_given;
    int64_t max_trs; /* -1: all */
    int codebooks;   /* 0: what the bandwidth gives */
    ecdc_layout layout;
    ecdc_alignment alignment;
    bool partial;
    const char *dtype; /* NULL: not given */
    const char *python, *audio;
    const char *logits, *bottleneck; /* autoencoder */
    ecdc_mode mode;
    ecdc_hrf hrf;
    bool hrf_given;
    bool per_frame, as_giblet;
    int track; /* -1: the best */
    bool partial_input;
    bool float_samples, rescale, force;
    double seconds;
    int repeats;
    bool profile;
    const char *mask; /* NULL: not given */
    bool zscore;
    const char *cache, *film, *subjects, *scans; /* dataset; NULL: not given */
    bool no_zscore;
    int jobs;              /* 0: one per processor */
    int shard, n_shards;   /* 1 of 1 where nothing is said */
    uint64_t given;        /* which options stood on the command line, by their place in the table of options.c */
};

struct command {
    const char *name, *arguments, *summary; /* one line each */
    const char *details; /* more of it, for the command's own help; NULL: nothing */
    const char *options; /* names of the options it takes, separated by spaces */
    int min_arguments, max_arguments;
    bool many_bandwidths; /* takes several, separated by commas */
    int (*run)(const struct options *o);
};

/* Parses argv[1...] for a command. EXIT_DONE, or the status to exit with after a message (EXIT_DONE with o->help after
 * the help text). */
int options_parse(const struct command *command, int argc, char **argv, struct options *o);
/* The name of an option that was given and is in neither of these lists (nor quiet or help); NULL: none. */
const char *option_outside(const struct options *o, const char *allowed, const char *also);
/* Whether an option of this list was given; its name as on the command line, "-b" or "--layout", goes into `name`. */
bool option_given(const struct options *o, const char *list, char name[32]);
/* The options that are about models and codes: nothing in --mode mel. */
#define OPTIONS_OF_CODES "model bandwidth codebooks precision cpu"
/* The format to write: --format, else what the output's name ends in; `allowed` is a list such as "ecdc npy". NULL after a
 * message. */
const char *output_format(const struct command *command, const struct options *o, const char *allowed);
/* Whether an output (NULL: none) is one of the files that are read; says so. Writing would end in losing it, also with -f. */
bool output_is_one_of(const char *output, const char *const inputs[], size_t n);
/* The same of -o and the first argument. */
bool output_is_input(const struct options *o);

/* Prints "ecdc: MESSAGE" to stderr; returns the status to exit with. */
int report_error(const ecdc_error *err);
int report_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
void report_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void report_note(const struct options *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A TR for people: "3/2" is "1.5", "2/3" stays what it is; returns text. */
const char *tr_text(const char *fraction, char text[48]);
const char *plural(int64_t n); /* "s", or nothing behind one */
const char *size_text(uint64_t n_bytes, char text[24]); /* "0.5 MB", "32 kB", "7 bytes"; returns text */

/* Called once, first of all: where the caller has closed standard input, output or error, their numbers are taken, so that no
 * file of ours gets one and then our notes. */
void hold_standard_files(void);
/* Called once, before a command runs. */
void catch_signals(void);
/* True once the user has asked to stop (SIGINT, SIGTERM): commands look between blocks. */
bool interrupted(void);
/* The same as a listener's `stop`. */
int stop_on_signal(void *context);
/* The error for that. */
ecdc_status fail_interrupted(ecdc_error *err);

ecdc_settings settings_of(const struct options *o);
double peak_rss_mb(void);

extern const struct command command_encode, command_decode, command_features, command_reconstruct, command_compare,
    command_info, command_model, command_bench, command_fmri, command_dataset, command_autoencoder, command_batch,
    command_report;

#endif
