/* ecdc features: a sound becomes one row of codes per fMRI volume, with a table and a description beside it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/sha256.h"
#include "base/status.h"
#include "cli.h"
#include "encode_stream.h"
#include "features/tr_rows.h"
#include "json_out.h"
#include "media/npy.h"
#include "paths.h"

struct features_run {
    const struct options *o;
    ecdc_model *model;
    ecdc_model_info info;
    int n_codebooks; /* per frame */
    struct row_maker maker;
    struct npy_shape shape;
    int64_t *row;
    int16_t *row16;
    struct output *npy, *tsv, *json; /* the last two not on a pipe */
    struct encoded result;
};

/* ------------------------------------------------------------------------------------------------- the rows --- */

static ecdc_status write_tsv_line(struct features_run *f, int64_t i, int64_t n_frames, double end_s, ecdc_error *err) {
    if (!f->tsv)
        return ECDC_OK;
    char start_text[40], end_text[40], line[256];
    number_text(ecdc_tr_grid_start_s(&f->maker.shape.grid, i), start_text, sizeof start_text);
    number_text(end_s, end_text, sizeof end_text);
    int n = snprintf(line, sizeof line, "%" PRId64 "\t%s\t%s\t%" PRId64 "\t%d\tencodec\n", i, start_text, end_text,
                     n_frames, f->maker.shape.row_codebooks);
    return output_write(f->tsv, line, (size_t)n, err);
}

/* Row i, of which n_frames are real; `whole` is how many TRs of the signal are whole. */
static ecdc_status write_row(struct features_run *f, int64_t i, int64_t n_frames, int64_t whole, ecdc_error *err) {
    const ecdc_tr_grid *grid = &f->maker.shape.grid;
    size_t n = row_length(&f->maker.shape);
    ecdc_status status;
    if (f->row16) {
        for (size_t j = 0; j < n; j++)
            f->row16[j] = (int16_t)f->row[j];
        status = output_write(f->npy, f->row16, n * sizeof *f->row16, err);
    } else {
        status = output_write(f->npy, f->row, n * sizeof *f->row, err);
    }
    f->shape.dims[0] = i + 1;
    double end_s = ecdc_tr_grid_start_s(grid, i + 1);
    if (i >= whole) { /* a part of a TR ends with the sound */
        end_s = (double)f->result.samples / f->info.sampling_rate_hz;
    } else if (grid->alignment == ECDC_ALIGN_GIBLET) { /* giblet adds TR to the start, and counts what it padded */
        end_s = ecdc_tr_grid_start_s(grid, i) + grid->tr_s;
        n_frames = grid->frames_per_tr;
    }
    return status == ECDC_OK ? write_tsv_line(f, i, n_frames, end_s, err) : status;
}

/* Writes the rows up to number `end` for which there are frames. */
static ecdc_status write_rows(struct features_run *f, int64_t end, int64_t whole, bool last, ecdc_error *err) {
    int64_t n_frames;
    if (f->o->max_trs >= 0 && end > f->o->max_trs)
        end = f->o->max_trs;
    ecdc_status status = ECDC_OK;
    while (status == ECDC_OK && f->maker.next_tr < end && row_maker_next(&f->maker, last, f->row, &n_frames))
        status = write_row(f, f->maker.next_tr - 1, n_frames, whole, err);
    return status;
}

static ecdc_status take_frames(void *context, const int32_t *codes, size_t n_frames, const float *scale, int64_t samples_read,
                               bool *stop, ecdc_error *err) {
    struct features_run *f = context;
    (void)scale; /* models with chunks were refused */
    ecdc_status status = row_maker_push(&f->maker, codes, n_frames, err);
    int64_t whole = ecdc_tr_grid_count(&f->maker.shape.grid, samples_read, f->info.sampling_rate_hz, 0);
    if (status == ECDC_OK)
        status = write_rows(f, whole, whole, false, err);
    *stop = f->o->max_trs >= 0 && f->maker.next_tr >= f->o->max_trs;
    return status;
}

/* With giblet's rounding the last whole TR may ask for a frame that the sound does not have; --partial adds what is left
 * after it. */
static ecdc_status write_last_rows(struct features_run *f, ecdc_error *err) {
    const ecdc_tr_grid *grid = &f->maker.shape.grid;
    int64_t samples = f->result.samples, whole = ecdc_tr_grid_count(grid, samples, f->info.sampling_rate_hz, 0);
    int64_t end = ecdc_tr_grid_count(grid, samples, f->info.sampling_rate_hz, f->o->partial);
    ecdc_status status = write_rows(f, end, whole, true, err);
    if (status == ECDC_OK && f->maker.next_tr == 0)
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: %.3f s of sound is shorter than one TR of %s s; --partial keeps it",
                           f->o->arguments[0], (double)samples / f->info.sampling_rate_hz, f->o->tr);
    return status;
}

/* ------------------------------------------------------------------------------------------ the description --- */

static void describe_input(const struct features_run *f, cJSON *json) {
    cJSON *input = cJSON_AddObjectToObject(json, "input");
    struct stat s;
    cJSON_AddStringToObject(input, "path", f->o->arguments[0]);
    if (stat(f->o->arguments[0], &s) == 0) {
        json_put_integer(input, "size", s.st_size);
        json_put_integer(input, "mtime", s.st_mtime);
    }
    const ecdc_reader_info *r = &f->result.input;
    json_put_integer(input, "track", r->track);
    cJSON_AddBoolToObject(input, "partial", *f->result.broken_off != 0);
    if (*f->result.broken_off)
        cJSON_AddStringToObject(input, "broken_off", f->result.broken_off);
    json_put_number(input, "audio_start", r->audio_start_s);
    cJSON *gaps = cJSON_AddObjectToObject(input, "gaps");
    json_put_integer(gaps, "count", r->n_gaps);
    json_put_number(gaps, "seconds", r->gap_s);
    cJSON *overlaps = cJSON_AddObjectToObject(input, "overlaps");
    json_put_integer(overlaps, "count", r->n_overlaps);
    json_put_number(overlaps, "seconds", r->overlap_s);
}

static cJSON *description(const struct features_run *f, const char *sha256) {
    const struct row_shape *shape = &f->maker.shape;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "version", ecdc_version());
    describe_input(f, json);
    cJSON *model = cJSON_AddObjectToObject(json, "model");
    cJSON_AddStringToObject(model, "name", f->info.name);
    cJSON_AddStringToObject(model, "sha256", ecdc_model_sha256(f->model));
    cJSON_AddStringToObject(json, "mode", "encodec");
    cJSON_AddStringToObject(json, "layout", layout_name(f->o->layout));
    cJSON_AddStringToObject(json, "alignment", alignment_name(shape->grid.alignment));
    json_put_number(json, "tr", shape->grid.tr_s);
    char fraction[48];
    snprintf(fraction, sizeof fraction, "%" PRId64 "/%" PRId64, shape->grid.tr_num, shape->grid.tr_den);
    cJSON_AddStringToObject(json, "tr_fraction", fraction);
    json_put_number(json, "bandwidth", f->o->bandwidth_kbps);
    json_put_integer(json, "n_codebooks", shape->n_codebooks);
    json_put_integer(json, "row_codebooks", shape->row_codebooks);
    json_put_integer(json, "frames_per_tr", shape->grid.frames_per_tr);
    json_put_integer(json, "n_trs", f->shape.dims[0]);
    json_put_integer(json, "frame_rate", f->info.frame_rate_hz);
    json_put_integer(json, "sampling_rate", f->info.sampling_rate_hz);
    cJSON_AddStringToObject(json, "hrf", "none");
    cJSON_AddStringToObject(json, "precision", "f32");
    json_put_integer(json, "samples", f->result.samples);
    cJSON_AddBoolToObject(json, "partial", f->o->partial);
    cJSON_AddStringToObject(json, "dtype", npy_dtype_name(f->shape.dtype));
    cJSON *npy = cJSON_AddObjectToObject(json, "npy");
    json_put_integer(npy, "bytes", (int64_t)output_size(f->npy));
    cJSON_AddStringToObject(npy, "sha256", sha256);
    return json;
}

static ecdc_status hash_output(struct output *o, char hex[SHA256_TEXT], ecdc_error *err) {
    unsigned char block[16384];
    struct sha256 *sha = sha256_new();
    bool hashed = sha != NULL;
    ecdc_status status = ECDC_OK;
    for (uint64_t at = 0; hashed && status == ECDC_OK && at < output_size(o);) {
        size_t n = output_size(o) - at < sizeof block ? (size_t)(output_size(o) - at) : sizeof block;
        status = output_read_at(o, at, block, n, err);
        hashed = sha256_update(sha, block, n);
        at += n;
    }
    hashed = hashed && sha256_finish(sha, hex);
    sha256_free(sha);
    return status == ECDC_OK && !hashed ? ecdc_fail_memory(err, "a SHA-256") : status;
}

static ecdc_status write_description(struct features_run *f, ecdc_error *err) {
    if (!f->json)
        return ECDC_OK;
    char sha256[SHA256_TEXT];
    ecdc_status status = hash_output(f->npy, sha256, err);
    if (status != ECDC_OK)
        return status;
    cJSON *json = description(f, sha256);
    char *text = cJSON_Print(json);
    cJSON_Delete(json);
    if (!text)
        return ecdc_fail_memory(err, "OUT.json");
    status = output_write(f->json, text, strlen(text), err);
    cJSON_free(text);
    return status == ECDC_OK ? output_write(f->json, "\n", 1, err) : status;
}

/* -------------------------------------------------------------------------------------------------- the run --- */

static ecdc_status open_beside(const struct options *o, const char *extension, struct output **out, ecdc_error *err) {
    char *path = path_replace(o->output, ".npy", extension);
    ecdc_status status = path ? output_open(path, o->overwrite, false, out, err) : ecdc_fail_memory(err, "a path");
    free(path);
    return status;
}

static ecdc_status prepare(struct features_run *f, ecdc_error *err) {
    const struct options *o = f->o;
    struct row_shape shape;
    ecdc_status status = ecdc_model_open(o->model, &f->model, err);
    if (status != ECDC_OK)
        return status;
    ecdc_model_get_info(f->model, &f->info);
    if (f->info.chunked)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s encodes normalised chunks that overlap: it has no single frame grid "
                         "for TRs; use a 24 kHz model", f->info.name);
    status = ecdc_model_codebooks(f->model, o->bandwidth_kbps, &f->n_codebooks, err);
    if (status == ECDC_OK && o->codebooks > f->n_codebooks)
        status = ecdc_fail(err, ECDC_E_ARGUMENT, "--codebooks %d: %g kbps has %d", o->codebooks, o->bandwidth_kbps,
                           f->n_codebooks);
    if (status == ECDC_OK)
        status = ecdc_tr_grid_init(&shape.grid, o->tr, f->info.frame_rate_hz, o->alignment, err);
    if (status != ECDC_OK)
        return status;
    if (o->codebooks)
        f->n_codebooks = o->codebooks;
    shape.n_codebooks = shape.row_codebooks = f->n_codebooks;
    if (o->layout == LAYOUT_GIBLET) {
        shape.row_codebooks = giblet_codebooks(o->bandwidth_kbps);
        if (shape.row_codebooks < shape.n_codebooks)
            return ecdc_fail(err, ECDC_E_ARGUMENT, "giblet's layout has no place for %d codebooks at %g kbps",
                             shape.n_codebooks, o->bandwidth_kbps);
    }
    if (o->int16 && f->info.codebook_size > INT16_MAX + 1)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "--dtype int16 does not hold codes up to %d", f->info.codebook_size - 1);
    f->shape = (struct npy_shape){.dtype = o->int16 ? NPY_I16 : NPY_I64};
    if (o->layout == LAYOUT_CODES) {
        f->shape.n_dims = 3;
        f->shape.dims[1] = shape.row_codebooks;
        f->shape.dims[2] = shape.grid.frames_per_tr;
    } else {
        f->shape.n_dims = 2;
        f->shape.dims[1] = (int64_t)row_length(&shape);
    }
    status = row_maker_init(&f->maker, &shape, err);
    f->row = ecdc_alloc_array(row_length(&shape), sizeof *f->row);
    f->row16 = o->int16 ? ecdc_alloc_array(row_length(&shape), sizeof *f->row16) : NULL;
    if (!f->row || (o->int16 && !f->row16))
        return ecdc_fail_memory(err, "a row");
    return status;
}

static ecdc_status open_outputs(struct features_run *f, ecdc_error *err) {
    ecdc_status status = output_open(f->o->output, f->o->overwrite, true, &f->npy, err);
    if (status == ECDC_OK && !output_is_pipe(f->npy))
        status = open_beside(f->o, ".tsv", &f->tsv, err);
    if (status == ECDC_OK && !output_is_pipe(f->npy))
        status = open_beside(f->o, ".json", &f->json, err);
    if (status == ECDC_OK)
        status = npy_write_header(f->npy, &f->shape, err);
    static const char head[] = "tr_index\tstart_time\tend_time\tn_frames\tn_codebooks\tencoding_mode\n";
    if (status == ECDC_OK && f->tsv)
        status = output_write(f->tsv, head, sizeof head - 1, err);
    return status;
}

/* The array comes last: whoever sees it finds its description in place. */
static ecdc_status commit(struct features_run *f, ecdc_error *err) {
    struct output **order[] = {&f->tsv, &f->json, &f->npy};
    ecdc_status status = ECDC_OK;
    for (int i = 0; status == ECDC_OK && i < 3; i++) {
        struct output *output = *order[i];
        *order[i] = NULL; /* output_commit frees it */
        if (output)
            status = output_commit(output, err);
    }
    return status;
}

static void report(const struct features_run *f) {
    double audio_s = (double)f->result.samples / f->info.sampling_rate_hz;
    const struct row_shape *shape = &f->maker.shape;
    if (f->o->json) {
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "output", f->o->output);
        json_put_integer(json, "n_trs", f->shape.dims[0]);
        json_put_integer(json, "n_codebooks", shape->row_codebooks);
        json_put_integer(json, "frames_per_tr", shape->grid.frames_per_tr);
        json_put_speed(json, audio_s, f->result.seconds_wall);
        json_print(json);
        return;
    }
    report_note(f->o, "%s: %lld TRs x %d codebooks x %lld frames, %.2f s of sound in %.2f s", f->o->output,
                (long long)f->shape.dims[0], shape->row_codebooks, (long long)shape->grid.frames_per_tr, audio_s,
                f->result.seconds_wall);
}

static int run(const struct options *o) {
    if (o->layout == LAYOUT_GIBLET && o->alignment == ECDC_ALIGN_EXACT)
        return report_usage("features: --layout giblet has giblet's alignment only; exact rows come as codes or flat");
    if (!output_format(&command_features, o, "npy") || output_is_input(o))
        return EXIT_USAGE;

    struct features_run f = {.o = o};
    ecdc_error err;
    ecdc_status status = prepare(&f, &err);
    if (status == ECDC_OK)
        status = open_outputs(&f, &err);
    if (status == ECDC_OK) {
        ecdc_settings settings = settings_of(o);
        settings.n_codebooks = f.n_codebooks;
        status = encode_stream(o, f.model, &settings, take_frames, &f, &f.result, &err);
    }
    if (status == ECDC_OK)
        status = write_last_rows(&f, &err);
    if (status == ECDC_OK)
        status = npy_finish_header(f.npy, &f.shape, &err);
    if (status == ECDC_OK)
        status = write_description(&f, &err);
    if (status == ECDC_OK)
        status = commit(&f, &err);
    if (status == ECDC_OK)
        report(&f);
    output_discard(f.npy);
    output_discard(f.tsv);
    output_discard(f.json);
    row_maker_free(&f.maker);
    free(f.row);
    free(f.row16);
    ecdc_model_close(f.model);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

const struct command command_features = {
    .name = "features",
    .arguments = "IN -o OUT.npy",
    .summary = "codes on the TR grid, with OUT.tsv and OUT.json beside them",
    .options = "output format overwrite track partial-input model bandwidth codebooks tr max-trs layout alignment partial mode "
               "hrf dtype threads precision cpu json",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
