/* Gives files to a fuzzer without an engine: those named, and all in the directories named. Fails where there is none. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

enum { LONGEST = 1 << 20 };

static size_t n_replayed;

static void replay_file(const char *path, off_t size) {
    uint8_t *bytes = size <= LONGEST ? malloc((size_t)size + !size) : NULL; /* to the byte, so that reading past it is noticed */
    FILE *f = fopen(path, "rb");
    if (!f || !bytes || fread(bytes, 1, (size_t)size, f) != (size_t)size) {
        dprintf(STDERR_FILENO, "%s: cannot be read\n", path);
        exit(1);
    }
    fclose(f);
    if (getenv("ECDC_FUZZ_LOUD"))
        dprintf(STDERR_FILENO, "%s\n", path);
    LLVMFuzzerTestOneInput(bytes, (size_t)size);
    free(bytes);
    n_replayed++;
}

static void replay(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0) {
        dprintf(STDERR_FILENO, "%s: not there\n", path);
        exit(1);
    }
    if (!S_ISDIR(st.st_mode)) {
        replay_file(path, st.st_size);
        return;
    }
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            replay(name);
        free(entries[i]);
    }
    free(n < 0 ? NULL : entries);
}

int main(int argc, char **argv) {
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        char *path = realpath(argv[i], NULL); /* a fuzzer may go to a directory of its own */
        replay(path ? path : argv[i]);
        free(path);
    }
    dprintf(STDERR_FILENO, "%zu inputs\n", n_replayed);
    return n_replayed == 0;
}
