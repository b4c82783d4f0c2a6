/* The files of ecdc batch: from a directory or a list to inputs and the names of their outputs. */
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/status.h"
#include "batch.h"

/* What is taken from a directory; a list may name anything. */
static const char *const endings[] = {
    "3gp", "aac", "ac3", "aif", "aifc", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dts", "dv", "eac3", "f4v", "flac", "flv",
    "m2ts", "m4a", "m4b", "m4v", "mka", "mkv", "mov", "mp2", "mp3", "mp4", "mpeg", "mpg", "mts", "mxf", "oga", "ogg", "ogv", "opus",
    "ra", "rm", "snd", "spx", "tta", "ts", "vob", "w64", "wav", "webm", "wma", "wmv", "wv",
};

static bool is_sound_by_name(const char *name) {
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (!strcasecmp(dot + 1, endings[i]))
            return true;
    return false;
}

/* ----------------------------------------------------------------------------------------------- the items --- */

static void free_item(struct batch_item *item) {
    free(item->input);
    free(item->output);
    free(item->reason);
}

/* The strings of the item become the list's, also where this fails. */
static ecdc_status append(struct batch *b, struct batch_item item, ecdc_error *err) {
    bool whole = item.input && item.output && (item.state != BATCH_FAILED || item.reason);
    if (whole && b->n == b->capacity) {
        size_t capacity = b->capacity ? 2 * b->capacity : 256;
        struct batch_item *items = ecdc_realloc_array(b->items, capacity, sizeof *items);
        whole = items != NULL;
        if (items) {
            b->items = items;
            b->capacity = capacity;
        }
    }
    if (!whole) {
        free_item(&item);
        return ecdc_fail_memory(err, "the list of files");
    }
    b->items[b->n++] = item;
    return ECDC_OK;
}

/* @param line  of the list that names the input, 0 where there is no list
 * @param name  of the output below OUTDIR, without its ending: the first n_name bytes */
static ecdc_status add(struct batch *b, const char *input, size_t line, const char *name, size_t n_name, ecdc_error *err) {
    /* in a list, too, a path is one of a file: - would be standard input */
    struct batch_item item = {.input = ecdc_strdup(strcmp(input, "-") ? input : "./-"), .line = line};
    item.output = ecdc_strfmt("%s/%.*s.%s", b->o->output, (int)n_name, name, b->format);
    struct stat s;
    if (stat(input, &s) == 0 && s.st_size > 0)
        item.n_bytes = (uint64_t)s.st_size;
    return append(b, item, err);
}

/* A folder, or what may be one, that cannot be looked at: the others go on, and the table says what is missing. */
static ecdc_status add_failure(struct batch *b, const char *path, int error, ecdc_error *err) {
    return append(b, (struct batch_item){.input = ecdc_strdup(path), .output = ecdc_strdup(""), .state = BATCH_FAILED,
                                         .reason = ecdc_strfmt("%s: %s", path, strerror(error))}, err);
}

/* The length of a path without the ending of its last part. */
static size_t stem_length(const char *path) {
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    return dot && dot > base ? (size_t)(dot - path) : strlen(path);
}

/* ------------------------------------------------------------------------------------------- a directory --- */

static int by_name(const FTSENT **a, const FTSENT **b) {
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static ecdc_status take_entry(struct batch *b, FTS *tree, FTSENT *entry, size_t n_root, ecdc_error *err) {
    bool hidden = entry->fts_level > 0 && entry->fts_name[0] == '.';
    switch (entry->fts_info) {
    case FTS_D:
        if (hidden)
            fts_set(tree, entry, FTS_SKIP);
        return ECDC_OK;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        if (entry->fts_level == 0)
            return ecdc_fail(err, ECDC_E_IO, "%s: %s", entry->fts_path, strerror(entry->fts_errno));
        return hidden ? ECDC_OK : add_failure(b, entry->fts_path, entry->fts_errno, err);
    case FTS_SLNONE: /* a link to nowhere: not dropped, its row says what is missing */
    case FTS_F:
        if (hidden)
            return ECDC_OK;
        if (is_sound_by_name(entry->fts_name)) {
            const char *name = entry->fts_path + n_root;
            name += strspn(name, "/");
            return add(b, entry->fts_path, 0, name, stem_length(name), err);
        }
        b->n_left_alone++;
        return ECDC_OK;
    }
    return ECDC_OK; /* the way back out of a directory, sockets, directories in a circle */
}

static ecdc_status walk(struct batch *b, const char *root, ecdc_error *err) {
    char *copy = ecdc_strdup(root), *roots[] = {copy, NULL};
    FTS *tree = copy ? fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name) : NULL;
    ecdc_status status = tree ? ECDC_OK : ecdc_fail(err, ECDC_E_IO, "%s: %s", root, strerror(errno));
    for (FTSENT *entry; status == ECDC_OK && !interrupted();) {
        errno = 0;
        if (!(entry = fts_read(tree))) {
            if (errno)
                status = ecdc_fail(err, ECDC_E_IO, "%s: %s", root, strerror(errno));
            break;
        }
        status = take_entry(b, tree, entry, strlen(root), err);
    }
    if (tree)
        fts_close(tree);
    free(copy);
    return status;
}

/* --------------------------------------------------------------------------------------------------- a list --- */

/* Two names of one file become the same: a//b, a/./b and ./a/b are a/b. */
static void make_simple(char *name) {
    char *out = name;
    for (char *at = name; *at;) {
        bool begins = out == name || out[-1] == '/';
        if (begins && at[0] == '/')
            at++;
        else if (begins && at[0] == '.' && at[1] == '/')
            at += 2;
        else
            *out++ = *at++;
    }
    *out = 0;
}

/* Names stay below OUTDIR. */
static bool is_good_name(const char *name) {
    if (!*name || *name == '/' || name[strlen(name) - 1] == '/')
        return false;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (!strncmp(part, "..", 2) && (part[2] == '/' || !part[2]))
            return false;
    }
    return true;
}

/* The length of a name without the ending that it gets anyway. */
static size_t name_length(const char *name, const char *format) {
    size_t n = strlen(name), n_format = strlen(format);
    bool has_it = n > n_format + 1 && name[n - n_format - 1] == '.' && !strcmp(name + n - n_format, format) &&
                  name[n - n_format - 2] != '/';
    return has_it ? n - n_format - 1 : n;
}

/* "PATH" or "PATH<tab>NAME". */
static ecdc_status take_line(struct batch *b, const char *list, size_t number, char *line, size_t n, ecdc_error *err) {
    static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, as some editors write it */
    if (memchr(line, 0, n))
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: line %zu holds a zero byte: not a list of files", list, number);
    if (number == 1 && !strncmp(line, mark, strlen(mark))) {
        line += strlen(mark);
        n -= strlen(mark);
    }
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
        line[--n] = 0;
    if (n == 0)
        return ECDC_OK;
    char *name = strchr(line, '\t');
    if (name) {
        *name++ = 0;
        if (strchr(name, '\t'))
            return ecdc_fail(err, ECDC_E_FORMAT, "%s: line %zu has more than one tab: a path, a tab and the output's name is what a line "
                             "holds", list, number);
        if (!is_good_name(name) || !*line)
            return ecdc_fail(err, ECDC_E_FORMAT, "%s: line %zu: behind the tab stands the output's name below -o, without its "
                             "ending; '%s' is none", list, number, name);
        make_simple(name);
        return add(b, line, number, name, name_length(name, b->format), err);
    }
    const char *slash = strrchr(line, '/'), *base = slash ? slash + 1 : line;
    if (!*base)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: line %zu: %s is a directory, not a file", list, number, line);
    return add(b, line, number, base, stem_length(base), err);
}

static ecdc_status read_list(struct batch *b, const char *path, ecdc_error *err) {
    bool standard = !strcmp(path, "-");
    FILE *file = standard ? stdin : fopen(path, "r");
    if (!file)
        return ecdc_fail(err, ECDC_E_IO, "%s: %s", path, strerror(errno));
    char *line = NULL;
    size_t capacity = 0, number = 0;
    ecdc_status status = ECDC_OK;
    for (ssize_t n; status == ECDC_OK && (n = getline(&line, &capacity, file)) >= 0;)
        status = take_line(b, path, ++number, line, (size_t)n, err);
    if (status == ECDC_OK && ferror(file))
        status = interrupted() ? fail_interrupted(err) : ecdc_fail(err, ECDC_E_IO, "%s: %s", path, strerror(errno));
    free(line);
    if (!standard)
        fclose(file);
    return status;
}

/* -------------------------------------------------------------------------------------------- what to do --- */

int batch_by_output(const void *a, const void *b) {
    return strcmp((*(const struct batch_item *const *)a)->output, (*(const struct batch_item *const *)b)->output);
}

const struct batch_item **batch_open_items(const struct batch *b, size_t *n) {
    const struct batch_item **items = ecdc_alloc_array(b->n, sizeof *items);
    *n = 0;
    if (!items)
        return NULL;
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].state == BATCH_OPEN)
            items[(*n)++] = &b->items[i];
    qsort(items, *n, sizeof *items, batch_by_output);
    return items;
}

/* Whether no output has two inputs, or the name of a file that batch itself writes; EXIT_DONE, or another status after a message. */
static int check_names(const struct batch *b) {
    size_t n;
    const struct batch_item **sorted = batch_open_items(b, &n);
    ecdc_error err;
    if (!sorted) {
        ecdc_fail_memory(&err, "the list of files");
        return report_error(&err);
    }
    int status = EXIT_DONE;
    size_t n_directory = strlen(b->o->output) + 1;
    for (size_t i = 0; i < n && status == EXIT_DONE; i++) {
        if (i > 0 && !strcmp(sorted[i - 1]->output, sorted[i]->output))
            status = report_usage("batch: %s and %s would both become %s; in a list, a tab and a name behind a path name its output",
                                  sorted[i - 1]->input, sorted[i]->input, sorted[i]->output);
        else if (!strncmp(sorted[i]->output + n_directory, "ecdc-batch", 10))
            status = report_usage("batch: %s: names in %s that begin with ecdc-batch are for batch itself", sorted[i]->input,
                                  b->o->output);
    }
    free(sorted);
    return status;
}

static void keep_shard(struct batch *b) {
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (i % (size_t)b->o->n_shards == (size_t)b->o->shard - 1)
            b->items[n++] = b->items[i];
        else
            free_item(&b->items[i]);
    }
    b->n = n;
}

int batch_list(struct batch *b) {
    const char *source = b->o->arguments[0];
    struct stat s;
    ecdc_error err;
    bool directory = strcmp(source, "-") && stat(source, &s) == 0 && S_ISDIR(s.st_mode);
    ecdc_status status = directory ? walk(b, source, &err) : read_list(b, source, &err);
    if (status == ECDC_OK && interrupted())
        status = fail_interrupted(&err);
    if (status == ECDC_OK && b->n == 0)
        status = directory ? ecdc_fail(&err, ECDC_E_FORMAT, "%s: no file in it is sound or a film by its name (.mp4, .wav ...); a list "
                                       "can name any file", source)
                           : ecdc_fail(&err, ECDC_E_FORMAT, "%s: an empty list", source);
    if (status != ECDC_OK)
        return report_error(&err);
    if (b->n_left_alone)
        report_note(b->o, "%s: %zu %s by name, left alone", source, b->n_left_alone,
                    b->n_left_alone == 1 ? "file is no sound" : "files are no sound");
    int result = check_names(b);
    if (result == EXIT_DONE)
        keep_shard(b);
    return result;
}

void batch_free(struct batch *b) {
    for (size_t i = 0; i < b->n; i++)
        free_item(&b->items[i]);
    free(b->items);
}
