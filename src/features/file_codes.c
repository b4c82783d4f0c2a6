/* Features into files in the modes encodec and latent: codes, or the vectors behind them, on the TR grid. */
#include "features/file_job.h"

#include <stdlib.h>

#include "base/json_put.h"
#include "base/memory.h"
#include "base/status.h"
#include "features/latent.h"
#include "features/names.h"
#include "features/row_shape.h"
#include "features/row_writer.h"
#include "model/model.h"

struct features_run {
    const struct features_job *job;
    const ecdc_features_settings *s; /* the job's */
    ecdc_model_info info;
    int n_codebooks; /* per frame */
    const struct network *codebooks; /* latent */
    ecdc_row_shape shape;
    ecdc_row_maker *maker;
    int64_t n_rows; /* made so far */
    int64_t *row;
    float *latent; /* latent: a row */
    size_t width;  /* numbers in a row of the array */
    struct features_out out;
    struct row_writer writer;
    struct encoded result;
};

/* ------------------------------------------------------------------------------------------------- the rows --- */

static ecdc_status write_row(struct features_run *f, const ecdc_row_info *info, ecdc_error *err) {
    ecdc_status status;
    if (f->s->mode == ECDC_MODE_ENCODEC) {
        status = row_writer_codes(&f->writer, f->row, err);
    } else {
        (f->s->per_frame ? latent_frames : latent_mean)(f->codebooks, &f->shape, f->row, info->n_real_frames, f->latent);
        status = row_writer_floats(&f->writer, f->latent, err);
    }
    f->n_rows = info->tr_index + 1;
    return status == ECDC_OK ? features_out_times(&f->out, info->tr_index, info->start_s, info->end_s, info->n_frames,
                                                  f->shape.row_codebooks, err)
                             : status;
}

static bool enough(const struct features_run *f) {
    return f->s->max_trs > 0 && f->n_rows >= f->s->max_trs;
}

/* Writes the rows that are ready. */
static ecdc_status write_rows(struct features_run *f, ecdc_error *err) {
    ecdc_row_info info;
    ecdc_status status = ECDC_OK;
    while (status == ECDC_OK && !enough(f) && ecdc_row_maker_pull(f->maker, f->row, &info))
        status = write_row(f, &info, err);
    return status;
}

static ecdc_status take_frames(void *context, const int32_t *codes, size_t n_frames, const float *scale, int64_t samples_read,
                               bool *stop, ecdc_error *err) {
    struct features_run *f = context;
    (void)scale; /* models with chunks were refused */
    ecdc_status status = ecdc_row_maker_push(f->maker, codes, n_frames, samples_read, err);
    if (status == ECDC_OK)
        status = write_rows(f, err);
    *stop = enough(f);
    return status;
}

static ecdc_status write_last_rows(struct features_run *f, ecdc_error *err) {
    ecdc_row_maker_finish(f->maker);
    ecdc_status status = write_rows(f, err);
    if (status == ECDC_OK && f->n_rows == 0)
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: %.3f s of sound is shorter than one TR of %s s; --partial keeps it",
                           f->job->in.path, (double)f->result.samples / f->info.sampling_rate_hz, f->s->tr);
    return status == ECDC_OK ? row_writer_finish(&f->writer, err) : status;
}

/* -------------------------------------------------------------------------------------------------- the run --- */

static cJSON *description(const struct features_run *f) {
    const ecdc_row_shape *shape = &f->shape;
    cJSON *json = features_out_describe(&f->out, &shape->grid, &f->result);
    cJSON *model = json_put_object(json, "model");
    json_put_string(model, "name", f->info.name);
    json_put_string(model, "sha256", ecdc_model_sha256(f->job->model));
    if (f->s->mode == ECDC_MODE_LATENT) {
        json_put_bool(json, "per_frame", f->s->per_frame);
        json_put_integer(json, "dimension", f->info.dimension);
    } else {
        json_put_string(json, "layout", layout_name(f->s->layout));
        json_put_integer(json, "row_codebooks", shape->row_codebooks);
    }
    json_put_number(json, "bandwidth", f->s->bandwidth_kbps);
    json_put_integer(json, "n_codebooks", shape->n_codebooks);
    json_put_integer(json, "frames_per_tr", shape->grid.frames_per_tr);
    json_put_integer(json, "frame_rate", f->info.frame_rate_hz);
    json_put_string(json, "precision", ecdc_precision_name(f->s->precision));
    return json;
}

static ecdc_status find_row_shape(struct features_run *f, ecdc_row_shape *shape, ecdc_error *err) {
    const ecdc_features_settings *s = f->s;
    ecdc_status status = ecdc_model_codebooks(f->job->model, s->bandwidth_kbps, &f->n_codebooks, err);
    if (status == ECDC_OK && s->n_codebooks > f->n_codebooks)
        status = ecdc_fail(err, ECDC_E_ARGUMENT, "--codebooks %d: %g kbps has %d", s->n_codebooks, s->bandwidth_kbps,
                           f->n_codebooks);
    if (status == ECDC_OK)
        status = ecdc_tr_grid_init(&shape->grid, s->tr, f->info.frame_rate_hz, s->alignment, err);
    if (status != ECDC_OK)
        return status;
    if (s->n_codebooks)
        f->n_codebooks = s->n_codebooks;
    shape->n_codebooks = shape->row_codebooks = f->n_codebooks;
    if (s->layout == ECDC_LAYOUT_GIBLET) {
        shape->row_codebooks = ecdc_giblet_codebooks(s->bandwidth_kbps);
        if (shape->row_codebooks < shape->n_codebooks)
            return ecdc_fail(err, ECDC_E_ARGUMENT, "giblet's layout has no place for %d codebooks at %g kbps",
                             shape->n_codebooks, s->bandwidth_kbps);
    }
    if (s->int16 && f->info.codebook_size > INT16_MAX + 1)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "--dtype int16 does not hold codes up to %d", f->info.codebook_size - 1);
    return ECDC_OK;
}

static void find_array_shape(struct features_run *f, const ecdc_row_shape *row, struct npy_shape *array) {
    const ecdc_features_settings *s = f->s;
    bool latent = s->mode == ECDC_MODE_LATENT, three = latent ? s->per_frame : s->layout == ECDC_LAYOUT_CODES;
    int64_t middle = latent ? f->info.dimension : row->row_codebooks, frames = row->grid.frames_per_tr;
    *array = (struct npy_shape){.dtype = latent ? NPY_F32 : s->int16 ? NPY_I16 : NPY_I64, .n_dims = three ? 3 : 2};
    array->dims[1] = three || latent ? middle : middle * frames;
    array->dims[2] = three ? frames : 0;
    f->width = (size_t)(array->dims[1] * (three ? frames : 1));
}

/* What the model has to say to the settings. */
static ecdc_status find_shape(struct features_run *f, ecdc_row_shape *shape, ecdc_error *err) {
    ecdc_model_get_info(f->job->model, &f->info);
    if (f->info.chunked)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s encodes normalised chunks that overlap: it has no single frame grid "
                         "for TRs; use a 24 kHz model", f->info.name);
    return find_row_shape(f, shape, err);
}

ecdc_status features_model_check(const ecdc_model *model, const ecdc_features_settings *settings, ecdc_error *err) {
    struct features_job job = {.model = model};
    struct features_run f = {.job = &job, .s = settings};
    ecdc_row_shape shape;
    return find_shape(&f, &shape, err);
}

static ecdc_status prepare(struct features_run *f, ecdc_error *err) {
    ecdc_row_shape shape;
    struct npy_shape array;
    ecdc_status status = find_shape(f, &shape, err);
    if (status == ECDC_OK && f->s->mode == ECDC_MODE_LATENT)
        status = latent_codebooks(f->job->model, f->n_codebooks, &f->codebooks, err);
    if (status == ECDC_OK)
        status = ecdc_row_maker_new(&shape, f->info.sampling_rate_hz, f->s->partial, &f->maker, err);
    if (status != ECDC_OK)
        return status;
    f->shape = shape;
    find_array_shape(f, &shape, &array);
    f->row = ecdc_alloc_array(row_length(&shape), sizeof *f->row);
    f->latent = ecdc_alloc_array(f->width, sizeof *f->latent);
    if (!f->row || !f->latent)
        return ecdc_fail_memory(err, "a row");
    status = features_out_open(&f->out, f->job, &array, err);
    return status == ECDC_OK ? row_writer_init(&f->writer, &f->out, f->width, &shape.grid, 0, f->info.codebook_size - 1, err)
                             : status;
}

static void summarise(const struct features_run *f, ecdc_features_result *result) {
    bool codes = f->s->mode == ECDC_MODE_ENCODEC;
    *result = (ecdc_features_result){.n_trs = f->n_rows, .samples = f->result.samples, .sampling_rate_hz = f->result.sampling_rate_hz,
                                     .seconds_wall = f->result.seconds_wall};
    result->row[0] = codes ? f->shape.row_codebooks : f->info.dimension;
    result->row[1] = codes || f->s->per_frame ? f->shape.grid.frames_per_tr : 1;
}

ecdc_status features_codes(const struct features_job *job, ecdc_features_result *result, ecdc_error *err) {
    struct features_run f = {.job = job, .s = &job->s};
    ecdc_status status = prepare(&f, err);
    if (status == ECDC_OK) {
        ecdc_settings settings = ecdc_default_settings();
        settings.n_codebooks = f.n_codebooks;
        settings.n_threads = job->s.n_threads;
        settings.group = job->s.group;
        settings.cpu = job->s.cpu;
        settings.precision = job->s.precision;
        status = encode_stream(&job->in, job->model, &settings, take_frames, &f, &f.result, err);
    }
    if (status == ECDC_OK)
        status = write_last_rows(&f, err);
    const char *hex; /* for the description; the file may have changed */
    if (status == ECDC_OK)
        status = model_sha256(job->model, &hex, err);
    if (status == ECDC_OK)
        status = features_out_finish(&f.out, description(&f), err);
    if (status == ECDC_OK)
        summarise(&f, result);
    features_out_discard(&f.out);
    row_writer_free(&f.writer);
    ecdc_row_maker_free(f.maker);
    free(f.row);
    free(f.latent);
    return status;
}
