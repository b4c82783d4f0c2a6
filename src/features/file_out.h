/* The three files of ecdc features: the array, the table of its TRs, its description. */
#ifndef ECDC_FEATURES_FILE_OUT_H
#define ECDC_FEATURES_FILE_OUT_H

#include <cjson/cJSON.h>

#include "features/encode_stream.h"
#include "features/file_job.h"
#include "media/npy.h"

struct features_out {
    const struct features_job *job;
    struct npy_shape shape;   /* dims[0] counts the rows written */
    struct output *npy, *tsv, *json; /* the last two not on a pipe */
};

/* Rows are `shape` without its first axis, in C order. */
ecdc_status features_out_open(struct features_out *f, const struct features_job *job, const struct npy_shape *shape, ecdc_error *err);
void features_out_discard(struct features_out *f);

/* The next row, n_bytes of it. */
ecdc_status features_out_row(struct features_out *f, const void *row, size_t n_bytes, ecdc_error *err);
/* A line of the table. */
ecdc_status features_out_times(struct features_out *f, int64_t tr, double start_s, double end_s, int64_t n_frames,
                               int n_codebooks, ecdc_error *err);

/* A description with what all modes have in common: version, input, mode, grid, rows. */
cJSON *features_out_describe(const struct features_out *f, const ecdc_tr_grid *grid, const struct encoded *input);
/* Adds the array's size and SHA-256 to the description, which is freed in every case, completes the files and puts them in
 * place, the array last. */
ecdc_status features_out_finish(struct features_out *f, cJSON *description, ecdc_error *err);

#endif
