/* ecdc features up to the file: what ecdc features and ecdc batch share. */
#ifndef ECDC_CLI_FEATURES_FILE_H
#define ECDC_CLI_FEATURES_FILE_H

#include "cli.h"

/* The options that say what is made from a file. */
#define FEATURES_OPTIONS                                                                                                        \
    "output format overwrite track partial-input model bandwidth codebooks tr max-trs layout alignment partial mode per-frame " \
    "hrf dtype precision cpu json"

/* Whether the options go together; EXIT_DONE, or EXIT_USAGE after a message. */
int features_usage(const struct options *o);
/* Opens the model that the mode needs (NULL for mel) and looks whether it can do what is asked. The status to exit with, after a
 * message where it is not EXIT_DONE. */
int features_model(const struct options *o, ecdc_model **model);
/* The options as ecdc_write_features takes them. */
ecdc_features_settings features_settings(const struct options *o, const ecdc_listener *listener);

#endif
