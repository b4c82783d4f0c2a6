#include "codes_in.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "media/container.h"
#include "media/npy.h"
#include "model/model.h"
#include "model_match.h"
#include "model_open.h"
#include "paths.h"

enum { PIECE = 48 };

struct codes_in {
    const char *path;
    struct frame_source source;
    ecdc_model_info info;
    int code_bits;
    struct container_reader *container; /* .ecdc */
    struct npy_reader *npy;             /* .npy: (codebooks, frames) */
    bool frames_together;               /* Fortran order: the codes of a frame stand side by side */
    int64_t frames, next;
    int64_t *items;                     /* PIECE * codebooks */
};

/* ------------------------------------------------------------------------------------------------- .ecdc --- */

static ecdc_status container_next(void *context, int32_t *codes, size_t max_frames, size_t *n, ecdc_error *err) {
    struct codes_in *in = context;
    return container_read(in->container, codes, max_frames, n, err);
}

static ecdc_status container_rewind(void *context, ecdc_error *err) {
    struct codes_in *in = context;
    return container_begin(in->container, in->code_bits, in->info.hop, err);
}

static ecdc_status open_container(struct codes_in *in, const struct options *o, ecdc_model **model, ecdc_error *err) {
    ecdc_status status = container_open(in->path, &in->container, err);
    if (status != ECDC_OK)
        return status;
    const struct container_header *header = container_header_of(in->container);
    status = model_open_matching(o, in->path, header->model, header->sha, model, err);
    if (status != ECDC_OK)
        return status;
    ecdc_model_get_info(*model, &in->info);
    in->code_bits = config_code_bits(&(*model)->config);
    if (header->codebooks > in->info.n_codebooks)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: %d codebooks, but %s has %d", in->path, header->codebooks, in->info.name,
                         in->info.n_codebooks);
    in->source = (struct frame_source){in, header->codebooks, header->samples, container_next, container_rewind};
    return container_rewind(in, err); /* checks the length now, before an output is begun */
}

/* -------------------------------------------------------------------------------------------------- .npy --- */

static ecdc_status npy_next(void *context, int32_t *codes, size_t max_frames, size_t *n, ecdc_error *err) {
    struct codes_in *in = context;
    size_t n_codebooks = (size_t)in->source.n_codebooks;
    size_t part = in->frames - in->next < PIECE ? (size_t)(in->frames - in->next) : PIECE;
    part = part < max_frames ? part : max_frames;
    ecdc_status status = ECDC_OK;
    if (in->frames_together) {
        status = npy_read_int64(in->npy, in->items, part * n_codebooks, err);
    } else {
        for (size_t q = 0; status == ECDC_OK && q < n_codebooks; q++) {
            status = npy_seek(in->npy, (int64_t)q * in->frames + in->next, err);
            if (status == ECDC_OK)
                status = npy_read_int64(in->npy, in->items + q * part, part, err);
        }
    }
    for (size_t t = 0; status == ECDC_OK && t < part; t++)
        for (size_t q = 0; status == ECDC_OK && q < n_codebooks; q++) {
            int64_t code = in->items[in->frames_together ? t * n_codebooks + q : q * part + t];
            if (code < 0 || code >= in->info.codebook_size)
                status = ecdc_fail(err, ECDC_E_FORMAT, "%s: code %" PRId64 " at codebook %zu, frame %" PRId64
                                   " is outside 0 to %d", in->path, code, q, in->next + (int64_t)t,
                                   in->info.codebook_size - 1);
            codes[t * n_codebooks + q] = (int32_t)code;
        }
    in->next += (int64_t)part;
    *n = part;
    return status;
}

static ecdc_status npy_rewind(void *context, ecdc_error *err) {
    struct codes_in *in = context;
    in->next = 0;
    return npy_seek(in->npy, 0, err);
}

static ecdc_status open_npy(struct codes_in *in, const struct options *o, ecdc_model **model, ecdc_error *err) {
    ecdc_status status = npy_open(in->path, &in->npy, err);
    if (status == ECDC_OK)
        status = model_open(o, o->model, model, err);
    if (status != ECDC_OK)
        return status;
    ecdc_model_get_info(*model, &in->info);
    const struct npy_shape *shape = npy_shape_of(in->npy);
    if (shape->dtype == NPY_F32 || shape->dtype == NPY_F64)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: codes are integers, this array is %s", in->path,
                         npy_dtype_name(shape->dtype));
    int lead = 0; /* PyTorch's axes for chunk and batch */
    while (lead < shape->n_dims - 2 && shape->dims[lead] == 1)
        lead++;
    if (shape->n_dims - lead != 2)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: codes have the shape (codebooks, frames), this array has %d dimensions; "
                         "rows of TRs are for ecdc reconstruct", in->path, shape->n_dims);
    int64_t codebooks = shape->dims[lead];
    in->frames = shape->dims[lead + 1];
    if (codebooks < 1 || codebooks > in->info.n_codebooks)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: %" PRId64 " codebooks (its first axis), %s has 1 to %d", in->path,
                         codebooks, in->info.name, in->info.n_codebooks);
    if (in->frames > INT64_MAX / in->info.hop)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: %" PRId64 " frames are too many", in->path, in->frames);
    in->frames_together = shape->fortran_order;
    in->source = (struct frame_source){in, (int)codebooks, in->frames * in->info.hop, npy_next, npy_rewind};
    in->items = ecdc_alloc_array(PIECE * (size_t)codebooks, sizeof *in->items);
    return in->items ? ECDC_OK : ecdc_fail_memory(err, "codes");
}

ecdc_status codes_in_open(const struct options *o, struct codes_in **out, ecdc_model **model, ecdc_error *err) {
    struct codes_in *in = ecdc_alloc_zeros(1, sizeof *in);
    if (!in)
        return ecdc_fail_memory(err, "an input");
    in->path = o->arguments[0];
    ecdc_status status = path_ends_with(in->path, ".npy") ? open_npy(in, o, model, err) : open_container(in, o, model, err);
    if (status == ECDC_OK && in->source.n_samples == 0)
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: no sound", in->path);
    if (status == ECDC_OK)
        *out = in;
    else
        codes_in_close(in);
    return status;
}

void codes_in_close(struct codes_in *in) {
    if (!in)
        return;
    container_close(in->container);
    npy_close(in->npy);
    free(in->items);
    free(in);
}

struct frame_source *codes_in_source(struct codes_in *in) {
    return &in->source;
}
