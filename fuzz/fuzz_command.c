/* The command line. The file is: words, each ended by a zero byte; an empty word; then the contents of the files that words may name:
 * `x` with any of the endings below. It runs in a directory of its own. Words cannot lead out of it, start another program, ask the
 * network or take long: a slash and two dots are taken out of them, and what would do so is left out (`leave_out`). */
#include <dirent.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "fuzz.h"

fuzz_structure *const fuzz_structure_of_target = NULL;

int ecdc_main(int argc, char **argv);

enum { MAX_WORDS = 24, MAX_WORD = 200 };

/* A model of 4 filters and hop 4; what takes a model gets this one. */
static char model[] = ECDC_TEST_DATA "/torch";
static char list[] = "x.list", listed[] = "x.wav\nx.wav\ty\n";

static const char *const inputs[] = {"x.wav", "x.ecdc", "x.npy", "x.npz", "x.json", "x.safetensors", "x.th", "x.nii", "x.nii.gz", "x.tsv"};
enum { N_INPUTS = sizeof inputs / sizeof *inputs };

static void prepare(void) {
    static bool done;
    if (done)
        return;
    done = true;
    static const char *const variables[][2] = {{"HF_HUB_OFFLINE", "1"}, {"HF_HOME", "hub"}, {"TMPDIR", "."}, {"HOME", "."},
                                               {"XDG_CACHE_HOME", "cache"}, {"VIRTUAL_ENV", "none"}};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        setenv(variables[i][0], variables[i][1], 1);
    unsetenv("HF_HUB_CACHE");
    if (chdir(fuzz_directory()) != 0)
        fuzz_broken("no directory");
}

static void empty(const char *path) {
    DIR *entries = opendir(path);
    for (struct dirent *e; entries && (e = readdir(entries));) {
        char name[600];
        struct stat st;
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (lstat(name, &st) == 0 && S_ISDIR(st.st_mode)) {
            empty(name);
            rmdir(name);
        } else {
            unlink(name);
        }
    }
    if (entries)
        closedir(entries);
}

/* Files of one content, by hard links. */
static void write_files(const uint8_t *bytes, size_t n) {
    fuzz_write(inputs[0], bytes, n);
    for (int i = 1; i < N_INPUTS; i++)
        if (link(inputs[0], inputs[i]) != 0)
            fuzz_broken("no files for the words");
    fuzz_write(list, listed, sizeof listed - 1);
}

static void tame(char *word) {
    for (char *c = word; *c; c++)
        if (*c == '/' || (*c == '.' && c[1] == '.'))
            *c = '_';
}

/* Words that start programs, compute for long, or mean a model that is large. */
static bool leave_out(const char *word) {
    static const char *const parts[] = {"verify", "fetch", "python", "random:", "default", "bench", "threads", "jobs", "seconds", "repeats"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(word, parts[i]))
            return true;
    /* getopt takes a short form where it is the only option with that beginning */
    return !strncmp(word, "--py", 4) || !strncmp(word, "--th", 4) || !strncmp(word, "--j", 3) || !strncmp(word, "--sec", 5) ||
           !strncmp(word, "--se", 4) || !strncmp(word, "--re", 4);
}

static const char *take(const struct fuzz_input *input, char words[MAX_WORDS][MAX_WORD], int *n_words) {
    const char *at = (const char *)input->file, *end = at + input->n;
    while (at < end && *at) {
        const char *zero = memchr(at, 0, (size_t)(end - at));
        size_t n = (size_t)((zero ? zero : end) - at);
        if (*n_words < MAX_WORDS && n < MAX_WORD) {
            char *word = words[*n_words];
            memcpy(word, at, n);
            word[n] = 0;
            tame(word);
            *n_words += !leave_out(word);
        }
        at += n + (zero != NULL);
    }
    return at < end ? at + 1 : end;
}

static bool takes_model(const char *command) {
    static const char *const names[] = {"encode", "decode", "features", "reconstruct", "report", "dataset", "batch"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(command, names[i]))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static char words[MAX_WORDS][MAX_WORD];
    static char program[] = "ecdc", option_m[] = "-m", one[] = "1", option_b[] = "-b2", option_threads[] = "--threads", option_jobs[] = "--jobs";
    char *argv[MAX_WORDS + 8] = {program};
    struct fuzz_input input;
    int argc = 1, n_words = 0;
    prepare();
    if (!fuzz_begin(bytes, n, &input))
        return 0;
    fuzz_end(); /* not yet */
    const char *contents = take(&input, words, &n_words);
    empty(".");
    write_files((const uint8_t *)contents, (size_t)((const char *)input.file + input.n - contents));
    for (int i = 0; i < n_words; i++) {
        argv[argc++] = words[i];
        if (i > 0 || !takes_model(words[0]))
            continue;
        argv[argc++] = option_m;
        argv[argc++] = model;
        argv[argc++] = option_b;
        bool batch = !strcmp(words[0], "batch");
        argv[argc++] = batch ? option_jobs : option_threads;
        argv[argc++] = one;
    }
    argv[argc] = NULL;
    fuzz_begin(bytes, n, &input);
    optind = 0; /* glibc: begin anew */
    int status = ecdc_main(argc, argv);
    fuzz_end();
    if (status < EXIT_DONE || status > EXIT_USAGE)
        fuzz_broken("an exit status that is none");
    return 0;
}
