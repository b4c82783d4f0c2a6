/* ecdc dataset: a film and its scans on disk, and the caches from which a MultimodalDataset is read. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "cli.h"
#include "input.h"
#include "json_out.h"
#include "model_open.h"

struct dataset_run {
    const struct options *o;
    ecdc_model *model;
    ecdc_study *study;
    ecdc_study_info info;
    struct input_listener listener;
};

/* ---------------------------------------------------------------------------------------------- the study --- */

static ecdc_status open_study(struct dataset_run *r, ecdc_error *err) {
    const struct options *o = r->o;
    ecdc_study_settings s = ecdc_default_study_settings();
    s.cache = o->cache;
    s.film = o->film;
    s.subjects = o->subjects;
    s.scans = o->scans;
    s.tr = o->tr;
    s.max_trs = o->max_trs > 0 ? o->max_trs : 0;
    s.mode = o->mode;
    s.bandwidth_kbps = o->bandwidth_kbps;
    s.n_codebooks = o->codebooks;
    s.hrf = o->hrf_given ? o->hrf : o->mode == ECDC_MODE_ENCODEC ? ECDC_HRF_GIBLET : ECDC_HRF_CAUSAL;
    s.zscore = !o->no_zscore;
    s.n_threads = o->threads;
    s.cpu = o->cpu;
    s.precision = o->precision;
    input_listener_init(&r->listener, o);
    r->listener.share = true;
    s.listener = r->listener.listener;
    ecdc_status status = o->mode == ECDC_MODE_MEL ? ECDC_OK : model_open(o, o->model, &r->model, err);
    if (status == ECDC_OK)
        status = ecdc_study_open(o->arguments[1], &s, r->model, &r->study, err);
    if (status == ECDC_OK)
        ecdc_study_get_info(r->study, &r->info);
    return status;
}

static cJSON *describe(const struct dataset_run *r) {
    cJSON *json = cJSON_CreateObject();
    json_put_string(json, "data", r->info.data);
    json_put_string(json, "cache", r->info.cache);
    json_put_string(json, "layout", r->info.layout);
    json_put_string(json, "film", r->info.film);
    json_put_number(json, "tr", r->info.tr_s);
    json_put_integer(json, "n_subjects", r->info.n_subjects);
    return json;
}

/* ------------------------------------------------------------------------------------------- its parts --- */

/* Part 0 is the film, part 1 the mask, from 2 on the subjects. */
static ecdc_status look(const struct dataset_run *r, int64_t i, ecdc_part_info *part, char *name, size_t size, ecdc_error *err) {
    ecdc_study_subject subject;
    if (i < 2) {
        snprintf(name, size, "%s", i == 0 ? "film" : "mask");
        return ecdc_study_look(r->study, i == 0 ? ECDC_PART_FILM : ECDC_PART_MASK, 0, part, err);
    }
    ecdc_status status = ecdc_study_get_subject(r->study, i - 2, &subject, err);
    if (status != ECDC_OK)
        return status;
    snprintf(name, size, "sub-%s", subject.label);
    return ecdc_study_look(r->study, ECDC_PART_SCAN, i - 2, part, err);
}

static const char *state_name(ecdc_part_state state) {
    static const char *const names[] = {"fresh", "missing", "stale", "damaged"};
    return names[state];
}

static cJSON *describe_part(const char *name, const ecdc_part_info *part) {
    cJSON *json = cJSON_CreateObject();
    json_put_string(json, "name", name);
    json_put_string(json, "state", state_name(part->state));
    json_put_string(json, "path", part->path);
    if (part->state != ECDC_PART_FRESH)
        json_put_string(json, "why", part->why);
    if (part->n_trs)
        json_put_integer(json, "n_trs", part->n_trs);
    if (part->n_voxels)
        json_put_integer(json, "n_voxels", part->n_voxels);
    return json;
}

static ecdc_status describe_parts(const struct dataset_run *r, cJSON *json, ecdc_error *err) {
    cJSON *parts = json_put_list(json, "parts");
    ecdc_status status = ECDC_OK;
    for (int64_t i = 0; status == ECDC_OK && i < r->info.n_subjects + 2; i++) {
        ecdc_part_info part;
        char name[96];
        status = look(r, i, &part, name, sizeof name, err);
        if (status == ECDC_OK)
            json_append(parts, describe_part(name, &part));
    }
    return status;
}

/* ---------------------------------------------------------------------------------------------- commands --- */

static ecdc_status build(struct dataset_run *r, bool *good, ecdc_error *err) {
    double start_s = now_s();
    int n_made = 0;
    ecdc_status status = ecdc_study_build(r->study, ECDC_BUILD_FILM | ECDC_BUILD_SCANS, &n_made, err);
    input_listener_end(&r->listener);
    if (status == ECDC_E_STOPPED)
        return ecdc_fail(err, status, "interrupted; what is complete stays in %s, and the next build goes on from there", r->info.cache);
    if (status != ECDC_OK)
        return status;
    *good = true;
    if (!r->o->json) {
        report_note(r->o, "%s: %d of %" PRId64 " files made in %.1f s", r->info.cache, n_made,
                    r->info.n_subjects + 2, now_s() - start_s);
        return ECDC_OK;
    }
    cJSON *json = describe(r);
    json_put_integer(json, "n_made", n_made);
    json_put_number(json, "seconds_wall", now_s() - start_s);
    json_put_number(json, "peak_rss_mb", peak_rss_mb());
    status = describe_parts(r, json, err);
    if (status == ECDC_OK)
        return json_print(json, err);
    cJSON_Delete(json);
    return status;
}

/* A limit beyond what there is would else pass for one that was kept. */
static ecdc_status note_limit(const struct dataset_run *r, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (int64_t i = 0; r->o->max_trs > 0 && status == ECDC_OK && i < r->info.n_subjects; i++) {
        ecdc_study_subject subject;
        status = ecdc_study_get_subject(r->study, i, &subject, err);
        if (status == ECDC_OK && subject.n_trs < r->o->max_trs)
            report_note(r->o, "%s: %" PRId64 " TR%s, fewer than --max-trs %" PRId64 ": all are taken", subject.scan, subject.n_trs,
                        plural(subject.n_trs), r->o->max_trs);
    }
    return status;
}

/* One line per part, and whether the scans reach to the film's end. */
struct findings {
    cJSON *parts, *steps;
    bool good;
    int64_t film_trs;
};

static ecdc_status check_part(const struct dataset_run *r, int64_t i, struct findings *f, ecdc_error *err) {
    ecdc_part_info part;
    char name[96];
    ecdc_status status = look(r, i, &part, name, sizeof name, err);
    if (status != ECDC_OK)
        return status;
    f->good = f->good && part.state == ECDC_PART_FRESH;
    if (i == 0)
        f->film_trs = part.state == ECDC_PART_FRESH ? part.n_trs : r->info.film_trs_hint;
    json_append(f->parts, describe_part(name, &part));
    if (!r->o->json)
        printf("%-12s %-8s %s\n", name, state_name(part.state), part.state == ECDC_PART_FRESH ? part.path : part.why);
    return ECDC_OK;
}

static ecdc_status check_step(const struct dataset_run *r, int64_t i, struct findings *f, ecdc_error *err) {
    ecdc_study_subject subject;
    ecdc_status status = ecdc_study_get_subject(r->study, i, &subject, err);
    int64_t most = r->o->max_trs, film_trs = most > 0 && most < f->film_trs ? most : f->film_trs;
    int64_t scan_trs = status == ECDC_OK && most > 0 && most < subject.n_trs ? most : subject.n_trs;
    if (status != ECDC_OK || film_trs == 0 || scan_trs == film_trs)
        return status;
    bool shorter = scan_trs < film_trs;
    f->good = f->good && !shorter;
    cJSON *step = cJSON_CreateObject();
    json_put_string(step, "subject", subject.label);
    json_put_integer(step, "scan_trs", scan_trs);
    json_put_integer(step, "film_trs", film_trs);
    json_append(f->steps, step);
    if (!r->o->json)
        printf("sub-%-8s %-8s %s: %" PRId64 " TR%s, the film has %" PRId64 ": %s\n", subject.label, shorter ? "short" : "longer",
               subject.scan, scan_trs, plural(scan_trs), film_trs,
               shorter ? "the film's end was not scanned" : "what is behind the film is not used");
    return ECDC_OK;
}

static ecdc_status check(struct dataset_run *r, bool *good, ecdc_error *err) {
    cJSON *json = describe(r);
    struct findings f = {.parts = json_put_list(json, "parts"), .steps = json_put_list(json, "out_of_step"), .good = true};
    ecdc_status status = ECDC_OK;
    for (int64_t i = 0; status == ECDC_OK && i < r->info.n_subjects + 2; i++)
        status = check_part(r, i, &f, err);
    for (int64_t i = 0; status == ECDC_OK && i < r->info.n_subjects; i++)
        status = check_step(r, i, &f, err);
    *good = f.good;
    if (status == ECDC_OK && r->o->json) {
        json_put_bool(json, "good", f.good);
        return json_print(json, err);
    }
    cJSON_Delete(json);
    return status;
}

static int run(const struct options *o) {
    bool builds = !strcmp(o->arguments[0], "build"), good = false;
    if (!builds && strcmp(o->arguments[0], "check") != 0)
        return report_usage("usage: ecdc dataset [OPTION ...] build DATA | check DATA");
    if (o->mode == ECDC_MODE_ENCODEC && o->hrf == ECDC_HRF_CAUSAL)
        return report_usage("dataset: --hrf causal has no meaning for codes, which are labels; use --mode latent or mel");
    if (o->mode != ECDC_MODE_ENCODEC && o->hrf == ECDC_HRF_GIBLET_DOC)
        return report_usage("dataset: --hrf giblet-doc rounds to codes; --mode latent and mel have --hrf causal or giblet");
    char option[32];
    if (o->mode == ECDC_MODE_MEL && option_given(o, OPTIONS_OF_CODES, option))
        return report_usage("dataset: %s means nothing with --mode mel", option);
    struct dataset_run r = {.o = o};
    ecdc_error err;
    ecdc_status status = open_study(&r, &err);
    if (status == ECDC_OK)
        status = note_limit(&r, &err);
    if (status == ECDC_OK)
        status = (builds ? build : check)(&r, &good, &err);
    input_listener_end(&r.listener);
    ecdc_study_close(r.study);
    ecdc_model_close(r.model);
    return status != ECDC_OK ? report_error(&err) : good ? EXIT_DONE : EXIT_FAILED;
}

const struct command command_dataset = {
    .name = "dataset",
    .arguments = "build DATA | check DATA",
    .summary = "all that MultimodalDataset reads of a study, from its film and scans",
    .details = "build: the film's features, the mask that the subjects share, each one's series; goes on from where it was\n"
               "stopped. Scans are DATA/sherlock_nii/sherlock_movie_s*.nii.gz or BIDS derivatives,\n"
               "DATA/sub-*/func/*_bold.nii.gz.\n"
               "\n"
               "check: what is missing, stale, damaged or out of step; exit status 0 where nothing is.",
    .options = "out film subjects scans model bandwidth codebooks tr max-trs mode hrf no-zscore threads precision cpu json",
    .min_arguments = 2,
    .max_arguments = 2,
    .run = run,
};
