#include "codes_out.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "media/container.h"
#include "media/npy.h"
#include "media/npz.h"
#include "model/model.h"

enum { PIECE = 1024 }; /* codes converted at once */

struct codes_out {
    struct output *output;
    struct container_writer *container; /* .ecdc */
    struct npz_writer *npz;             /* .npz */
    struct npy_shape shape;             /* .npy */
    bool normalize;                     /* the scales are part of the file */
};

static ecdc_status open_container(struct codes_out *c, const ecdc_model *model, int n_codebooks, ecdc_error *err) {
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    struct container_header header = {.codebooks = n_codebooks};
    if (strlen(info.name) >= sizeof header.model)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "the model's name %s is too long for a .ecdc file", info.name);
    strcpy(header.model, info.name);
    if (!model->published) { /* a published name says which weights; any other needs their hash */
        const char *hex;
        ecdc_status status = model_sha256(model, &hex, err);
        if (status != ECDC_OK)
            return status;
        memcpy(header.sha, hex, sizeof header.sha - 1);
    }
    return container_write_open(c->output, &header, config_code_bits(&model->config), &c->container, err);
}

ecdc_status codes_out_open(const char *path, bool overwrite, const char *format, const ecdc_model *model, int n_codebooks,
                           struct codes_out **out, ecdc_error *err) {
    struct codes_out *c = ecdc_alloc_zeros(1, sizeof *c);
    if (!c)
        return ecdc_fail_memory(err, "an output");
    ecdc_status status = output_open(path, overwrite, true, &c->output, err);
    c->normalize = model->config.normalize;
    if (status == ECDC_OK && !strcmp(format, "npz")) {
        status = npz_write_open(c->output, n_codebooks, config_chunk_frames(&model->config), &c->npz, err);
    } else if (status == ECDC_OK && !strcmp(format, "npy")) {
        /* (codebooks, frames) in Fortran order: frame after frame, as they come */
        c->shape = (struct npy_shape){.dtype = NPY_I64, .fortran_order = true, .n_dims = 2, .dims = {n_codebooks, 0}};
        status = npy_write_header(c->output, &c->shape, err);
    } else if (status == ECDC_OK) {
        status = open_container(c, model, n_codebooks, err);
    }
    if (status != ECDC_OK)
        codes_out_discard(c);
    else
        *out = c;
    return status;
}

static ecdc_status write_int64(struct codes_out *c, const int32_t *codes, size_t n, ecdc_error *err) {
    int64_t wide[PIECE];
    ecdc_status status = ECDC_OK;
    for (size_t i = 0, part; status == ECDC_OK && i < n; i += part) {
        part = n - i < PIECE ? n - i : PIECE;
        for (size_t j = 0; j < part; j++)
            wide[j] = codes[i + j];
        status = output_write(c->output, wide, part * sizeof *wide, err);
    }
    return status;
}

ecdc_status codes_out_write(struct codes_out *c, const int32_t *codes, size_t n_frames, const float *scale, ecdc_error *err) {
    if (c->npz)
        return npz_write_chunk(c->npz, codes, n_frames, *scale, err);
    if (c->container && scale)
        return container_write_chunk(c->container, codes, n_frames, c->normalize ? scale : NULL, err);
    if (c->container)
        return container_write(c->container, codes, n_frames, err);
    c->shape.dims[1] += (int64_t)n_frames;
    return write_int64(c, codes, n_frames * (size_t)c->shape.dims[0], err);
}

ecdc_status codes_out_commit(struct codes_out *c, int64_t samples, ecdc_error *err) {
    ecdc_status status = c->container ? container_finish(c->container, samples, err)
                         : c->npz     ? npz_finish(c->npz, samples, err)
                                      : npy_finish_header(c->output, &c->shape, err);
    if (status == ECDC_OK) {
        struct output *output = c->output;
        c->output = NULL; /* output_commit frees it */
        status = output_commit(output, err);
    }
    codes_out_discard(c);
    return status;
}

void codes_out_discard(struct codes_out *c) {
    if (!c)
        return;
    container_writer_free(c->container);
    npz_writer_free(c->npz);
    output_discard(c->output);
    free(c);
}
