/* Sound files that a signal can end, also while a pipe is waited for, and what the library says meanwhile. */
#ifndef ECDC_CLI_INPUT_H
#define ECDC_CLI_INPUT_H

#include "cli.h"
#include "media/sound_in.h"
#include "progress.h"

/* Notes go to stderr, progress is a bar there, a signal stops. */
struct input_listener {
    ecdc_listener listener;
    const struct options *options;
    struct progress progress;
    char what[96]; /* the bar's */
    bool share;    /* progress is a share of the whole, not seconds of sound */
};

void input_listener_init(struct input_listener *l, const struct options *o);
void input_listener_end(struct input_listener *l); /* wipes the bar */

/* o->arguments[argument] as the options say: --track, which is about the first argument, and --partial-input. */
struct sound_in input_of(const struct options *o, int argument, const ecdc_listener *l);

/* The same for what only reads: without a bar and notes. */
ecdc_status open_input(const struct options *o, int argument, int rate_hz, int channels, ecdc_reader **reader,
                       ecdc_error *err);
ecdc_status read_input(const struct options *o, ecdc_reader *reader, float *samples, size_t max_samples, size_t *n_read,
                       ecdc_error *err);
/* Says on stderr that the input broke off, if it did. */
void note_broken_off(const struct options *o, const ecdc_reader_info *input);

#endif
