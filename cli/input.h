/* Sound files that a signal can end, also while a pipe is waited for. */
#ifndef ECDC_CLI_INPUT_H
#define ECDC_CLI_INPUT_H

#include "cli.h"

/* ecdc_reader_open of o->arguments[argument], and ecdc_reader_read, as the options say: --track, which is about the first
 * argument, and --partial-input. After SIGINT or SIGTERM they fail as fail_interrupted says. */
ecdc_status open_input(const struct options *o, int argument, int rate_hz, int channels, ecdc_reader **reader,
                       ecdc_error *err);
ecdc_status read_input(const struct options *o, ecdc_reader *reader, float *samples, size_t max_samples, size_t *n_read,
                       ecdc_error *err);
/* The failure of reading an input in the words of the command: damaged input can be used up to the damage. */
ecdc_status explain_input(const struct options *o, ecdc_status status, ecdc_error *err);
/* Says on stderr that the input broke off, if it did. */
void note_broken_off(const struct options *o, const ecdc_reader_info *input);

#endif
