/* ecdc model verify: this program's codes and sound against those of transformers. */
#ifndef ECDC_CLI_VERIFY_H
#define ECDC_CLI_VERIFY_H

#include "cli.h"

/* o->arguments[1] is the model. EXIT_DONE where promise 1 of the design is kept, EXIT_FAILED after a message or a report of
 * what differs. */
int verify_model(const struct options *o);

#endif
