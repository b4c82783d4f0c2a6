/* The command line. The file is: words, each ended by a zero byte; an empty word; then the contents of the files that words may name:
 * `x` and `z` with any of the endings below, x.list, and `d`, a study. Choice: so many of the last bytes are those of z.*, x.json and
 * config.json. The command runs in a directory of its own. Words cannot lead out of it, start another program, ask the network or take
 * long: most slashes and two dots are taken out of them, and what would do so is left out (`leave_out`). */
#include <dirent.h>
#include <errno.h>
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

/* Files of one content, by hard links. */
static const char *const first[] = {"x.wav", "x.ecdc", "x.npy", "x.npz", "x.safetensors", "x.th", "x.nii", "x.nii.gz", "x.tsv", NULL};
static const char *const second[] = {"x.json", "config.json", "z.wav", "z.npy", "z.nii", "z.safetensors", NULL};
static const char *const study_directories[] = {"d", "d/sherlock_nii"};
static const char *const study_scan = "d/sherlock_nii/sherlock_movie_s1.nii.gz", *const study_film = "d/stimuli_x.mp4";

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

static void write_links(const char *const *names, const char *bytes, size_t n) {
    fuzz_write(names[0], bytes, n);
    for (size_t i = 1; names[i]; i++)
        if (link(names[0], names[i]) != 0)
            fuzz_broken("no files for the words");
}

static void write_files(const char *bytes, size_t n, size_t n_second) {
    n_second = n_second < n ? n_second : n;
    write_links(first, bytes, n - n_second);
    if (n_second > 0)
        write_links(second, bytes + n - n_second, n_second);
    fuzz_write(list, listed, sizeof listed - 1);
}

static void write_study(void) {
    for (int i = 0; i < 2; i++)
        mkdir(study_directories[i], 0700);
    if ((link("z.nii", study_scan) != 0 && errno != ENOENT) || link("x.wav", study_film) != 0)
        fuzz_broken("no study for the words");
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Fractions keep their slash. */
static void tame(char *word) {
    for (char *c = word; *c; c++)
        if ((*c == '/' && !(c > word && is_digit(c[-1]) && is_digit(c[1]))) || (*c == '.' && c[1] == '.'))
            *c = '_';
}

/* Words that start programs, compute for long, or mean a model that is large. */
static bool leave_out(const char *word) {
    static const char *const parts[] = {"verify", "fetch", "python", "random:", "default", "bench", "threads", "jobs",
                                        "seconds", "repeats"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(word, parts[i]))
            return true;
    /* getopt takes a short form where it is the only option with that beginning */
    return !strncmp(word, "--py", 4) || !strncmp(word, "--th", 4) || !strncmp(word, "--jo", 4) || !strncmp(word, "--sec", 5) ||
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

/* The model and one thread, where the command takes them; mel mode does not. */
static int add_options(char **argv, const char *command, bool mel) {
    static char option_m[] = "-m", option_b[] = "-b2", one_thread[] = "--threads=1", one_job[] = "--jobs=1", no_threads[] = "-q";
    static const struct {
        const char *command;
        bool model, bandwidth;
        char *threads;
    } known[] = {
        {"encode", true, true, one_thread},    {"decode", true, false, one_thread}, {"features", true, true, one_thread},
        {"report", true, true, one_thread},    {"batch", true, true, one_job},      {"reconstruct", true, false, one_thread},
        {"dataset", true, true, one_thread},   {"fmri", false, false, one_thread},  {"autoencoder", false, false, one_thread},
        {"compare", false, false, no_threads},
    };
    int n = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(command, known[i].command))
            continue;
        argv[n++] = known[i].threads;
        if (known[i].model && !mel) {
            argv[n++] = option_m;
            argv[n++] = model;
        }
        if (known[i].bandwidth && !mel)
            argv[n++] = option_b;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static char words[MAX_WORDS][MAX_WORD], program[] = "ecdc";
    char *argv[MAX_WORDS + 8] = {program};
    struct fuzz_input input;
    int argc = 1, n_words = 0;
    bool mel = false, study = false;
    prepare();
    if (!fuzz_begin(bytes, n, &input))
        return 0;
    fuzz_end(); /* not yet */
    const char *contents = take(&input, words, &n_words);
    for (int i = 0; i < n_words; i++) {
        mel |= strstr(words[i], "mel") || strstr(words[i], "--as");
        study |= !strcmp(words[i], "d");
    }
    empty(".");
    write_files(contents, (size_t)((const char *)input.file + input.n - contents), input.choice);
    if (study)
        write_study();
    for (int i = 0; i < n_words; i++) {
        argv[argc++] = words[i];
        if (i == 0)
            argc += add_options(argv + argc, words[0], mel);
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
