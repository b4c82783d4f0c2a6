/* NIfTI files made by hand: what is read of them, what is refused and with which words, what is written. */
#include "media_files.h"

#include <math.h>
#include <stdbool.h>
#include <zlib.h>

static ecdc_error err;

enum { HEADER = 352, X = 3, Y = 2, Z = 2, T = 2, N = X * Y * Z };

/* A file of version 1 in the making: a series of int16, 3 x 2 x 2 voxels, 2 volumes, an sform. */
struct made {
    unsigned char bytes[4096];
    size_t n;
    bool big_endian;
};

static void put(struct made *m, size_t at, uint64_t bits, size_t n) {
    for (size_t i = 0; i < n; i++)
        m->bytes[m->big_endian ? at + n - 1 - i : at + i] = (unsigned char)(bits >> 8 * i);
}

static void put_float(struct made *m, size_t at, float number) {
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    put(m, at, bits, 4);
}

static void put_double(struct made *m, size_t at, double number) {
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    put(m, at, bits, 8);
}

static void put_dims(struct made *m, const int *dims, size_t n) {
    for (size_t i = 0; i < n; i++)
        put(m, 40 + 2 * i, (uint64_t)dims[i], 2);
}

static struct made make(bool big_endian) {
    struct made m = {.big_endian = big_endian};
    put(&m, 0, 348, 4);
    put_dims(&m, (const int[]){4, X, Y, Z, T, 1, 1, 1}, 8);
    put(&m, 70, 4, 2);
    put(&m, 72, 16, 2);
    const float pixdim[] = {1, 3, 2, 4, 0.72F};
    for (size_t i = 0; i < 5; i++)
        put_float(&m, 76 + 4 * i, pixdim[i]);
    put_float(&m, 108, HEADER);
    m.bytes[123] = 2 | 8;
    put(&m, 254, 1, 2);
    const float srow[] = {3, 0, 0, -10, 0, 2, 0.5F, 20, 0, 0, 4, 30};
    for (size_t i = 0; i < 12; i++)
        put_float(&m, 280 + 4 * i, srow[i]);
    memcpy(m.bytes + 344, "n+1", 4);
    for (int i = 0; i < N * T; i++)
        put(&m, HEADER + 2 * (size_t)i, (uint64_t)(i * 100 - 300), 2);
    m.n = HEADER + 2 * N * T;
    return m;
}

static const char *save(const struct made *m) {
    return write_file("made.nii", m->bytes, m->n);
}

/* The same as gzip, in members of at most `piece` bytes, the last `cut` bytes missing. */
static const char *save_gzip(const struct made *m, size_t piece, size_t cut) {
    unsigned char packed[8192];
    size_t n = 0;
    for (size_t at = 0; at < m->n; at += piece) {
        z_stream z = {0};
        assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
        z.next_in = (unsigned char *)m->bytes + at;
        z.avail_in = (unsigned)(m->n - at < piece ? m->n - at : piece);
        z.next_out = packed + n;
        z.avail_out = (unsigned)(sizeof packed - n);
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        n += z.total_out;
        deflateEnd(&z);
    }
    return write_file("made.nii.gz", packed, n - cut);
}

static ecdc_nifti_info info_of(const char *path) {
    ecdc_nifti *nifti;
    ecdc_nifti_info info;
    assert_ok(ecdc_nifti_open(path, &nifti, &err), &err);
    ecdc_nifti_get_info(nifti, &info);
    ecdc_nifti_close(nifti);
    return info;
}

/* Reads all volumes; the last status. */
static ecdc_status read_all(const char *path, float *volumes) {
    ecdc_nifti *nifti;
    ecdc_status status = ecdc_nifti_open(path, &nifti, &err);
    if (status != ECDC_OK)
        return status;
    int more = 1;
    for (int tr = 0; status == ECDC_OK && more; tr++)
        status = ecdc_nifti_read(nifti, volumes + tr * N, &more, &err);
    ecdc_nifti_close(nifti);
    return status;
}

static void check_ramp(const char *path) {
    float volumes[(T + 1) * N];
    assert_ok(read_all(path, volumes), &err);
    for (int i = 0; i < N * T; i++)
        assert_true(volumes[i] == (float)(i * 100 - 300));
}

static void test_facts(void **state) {
    (void)state;
    for (int big = 0; big < 2; big++) {
        struct made m = make(big);
        const char *path = save(&m);
        ecdc_nifti_info info = info_of(path);
        assert_int_equal(info.n_dims, 4);
        assert_true(info.space.x == X && info.space.y == Y && info.space.z == Z && info.n_trs == T);
        assert_true(info.tr_s == 0.72); /* not the float32 next to it */
        assert_int_equal(info.type, ECDC_NIFTI_INT16);
        assert_string_equal(info.type_name, "int16");
        assert_true(info.big_endian == big && info.compressed == 0 && info.version == 1 && info.space.code == 1);
        const double affine[16] = {3, 0, 0, -10, 0, 2, 0.5, 20, 0, 0, 4, 30, 0, 0, 0, 1};
        assert_memory_equal(info.space.affine, affine, sizeof affine);
        check_ramp(path);
        check_ramp(save_gzip(&m, 4096, 0));
        check_ramp(save_gzip(&m, 100, 0)); /* several members */
    }
}

static void test_repetition_time(void **state) {
    (void)state;
    const struct {
        unsigned char units;
        float pixdim;
        double tr_s;
    } cases[] = {{2 | 8, 1.5F, 1.5}, {2 | 16, 1500, 1.5}, {2 | 24, 720000, 0.72}, {0, 2, 2}, {2 | 32, 2, 0}, {10, 0, 0}, {10, -1, 0},
                 {10, NAN, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made m = make(false);
        m.bytes[123] = cases[i].units;
        put_float(&m, 92, cases[i].pixdim);
        assert_true(info_of(save(&m)).tr_s == cases[i].tr_s);
    }
}

static void test_affines(void **state) {
    (void)state;
    struct made m = make(false);
    put(&m, 254, 0, 2); /* no sform: a half turn about z, qfac -1 */
    put(&m, 252, 3, 2);
    put_float(&m, 76, -1);
    put_float(&m, 264, 1);
    put_float(&m, 268, 5);
    put_float(&m, 272, 6);
    put_float(&m, 276, 7);
    ecdc_nifti_info info = info_of(save(&m));
    const double turned[16] = {-3, 0, 0, 5, 0, -2, 0, 6, 0, 0, -4, 7, 0, 0, 0, 1};
    for (int i = 0; i < 16; i++)
        assert_true(fabs(info.space.affine[i] - turned[i]) < 1e-12);
    assert_int_equal(info.space.code, 3);
    put(&m, 252, 0, 2); /* sizes alone: centred, x flipped */
    info = info_of(save(&m));
    const double centred[16] = {-3, 0, 0, 3, 0, 2, 0, -1, 0, 0, 4, -2, 0, 0, 0, 1};
    assert_memory_equal(info.space.affine, centred, sizeof centred);
    assert_int_equal(info.space.code, 0);
    put(&m, 252, 1, 2);
    put_float(&m, 256, 2); /* longer than 1 */
    ecdc_nifti *nifti = NULL;
    assert_fails(ecdc_nifti_open(save(&m), &nifti, &err), ECDC_E_FORMAT, &err, "made.nii: the qform is not an affine of finite numbers");
}

static void test_scaling(void **state) {
    (void)state;
    float volumes[(T + 1) * N];
    struct made m = make(true);
    put_float(&m, 112, 0.5F);
    put_float(&m, 116, 7);
    assert_ok(read_all(save(&m), volumes), &err);
    assert_true(volumes[0] == -143 && volumes[1] == -93);
    put_float(&m, 112, 0);
    check_ramp(save(&m));
    put_float(&m, 112, NAN);
    check_ramp(save(&m));
    put_float(&m, 112, 1);
    put_float(&m, 116, INFINITY);
    assert_fails(read_all(save(&m), volumes), ECDC_E_FORMAT, &err, "scl_inter is not finite");
}

static void test_types(void **state) {
    (void)state;
    const struct {
        int type;
        size_t bytes;
        uint64_t bits;
        float value;
    } cases[] = {{2, 1, 200, 200},          {256, 1, 200, -56},       {512, 2, 60000, 60000},         {8, 4, UINT32_MAX, -1},
                 {768, 4, UINT32_MAX, 0x1p32F}, {1024, 8, UINT64_MAX, -1}, {1280, 8, UINT64_MAX, 0x1p64F}, {16, 4, 0x40490fdb, 3.14159274F},
                 {64, 8, 0x3ff8000000000000, 1.5F}};
    for (int big = 0; big < 2; big++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            float volumes[(T + 1) * N];
            struct made m = make(big);
            put(&m, 70, (uint64_t)cases[i].type, 2);
            for (size_t v = 0; v < N * T; v++)
                put(&m, HEADER + v * cases[i].bytes, cases[i].bits, cases[i].bytes);
            m.n = HEADER + N * T * cases[i].bytes;
            assert_ok(read_all(save(&m), volumes), &err);
            assert_true(volumes[0] == cases[i].value && volumes[N * T - 1] == cases[i].value);
        }
}

static void test_version_2(void **state) {
    (void)state;
    for (int big = 0; big < 2; big++) {
        struct made m = {.big_endian = big, .n = 544 + 2 * N};
        put(&m, 0, 540, 4);
        memcpy(m.bytes + 4, "n+2\0\r\n\032\n", 8);
        put(&m, 12, 4, 2);
        const uint64_t dims[] = {3, X, Y, Z};
        for (size_t i = 0; i < 4; i++)
            put(&m, 16 + 8 * i, dims[i], 8);
        put(&m, 168, 544, 8);
        put(&m, 348, 4, 4);
        for (size_t i = 0; i < 12; i++)
            put_double(&m, 400 + 8 * i, (double)i + 0.1);
        put(&m, 544 + 2 * (N - 1), 77, 2);
        float volume[2 * N];
        const char *path = save(&m);
        ecdc_nifti_info info = info_of(path);
        assert_true(info.version == 2 && info.n_dims == 3 && info.n_trs == 1 && info.space.code == 4 && info.space.affine[11] == 11.1);
        assert_ok(read_all(path, volume), &err);
        assert_true(volume[N - 1] == 77);
    }
}

static void refuse(const struct made *m, ecdc_status status, const char *words) {
    ecdc_nifti *nifti = NULL;
    assert_fails(ecdc_nifti_open(save(m), &nifti, &err), status, &err, words);
    assert_non_null(strstr(err.message, "made.nii: "));
    assert_null(nifti);
}

static void test_hostile_headers(void **state) {
    (void)state;
    struct made m = make(false);
    m.n = 0;
    refuse(&m, ECDC_E_FORMAT, "is empty");
    m.n = 100;
    refuse(&m, ECDC_E_FORMAT, "not a NIfTI file (it has only 100 bytes)");
    m = make(false);
    put(&m, 0, 349, 4);
    refuse(&m, ECDC_E_FORMAT, "not a NIfTI file (it does not begin with 348 or 540)");
    m = make(false);
    memcpy(m.bytes + 344, "ni1", 4);
    refuse(&m, ECDC_E_UNSUPPORTED, "the header of a pair (.hdr and .img)");
    m.bytes[344] = 0;
    refuse(&m, ECDC_E_UNSUPPORTED, "no mark of NIfTI (is it Analyze 7.5?)");
    const struct {
        int dims[8];
        ecdc_status status;
        const char *words;
    } shapes[] = {
        {{0, X, Y, Z, T, 1, 1, 1}, ECDC_E_FORMAT, "has 0 dimensions"},
        {{8, X, Y, Z, T, 1, 1, 1}, ECDC_E_FORMAT, "has 8 dimensions"},
        {{-1, X, Y, Z, T, 1, 1, 1}, ECDC_E_FORMAT, "has -1 dimensions"},
        {{2, X, Y, Z, T, 1, 1, 1}, ECDC_E_UNSUPPORTED, "has 2 dimensions"},
        {{5, X, Y, Z, T, 3, 1, 1}, ECDC_E_UNSUPPORTED, "has 5 dimensions"},
        {{4, X, 0, Z, T, 1, 1, 1}, ECDC_E_FORMAT, "dim[2] is 0"},
        {{4, X, Y, Z, -T, 1, 1, 1}, ECDC_E_FORMAT, "dim[4] is -2"},
        {{4, 32767, 32767, 32767, 32767, 1, 1, 1}, ECDC_E_FORMAT,
         "32767 x 32767 x 32767 voxels x 32767 volumes of int16 are more than 400"},
        {{7, X, Y, Z, T + 1, 1, 1, 1}, ECDC_E_FORMAT, "is cut off: 3 x 2 x 2 voxels x 3 volumes"},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        m = make(false);
        put_dims(&m, shapes[i].dims, 8);
        refuse(&m, shapes[i].status, shapes[i].words);
    }
    m = make(false);
    put(&m, 70, 32, 2);
    refuse(&m, ECDC_E_UNSUPPORTED, "type 32 (complex64)");
    put(&m, 70, 77, 2);
    refuse(&m, ECDC_E_UNSUPPORTED, "type 77 (unknown)");
    const float offsets[] = {348, -1, 352.5F, NAN, INFINITY};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        m = make(false);
        put_float(&m, 108, offsets[i]);
        refuse(&m, ECDC_E_FORMAT, "the numbers cannot begin before byte 352");
    }
    put_float(&m, 108, 1e9F);
    refuse(&m, ECDC_E_FORMAT, "is cut off");
    m = make(false);
    put_float(&m, 280, NAN);
    refuse(&m, ECDC_E_FORMAT, "the sform is not an affine of finite numbers");
}

static void test_gzip_that_lies(void **state) {
    (void)state;
    float volumes[(T + 1) * N];
    struct made m = make(false);
    assert_fails(read_all(save_gzip(&m, 4096, 30), volumes), ECDC_E_FORMAT, &err, "made.nii.gz: the gzip data break off");
    assert_fails(read_all(save_gzip(&m, 4096, 4), volumes), ECDC_E_FORMAT, &err, "the gzip data break off"); /* the checksum alone */
    const char *path = save_gzip(&m, 4096, 0);
    size_t n;
    unsigned char *bytes = read_file(path, &n);
    bytes[n - 6] ^= 1; /* of the checksum */
    path = write_file("made.nii.gz", bytes, n);
    free(bytes);
    assert_fails(read_all(path, volumes), ECDC_E_FORMAT, &err, "the gzip data are damaged (incorrect data check");
    put_dims(&m, (const int[]){4, 32767, 32767, 32767, 2, 1, 1, 1}, 8); /* no allocation for it */
    assert_fails(read_all(save_gzip(&m, 4096, 0), volumes), ECDC_E_FORMAT, &err, "bytes can hold");
    put_dims(&m, (const int[]){4, 30, 30, 30, 2, 1, 1, 1}, 8); /* possible for gzip, but not there */
    assert_fails(read_all(save_gzip(&m, 4096, 0), volumes), ECDC_E_FORMAT, &err, "");
}

static void test_writing(void **state) {
    (void)state;
    ecdc_nifti_settings s = ecdc_default_nifti_settings();
    s.space = (ecdc_nifti_space){X, Y, Z, {3, 0, 0, -10, 0, 2, 0.5, 20, 0, 0, 4, 30, 0, 0, 0, 1}, 4};
    s.n_trs = T;
    s.tr_s = 0.72;
    float volume[N], back[(T + 1) * N];
    const ecdc_nifti_type types[] = {ECDC_NIFTI_INT16, ECDC_NIFTI_FLOAT32, ECDC_NIFTI_FLOAT64};
    const char *const names[] = {"out.nii", "out.nii.gz"};
    for (int i = 0; i < 6; i++) {
        const char *path = in_scratch(names[i % 2]);
        ecdc_nifti_writer *writer;
        s.type = types[i / 2];
        s.overwrite = 1;
        assert_ok(ecdc_nifti_writer_new(path, &s, &writer, &err), &err);
        for (int tr = 0; tr < T; tr++) {
            for (int v = 0; v < N; v++)
                volume[v] = (float)((tr * N + v) * 100 - 300) + (s.type == ECDC_NIFTI_INT16 ? 0.25F : 0);
            assert_ok(ecdc_nifti_write(writer, volume, &err), &err);
        }
        assert_fails(ecdc_nifti_write(writer, volume, &err), ECDC_E_ARGUMENT, &err, "more than the 2 volumes announced");
        assert_ok(ecdc_nifti_writer_finish(writer, &err), &err);
        assert_fails(ecdc_nifti_write(writer, volume, &err), ECDC_E_ARGUMENT, &err, "the NIfTI file is finished already");
        ecdc_nifti_writer_free(writer);
        ecdc_nifti_info info = info_of(path);
        assert_memory_equal(&info.space, &s.space, offsetof(ecdc_nifti_space, code) + sizeof s.space.code);
        assert_true(info.tr_s == 0.72 && info.n_trs == T && info.type == s.type && info.compressed == i % 2);
        check_ramp(path);
        assert_ok(read_all(path, back), &err);
    }
    ecdc_nifti_writer *writer;
    s.overwrite = 0;
    assert_fails(ecdc_nifti_writer_new(in_scratch("out.nii"), &s, &writer, &err), ECDC_E_EXISTS, &err, "out.nii");
    s.type = ECDC_NIFTI_UINT8;
    assert_ok(ecdc_nifti_writer_new(in_scratch("new.nii"), &s, &writer, &err), &err);
    volume[7] = 300;
    for (int v = 0; v < 7; v++)
        volume[v] = 1;
    assert_fails(ecdc_nifti_write(writer, volume, &err), ECDC_E_ARGUMENT, &err, "volume 0: 300 at voxel (1, 0, 1) does not fit uint8");
    assert_fails(ecdc_nifti_writer_finish(writer, &err), ECDC_E_ARGUMENT, &err, "0 of 2 volumes were written");
    ecdc_nifti_writer_free(writer);
    assert_int_equal(access(in_scratch("new.nii"), F_OK), -1);
    s.space.x = 40000;
    assert_fails(ecdc_nifti_writer_new(in_scratch("new.nii"), &s, &writer, &err), ECDC_E_ARGUMENT, &err, "40000 voxels along axis 0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),   cmocka_unit_test(test_repetition_time), cmocka_unit_test(test_affines),
        cmocka_unit_test(test_scaling), cmocka_unit_test(test_types),           cmocka_unit_test(test_version_2),
        cmocka_unit_test(test_hostile_headers), cmocka_unit_test(test_gzip_that_lies), cmocka_unit_test(test_writing),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
