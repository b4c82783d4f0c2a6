/* ecdc reconstruct for codes: rows become sound again, each TR where the scan has it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "cli.h"
#include "decode_stream.h"
#include "features/row_shape.h"
#include "media/npy.h"
#include "model_match.h"
#include "model_open.h"
#include "reconstruct_modes.h"
#include "sidecar.h"

struct rows_in {
    const char *path;
    struct sidecar sidecar;
    struct npy_reader *npy;
    ecdc_row_shape shape;
    ecdc_model_info info;
    int64_t n_trs, next_tr;
    int64_t *row;
    ecdc_row_placer *placer;
};

/* What the flags or, where they are silent, the description say. */
static ecdc_status find_parameters(struct rows_in *in, const struct options *o, const ecdc_model *model, int *layout,
                                   ecdc_error *err) {
    const struct sidecar *s = &in->sidecar;
    const char *tr = o->tr_given || !s->found ? o->tr : s->tr;
    ecdc_alignment alignment = o->alignment_given || !s->found ? o->alignment : s->alignment;
    *layout = o->layout_given || !s->found ? (int)o->layout : s->layout;
    in->shape.n_codebooks = o->codebooks ? o->codebooks : s->found && !o->bandwidth_given ? s->n_codebooks : 0;
    /* Without either the rows tell how many codebooks there are; giblet's rows hold more than exist. */
    if (!in->shape.n_codebooks && (o->bandwidth_given || *layout == ECDC_LAYOUT_GIBLET)) {
        ecdc_status status = ecdc_model_codebooks(model, o->bandwidth_kbps, &in->shape.n_codebooks, err);
        if (status != ECDC_OK)
            return status;
    }
    return ecdc_tr_grid_init(&in->shape.grid, tr, in->info.frame_rate_hz, alignment, err);
}

/* More or fewer codebooks per row than asked for. */
static ecdc_status fail_codebooks(const struct rows_in *in, const struct options *o, int layout, int64_t codebooks, ecdc_error *err) {
    const char *remedy = "";
    const struct npy_shape *shape = npy_shape_of(in->npy);
    if (shape->n_dims == 2 && codebooks == 1 && shape->dims[0] == in->shape.n_codebooks)
        remedy = "; a single row of them has its axis of TRs, too: numpy.save(PATH, codes[None])";
    else if (codebooks > in->shape.n_codebooks && layout != ECDC_LAYOUT_GIBLET)
        remedy = "; for giblet's own arrays: --layout giblet";
    else if (codebooks < in->shape.n_codebooks && o->codebooks)
        remedy = "; --codebooks takes the first of those that are there";
    else if (codebooks < in->shape.n_codebooks && o->bandwidth_given)
        remedy = in->sidecar.found ? "; leave -b away: the description beside it knows the bandwidth"
                                   : "; leave -b away, or give a lower one";
    return ecdc_fail(err, ECDC_E_FORMAT, "%s: %" PRId64 " codebook%s per row where %d %s expected%s", in->path, codebooks,
                     plural(codebooks), in->shape.n_codebooks, in->shape.n_codebooks == 1 ? "is" : "are", remedy);
}

/* Codebooks per row, by the array's shape. */
static ecdc_status count_codebooks(const struct rows_in *in, const struct options *o, int layout, int64_t *codebooks, ecdc_error *err) {
    const struct npy_shape *shape = npy_shape_of(in->npy);
    int64_t frames = in->shape.grid.frames_per_tr;
    char text[48];
    const char *tr = o->tr_given || !in->sidecar.found ? o->tr : tr_text(in->sidecar.tr, text);
    if (shape->fortran_order)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: is in Fortran order; save it with numpy.ascontiguousarray", in->path);
    if (o->layout_given && (shape->n_dims == 2 || shape->n_dims == 3) && (shape->n_dims == 3) != (layout == ECDC_LAYOUT_CODES))
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: --layout %s has %d dimensions, this array has %d: leave --layout away, or say %s",
                         in->path, layout_name(o->layout), layout == ECDC_LAYOUT_CODES ? 3 : 2, shape->n_dims,
                         layout == ECDC_LAYOUT_CODES ? "flat or giblet" : "codes");
    if (shape->n_dims == 3 && shape->dims[2] == frames)
        *codebooks = shape->dims[1];
    else if (shape->n_dims == 2 && shape->dims[1] > 0 && shape->dims[1] % frames == 0)
        *codebooks = shape->dims[1] / frames;
    else if (shape->n_dims == 2 || shape->n_dims == 3)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: rows of %" PRId64 " numbers do not fit %" PRId64 " frames per TR of %s s "
                         "(%s); give the right --tr and --alignment", in->path, shape->dims[shape->n_dims - 1], frames,
                         tr, alignment_name(in->shape.grid.alignment));
    else
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: features have the shape (n_trs, codebooks, frames) or (n_trs, codebooks * "
                         "frames), this array has %d dimensions", in->path, shape->n_dims);
    return ECDC_OK;
}

/* Whether all rows have nothing but 0 behind their first n codebooks. */
static ecdc_status rest_is_empty(const struct rows_in *in, int64_t codebooks, int n, bool *empty, ecdc_error *err) {
    int64_t frames = in->shape.grid.frames_per_tr, n_rest = (codebooks - n) * frames, n_trs = npy_shape_of(in->npy)->dims[0];
    int64_t *rest = ecdc_alloc_array((size_t)n_rest, sizeof *rest);
    ecdc_status status = rest ? ECDC_OK : ecdc_fail_memory(err, "a row");
    *empty = true;
    for (int64_t i = 0; status == ECDC_OK && *empty && i < n_trs; i++) {
        status = interrupted() ? fail_interrupted(err) : npy_seek(in->npy, (i * codebooks + n) * frames, err);
        if (status == ECDC_OK)
            status = npy_read_int64(in->npy, rest, (size_t)n_rest, err);
        for (int64_t k = 0; status == ECDC_OK && k < n_rest; k++)
            *empty = *empty && rest[k] == 0;
    }
    free(rest);
    return status;
}

/* Rows that giblet made are known by themselves: they have the codebooks of its table for one of the model's bandwidths, and those
 * that do not exist at it are 0. Then the others are what is decoded. */
static ecdc_status find_giblets(struct rows_in *in, const struct options *o, const ecdc_model *model, int64_t codebooks, int *layout,
                                ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    bool told = in->sidecar.found || o->layout_given || o->codebooks || in->shape.grid.alignment != ECDC_ALIGN_GIBLET;
    for (int i = 0; status == ECDC_OK && !told && i < in->info.n_bandwidths; i++) {
        double kbps = in->info.bandwidths_kbps[i];
        int exist;
        bool empty;
        if ((o->bandwidth_given && kbps != o->bandwidth_kbps) || ecdc_giblet_codebooks(kbps) != codebooks)
            continue;
        status = ecdc_model_codebooks(model, kbps, &exist, err);
        if (status != ECDC_OK || exist >= codebooks)
            continue;
        status = rest_is_empty(in, codebooks, exist, &empty, err);
        if (status != ECDC_OK || !empty)
            continue;
        in->shape.n_codebooks = exist;
        *layout = ECDC_LAYOUT_GIBLET;
        report_note(o, "%s: in giblet's layout; of its %" PRId64 " codebooks per row the %d of %g kbps are decoded, the others are 0",
                    in->path, codebooks, exist, kbps);
        told = true;
    }
    return status;
}

/* Holds the array's shape against the parameters. */
static ecdc_status check_shape(struct rows_in *in, const struct options *o, int layout, int64_t codebooks, ecdc_error *err) {
    const struct npy_shape *shape = npy_shape_of(in->npy);
    if (!in->shape.n_codebooks)
        in->shape.n_codebooks = codebooks <= in->info.n_codebooks ? (int)codebooks : 0;
    if (codebooks < 1 || codebooks > INT32_MAX || in->shape.n_codebooks < 1 || in->shape.n_codebooks > in->info.n_codebooks)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: %" PRId64 " codebooks per row, %s has 1 to %d", in->path, codebooks,
                         in->info.name, in->info.n_codebooks);
    bool more_is_right = layout == ECDC_LAYOUT_GIBLET || o->codebooks || in->sidecar.found;
    if (codebooks < in->shape.n_codebooks || (codebooks > in->shape.n_codebooks && !more_is_right))
        return fail_codebooks(in, o, layout, codebooks, err);
    in->shape.row_codebooks = (int)codebooks;
    in->n_trs = shape->dims[0];
    bool one_row = shape->n_dims == 2 && codebooks == 1 && in->n_trs > 1 && in->n_trs <= in->info.n_codebooks; /* perhaps */
    if (one_row && !in->sidecar.found && !o->layout_given)
        report_note(o, "%s: taken for %" PRId64 " TRs of one codebook (--layout flat says so); one TR of %" PRId64 " codebooks has three "
                    "axes: numpy.save(PATH, codes[None])", in->path, in->n_trs, in->n_trs);
    return ECDC_OK;
}

static ecdc_status read_row(struct rows_in *in, int64_t i, ecdc_error *err) {
    size_t n = row_length(&in->shape);
    ecdc_status status = npy_seek(in->npy, i * (int64_t)n, err);
    return status == ECDC_OK ? npy_read_int64(in->npy, in->row, n, err) : status;
}

/* What the library says about rows, with the name of the file. */
static ecdc_status fail_rows(const struct rows_in *in, const ecdc_error *why, ecdc_error *err) {
    return ecdc_fail(err, why->status, "%s: %s", in->path, why->message);
}

static ecdc_status next_frames(void *context, int32_t *codes, size_t max_frames, size_t *n, ecdc_error *err) {
    struct rows_in *in = context;
    ecdc_error why;
    while (ecdc_row_placer_ready(in->placer) < max_frames && in->next_tr < in->n_trs) {
        ecdc_status status = read_row(in, in->next_tr, err);
        if (status != ECDC_OK)
            return status;
        if (ecdc_row_placer_push(in->placer, in->row, &why) != ECDC_OK)
            return fail_rows(in, &why, err);
        in->next_tr++;
    }
    *n = ecdc_row_placer_pull(in->placer, codes, max_frames);
    return ECDC_OK;
}

static ecdc_status rewind_rows(void *context, ecdc_error *err) {
    struct rows_in *in = context;
    (void)err;
    in->next_tr = 0;
    ecdc_row_placer_reset(in->placer);
    return ECDC_OK;
}

static ecdc_status prepare(struct rows_in *in, const struct options *o, ecdc_model **model, ecdc_error *err) {
    ecdc_status status = in->sidecar.found ? model_open_matching(o, in->path, in->sidecar.model, in->sidecar.sha256, model, err)
                                           : model_open(o, o->model, model, err);
    if (status != ECDC_OK)
        return status;
    ecdc_model_get_info(*model, &in->info);
    if (in->info.chunked)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s decodes chunks that overlap: it has no single frame grid for TRs; use the model "
                         "that made the features", in->info.name);
    int layout;
    int64_t codebooks = 0;
    status = find_parameters(in, o, *model, &layout, err);
    if (status == ECDC_OK)
        status = count_codebooks(in, o, layout, &codebooks, err);
    if (status == ECDC_OK)
        status = find_giblets(in, o, *model, codebooks, &layout, err);
    if (status == ECDC_OK)
        status = check_shape(in, o, layout, codebooks, err);
    if (status == ECDC_OK && in->n_trs == 0)
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: no sound (0 TRs)", in->path);
    if (status != ECDC_OK)
        return status;
    int64_t n_frames = -1;
    if (in->sidecar.found && in->sidecar.partial) /* the description knows where the sound ended */
        n_frames = in->sidecar.samples / in->info.hop + (in->sidecar.samples % in->info.hop != 0);
    status = ecdc_row_placer_new(&in->shape, in->info.codebook_size, in->n_trs, n_frames, &in->placer, err);
    in->row = ecdc_alloc_array(row_length(&in->shape), sizeof *in->row);
    return status == ECDC_OK && !in->row ? ecdc_fail_memory(err, "a row") : status;
}

/* The last row tells where the sound ends. */
static ecdc_status find_length(struct rows_in *in, int64_t *n_samples, ecdc_error *err) {
    int64_t n_frames;
    ecdc_error why;
    ecdc_status status = read_row(in, in->n_trs - 1, err);
    if (status != ECDC_OK)
        return status;
    if (ecdc_row_placer_length(in->placer, in->row, &n_frames, &why) != ECDC_OK)
        return fail_rows(in, &why, err);
    if (n_frames == 0)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: no sound (its only row has no frame)", in->path);
    *n_samples = n_frames * in->info.hop;
    if (in->sidecar.found && in->sidecar.partial && in->sidecar.samples < *n_samples)
        *n_samples = in->sidecar.samples;
    return ECDC_OK;
}

ecdc_status reconstruct_codes(const struct options *o, const struct sidecar *sidecar, struct npy_reader *npy, ecdc_error *err) {
    struct rows_in in = {.path = o->arguments[0], .sidecar = *sidecar, .npy = npy};
    ecdc_model *model = NULL;
    int64_t n_samples = 0;
    ecdc_status status = prepare(&in, o, &model, err);
    if (status == ECDC_OK)
        status = find_length(&in, &n_samples, err);
    if (status == ECDC_OK) {
        struct frame_source source = {.context = &in, .n_codebooks = in.shape.n_codebooks, .n_samples = n_samples,
                                      .next = next_frames, .rewind = rewind_rows};
        status = decode_stream(o, model, &source, err);
    }
    free(in.row);
    ecdc_row_placer_free(in.placer);
    ecdc_model_close(model);
    return status;
}
