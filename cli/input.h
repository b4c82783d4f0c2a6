/* Sound files that a signal can end, also while a pipe is waited for. */
#ifndef ECDC_CLI_INPUT_H
#define ECDC_CLI_INPUT_H

#include "cli.h"

/* ecdc_reader_open and ecdc_reader_read; after SIGINT or SIGTERM they fail as fail_interrupted says. */
ecdc_status open_input(const char *path, int rate_hz, int channels, ecdc_reader **reader, ecdc_error *err);
ecdc_status read_input(ecdc_reader *reader, float *samples, size_t max_samples, size_t *n_read, ecdc_error *err);

#endif
