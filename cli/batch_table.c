/* The table of ecdc batch: what became of each file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "batch.h"
#include "json_out.h"
#include "media/output.h"

char *batch_table_path(const struct options *o) {
    return o->n_shards > 1 ? ecdc_strfmt("%s/ecdc-batch.%d-of-%d.tsv", o->output, o->shard, o->n_shards)
                           : ecdc_strfmt("%s/ecdc-batch.tsv", o->output);
}

/* A cell holds no tab and no newline. */
static ecdc_status write_cell(struct output *out, const char *text, char end, ecdc_error *err) {
    char *cell = ecdc_strfmt("%s%c", text ? text : "", end);
    if (!cell)
        return ecdc_fail_memory(err, "the table");
    size_t n = strlen(cell);
    for (size_t i = 0; i + 1 < n; i++)
        if ((unsigned char)cell[i] < 32)
            cell[i] = '?';
    ecdc_status status = output_write(out, cell, n, err);
    free(cell);
    return status;
}

static ecdc_status write_line(struct output *out, const struct batch_item *item, ecdc_error *err) {
    static const char *const names[] = {"open", "done", "kept", "failed"}; /* in the order of batch_state */
    char audio[40] = "", wall[40] = "";
    if (item->state == BATCH_DONE) {
        number_text(item->seconds_audio, audio, sizeof audio);
        snprintf(wall, sizeof wall, "%.3f", item->seconds_wall);
    }
    const char *cells[] = {item->input, item->output, names[item->state], audio, wall, item->reason};
    ecdc_status status = ECDC_OK;
    for (size_t i = 0; i < 6 && status == ECDC_OK; i++)
        status = write_cell(out, cells[i], i < 5 ? '\t' : '\n', err);
    return status;
}

ecdc_status batch_table_write(const struct batch *b, ecdc_error *err) {
    char *path = batch_table_path(b->o);
    struct output *out = NULL;
    ecdc_status status = path ? output_open(path, true, false, &out, err) : ecdc_fail_memory(err, "the table");
    static const char head[] = "input\toutput\tstatus\tseconds_audio\tseconds_wall\treason\n";
    if (status == ECDC_OK)
        status = output_write(out, head, sizeof head - 1, err);
    for (size_t i = 0; i < b->n && status == ECDC_OK; i++)
        status = write_line(out, &b->items[i], err);
    if (status == ECDC_OK)
        status = output_commit(out, err);
    else
        output_discard(out);
    free(path);
    return status;
}
