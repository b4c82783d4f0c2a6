/* What ecdc features does in each of its modes; the exit status. */
#ifndef ECDC_CLI_FEATURES_MODES_H
#define ECDC_CLI_FEATURES_MODES_H

#include "cli.h"

int features_codes(const struct options *o); /* encodec and latent */
int features_mel(const struct options *o);

#endif
