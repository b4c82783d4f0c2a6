/* ecdc fmri restore: a series, or one map, as NIfTI in the space of the mask. */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/paths.h"
#include "base/status.h"
#include "cli.h"
#include "fmri_modes.h"
#include "json_out.h"
#include "media/npy.h"

enum { FRAME_RATE = 75 /* any: only the TR is of use */ };

struct restore {
    const struct options *o;
    struct npy_reader *npy;
    ecdc_mask *mask;
    ecdc_nifti_writer *writer;
    ecdc_nifti_settings settings;
    float *row;
};

/* The TR of the description beside the series; 0 where there is none. */
static ecdc_status read_tr(const char *path, double *tr_s, ecdc_error *err) {
    char *json_path = path_replace(path, ".npy", ".json");
    cJSON *json = NULL;
    *tr_s = 0;
    ecdc_status status = json_path ? ECDC_OK : ecdc_fail_memory(err, "a path");
    if (status == ECDC_OK && access(json_path, F_OK) == 0) {
        status = json_read_object(json_path, &json, err);
        const cJSON *tr = cJSON_GetObjectItemCaseSensitive(json, "tr");
        if (status == ECDC_OK && (!cJSON_IsNumber(tr) || !(tr->valuedouble >= 0 && tr->valuedouble <= 3600)))
            status = ecdc_fail(err, ECDC_E_FORMAT, "%s: tr is missing or wrong; --tr gives the repetition time", json_path);
        else if (status == ECDC_OK)
            *tr_s = tr->valuedouble;
    }
    cJSON_Delete(json);
    free(json_path);
    return status;
}

static ecdc_status choose_tr(struct restore *r, ecdc_error *err) {
    ecdc_tr_grid grid;
    if (r->settings.n_trs == 0)
        return ECDC_OK;
    if (!r->o->tr_given)
        return read_tr(r->o->words[1], &r->settings.tr_s, err);
    ecdc_status status = ecdc_tr_grid_init(&grid, r->o->tr, FRAME_RATE, ECDC_ALIGN_EXACT, err);
    r->settings.tr_s = status == ECDC_OK ? grid.tr_s : 0;
    return status;
}

static ecdc_status check_shape(struct restore *r, ecdc_error *err) {
    const struct npy_shape *shape = npy_shape_of(r->npy);
    int64_t n_voxels = ecdc_mask_voxels(r->mask);
    const char *path = r->o->words[1];
    if (shape->n_dims < 1 || shape->n_dims > 2)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: has %d dimensions; a series is (n_trs, n_voxels), a map is (n_voxels,)", path,
                         shape->n_dims);
    if (shape->n_dims == 2 && shape->fortran_order)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: is in Fortran order; save it with numpy.ascontiguousarray", path);
    int64_t width = shape->dims[shape->n_dims - 1];
    if (width != n_voxels)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: has %" PRId64 " voxels, the mask %s has %" PRId64, path, width, r->o->mask, n_voxels);
    if (shape->n_dims == 2 && shape->dims[0] < 1)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: has no TR", path);
    r->settings.n_trs = shape->n_dims == 2 ? shape->dims[0] : 0;
    return ECDC_OK;
}

static ecdc_status write_volumes(struct restore *r, ecdc_error *err) {
    size_t n = (size_t)ecdc_mask_voxels(r->mask);
    int64_t n_volumes = r->settings.n_trs ? r->settings.n_trs : 1;
    struct progress progress;
    progress_start(&progress, r->o, "restore", (double)n_volumes * r->settings.tr_s);
    ecdc_status status = ECDC_OK;
    for (int64_t tr = 0; status == ECDC_OK && tr < n_volumes; tr++) {
        status = interrupted() ? fail_interrupted(err) : npy_read_float(r->npy, r->row, n, err);
        if (status == ECDC_OK)
            status = ecdc_nifti_write_masked(r->writer, r->mask, r->row, err);
        progress_show(&progress, (double)(tr + 1) * r->settings.tr_s);
    }
    progress_end(&progress);
    return status == ECDC_OK ? ecdc_nifti_writer_finish(r->writer, err) : status;
}

static ecdc_status restore(struct restore *r, ecdc_error *err) {
    ecdc_status status = ecdc_mask_open(r->o->mask, &r->mask, err);
    if (status == ECDC_OK)
        status = npy_open(r->o->words[1], &r->npy, err);
    if (status == ECDC_OK)
        status = check_shape(r, err);
    if (status == ECDC_OK)
        status = choose_tr(r, err);
    if (status != ECDC_OK)
        return status;
    ecdc_mask_get_space(r->mask, &r->settings.space);
    r->settings.overwrite = r->o->overwrite;
    r->row = ecdc_alloc_array((size_t)ecdc_mask_voxels(r->mask), sizeof *r->row);
    if (!r->row)
        return ecdc_fail_memory(err, "a row");
    status = ecdc_nifti_writer_new(r->o->output, &r->settings, &r->writer, err);
    return status == ECDC_OK ? write_volumes(r, err) : status;
}

static ecdc_status report(const struct restore *r, double seconds, ecdc_error *err) {
    const struct options *o = r->o;
    if (!o->json) {
        report_note(o, "%s: %" PRId64 " volumes in %.2f s", o->output, r->settings.n_trs ? r->settings.n_trs : 1, seconds);
        return ECDC_OK;
    }
    cJSON *json = cJSON_CreateObject();
    json_put_string(json, "output", o->output);
    json_put_integer(json, "n_trs", r->settings.n_trs ? r->settings.n_trs : 1);
    json_put_integer(json, "n_voxels", ecdc_mask_voxels(r->mask));
    json_put_number(json, "tr", r->settings.tr_s);
    json_put_number(json, "seconds_wall", seconds);
    json_put_number(json, "peak_rss_mb", peak_rss_mb());
    return json_print(json, err);
}

int fmri_restore(const struct options *o) {
    struct restore r = {.o = o, .settings = ecdc_default_nifti_settings()};
    ecdc_error err;
    double start_s = now_s();
    ecdc_status status = restore(&r, &err);
    if (status == ECDC_OK)
        status = report(&r, now_s() - start_s, &err);
    npy_close(r.npy);
    ecdc_mask_free(r.mask);
    ecdc_nifti_writer_free(r.writer);
    free(r.row);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}
