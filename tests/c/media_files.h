/* Scratch files and error checks for the tests of media/. */
#ifndef ECDC_TESTS_MEDIA_FILES_H
#define ECDC_TESTS_MEDIA_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ecdc.h"

/* The directory of the group, made by make_scratch and removed by remove_scratch. */
static char scratch[64];

static inline int make_scratch(void **state) {
    (void)state;
    strcpy(scratch, "/tmp/ecdc-test.XXXXXX");
    return mkdtemp(scratch) ? 0 : -1;
}

static inline int remove_scratch(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", scratch);
    return system(command);
}

/* The path of a file in the scratch directory. Up to eight results are valid at a time. */
static inline const char *in_scratch(const char *name) {
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

static inline const char *write_file(const char *name, const void *bytes, size_t n) {
    const char *path = in_scratch(name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return path;
}

/* The whole file, to be freed. */
static inline unsigned char *read_file(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    unsigned char *bytes = malloc(*n + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *n, f), *n);
    bytes[*n] = 0;
    fclose(f);
    return bytes;
}

static inline void assert_file(const char *path, const void *bytes, size_t n) {
    size_t found;
    unsigned char *content = read_file(path, &found);
    assert_int_equal(found, n);
    assert_memory_equal(content, bytes, n);
    free(content);
}

/* Entries of a directory, without . and .. */
static inline int count_entries(const char *directory) {
    DIR *d = opendir(directory);
    assert_non_null(d);
    int n = 0;
    for (struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

/* A call failed with this status, and its message has these words. */
static inline void check_failure(ecdc_status got, ecdc_status status, const ecdc_error *err, const char *words,
                                 const char *file, int line) {
    if (got != status || err->status != status || !strstr(err->message, words) || strchr(err->message, '\n')) {
        print_error("%s \"%s\" instead of %s with \"%s\"\n", ecdc_status_name(got),
                    got == ECDC_OK ? "" : err->message, ecdc_status_name(status), words);
        _fail(file, line);
    }
}
#define assert_fails(call, status, err, words)                                                                         \
    do {                                                                                                               \
        memset(err, 0, sizeof *(err));                                                                                 \
        ecdc_status got_ = (call);                                                                                     \
        check_failure(got_, status, err, words, __FILE__, __LINE__);                                                   \
    } while (0)

static inline void check_ok(ecdc_status got, const ecdc_error *err, const char *file, int line) {
    if (got != ECDC_OK) {
        print_error("%s: %s\n", ecdc_status_name(got), err->message);
        _fail(file, line);
    }
}
#define assert_ok(call, err)                                                                                           \
    do {                                                                                                               \
        memset(err, 0, sizeof *(err));                                                                                 \
        ecdc_status got_ = (call);                                                                                     \
        check_ok(got_, err, __FILE__, __LINE__);                                                                       \
    } while (0)

#endif
