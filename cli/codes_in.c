#include "codes_in.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/paths.h"
#include "base/status.h"
#include "media/container.h"
#include "media/npy.h"
#include "media/npz.h"
#include "model/model.h"
#include "model_match.h"
#include "model_open.h"

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
    int64_t *items;                     /* PIECE * codebooks; .npz: a chunk */
    const ecdc_model *model;
    struct npz_reader *npz;             /* .npz; `next` counts chunks */
};

/* ------------------------------------------------------------------------------------------------- .ecdc --- */

static ecdc_status container_next(void *context, int32_t *codes, size_t max_frames, size_t *n, ecdc_error *err) {
    struct codes_in *in = context;
    return container_read(in->container, codes, max_frames, n, err);
}

static ecdc_status container_next_chunk(void *context, int32_t *codes, size_t *n, float *scale, ecdc_error *err) {
    struct codes_in *in = context;
    return container_read_chunk(in->container, codes, n, scale, err);
}

static ecdc_status container_rewind(void *context, ecdc_error *err) {
    struct codes_in *in = context;
    if (in->info.chunked)
        return container_begin_chunks(in->container,
                                      &(struct container_chunks){in->code_bits, in->info.hop, in->info.chunk_samples,
                                                                 in->info.chunk_stride, in->model->config.normalize}, err);
    return container_begin(in->container, in->code_bits, in->info.hop, err);
}

static ecdc_status open_container(struct codes_in *in, struct input file, const struct options *o, ecdc_model **model,
                                  ecdc_error *err) {
    ecdc_status status = container_open_input(file, &in->container, err);
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
    in->model = *model;
    in->source = (struct frame_source){.context = in, .n_codebooks = header->codebooks, .n_samples = header->samples,
                                       .next = container_next, .rewind = container_rewind};
    if (in->info.chunked)
        in->source.next_chunk = container_next_chunk;
    return container_rewind(in, err); /* checks the length now, before an output is begun */
}

/* -------------------------------------------------------------------------------------------------- .npy --- */

static ecdc_status fail_code(const struct codes_in *in, int64_t code, size_t q, int64_t frame, const char *where,
                             ecdc_error *err) {
    return ecdc_fail(err, ECDC_E_FORMAT, "%s: code %" PRId64 " at codebook %zu, frame %" PRId64 "%s is outside 0 to %d", in->path,
                     code, q, frame, where, in->info.codebook_size - 1);
}

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
                status = fail_code(in, code, q, in->next + (int64_t)t, "", err);
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

static ecdc_status open_npy(struct codes_in *in, struct input file, const struct options *o, ecdc_model **model, ecdc_error *err) {
    ecdc_status status = npy_open_input(file, &in->npy, err);
    if (status == ECDC_OK)
        status = model_open(o, o->model, model, err);
    if (status != ECDC_OK)
        return status;
    ecdc_model_get_info(*model, &in->info);
    const struct npy_shape *shape = npy_shape_of(in->npy);
    if (in->info.chunked)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: %s decodes chunks with scales, which a .npy does not hold; a .npz or .ecdc is "
                         "needed", in->path, in->info.name);
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
    in->source = (struct frame_source){.context = in, .n_codebooks = (int)codebooks, .n_samples = in->frames * in->info.hop,
                                       .next = npy_next, .rewind = npy_rewind};
    in->items = ecdc_alloc_array(PIECE * (size_t)codebooks, sizeof *in->items);
    return in->items ? ECDC_OK : ecdc_fail_memory(err, "codes");
}

/* -------------------------------------------------------------------------------------------------- .npz --- */

static ecdc_status npz_next_chunk(void *context, int32_t *codes, size_t *n, float *scale, ecdc_error *err) {
    struct codes_in *in = context;
    size_t n_codebooks = (size_t)in->source.n_codebooks, width = (size_t)npz_header_of(in->npz)->frames;
    size_t frames = (size_t)ecdc_model_chunk_frames(in->model, in->source.n_samples, in->next);
    if (frames == 0) {
        *n = 0;
        return ECDC_OK;
    }
    ecdc_status status = npz_read_chunk(in->npz, in->items, scale, err);
    for (size_t t = 0; status == ECDC_OK && t < frames; t++)
        for (size_t q = 0; status == ECDC_OK && q < n_codebooks; q++) {
            int64_t code = in->items[q * width + t];
            char where[40];
            snprintf(where, sizeof where, " of chunk %" PRId64, in->next);
            if (code < 0 || code >= in->info.codebook_size)
                status = fail_code(in, code, q, (int64_t)t, where, err);
            codes[t * n_codebooks + q] = (int32_t)code;
        }
    in->next++;
    *n = frames;
    return status;
}

static ecdc_status npz_start(void *context, ecdc_error *err) {
    struct codes_in *in = context;
    in->next = 0;
    return npz_rewind(in->npz, err);
}

/* The frames of the longest chunk suffice: where there is one chunk only, transformers' array is as short as that is. */
static ecdc_status check_npz(const struct codes_in *in, const struct npz_header *header, ecdc_error *err) {
    if (header->audio_length < 0 || header->chunks != ecdc_model_chunks(in->model, header->audio_length))
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: audio_length is %" PRId64 " samples, which are %" PRId64 " chunks of %s; there are %"
                         PRId64, in->path, header->audio_length, ecdc_model_chunks(in->model, header->audio_length), in->info.name,
                         header->chunks);
    int longest = ecdc_model_chunk_frames(in->model, header->audio_length, 0);
    if (header->frames < longest || header->frames > in->info.chunk_frames)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: %d frames per chunk (the last axis of codes); %d are needed, at most %d allowed",
                         in->path, header->frames, longest, in->info.chunk_frames);
    if (header->codebooks > in->info.n_codebooks)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: %d codebooks, but %s has %d", in->path, header->codebooks, in->info.name,
                         in->info.n_codebooks);
    return ECDC_OK;
}

static ecdc_status open_npz(struct codes_in *in, const struct options *o, ecdc_model **model, ecdc_error *err) {
    ecdc_status status = npz_open(in->path, &in->npz, err);
    if (status == ECDC_OK)
        status = model_open(o, o->model, model, err);
    if (status != ECDC_OK)
        return status;
    ecdc_model_get_info(*model, &in->info);
    in->model = *model;
    if (!in->info.chunked)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: a .npz holds chunks, which %s does not decode; say with -m which model made them",
                         in->path, in->info.name);
    const struct npz_header *header = npz_header_of(in->npz);
    status = check_npz(in, header, err);
    if (status != ECDC_OK)
        return status;
    in->source = (struct frame_source){.context = in, .n_codebooks = header->codebooks, .n_samples = header->audio_length,
                                       .next_chunk = npz_next_chunk, .rewind = npz_start};
    in->items = ecdc_alloc_array((size_t)header->codebooks * (size_t)header->frames, sizeof *in->items);
    return in->items ? ECDC_OK : ecdc_fail_memory(err, "codes");
}

/* The first bytes tell what a file is, and where they say nothing its name does. */
static ecdc_status open_by_contents(struct codes_in *in, const struct options *o, ecdc_model **model, ecdc_error *err) {
    struct input file;
    unsigned char magic[6] = {0};
    bool standard = !strcmp(o->arguments[0], "-");
    ecdc_status status = input_open(&file, o->arguments[0], err);
    if (status == ECDC_OK && file.size >= sizeof magic)
        status = input_read(&file, magic, sizeof magic, err);
    if (status == ECDC_OK)
        status = input_seek(&file, 0, err);
    bool npy = !memcmp(magic, "\x93NUMPY", 6), ecdc = !memcmp(magic, "ECDC", 4);
    if (status == ECDC_OK && standard && !npy && !ecdc)
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: neither an .ecdc file nor a .npy by its first bytes%s", in->path,
                           memcmp(magic, "PK\3\4", 4) ? "" : "; a .npz is read by its name, not from standard input");
    if (status != ECDC_OK) {
        input_close(&file);
        return status;
    }
    return npy || (!ecdc && path_ends_with(in->path, ".npy")) ? open_npy(in, file, o, model, err)
                                                              : open_container(in, file, o, model, err);
}

ecdc_status codes_in_open(const struct options *o, struct codes_in **out, ecdc_model **model, ecdc_error *err) {
    struct codes_in *in = ecdc_alloc_zeros(1, sizeof *in);
    if (!in)
        return ecdc_fail_memory(err, "an input");
    in->path = strcmp(o->arguments[0], "-") ? o->arguments[0] : "standard input";
    ecdc_status status = path_ends_with(in->path, ".npz") ? open_npz(in, o, model, err) : open_by_contents(in, o, model, err);
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
    npz_close(in->npz);
    free(in->items);
    free(in);
}

struct frame_source *codes_in_source(struct codes_in *in) {
    return &in->source;
}
