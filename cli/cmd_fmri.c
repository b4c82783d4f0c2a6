/* ecdc fmri: the voxels that scans share, their series, and the way back to NIfTI. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/paths.h"
#include "base/status.h"
#include "fmri_modes.h"
#include "json_out.h"
#include "media/output.h"

/* Bytes of a file that its first n_trs need, about; 0 where it cannot be opened, which will be said later. */
static double bytes_of(const char *path, int64_t n_trs) {
    struct stat s;
    ecdc_nifti *nifti;
    if (stat(path, &s) != 0 || ecdc_nifti_open(path, &nifti, NULL) != ECDC_OK)
        return 0;
    ecdc_nifti_info info;
    ecdc_nifti_get_info(nifti, &info);
    ecdc_nifti_close(nifti);
    return n_trs == 0 || n_trs > info.n_trs ? (double)s.st_size : (double)s.st_size * (double)n_trs / (double)info.n_trs;
}

static void show(void *context, double share) {
    struct scan_work *w = context;
    progress_show(&w->progress, share * w->n_bytes);
}

ecdc_scan_settings scan_work_start(struct scan_work *w, const struct options *o, const char *what, char *const *paths, int n_paths,
                                   int64_t n_trs) {
    ecdc_scan_settings settings = ecdc_default_scan_settings();
    w->n_bytes = 0;
    progress_start_bytes(&w->progress, o, what, 0, 0);
    for (int i = 0; w->progress.on && i < n_paths; i++)
        w->n_bytes += bytes_of(paths[i], n_trs);
    w->progress.total = w->n_bytes;
    settings.n_threads = o->threads;
    settings.progress = w->progress.on ? show : NULL;
    settings.stop = stop_on_signal;
    settings.context = w;
    return settings;
}

ecdc_status scan_work_end(struct scan_work *w, ecdc_status status, ecdc_error *err) {
    progress_end(&w->progress);
    return status == ECDC_E_STOPPED ? fail_interrupted(err) : status;
}

static void describe_votes(char *const *paths, const ecdc_mask_vote *votes, int n, cJSON *json) {
    cJSON *subjects = json_put_list(json, "subjects");
    for (int i = 0; i < n; i++) {
        cJSON *subject = cJSON_CreateObject();
        json_put_string(subject, "path", paths[i]);
        json_put_integer(subject, "n_trs", votes[i].n_trs);
        json_put_number(subject, "threshold", votes[i].threshold);
        json_put_integer(subject, "n_voxels", votes[i].n_voxels);
        json_put_integer(subject, "n_constant", votes[i].n_constant);
        json_put_integer(subject, "n_not_finite", votes[i].n_not_finite);
        json_append(subjects, subject);
    }
}

static ecdc_status report_mask(const struct options *o, const ecdc_mask *mask, char *const *paths, const ecdc_mask_vote *votes, int n,
                               double seconds, ecdc_error *err) {
    for (int i = 0; i < n; i++)
        if (votes[i].n_not_finite > 0)
            report_note(o, "%s: %" PRId64 " voxels have numbers that are not finite (NaN or infinite): they have no vote", paths[i],
                        votes[i].n_not_finite);
    if (!o->json) {
        report_note(o, "%s: %" PRId64 " voxels, shared by %d of %d scans or more, in %.2f s", o->output, ecdc_mask_voxels(mask),
                    (n + 1) / 2, n, seconds);
        return ECDC_OK;
    }
    cJSON *json = cJSON_CreateObject();
    json_put_string(json, "output", o->output);
    json_put_integer(json, "n_voxels", ecdc_mask_voxels(mask));
    json_put_integer(json, "n_subjects", n);
    json_put_integer(json, "n_subjects_needed", (n + 1) / 2);
    describe_votes(paths, votes, n, json);
    json_put_number(json, "seconds_wall", seconds);
    json_put_number(json, "peak_rss_mb", peak_rss_mb());
    return json_print(json, err);
}

static int make_mask(const struct options *o) {
    char *const *paths = o->words + 1;
    int n = o->n_arguments - 1;
    ecdc_error err;
    ecdc_mask *mask = NULL;
    ecdc_mask_vote *votes = ecdc_alloc_zeros((size_t)n, sizeof *votes);
    double start_s = now_s();
    ecdc_status status = ECDC_OK;
    if (!votes)
        status = ecdc_fail_memory(&err, "votes");
    else if (file_is_regular(o->output)) { /* what is wrong with it is said before the work, not after it */
        struct output *probe = NULL;
        status = output_open(o->output, o->overwrite, false, &probe, &err);
        output_discard(probe);
    }
    if (status == ECDC_OK) {
        struct scan_work work;
        ecdc_scan_settings settings = scan_work_start(&work, o, "mask", paths, n, ecdc_default_scan_settings().mask_trs);
        status = ecdc_mask_share((const char *const *)paths, (size_t)n, &settings, &mask, votes, &err);
        status = scan_work_end(&work, status, &err);
    }
    if (status == ECDC_OK)
        status = ecdc_mask_save(mask, o->output, o->overwrite, &err);
    if (status == ECDC_OK)
        status = report_mask(o, mask, paths, votes, n, now_s() - start_s, &err);
    ecdc_mask_free(mask);
    free(votes);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

static int run(const struct options *o) {
    const char *what = o->words[0];
    bool mask = !strcmp(what, "mask"), extract = !strcmp(what, "extract"), restore = !strcmp(what, "restore");
    if ((!mask && !extract && !restore) || o->n_arguments < 2 || (!mask && o->n_arguments > 2))
        return report_usage("usage: ecdc fmri mask SCAN ... -o MASK.nii.gz | extract SCAN --mask FILE -o OUT.npy | "
                            "restore SERIES.npy --mask FILE -o OUT.nii.gz");
    if (!extract && strcmp(o->output, "-") != 0 && !path_ends_with(o->output, ".nii") && !path_ends_with(o->output, ".nii.gz"))
        return report_usage("fmri %s: -o %s: a name that ends in .nii or .nii.gz is needed", what, o->output);
    if (!mask && !o->mask)
        return report_usage("fmri %s: --mask FILE is missing", what);
    const struct {
        bool given, meant;
        const char *name;
    } about[] = {{o->mask != NULL, !mask, "--mask"}, {o->zscore, extract, "--zscore"}, {o->max_trs != -1, extract, "--max-trs"},
                 {o->tr_given, restore, "--tr"}};
    for (size_t i = 0; i < sizeof about / sizeof *about; i++)
        if (about[i].given && !about[i].meant)
            return report_usage("fmri: %s means nothing with %s", about[i].name, what);
    if (output_is_one_of(o->output, (const char *const *)o->words + 1, (size_t)o->n_arguments - 1) ||
        output_is_one_of(o->output, &o->mask, 1))
        return EXIT_USAGE;
    return mask ? make_mask(o) : extract ? fmri_extract(o) : fmri_restore(o);
}

const struct command command_fmri = {
    .name = "fmri",
    .arguments = "mask SCAN ... | extract SCAN | restore SERIES.npy",
    .summary = "the voxels that scans share, their series, and back into NIfTI",
    .details = "mask: the voxels that scans (.nii, .nii.gz) share, by giblet's rule.\n"
               "\n"
               "extract: their series, (n_trs, n_voxels) as OUT.npy, with OUT_coordinates.npy and OUT.json beside it.\n"
               "\n"
               "restore: a series, or one map (n_voxels,), as NIfTI in the space of the mask.",
    .options = "output overwrite mask zscore tr max-trs threads json",
    .min_arguments = 1,
    .max_arguments = 100000,
    .run = run,
};
