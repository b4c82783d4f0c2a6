/* output.h: complete or absent, whatever happens. */
#include "media_files.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "media/output.h"

static ecdc_error err;

static void write_text(struct output *o, const char *text) {
    assert_ok(output_write(o, text, strlen(text), &err), &err);
}

static void test_writes_file(void **state) {
    (void)state;
    const char *path = in_scratch("new");
    struct output *o;
    assert_ok(output_open(path, false, false, &o, &err), &err);
    write_text(o, "hello ");
    write_text(o, "world");
    assert_int_equal(output_size(o), 11);
    assert_false(output_is_pipe(o));
    assert_string_equal(output_name(o), path);
    assert_int_not_equal(access(path, F_OK), 0); /* absent until it is complete */
    assert_ok(output_commit(o, &err), &err);
    assert_file(path, "hello world", 11);
    assert_int_equal(count_entries(scratch), 1);
    unlink(path);
}

static void test_large_pieces(void **state) {
    (void)state;
    enum { N = 300001 };
    unsigned char *bytes = malloc(N);
    for (int i = 0; i < N; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 251);
    const char *path = in_scratch("large");
    struct output *o;
    assert_ok(output_open(path, false, false, &o, &err), &err);
    for (size_t at = 0, piece = 1; at < N; piece = piece * 3 + 1) {
        size_t n = N - at < piece ? N - at : piece;
        assert_ok(output_write(o, bytes + at, n, &err), &err);
        at += n;
    }
    assert_ok(output_commit(o, &err), &err);
    assert_file(path, bytes, N);
    free(bytes);
    unlink(path);
}

static void test_mode(void **state) {
    (void)state;
    const char *path = in_scratch("mode");
    struct output *o;
    struct stat st;
    mode_t old = umask(027);
    assert_ok(output_open(path, false, false, &o, &err), &err);
    assert_ok(output_commit(o, &err), &err);
    umask(old);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    chmod(path, 0604); /* an overwritten file keeps its own */
    assert_ok(output_open(path, true, false, &o, &err), &err);
    assert_ok(output_commit(o, &err), &err);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0604);
    unlink(path);
}

static void test_existing(void **state) {
    (void)state;
    const char *path = write_file("old", "old", 3);
    struct output *o = NULL;
    assert_fails(output_open(path, false, false, &o, &err), ECDC_E_EXISTS, &err, "old: exists already (overwriting was not asked for)");
    assert_null(o);
    assert_ok(output_open(path, true, false, &o, &err), &err);
    write_text(o, "newer");
    assert_file(path, "old", 3);
    assert_ok(output_commit(o, &err), &err);
    assert_file(path, "newer", 5);
    unlink(path);
}

static void test_discard(void **state) {
    (void)state;
    const char *path = write_file("kept", "old", 3);
    struct output *o;
    assert_ok(output_open(path, true, false, &o, &err), &err);
    write_text(o, "newer");
    assert_int_equal(count_entries(scratch), 2);
    output_discard(o);
    assert_file(path, "old", 3);
    assert_int_equal(count_entries(scratch), 1);
    output_discard(NULL);
    unlink(path);
}

static void test_appears_meanwhile(void **state) {
    (void)state;
    const char *path = in_scratch("race");
    struct output *o;
    assert_ok(output_open(path, false, false, &o, &err), &err);
    write_text(o, "ours");
    write_file("race", "theirs", 6);
    assert_fails(output_commit(o, &err), ECDC_E_EXISTS, &err, "race: appeared while");
    assert_file(path, "theirs", 6);
    assert_int_equal(count_entries(scratch), 1);
    unlink(path);
}

static void test_bad_names(void **state) {
    (void)state;
    struct output *o;
    assert_fails(output_open("", false, false, &o, &err), ECDC_E_IO, &err, "empty name");
    assert_fails(output_open(scratch, true, false, &o, &err), ECDC_E_IO, &err, "is a directory");
    assert_fails(output_open(in_scratch("x/"), true, false, &o, &err), ECDC_E_IO, &err, "names a directory");
    assert_fails(output_open(in_scratch("none/x"), false, false, &o, &err), ECDC_E_IO, &err, "none does not exist");
    const char *file = write_file("file", "", 0);
    assert_fails(output_open(in_scratch("file/x"), false, false, &o, &err), ECDC_E_IO, &err, "file is not a directory");
    unlink(file);
    char longest[300];
    memset(longest, 'n', sizeof longest);
    longest[255] = '\0';
    assert_ok(output_open(in_scratch(longest), false, false, &o, &err), &err); /* the temporary name is cut */
    assert_ok(output_commit(o, &err), &err);
    unlink(in_scratch(longest));
}

static void test_directory_not_writable(void **state) {
    (void)state;
    struct output *o;
    /* Root may write anywhere, but nobody can in /proc. */
    assert_fails(output_open("/proc/ecdc-test", false, false, &o, &err), ECDC_E_IO, &err, "in the directory /proc");
    if (geteuid() == 0)
        return;
    mkdir(in_scratch("locked"), 0555);
    assert_fails(output_open(in_scratch("locked/x"), false, false, &o, &err), ECDC_E_IO, &err, "Permission denied");
    rmdir(in_scratch("locked"));
}

static void test_write_at(void **state) {
    (void)state;
    const char *path = in_scratch("patch");
    struct output *o;
    assert_ok(output_open(path, false, true, &o, &err), &err);
    write_text(o, "0123456789");
    assert_ok(output_write_at(o, 2, "ab", 2, &err), &err);
    assert_fails(output_write_at(o, 9, "xy", 2, &err), ECDC_E_ARGUMENT, &err, "past the end");
    assert_fails(output_write_at(o, UINT64_MAX, "x", 1, &err), ECDC_E_ARGUMENT, &err, "past the end");
    write_text(o, "end");
    assert_ok(output_commit(o, &err), &err);
    assert_file(path, "01ab456789end", 13);
    unlink(path);
}

static void test_shift(void **state) {
    (void)state;
    enum { N = 200000 }; /* several blocks, so that a move in the wrong order would show */
    for (int delta = -3; delta <= 70000; delta = delta < 3 ? delta + 1 : delta + 69997) {
        unsigned char *bytes = malloc(N + 70000 + 10);
        for (int i = 0; i < N; i++)
            bytes[i] = (unsigned char)(i * 31 + i / 257);
        struct output *o;
        assert_ok(output_open(in_scratch("shift"), true, true, &o, &err), &err);
        assert_ok(output_write(o, bytes, N, &err), &err);
        assert_ok(output_shift(o, 5, delta, &err), &err);
        assert_int_equal(output_size(o), N + delta);
        write_text(o, "end");
        if (delta > 0)
            for (int i = 0; i < delta; i += 1000) {
                static const unsigned char zeros[1000];
                int n = delta - i < 1000 ? delta - i : 1000;
                assert_ok(output_write_at(o, 5 + (uint64_t)i, zeros, (size_t)n, &err), &err);
            }
        assert_ok(output_commit(o, &err), &err);
        memmove(bytes + 5 + delta, bytes + 5, N - 5);
        if (delta > 0)
            memset(bytes + 5, 0, (size_t)delta);
        memcpy(bytes + N + delta, "end", 3);
        assert_file(in_scratch("shift"), bytes, (size_t)(N + delta + 3));
        free(bytes);
    }
    struct output *o;
    assert_ok(output_open(in_scratch("shift"), true, true, &o, &err), &err);
    write_text(o, "abc");
    assert_fails(output_shift(o, 2, -3, &err), ECDC_E_ARGUMENT, &err, "cannot move");
    assert_fails(output_shift(o, 4, 1, &err), ECDC_E_ARGUMENT, &err, "cannot move");
    assert_fails(output_shift(o, 0, INT64_MAX, &err), ECDC_E_ARGUMENT, &err, "cannot move");
    assert_fails(output_shift(o, 0, INT64_MIN, &err), ECDC_E_ARGUMENT, &err, "cannot move");
    output_discard(o);
    unlink(in_scratch("shift"));
}

/* A full disk is reported, for every way of writing, and leaves nothing. */
static void test_disk_full(void **state) {
    (void)state;
    const char *disk = in_scratch("disk"), *path = in_scratch("disk/file");
    mkdir(disk, 0755);
    if (mount("ecdc-test", disk, "tmpfs", 0, "size=64k") != 0) {
        rmdir(disk);
        skip();
    }
    static const unsigned char bytes[50000];
    struct output *o;
    assert_ok(output_open(path, false, false, &o, &err), &err);
    ecdc_status status = ECDC_OK;
    for (int i = 0; i < 10 && status == ECDC_OK; i++)
        status = output_write(o, bytes, sizeof bytes, &err);
    assert_int_equal(status, ECDC_E_IO);
    assert_non_null(strstr(err.message, "disk/file: No space left on device"));
    assert_fails(output_write(o, "x", 1, &err), ECDC_E_IO, &err, "No space left"); /* it stays broken */
    assert_fails(output_commit(o, &err), ECDC_E_IO, &err, "No space left");
    assert_int_equal(count_entries(disk), 0);

    assert_ok(output_open(path, false, true, &o, &err), &err);
    assert_ok(output_write(o, bytes, 40000, &err), &err);
    assert_fails(output_shift(o, 0, 40000, &err), ECDC_E_IO, &err, "No space left");
    output_discard(o);
    assert_int_equal(count_entries(disk), 0);
    umount(disk);
    rmdir(disk);
}

static void test_disk_full_at_commit(void **state) {
    (void)state;
    struct output *o; /* what is still in the buffer fails at last */
    assert_ok(output_open("/dev/full", false, false, &o, &err), &err);
    write_text(o, "x");
    assert_fails(output_commit(o, &err), ECDC_E_IO, &err, "/dev/full: No space left");
}

/* /dev/null is neither refused nor replaced by a file. */
static void test_device(void **state) {
    (void)state;
    for (int patched = 0; patched <= 1; patched++) {
        struct output *o;
        assert_ok(output_open("/dev/null", patched, patched, &o, &err), &err);
        assert_true(output_is_pipe(o));
        write_text(o, "x");
        if (patched)
            assert_ok(output_write_at(o, 0, "y", 1, &err), &err);
        else
            assert_fails(output_write_at(o, 0, "y", 1, &err), ECDC_E_ARGUMENT, &err, "a pipe cannot be completed");
        assert_ok(output_commit(o, &err), &err);
    }
    struct stat st;
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static char fifo_content[32];

static void *read_fifo(void *path) {
    int fd = open(path, O_RDONLY);
    for (ssize_t n = 0, got; fd >= 0 && (got = read(fd, fifo_content + n, sizeof fifo_content - 1 - (size_t)n)) > 0;)
        n += got;
    close(fd);
    return NULL;
}

static void test_fifo(void **state) {
    (void)state;
    const char *path = in_scratch("fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    pthread_t reader;
    pthread_create(&reader, NULL, read_fifo, (void *)path);
    struct output *o;
    assert_ok(output_open(path, false, true, &o, &err), &err);
    write_text(o, "body");
    assert_ok(output_shift(o, 0, 2, &err), &err);
    assert_ok(output_write_at(o, 0, "H:", 2, &err), &err);
    assert_ok(output_commit(o, &err), &err);
    pthread_join(reader, NULL);
    assert_string_equal(fifo_content, "H:body");
    unlink(path);
}

static void test_link(void **state) {
    (void)state;
    write_file("target", "old", 3);
    assert_int_equal(symlink("target", in_scratch("link")), 0);
    struct output *o;
    assert_fails(output_open(in_scratch("link"), false, false, &o, &err), ECDC_E_EXISTS, &err, "link: exists");
    assert_ok(output_open(in_scratch("link"), true, false, &o, &err), &err);
    write_text(o, "new");
    assert_ok(output_commit(o, &err), &err);
    struct stat st;
    assert_int_equal(lstat(in_scratch("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_file(in_scratch("target"), "new", 3);
    unlink(in_scratch("target")); /* now it points nowhere, but it is there */
    assert_fails(output_open(in_scratch("link"), false, false, &o, &err), ECDC_E_EXISTS, &err, "link: exists");
    unlink(in_scratch("link"));
}

/* Standard output of a child process, which must not disturb the test's own. */
static void check_stdout(bool patched) {
    const char *path = in_scratch("stdout");
    pid_t child = fork();
    if (child == 0) {
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        struct output *o;
        dup2(fd, STDOUT_FILENO);
        bool ok = output_open("-", false, patched, &o, NULL) == ECDC_OK && output_is_pipe(o) &&
                  output_write(o, "0123", 4, NULL) == ECDC_OK;
        if (ok && patched)
            ok = output_shift(o, 2, -1, NULL) == ECDC_OK && output_write_at(o, 0, "A", 1, NULL) == ECDC_OK &&
                 lseek(STDOUT_FILENO, 0, SEEK_END) == 0; /* nothing there before the end */
        _exit(ok && output_commit(o, NULL) == ECDC_OK ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_file(path, patched ? "A23" : "0123", patched ? 3 : 4);
    unlink(path);
}

static void test_standard_output(void **state) {
    (void)state;
    check_stdout(false);
    check_stdout(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_file),
        cmocka_unit_test(test_large_pieces),
        cmocka_unit_test(test_mode),
        cmocka_unit_test(test_existing),
        cmocka_unit_test(test_discard),
        cmocka_unit_test(test_appears_meanwhile),
        cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_directory_not_writable),
        cmocka_unit_test(test_write_at),
        cmocka_unit_test(test_shift),
        cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_disk_full_at_commit),
        cmocka_unit_test(test_device),
        cmocka_unit_test(test_fifo),
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_standard_output),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
