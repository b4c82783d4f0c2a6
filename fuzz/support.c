#include "fuzz.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

/* ----------------------------------------------------------------------------------------- allocations --- */

/* The linker gives these names to the program's calls of malloc and its kin, as in tests/c/test_allocations.c; cJSON is handed them.
 * What FFmpeg, libzip, zlib and the C library allocate for themselves is not counted. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
void __wrap_catch_signals(void);

static atomic_long left = -1; /* allocations until one fails; below 0: none will */
static atomic_bool failed;

static bool granted(void) {
    if (atomic_load(&left) < 0 || atomic_fetch_sub(&left, 1) != 0)
        return true;
    atomic_store(&failed, true);
    return false;
}

void *__wrap_malloc(size_t n) {
    return granted() ? __real_malloc(n) : NULL;
}

void *__wrap_calloc(size_t n, size_t size) {
    return granted() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *old, size_t n) {
    return granted() ? __real_realloc(old, n) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t n) {
    return granted() ? __real_aligned_alloc(alignment, n) : NULL;
}

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
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = __wrap_malloc, .free_fn = free});
    return 0;
}

/* -------------------------------------------------------------------------------------------- an input --- */

bool fuzz_begin(const uint8_t *bytes, size_t n, struct fuzz_input *input) {
    if (n < FUZZ_INSTRUCTIONS)
        return false;
    *input = (struct fuzz_input){bytes + FUZZ_INSTRUCTIONS, n - FUZZ_INSTRUCTIONS, bytes[2] | (unsigned)bytes[3] << 8};
    atomic_store(&failed, false);
    atomic_store(&left, (bytes[0] | (long)bytes[1] << 8) - 1);
    return true;
}

void fuzz_end(void) {
    atomic_store(&left, -1);
}

bool fuzz_allocation_failed(void) {
    return atomic_load(&failed);
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
