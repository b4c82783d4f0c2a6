#include "features/file_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json_put.h"
#include "base/memory.h"
#include "base/paths.h"
#include "base/sha256.h"
#include "base/status.h"
#include "features/names.h"
#include "media/output_json.h"

static ecdc_status open_beside(const struct features_job *job, const char *extension, struct output **out, ecdc_error *err) {
    char *path = path_replace(job->output, ".npy", extension);
    ecdc_status status = path ? output_open(path, job->s.overwrite, false, out, err) : ecdc_fail_memory(err, "a path");
    free(path);
    return status;
}

ecdc_status features_out_open(struct features_out *f, const struct features_job *job, const struct npy_shape *shape, ecdc_error *err) {
    *f = (struct features_out){.job = job, .shape = *shape};
    ecdc_status status = output_open(job->output, job->s.overwrite, true, &f->npy, err);
    if (status == ECDC_OK && !output_is_pipe(f->npy))
        status = open_beside(job, ".tsv", &f->tsv, err);
    if (status == ECDC_OK && !output_is_pipe(f->npy))
        status = open_beside(job, ".json", &f->json, err);
    if (status == ECDC_OK)
        status = npy_write_header(f->npy, &f->shape, err);
    static const char head[] = "tr_index\tstart_time\tend_time\tn_frames\tn_codebooks\tencoding_mode\n";
    if (status == ECDC_OK && f->tsv)
        status = output_write(f->tsv, head, sizeof head - 1, err);
    return status;
}

void features_out_discard(struct features_out *f) {
    output_discard(f->npy);
    output_discard(f->tsv);
    output_discard(f->json);
}

ecdc_status features_out_row(struct features_out *f, const void *row, size_t n_bytes, ecdc_error *err) {
    f->shape.dims[0]++;
    return output_write(f->npy, row, n_bytes, err);
}

ecdc_status features_out_times(struct features_out *f, int64_t tr, double start_s, double end_s, int64_t n_frames,
                               int n_codebooks, ecdc_error *err) {
    if (!f->tsv)
        return ECDC_OK;
    char start_text[40], end_text[40], line[256];
    number_text(start_s, start_text, sizeof start_text);
    number_text(end_s, end_text, sizeof end_text);
    int n = snprintf(line, sizeof line, "%" PRId64 "\t%s\t%s\t%" PRId64 "\t%d\t%s\n", tr, start_text, end_text, n_frames,
                     n_codebooks, f->job->s.mode == ECDC_MODE_MEL ? "mel_spectrogram" : mode_name(f->job->s.mode));
    return output_write(f->tsv, line, (size_t)n, err);
}

static void describe_input(const char *path, const struct encoded *result, cJSON *json) {
    cJSON *input = json_put_object(json, "input");
    struct stat s;
    json_put_string(input, "path", path);
    if (stat(path, &s) == 0) {
        json_put_integer(input, "size", s.st_size);
        json_put_integer(input, "mtime", s.st_mtime);
    }
    const ecdc_reader_info *r = &result->input;
    json_put_integer(input, "track", r->track);
    json_put_bool(input, "partial", *result->broken_off != 0);
    if (*result->broken_off)
        json_put_string(input, "broken_off", result->broken_off);
    json_put_number(input, "audio_start", r->audio_start_s);
    cJSON *gaps = json_put_object(input, "gaps");
    json_put_integer(gaps, "count", r->n_gaps);
    json_put_number(gaps, "seconds", r->gap_s);
    cJSON *overlaps = json_put_object(input, "overlaps");
    json_put_integer(overlaps, "count", r->n_overlaps);
    json_put_number(overlaps, "seconds", r->overlap_s);
}

cJSON *features_out_describe(const struct features_out *f, const ecdc_tr_grid *grid, const struct encoded *input) {
    cJSON *json = cJSON_CreateObject();
    json_put_string(json, "version", ecdc_version());
    describe_input(f->job->in.path, input, json);
    json_put_string(json, "mode", mode_name(f->job->s.mode));
    json_put_string(json, "alignment", alignment_name(grid->alignment));
    json_put_number(json, "tr", grid->tr_s);
    char fraction[48];
    snprintf(fraction, sizeof fraction, "%" PRId64 "/%" PRId64, grid->tr_num, grid->tr_den);
    json_put_string(json, "tr_fraction", fraction);
    json_put_integer(json, "n_trs", f->shape.dims[0]);
    json_put_integer(json, "sampling_rate", input->sampling_rate_hz);
    json_put_string(json, "hrf", hrf_name(f->job->s.hrf));
    json_put_integer(json, "samples", input->samples);
    json_put_bool(json, "partial", f->job->s.partial);
    json_put_string(json, "dtype", npy_dtype_name(f->shape.dtype));
    if (f->job->key)
        json_put_item(json, "key", cJSON_Duplicate(f->job->key, true));
    return json;
}

static ecdc_status write_description(struct features_out *f, cJSON *json, ecdc_error *err) {
    char sha256[SHA256_TEXT];
    ecdc_status status = output_sha256(f->npy, sha256, err);
    if (status != ECDC_OK)
        return status;
    cJSON *npy = json_put_object(json, "npy");
    json_put_integer(npy, "bytes", (int64_t)output_size(f->npy));
    json_put_string(npy, "sha256", sha256);
    return output_write_json(f->json, json, err);
}

ecdc_status features_out_finish(struct features_out *f, cJSON *description, ecdc_error *err) {
    ecdc_status status = npy_finish_header(f->npy, &f->shape, err);
    if (status == ECDC_OK && f->json)
        status = write_description(f, description, err);
    cJSON_Delete(description);
    /* The array comes last: whoever sees it finds its description in place. */
    struct output **const order[] = {&f->tsv, &f->json, &f->npy};
    return status == ECDC_OK ? output_commit_all(order, 3, err) : status;
}
