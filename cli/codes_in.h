/* Files of codes, .ecdc, .npy or .npz, as a source of frames or chunks. */
#ifndef ECDC_CLI_CODES_IN_H
#define ECDC_CLI_CODES_IN_H

#include "decode_stream.h"

struct codes_in;

/* Opens o->arguments[0] and the model that fits it. Both are the caller's to close. */
ecdc_status codes_in_open(const struct options *o, struct codes_in **in, ecdc_model **model, ecdc_error *err);
void codes_in_close(struct codes_in *in);
struct frame_source *codes_in_source(struct codes_in *in);

#endif
