/* ecdc batch: many files into one directory. What its parts share. */
#ifndef ECDC_CLI_BATCH_H
#define ECDC_CLI_BATCH_H

#include <time.h>

#include "cli.h"

enum batch_state { BATCH_OPEN, BATCH_DONE, BATCH_KEPT, BATCH_FAILED };

struct batch_item {
    char *input, *output; /* output: "" where the listing failed already */
    size_t line;      /* of the list, from 1 on; 0: from a directory */
    uint64_t n_bytes; /* of the input, 0 where it cannot be told */
    enum batch_state state;
    double seconds_audio, seconds_wall; /* done */
    char *reason;                       /* failed; or what there is to say of one that is done; NULL: nothing */
};

/* All files, or those of one shard. */
struct batch {
    const struct options *o;
    const struct command *task; /* encode or features: what is done with each file */
    const char *format;         /* and what it becomes */
    const ecdc_model *model;    /* shared by all; NULL: mel needs none */
    struct batch_item *items;
    size_t n, capacity;
    size_t n_left_alone;        /* files of the directory that are no sound by their name */
};

/* ---- batch_list.c: what there is to do. Reads o->arguments[0], a directory or a list; names the outputs; refuses two of one name
 * (EXIT_USAGE); keeps the files of the shard. What of a directory cannot be read is BATCH_FAILED. The status to exit with, after a
 * message where it is not EXIT_DONE. */
int batch_list(struct batch *b);
/* The open items by the names of their outputs; release with free(). NULL: memory. */
const struct batch_item **batch_open_items(const struct batch *b, size_t *n);
/* Their order, for bsearch(). */
int batch_by_output(const void *a, const void *b);
void batch_free(struct batch *b);

/* ---- batch_plan.c: what is done already. */
/* OUTDIR/ecdc-batch.json says how the outputs of the directory are made. Writes it, or holds the options against the one that is
 * there: a directory has outputs of one kind. ECDC_E_EXISTS names what differs, or an output that no batch has made. *since is when
 * the file was written: older outputs are of no concern. */
ecdc_status batch_claim(const struct batch *b, struct timespec *since, ecdc_error *err);
/* Marks what is done and whole as BATCH_KEPT, what would overwrite somebody else's file as BATCH_FAILED, and removes what a killed
 * run has left. */
ecdc_status batch_plan(struct batch *b, const struct timespec *since, ecdc_error *err);

/* ---- batch_run.c: the work. */
struct batch_sum {
    size_t n_done, n_kept, n_failed, n_open;
    int jobs;
    double seconds_audio, seconds_wall;
};
/* Works on all items that are open until they are done, have failed, or a signal came. Failures are reported as they come.
 * ECDC_E_MEMORY: no thread could be started. */
ecdc_status batch_run(struct batch *b, struct batch_sum *sum, ecdc_error *err);

/* ---- batch_table.c */
/* OUTDIR/ecdc-batch.tsv, of a shard ecdc-batch.I-of-N.tsv; release with free(). NULL: memory. */
char *batch_table_path(const struct options *o);
/* One line per file: input, output, status, seconds_audio, seconds_wall, reason. Complete or absent, as every output. */
ecdc_status batch_table_write(const struct batch *b, ecdc_error *err);

#endif
