/* ecdc fmri extract: OUT.npy with a row per TR, OUT_coordinates.npy, OUT.json. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/paths.h"
#include "base/status.h"
#include "cli.h"
#include "fmri_modes.h"
#include "json_out.h"
#include "media/npy.h"
#include "media/output_json.h"

enum { ROW_BLOCK = 1 << 18 }; /* bytes that are written at once */

struct extract {
    const struct options *o;
    ecdc_nifti *nifti;
    ecdc_mask *mask;
    ecdc_nifti_info info;
    float *series;
    size_t n_voxels;
    ecdc_extraction report;
    struct output *npy, *coordinates, *json; /* the last two not on a pipe */
    double start_s;
};

static ecdc_status open_outputs(struct extract *e, ecdc_error *err) {
    const struct options *o = e->o;
    char *coordinates = path_replace(o->output, ".npy", "_coordinates.npy"), *json = path_replace(o->output, ".npy", ".json");
    ecdc_status status = coordinates && json ? output_open(o->output, o->overwrite, false, &e->npy, err) : ecdc_fail_memory(err, "a path");
    bool pipe = status == ECDC_OK && output_is_pipe(e->npy);
    if (status == ECDC_OK && !pipe)
        status = output_open(coordinates, o->overwrite, false, &e->coordinates, err);
    if (status == ECDC_OK && !pipe)
        status = output_open(json, o->overwrite, false, &e->json, err);
    free(coordinates);
    free(json);
    return status;
}

static ecdc_status read_series(struct extract *e, ecdc_error *err) {
    const struct options *o = e->o;
    ecdc_status status = ecdc_mask_open(o->mask, &e->mask, err);
    if (status == ECDC_OK)
        status = ecdc_nifti_open(o->words[1], &e->nifti, err);
    if (status != ECDC_OK)
        return status;
    ecdc_nifti_get_info(e->nifti, &e->info);
    e->n_voxels = (size_t)ecdc_mask_voxels(e->mask);
    int64_t n_trs = o->max_trs > 0 && o->max_trs < e->info.n_trs ? o->max_trs : e->info.n_trs;
    size_t n;
    if (!ecdc_mul_size((size_t)n_trs, e->n_voxels, &n) || !(e->series = ecdc_alloc_array(n, sizeof *e->series)))
        return ecdc_fail_memory(err, "a series");
    struct scan_work work;
    ecdc_scan_settings settings = scan_work_start(&work, o, "extract", o->words + 1, 1, n_trs);
    settings.n_trs = o->max_trs > 0 ? o->max_trs : 0;
    settings.zscore = o->zscore;
    status = ecdc_nifti_extract(e->nifti, e->mask, &settings, e->series, &e->report, err);
    return scan_work_end(&work, status, err);
}

static ecdc_status write_array(struct output *output, const struct npy_shape *shape, const void *items, ecdc_error *err) {
    const char *bytes = items;
    size_t left = (size_t)shape->dims[0] * (size_t)shape->dims[1] * npy_dtype_size(shape->dtype);
    ecdc_status status = npy_write_header(output, shape, err);
    while (status == ECDC_OK && left > 0) {
        size_t n = left < ROW_BLOCK ? left : ROW_BLOCK;
        status = interrupted() ? fail_interrupted(err) : output_write(output, bytes, n, err);
        bytes += n;
        left -= n;
    }
    return status;
}

static ecdc_status write_coordinates(struct extract *e, ecdc_error *err) {
    int64_t *coordinates = ecdc_alloc_array(e->n_voxels, 3 * sizeof *coordinates);
    if (!coordinates)
        return ecdc_fail_memory(err, "coordinates");
    ecdc_mask_coordinates(e->mask, coordinates);
    const struct npy_shape shape = {.dtype = NPY_I64, .n_dims = 2, .dims = {(int64_t)e->n_voxels, 3}};
    ecdc_status status = write_array(e->coordinates, &shape, coordinates, err);
    free(coordinates);
    return status;
}

static void describe_series(const struct extract *e, cJSON *json) {
    const ecdc_nifti_info *info = &e->info;
    json_put_integer(json, "n_trs", e->report.n_trs);
    json_put_integer(json, "n_voxels", (int64_t)e->n_voxels);
    json_put_number(json, "tr", info->tr_s);
    json_put_bool(json, "zscore", e->o->zscore);
    json_put_integer(json, "n_constant", e->report.n_constant);
    json_put_integer(json, "n_not_finite", e->report.n_not_finite);
    json_put_integer(json, "n_voxels_not_finite", e->report.n_voxels_not_finite);
}

static void describe_input(const struct extract *e, cJSON *json) {
    const ecdc_nifti_info *info = &e->info;
    const ecdc_nifti_space *space = &info->space;
    cJSON *input = json_put_object(json, "input");
    struct stat s;
    json_put_string(input, "path", info->path);
    if (stat(info->path, &s) == 0) {
        json_put_integer(input, "size", s.st_size);
        json_put_integer(input, "mtime", s.st_mtime);
    }
    json_put_string(input, "dtype", info->type_name);
    json_put_integer(input, "n_trs", info->n_trs);
    json_put_string(json, "mask", e->o->mask);
    const double shape[] = {(double)space->x, (double)space->y, (double)space->z};
    json_put_item(json, "shape", cJSON_CreateDoubleArray(shape, 3));
    cJSON *affine = json_put_list(json, "affine");
    for (int row = 0; row < 4; row++)
        json_append(affine, cJSON_CreateDoubleArray(space->affine + 4 * row, 4));
}

static ecdc_status write_description(struct extract *e, ecdc_error *err) {
    cJSON *json = cJSON_CreateObject();
    json_put_string(json, "version", ecdc_version());
    json_put_string(json, "mode", "fmri");
    describe_input(e, json);
    describe_series(e, json);
    cJSON *npy = json_put_object(json, "npy"); /* no SHA-256: it would cost a tenth of the whole work */
    json_put_integer(npy, "bytes", (int64_t)output_size(e->npy));
    ecdc_status status = output_write_json(e->json, json, err);
    cJSON_Delete(json);
    return status;
}

static ecdc_status extract(struct extract *e, ecdc_error *err) {
    ecdc_status status = open_outputs(e, err);
    if (status == ECDC_OK)
        status = read_series(e, err);
    const struct npy_shape shape = {.dtype = NPY_F32, .n_dims = 2, .dims = {e->report.n_trs, (int64_t)e->n_voxels}};
    if (status == ECDC_OK)
        status = write_array(e->npy, &shape, e->series, err);
    if (status == ECDC_OK && e->coordinates)
        status = write_coordinates(e, err);
    if (status == ECDC_OK && e->json)
        status = write_description(e, err);
    /* The array comes last: whoever sees it finds what belongs to it in place. */
    struct output **const order[] = {&e->coordinates, &e->json, &e->npy};
    return status == ECDC_OK ? output_commit_all(order, 3, err) : status;
}

static ecdc_status report(const struct extract *e, ecdc_error *err) {
    const struct options *o = e->o;
    double seconds = now_s() - e->start_s;
    if (e->report.n_not_finite > 0)
        report_note(o, "%s: %" PRId64 " number%s in %" PRId64 " voxel%s %s not finite (NaN or infinite); the mean of the voxel stands "
                    "instead", e->info.path, e->report.n_not_finite, plural(e->report.n_not_finite), e->report.n_voxels_not_finite,
                    plural(e->report.n_voxels_not_finite), e->report.n_not_finite == 1 ? "is" : "are");
    if (e->report.n_constant > 0)
        report_note(o, "%s: %" PRId64 " of %zu voxels are constant%s", e->info.path, e->report.n_constant, e->n_voxels,
                    o->zscore ? "; their z-scores are 0" : "");
    if (!o->json) {
        report_note(o, "%s: %" PRId64 " TR%s x %zu voxel%s in %.2f s", o->output, e->report.n_trs, plural(e->report.n_trs), e->n_voxels,
                    plural((int64_t)e->n_voxels), seconds);
        return ECDC_OK;
    }
    cJSON *json = cJSON_CreateObject();
    json_put_string(json, "output", o->output);
    describe_series(e, json);
    json_put_number(json, "seconds_wall", seconds);
    json_put_number(json, "peak_rss_mb", peak_rss_mb());
    return json_print(json, err);
}

int fmri_extract(const struct options *o) {
    struct extract e = {.o = o, .start_s = now_s()};
    ecdc_error err;
    if (!path_ends_with(o->output, ".npy") && strcmp(o->output, "-") != 0)
        return report_usage("fmri extract: -o %s: a name that ends in .npy is needed", o->output);
    ecdc_status status = extract(&e, &err);
    if (status == ECDC_OK)
        status = report(&e, &err);
    output_discard(e.npy);
    output_discard(e.coordinates);
    output_discard(e.json);
    ecdc_nifti_close(e.nifti);
    ecdc_mask_free(e.mask);
    free(e.series);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}
