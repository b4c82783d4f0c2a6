/* What the headers of scans and their sidecars say, held against each other and against what was asked for. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/paths.h"
#include "base/status.h"
#include "study/study.h"

static const double tolerance_s = 1e-4; /* a header's TR is a float, and some are written with four digits */

static ecdc_status check_tr(const char *path, const char *field, double tr_s, const ecdc_tr_grid *grid, ecdc_error *err) {
    if (tr_s == 0 || fabs(tr_s - grid->tr_s) <= tolerance_s)
        return ECDC_OK;
    return ecdc_fail(err, ECDC_E_FORMAT, "%s: %s is %.6g s, but the TR asked for is %.6g s (--tr)", path, field, tr_s, grid->tr_s);
}

static ecdc_status read_repetition_time(const char *path, double *tr_s, ecdc_error *err) {
    cJSON *json = NULL;
    ecdc_status status = json_read_object(path, &json, err);
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(json, "RepetitionTime");
    if (status == ECDC_OK && value && (!cJSON_IsNumber(value) || !(value->valuedouble > 0 && value->valuedouble <= 3600))) {
        char shown[32];
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: RepetitionTime is %s, not a number of seconds", path,
                           json_describe(value, shown, sizeof shown));
    }
    *tr_s = status == ECDC_OK && value ? value->valuedouble : 0;
    cJSON_Delete(json);
    return status;
}

/* The sidecar of a scan: of the same name, or BIDS' one for all scans of a task; NULL where there is none (or no memory). */
static char *find_sidecar(const char *data, const char *scan) {
    char *beside = path_replace(scan, path_ends_with(scan, ".gz") ? ".nii.gz" : ".nii", ".json");
    if (!beside || access(beside, F_OK) == 0)
        return beside;
    free(beside);
    const char *task = strstr(strrchr(scan, '/'), "_task-");
    if (!task)
        return NULL;
    task++;
    char *shared = ecdc_strfmt("%s/%.*s_bold.json", data, (int)strcspn(task, "_"), task);
    if (shared && access(shared, F_OK) == 0)
        return shared;
    free(shared);
    return NULL;
}

static ecdc_status read_sidecar(const char *data, struct study_subject *subject, const ecdc_tr_grid *grid, ecdc_error *err) {
    char *path = find_sidecar(data, subject->scan);
    if (!path)
        return ECDC_OK;
    double tr_s = 0;
    ecdc_status status = read_repetition_time(path, &tr_s, err);
    if (status == ECDC_OK)
        status = check_tr(path, "RepetitionTime", tr_s, grid, err);
    if (status == ECDC_OK && tr_s > 0)
        subject->tr_s = tr_s;
    free(path);
    return status;
}

static ecdc_status check_shape(const ecdc_nifti_info *info, const ecdc_nifti_space *first, const char *first_path, ecdc_error *err) {
    const ecdc_nifti_space *s = &info->space;
    if (info->n_dims != 4)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: is a single volume, a scan over time is needed", info->path);
    if (s->x == first->x && s->y == first->y && s->z == first->z)
        return ECDC_OK; /* affines are compared where the mask is made */
    return ecdc_fail(err, ECDC_E_FORMAT, "%s: has the shape (%lld, %lld, %lld), but %s has (%lld, %lld, %lld): the subjects must be in "
                     "one space", info->path, (long long)s->x, (long long)s->y, (long long)s->z, first_path, (long long)first->x,
                     (long long)first->y, (long long)first->z);
}

ecdc_status read_scan_facts(const char *data, struct study_subjects *subjects, const ecdc_tr_grid *grid, ecdc_error *err) {
    ecdc_nifti_space first = {0};
    for (size_t i = 0; i < subjects->n; i++) {
        struct study_subject *subject = &subjects->items[i];
        ecdc_nifti *nifti;
        ecdc_nifti_info info;
        ecdc_status status = ecdc_nifti_open(subject->scan, &nifti, err);
        if (status != ECDC_OK)
            return status;
        ecdc_nifti_get_info(nifti, &info);
        subject->n_trs = info.n_trs;
        subject->tr_s = info.tr_s;
        if (i == 0)
            first = info.space;
        status = check_shape(&info, &first, subjects->items[0].scan, err);
        if (status == ECDC_OK)
            status = check_tr(subject->scan, "the TR in its header", info.tr_s, grid, err);
        ecdc_nifti_close(nifti);
        if (status == ECDC_OK)
            status = read_sidecar(data, subject, grid, err);
        if (status != ECDC_OK)
            return status;
    }
    return ECDC_OK;
}
