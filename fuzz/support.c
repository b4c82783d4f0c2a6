#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "failing_allocations.h"

void __wrap_catch_signals(void);

/* The command's handlers would keep libFuzzer from being stopped. */
void __wrap_catch_signals(void) {
}

/* --------------------------------------------------------------------------------------------- process --- */

static char directory[64], file_path[40];
static int file = -1;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_directory(void) {
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

_Noreturn void fuzz_broken(const char *what) {
    dprintf(STDERR_FILENO, "fuzz: %s\n", what);
    abort();
}

/* What the command says is of no interest: its streams go nowhere. Reports of sanitizers and libFuzzer keep their ways. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    const char *base = getenv("TMPDIR");
    snprintf(directory, sizeof directory, "%s/ecdc-fuzz-XXXXXX", base && *base && strlen(base) < 40 ? base : "/tmp");
    file = memfd_create("input", 0);
    int nowhere = open("/dev/null", O_WRONLY);
    if (!mkdtemp(directory) || atexit(remove_directory) != 0 || file < 0 || nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0)
        fuzz_broken("no directory or no file for the inputs");
    close(nowhere);
    snprintf(file_path, sizeof file_path, "/proc/self/fd/%d", file);
    if (!getenv("ECDC_FUZZ_LOUD"))
        stderr = fopen("/dev/null", "w");
    allocations_begin();
    return 0;
}

/* -------------------------------------------------------------------------------------------- an input --- */

bool fuzz_begin(const uint8_t *bytes, size_t n, struct fuzz_input *input) {
    if (n < FUZZ_INSTRUCTIONS)
        return false;
    *input = (struct fuzz_input){bytes + FUZZ_INSTRUCTIONS, n - FUZZ_INSTRUCTIONS, bytes[2] | (unsigned)bytes[3] << 8};
    allocations_fail_after((bytes[0] | (long)bytes[1] << 8) - 1);
    return true;
}

void fuzz_end(void) {
    allocations_fail_after(-1);
}

bool fuzz_check(ecdc_status status, const ecdc_error *err) {
    if (status == ECDC_OK)
        return true;
    if (err->status != status || !memchr(err->message, '\0', sizeof err->message) || !err->message[0])
        fuzz_broken("a failure without its status and a sentence");
    return false;
}

static void write_all(int fd, const void *bytes, size_t n) {
    if (ftruncate(fd, 0) != 0 || pwrite(fd, bytes, n, 0) != (ssize_t)n)
        fuzz_broken("an input cannot be written");
}

const char *fuzz_path(const struct fuzz_input *input) {
    write_all(file, input->file, input->n);
    return file_path;
}

const char *fuzz_directory(void) {
    return directory;
}

void fuzz_write(const char *path, const void *bytes, size_t n) {
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    if (fd < 0)
        fuzz_broken("no file for the input");
    write_all(fd, bytes, n);
    close(fd);
}

const char *fuzz_save(const struct fuzz_input *input, const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    fuzz_write(path, input->file, input->n);
    return path;
}
