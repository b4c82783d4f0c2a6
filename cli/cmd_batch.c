/* ecdc batch: many files into one directory, some at the same time, with one model in memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "batch.h"
#include "encode_file.h"
#include "features_file.h"
#include "json_out.h"

static const char own_options[] = "output jobs shard";

/* What is to be done, from the second argument. */
static int choose_task(struct batch *b) {
    const struct options *o = b->o;
    const char *word = o->n_arguments > 1 ? o->arguments[1] : "features";
    if (!strcmp(word, "features"))
        b->task = &command_features;
    else if (!strcmp(word, "encode"))
        b->task = &command_encode;
    else
        return report_usage("batch: %s: files become features (the default) or encode makes codes of them", word);
    const char *option = option_outside(o, b->task->options, own_options);
    if (option)
        return report_usage("batch: %s takes no --%s", word, option);
    bool encode = b->task == &command_encode;
    b->format = o->format ? o->format : encode ? "ecdc" : "npy";
    const char *allowed = encode ? "ecdc npy npz" : "npy";
    if (!strstr(allowed, b->format))
        return report_usage("batch: --format %s: %s makes %s", b->format, word, encode ? "ecdc, npy or npz" : "npy");
    if (!strcmp(o->output, "-"))
        return report_usage("batch: -o names a directory, not standard output");
    if (!*o->output) /* a shell's variable that is not set; the outputs would go to / */
        return report_usage("batch: -o names a directory, not nothing");
    if (o->overwrite && o->n_shards > 1)
        return report_usage("batch: -f starts all over, which a shard cannot do for the others; remove %s instead", o->output);
    return encode ? EXIT_DONE : features_usage(o);
}

static ecdc_status report(const struct batch *b, const struct batch_sum *sum, const char *table, ecdc_error *err) {
    const struct options *o = b->o;
    if (!o->json) {
        char speed[96] = "";
        if (sum->n_done && sum->seconds_wall > 0)
            snprintf(speed, sizeof speed, " %.2f s of sound in %.2f s, %.0f x realtime;", sum->seconds_audio, sum->seconds_wall,
                     sum->seconds_audio / sum->seconds_wall);
        report_note(o, "%s: %zu done, %zu kept, %zu failed;%s %s", o->output, sum->n_done, sum->n_kept, sum->n_failed, speed, table);
        return ECDC_OK;
    }
    cJSON *json = cJSON_CreateObject();
    json_put_string(json, "output", o->output);
    json_put_string(json, "table", table);
    json_put_integer(json, "files", (int64_t)b->n);
    json_put_integer(json, "done", (int64_t)sum->n_done);
    json_put_integer(json, "kept", (int64_t)sum->n_kept);
    json_put_integer(json, "failed", (int64_t)sum->n_failed);
    json_put_integer(json, "open", (int64_t)sum->n_open);
    json_put_integer(json, "jobs", sum->jobs);
    json_put_speed(json, sum->seconds_audio, sum->seconds_wall);
    return json_print(json, err);
}

/* From the list to the table; the status to exit with. */
static int run_list(struct batch *b) {
    ecdc_error err;
    struct timespec since;
    struct batch_sum sum;
    ecdc_status status = batch_claim(b, &since, &err);
    if (status == ECDC_OK)
        status = batch_plan(b, &since, &err);
    if (status == ECDC_OK)
        status = batch_run(b, &sum, &err);
    if (status == ECDC_OK)
        status = batch_table_write(b, &err);
    if (status != ECDC_OK)
        return report_error(&err);
    char *table = batch_table_path(b->o);
    if (!table)
        status = ecdc_fail_memory(&err, "the table's name");
    if (status == ECDC_OK)
        status = report(b, &sum, table, &err);
    int result = status == ECDC_OK ? EXIT_DONE : report_error(&err);
    if (sum.n_open) {
        ecdc_fail(&err, ECDC_E_STOPPED, "interrupted: %zu of %zu file%s are open; the same command goes on", sum.n_open, b->n,
                  plural((int64_t)b->n));
        result = report_error(&err);
    } else if (sum.n_failed) {
        ecdc_fail(&err, ECDC_E_FORMAT, "%zu of %zu file%s failed; %s says why", sum.n_failed, b->n, plural((int64_t)b->n),
                  table ? table : "the table");
        result = report_error(&err);
    }
    free(table);
    return result;
}

static int run(const struct options *o) {
    struct batch b = {.o = o};
    int status = choose_task(&b);
    if (status != EXIT_DONE)
        return status;
    ecdc_model *model = NULL;
    status = batch_list(&b);
    if (status == EXIT_DONE)
        status = b.task == &command_encode ? encode_model(o, b.format, &model) : features_model(o, &model);
    b.model = model;
    if (status == EXIT_DONE)
        status = run_list(&b);
    batch_free(&b);
    ecdc_model_close(model);
    return status;
}

const struct command command_batch = {
    .name = "batch",
    .arguments = "LIST|DIR -o OUTDIR [features|encode]",
    .summary = "features (or encode) for many files; the same command again goes on where it stopped",
    .details = "DIR: every file below it that is sound or a film by its name; the outputs have its folders. LIST: one path per\n"
               "line, - is standard input; a tab and a name behind a path name the output. OUTDIR/ecdc-batch.tsv says what was\n"
               "done, kept or failed, and why. An output is kept where it is newer than its input and OUTDIR/ecdc-batch.json\n"
               "has the same settings; other settings are refused, -f makes all anew.",
    .options = FEATURES_OPTIONS " jobs shard",
    .min_arguments = 1,
    .max_arguments = 2,
    .run = run,
};
