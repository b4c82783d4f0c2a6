/* wav.h: bytes of the header, rounding, clipping, failures of the output. */
#include "media_files.h"

#include <fcntl.h>
#include <math.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "media/wav.h"

static ecdc_error err;

static uint32_t le32(const unsigned char *b) {
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* The file, to be freed. */
static unsigned char *write_wav(bool float_samples, int channels, int64_t claim, const float *samples, size_t n,
                                int64_t *clipped, size_t *n_bytes) {
    struct output *o;
    struct wav_writer *w;
    assert_ok(output_open(in_scratch("a.wav"), true, false, &o, &err), &err);
    assert_ok(wav_open(o, 24000, channels, float_samples, claim, &w, &err), &err);
    assert_ok(wav_write(w, samples, n / 2, &err), &err);
    assert_ok(wav_write(w, samples + n / 2 * (size_t)channels, n - n / 2, &err), &err);
    assert_ok(wav_finish(w, &err), &err);
    *clipped = wav_clipped(w);
    wav_free(w);
    assert_ok(output_commit(o, &err), &err);
    return read_file(in_scratch("a.wav"), n_bytes);
}

static void test_hand_worked_bytes(void **state) {
    (void)state;
    const float x[] = {0, 0.5f, -0.5f, 1, -1, 2, -1.5f, 32767 / 32768.f};
    const unsigned char expected[60] =
        "RIFF\x34\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\xc0\x5d\0\0\x80\xbb\0\0\2\0\x10\0" "data\x10\0\0\0"
        "\0\0\0\x40\0\xc0\xff\x7f\0\x80\xff\x7f\0\x80\xff\x7f";
    int64_t clipped;
    size_t n;
    unsigned char *bytes = write_wav(false, 1, 8, x, 8, &clipped, &n);
    assert_int_equal(n, sizeof expected);
    assert_memory_equal(bytes, expected, n);
    assert_int_equal(clipped, 3); /* 1, 2 and -1.5; -1 fits */
    free(bytes);
}

static void test_rounding(void **state) {
    (void)state;
    /* To nearest, ties to even; 32767.49 is not clipped, 32767.51 is. */
    const float x[] = {0.49f / 32768, 0.5f / 32768, 0.51f / 32768, 1.5f / 32768, -0.5f / 32768, -1.5f / 32768,
                       32767.49f / 32768, 32767.51f / 32768, -32768.49f / 32768, -32768.52f / 32768};
    const int expected[] = {0, 0, 1, 2, 0, -2, 32767, 32767, -32768, -32768};
    int64_t clipped;
    size_t n;
    unsigned char *bytes = write_wav(false, 1, 10, x, 10, &clipped, &n);
    for (int i = 0; i < 10; i++)
        assert_int_equal((int16_t)(bytes[44 + 2 * i] | bytes[45 + 2 * i] << 8), expected[i]);
    assert_int_equal(clipped, 2);
    free(bytes);
}

static void test_float(void **state) {
    (void)state;
    float x[10000];
    for (int i = 0; i < 10000; i++)
        x[i] = sinf((float)i) * 3;
    int64_t clipped;
    size_t n;
    unsigned char *bytes = write_wav(true, 2, 5000, x, 5000, &clipped, &n);
    assert_memory_equal(bytes + n - sizeof x, x, sizeof x);
    assert_memory_equal(bytes + n - sizeof x - 8, "data", 4);
    assert_int_equal(le32(bytes + n - sizeof x - 4), sizeof x);
    assert_int_equal(le32(bytes + 4), n - 8);
    assert_int_equal(clipped, 0);
    free(bytes);
}

static void test_empty(void **state) {
    (void)state;
    int64_t clipped;
    size_t n;
    unsigned char *bytes = write_wav(false, 1, 0, (float[]){0}, 0, &clipped, &n);
    assert_int_equal(n, 44);
    assert_int_equal(le32(bytes + 40), 0);
    free(bytes);
}

/* Where the length is not known a place for RF64 is kept; where it is large RF64 is written. */
static void test_rf64(void **state) {
    (void)state;
    const float x[4] = {0};
    int64_t clipped;
    size_t n;
    unsigned char *bytes = write_wav(false, 1, -1, x, 4, &clipped, &n);
    assert_memory_equal(bytes, "RIFF", 4);
    assert_memory_equal(bytes + 12, "JUNK", 4);
    assert_int_equal(le32(bytes + 4), n - 8);
    free(bytes);
    bytes = write_wav(false, 1, INT64_C(1) << 31, x, 4, &clipped, &n);
    assert_memory_equal(bytes, "RF64", 4);
    assert_memory_equal(bytes + 12, "ds64", 4);
    assert_int_equal(le32(bytes + 28), 8); /* bytes of data */
    free(bytes);
    bytes = write_wav(false, 1, INT64_MAX, x, 4, &clipped, &n);
    assert_memory_equal(bytes, "RF64", 4);
    free(bytes);
}

/* Two channels interleaved, clipped samples counted in both. */
static void test_stereo(void **state) {
    (void)state;
    const float x[] = {0.5f, -0.5f, 2, -2, 0, -1};
    const unsigned char expected[56] =
        "RIFF\x30\0\0\0WAVEfmt \x10\0\0\0\1\0\2\0\xc0\x5d\0\0\0\x77\1\0\4\0\x10\0" "data\x0c\0\0\0"
        "\0\x40\0\xc0\xff\x7f\0\x80\0\0\0\x80";
    int64_t clipped;
    size_t n;
    unsigned char *bytes = write_wav(false, 2, 3, x, 3, &clipped, &n);
    assert_int_equal(n, sizeof expected);
    assert_memory_equal(bytes, expected, n);
    assert_int_equal(clipped, 2);
    free(bytes);
    bytes = write_wav(false, 2, INT64_C(1) << 30, x, 3, &clipped, &n); /* 4 GiB */
    assert_memory_equal(bytes, "RF64", 4);
    assert_int_equal(le32(bytes + 28), 12);
    free(bytes);
}

static void test_not_finite(void **state) {
    (void)state;
    struct output *o;
    struct wav_writer *w;
    assert_ok(output_open(in_scratch("nan.wav"), true, false, &o, &err), &err);
    assert_ok(wav_open(o, 24000, 1, false, 4, &w, &err), &err);
    assert_ok(wav_write(w, (float[]){0, 0}, 2, &err), &err);
    assert_fails(wav_write(w, (float[]){0, NAN}, 2, &err), ECDC_E_ARGUMENT, &err, "nan.wav: sample 3 is not a finite");
    assert_fails(wav_write(w, (float[]){INFINITY}, 1, &err), ECDC_E_ARGUMENT, &err, "sample 2 is not");
    assert_fails(wav_open(o, 0, 1, false, 4, &w, &err), ECDC_E_ARGUMENT, &err, "0 Hz");
    assert_fails(wav_open(o, 24000, 0, false, 4, &w, &err), ECDC_E_ARGUMENT, &err, "0 channels");
    wav_free(w);
    wav_free(NULL);
    output_discard(o);
}

/* The words of the output survive the muxer. */
static void test_disk_full(void **state) {
    (void)state;
    const char *disk = in_scratch("disk");
    mkdir(disk, 0755);
    if (mount("ecdc-test", disk, "tmpfs", 0, "size=128k") != 0) {
        rmdir(disk);
        skip();
    }
    static const float x[10000];
    struct output *o;
    struct wav_writer *w;
    assert_ok(output_open(in_scratch("disk/full.wav"), false, false, &o, &err), &err);
    assert_ok(wav_open(o, 24000, 1, false, -1, &w, &err), &err);
    ecdc_status status = ECDC_OK;
    for (int i = 0; i < 30 && status == ECDC_OK; i++)
        status = wav_write(w, x, 10000, &err);
    assert_int_equal(status, ECDC_E_IO);
    assert_non_null(strstr(err.message, "disk/full.wav: No space left on device"));
    assert_fails(wav_finish(w, &err), ECDC_E_IO, &err, "No space left on device");
    wav_free(w);
    assert_fails(output_commit(o, &err), ECDC_E_IO, &err, "No space left on device");
    assert_int_equal(count_entries(disk), 0);
    umount(disk);
    rmdir(disk);
}

static void test_pipe(void **state) {
    (void)state;
    const char *path = in_scratch("stdout.wav");
    pid_t child = fork();
    if (child == 0) {
        struct output *o;
        struct wav_writer *w;
        dup2(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
        bool ok = output_open("-", false, false, &o, NULL) == ECDC_OK &&
                  wav_open(o, 24000, 1, false, 3, &w, NULL) == ECDC_OK &&
                  wav_write(w, (float[]){0.5f, 0, 0}, 3, NULL) == ECDC_OK && wav_finish(w, NULL) == ECDC_OK;
        if (ok)
            wav_free(w);
        _exit(ok && output_commit(o, NULL) == ECDC_OK ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    size_t n;
    unsigned char *bytes = read_file(path, &n);
    assert_int_equal(n, 50);
    assert_int_equal(le32(bytes + 4), 0xffffffff);
    assert_int_equal(le32(bytes + 40), 0xffffffff);
    assert_int_equal(bytes[45], 0x40);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hand_worked_bytes), cmocka_unit_test(test_rounding), cmocka_unit_test(test_float),
        cmocka_unit_test(test_empty),             cmocka_unit_test(test_rf64),     cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_stereo),
        cmocka_unit_test(test_disk_full),         cmocka_unit_test(test_pipe),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
