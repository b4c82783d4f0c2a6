/* ecdc encode up to the file: what ecdc encode and ecdc batch share. */
#ifndef ECDC_CLI_ENCODE_FILE_H
#define ECDC_CLI_ENCODE_FILE_H

#include "cli.h"
#include "features/encode_stream.h"

/* Opens the model and looks whether it can do what is asked. The status to exit with, after a message where it is not EXIT_DONE.
 * @param format  ecdc, npy or npz */
int encode_model(const struct options *o, const char *format, ecdc_model **model);
/* o->arguments[0] to o->output. Many threads may do this at once, with one model.
 * @param group  what they share, or NULL */
ecdc_status encode_file(const struct options *o, const char *format, const ecdc_model *model, ecdc_group *group,
                        const ecdc_listener *listener, struct encoded *result, ecdc_error *err);

#endif
