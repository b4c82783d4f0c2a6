/* The list of a batch, with tabs between paths and names, and the table that comes of it. Choice: number of shards less one, modulo 4. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "fuzz.h"

fuzz_structure *const fuzz_structure_of_target = NULL;

static void check_outputs(const struct batch *b) {
    size_t n = strlen(b->o->output);
    for (size_t i = 0; i < b->n; i++) {
        const char *output = b->items[i].output;
        if (strncmp(output, b->o->output, n) != 0 || output[n] != '/' || strstr(output + n, "/../"))
            fuzz_broken("an output that does not lie below the directory");
        if (strchr(b->items[i].input, '\n'))
            fuzz_broken("an input of two lines");
    }
}

/* As many lines as files and one more, each with five tabs. */
static void check_table(const struct batch *b, const char *path) {
    FILE *f = fopen(path, "r");
    size_t lines = 0, tabs = 0;
    if (!f)
        fuzz_broken("no table");
    for (int c; (c = fgetc(f)) != EOF;) {
        lines += c == '\n';
        tabs += c == '\t';
    }
    fclose(f);
    if (lines != b->n + 1 || tabs != 5 * lines)
        fuzz_broken("a table with other lines or columns than it should have");
}

static void write_table(struct batch *b) {
    ecdc_error err;
    for (size_t i = 0; i < b->n; i++) {
        b->items[i].state = (enum batch_state)(i % 4);
        b->items[i].seconds_audio = (double)i / 3;
        if (i % 4 == BATCH_FAILED)
            b->items[i].reason = strdup(b->items[i].input);
    }
    char *path = batch_table_path(b->o);
    if (fuzz_check(batch_table_write(b, &err), &err) && path)
        check_table(b, path);
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct fuzz_input input;
    if (!fuzz_begin(bytes, n, &input))
        return 0;
    struct options o = {.output = fuzz_directory(), .arguments = {fuzz_path(&input)}, .n_arguments = 1, .shard = 1,
                        .n_shards = 1 + (int)(input.choice % 4)};
    struct batch b = {.o = &o, .task = &command_features, .format = "npy"};
    if (batch_list(&b) == EXIT_DONE) {
        check_outputs(&b);
        write_table(&b);
    }
    batch_free(&b);
    fuzz_end();
    return 0;
}
