/* ecdc features, for one file at a time: what ecdc features and ecdc batch share. */
#ifndef ECDC_CLI_FEATURES_MODES_H
#define ECDC_CLI_FEATURES_MODES_H

#include "encode_stream.h"

/* Whether the options go together; EXIT_DONE, or EXIT_USAGE after a message. */
int features_usage(const struct options *o);
/* Opens the model that the mode needs (NULL for mel) and looks whether it can do what is asked. The status to exit with, after a
 * message where it is not EXIT_DONE. */
int features_model(const struct options *o, ecdc_model **model);
/* o->arguments[0] to o->output, in any mode. Many threads may do this at once, with one model, where o->quiet is set. */
ecdc_status features_file(const struct options *o, const ecdc_model *model, struct encoded *result, ecdc_error *err);

/* The modes. encodec and latent: */
ecdc_status features_codes_check(const struct options *o, const ecdc_model *model, ecdc_error *err);
ecdc_status features_codes(const struct options *o, const ecdc_model *model, struct encoded *result, ecdc_error *err);
ecdc_status features_mel(const struct options *o, struct encoded *result, ecdc_error *err);

#endif
