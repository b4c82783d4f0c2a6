/* Codes into a file, .ecdc, .npy or .npz. */
#ifndef ECDC_CLI_CODES_OUT_H
#define ECDC_CLI_CODES_OUT_H

#include "cli.h"

struct codes_out;

/* @param format  "ecdc"; "npy" for models without chunks, "npz" for models with chunks */
ecdc_status codes_out_open(const char *path, bool overwrite, const char *format, const ecdc_model *model, int n_codebooks,
                           struct codes_out **out, ecdc_error *err);
/* @param scale  the model has chunks, and this is one; else NULL */
ecdc_status codes_out_write(struct codes_out *c, const int32_t *codes, size_t n_frames, const float *scale, ecdc_error *err);
/* Completes the header and puts the file in its place; frees c in every case. */
ecdc_status codes_out_commit(struct codes_out *c, int64_t samples, ecdc_error *err);
void codes_out_discard(struct codes_out *c); /* NULL is fine */

#endif
