/* npy.h: bytes as numpy.save writes them; every way in which a file can be wrong. */
#include "media_files.h"

#include "media/npy.h"

static ecdc_error err;

/* A file with this header text (version 1.0) and n_data zero bytes. */
static const char *make_npy(const char *header, size_t n_data) {
    unsigned char bytes[2048] = "\x93NUMPY\x01";
    size_t n = strlen(header);
    assert_true(10 + n + n_data <= sizeof bytes);
    bytes[7] = 0;
    bytes[8] = (unsigned char)n;
    bytes[9] = (unsigned char)(n >> 8);
    memcpy(bytes + 10, header, n);
    memset(bytes + 10 + n, 0, n_data);
    return write_file("made.npy", bytes, 10 + n + n_data);
}

static void refuse(const char *header, size_t n_data, ecdc_status status, const char *words) {
    struct npy_reader *r = NULL;
    assert_fails(npy_open(make_npy(header, n_data), &r, &err), status, &err, words);
    assert_non_null(strstr(err.message, "made.npy: "));
    assert_null(r);
}

static struct npy_shape accept_header(const char *header, size_t n_data) {
    struct npy_reader *r;
    assert_ok(npy_open(make_npy(header, n_data), &r, &err), &err);
    struct npy_shape shape = *npy_shape_of(r);
    npy_close(r);
    return shape;
}

static void test_hand_worked_bytes(void **state) {
    (void)state;
    struct npy_shape shape = {.dtype = NPY_I64, .fortran_order = true, .n_dims = 2, .dims = {4, 0}};
    struct output *o;
    assert_ok(output_open(in_scratch("a.npy"), true, true, &o, &err), &err);
    assert_ok(npy_write_header(o, &shape, &err), &err);
    int64_t items[8] = {1, 2, 3, 4, -5, 6, 7, 8};
    assert_ok(output_write(o, items, sizeof items, &err), &err);
    shape.dims[1] = 2;
    assert_ok(npy_finish_header(o, &shape, &err), &err);
    assert_ok(output_commit(o, &err), &err);

    /* numpy.save(f, numpy.array(..., order='F')) writes 10 + 118 bytes of header. */
    size_t n;
    unsigned char *bytes = read_file(in_scratch("a.npy"), &n);
    assert_int_equal(n, 128 + 64);
    assert_memory_equal(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    const char *text = "{'descr': '<i8', 'fortran_order': True, 'shape': (4, 2), }";
    assert_memory_equal(bytes + 10, text, strlen(text));
    for (size_t i = 10 + strlen(text); i < 127; i++)
        assert_int_equal(bytes[i], ' ');
    assert_int_equal(bytes[127], '\n');
    assert_memory_equal(bytes + 128, items, sizeof items);
    free(bytes);

    struct npy_reader *r;
    int64_t back[8];
    float wrong[1];
    assert_ok(npy_open(in_scratch("a.npy"), &r, &err), &err);
    assert_int_equal(npy_shape_of(r)->dims[0], 4);
    assert_int_equal(npy_shape_of(r)->dims[1], 2);
    assert_true(npy_shape_of(r)->fortran_order);
    assert_fails(npy_read_float(r, wrong, 1, &err), ECDC_E_ARGUMENT, &err, "are int64, not floating-point");
    assert_ok(npy_read_int64(r, back, 3, &err), &err);
    assert_ok(npy_read_int64(r, back + 3, 5, &err), &err);
    assert_memory_equal(back, items, sizeof items);
    assert_fails(npy_read_int64(r, back, 1, &err), ECDC_E_FORMAT, &err, "1 more items");
    npy_close(r);
}

static void test_every_type(void **state) {
    (void)state;
    const unsigned char i16[] = {0xff, 0xff, 0x34, 0x12};
    const unsigned char f64[] = {0, 0, 0, 0, 0, 0, 0xe0, 0x3f};
    struct {
        enum npy_dtype type;
        const void *bytes;
        size_t n;
    } cases[] = {{NPY_I16, i16, 2}, {NPY_I32, (int32_t[]){-7, 1 << 30}, 2}, {NPY_I64, (int64_t[]){INT64_MIN}, 1},
                 {NPY_F32, (float[]){1.5f, -0.25f}, 2}, {NPY_F64, f64, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct npy_shape shape = {.dtype = cases[i].type, .n_dims = 1, .dims = {(int64_t)cases[i].n}};
        struct output *o;
        assert_ok(output_open(in_scratch("t.npy"), true, true, &o, &err), &err);
        assert_ok(npy_write_header(o, &shape, &err), &err);
        assert_ok(output_write(o, cases[i].bytes, cases[i].n * npy_dtype_size(cases[i].type), &err), &err);
        assert_ok(npy_finish_header(o, &shape, &err), &err);
        assert_ok(output_commit(o, &err), &err);
        struct npy_reader *r;
        assert_ok(npy_open(in_scratch("t.npy"), &r, &err), &err);
        assert_int_equal(npy_shape_of(r)->dtype, cases[i].type);
        int64_t integers[2];
        float floats[2];
        if (cases[i].type <= NPY_I64)
            assert_ok(npy_read_int64(r, integers, cases[i].n, &err), &err);
        else
            assert_ok(npy_read_float(r, floats, cases[i].n, &err), &err);
        if (cases[i].type == NPY_I16)
            assert_true(integers[0] == -1 && integers[1] == 0x1234);
        if (cases[i].type == NPY_I32)
            assert_true(integers[0] == -7 && integers[1] == 1 << 30);
        if (cases[i].type == NPY_I64)
            assert_true(integers[0] == INT64_MIN);
        if (cases[i].type == NPY_F32)
            assert_true(floats[0] == 1.5f && floats[1] == -0.25f);
        if (cases[i].type == NPY_F64)
            assert_true(floats[0] == 0.5f);
        npy_close(r);
    }
    assert_string_equal(npy_dtype_name(NPY_I16), "int16");
    assert_string_equal(npy_dtype_name(NPY_F64), "float64");
}

/* More items than a block of the reader holds. */
static void test_many_items(void **state) {
    (void)state;
    enum { N = 100003 };
    struct npy_shape shape = {.dtype = NPY_I16, .n_dims = 2, .dims = {0, 1}};
    int16_t *items = malloc(N * sizeof *items);
    int64_t *back = malloc(N * sizeof *back);
    for (int i = 0; i < N; i++)
        items[i] = (int16_t)(i * 17);
    struct output *o;
    assert_ok(output_open(in_scratch("m.npy"), true, true, &o, &err), &err);
    assert_ok(npy_write_header(o, &shape, &err), &err);
    assert_ok(output_write(o, items, N * sizeof *items, &err), &err);
    shape.dims[0] = N;
    assert_ok(npy_finish_header(o, &shape, &err), &err);
    assert_ok(output_commit(o, &err), &err);
    struct npy_reader *r;
    assert_ok(npy_open(in_scratch("m.npy"), &r, &err), &err);
    assert_ok(npy_read_int64(r, back, N, &err), &err);
    for (int i = 0; i < N; i++)
        assert_int_equal(back[i], items[i]);
    npy_close(r);
    free(items);
    free(back);
}

static void test_wrong_finish(void **state) {
    (void)state;
    struct npy_shape shape = {.dtype = NPY_F32, .n_dims = 1, .dims = {0}};
    struct output *o;
    assert_ok(output_open(in_scratch("w.npy"), true, true, &o, &err), &err);
    assert_ok(npy_write_header(o, &shape, &err), &err);
    assert_ok(output_write(o, "12345678", 8, &err), &err);
    shape.dims[0] = 3;
    assert_fails(npy_finish_header(o, &shape, &err), ECDC_E_ARGUMENT, &err, "stands for 12 bytes, 8 were written");
    shape.dims[0] = -1;
    assert_fails(npy_finish_header(o, &shape, &err), ECDC_E_ARGUMENT, &err, "negative or too large");
    shape.n_dims = 9;
    assert_fails(npy_write_header(o, &shape, &err), ECDC_E_ARGUMENT, &err, "not an array's shape");
    output_discard(o);
}

static void test_accepted_headers(void **state) {
    (void)state;
    struct npy_shape s = accept_header("{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }   \n", 12);
    assert_true(s.n_dims == 2 && s.dims[0] == 2 && s.dims[1] == 3 && !s.fortran_order && s.dtype == NPY_I16);
    s = accept_header("{\"shape\":(3,),\"fortran_order\":True,\"descr\":\"<f8\"}", 24);
    assert_true(s.n_dims == 1 && s.dims[0] == 3 && s.fortran_order && s.dtype == NPY_F64);
    s = accept_header("{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n", 4);
    assert_int_equal(s.n_dims, 0);
    s = accept_header("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 7), }\n", 0);
    assert_int_equal(s.dims[1], 7);

    unsigned char v2[128] = "\x93NUMPY\x02";
    const char *text = "{'descr': '<i4', 'fortran_order': False, 'shape': (1,)}\n";
    v2[8] = (unsigned char)strlen(text);
    memcpy(v2 + 12, text, strlen(text));
    for (unsigned char version = 2; version <= 3; version++) {
        struct npy_reader *r;
        v2[6] = version;
        assert_ok(npy_open(write_file("v2.npy", v2, 12 + strlen(text) + 4), &r, &err), &err);
        npy_close(r);
    }
}

static void test_wrong_types(void **state) {
    (void)state;
    const char *format = "{'descr': '%s', 'fortran_order': False, 'shape': (1,), }\n";
    const char *types[][2] = {{">i8", "'>i8' (big-endian)"}, {"<U4", "'<U4' (text)"}, {"|O", "'|O' (Python objects)"},
                              {"|i1", "'|i1'"}, {"<u8", "'<u8'"}, {"<f2", "'<f2'"}, {"|b1", "'|b1'"}, {"", "''"},
                              {"<c16", "'<c16'"}, {"<i88888888888888888888888888888888888888888888888", "'<i8888"}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char header[200];
        snprintf(header, sizeof header, format, types[i][0]);
        refuse(header, 8, ECDC_E_UNSUPPORTED, types[i][1]);
    }
    refuse("{'descr': [('a', '<i8')], 'fortran_order': False, 'shape': (1,), }\n", 8, ECDC_E_FORMAT, "a structure");
}

static void test_broken_headers(void **state) {
    (void)state;
    static const char *const broken[][2] = {
        {"", "not a dictionary"},
        {"[1]", "not a dictionary"},
        {"{}", "is missing"},
        {"{'descr': '<i8', 'fortran_order': False}", "is missing"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (1,), 'x': 1}", "a key beside"},
        {"{'descr': '<i8', 'descr': '<i8', 'fortran_order': False, 'shape': (1,)}", "occurs twice"},
        {"{'descr': '<i8', 'fortran_order': false, 'shape': (1,)}", "neither True nor False"},
        {"{'descr': '<i8', 'fortran_order': Falsehood, 'shape': (1,)}", "a comma is missing"},
        {"{'descr': '<i8' 'fortran_order': False, 'shape': (1,)}", "a comma is missing"},
        {"{'descr': '<i8', 'fortran_order' False, 'shape': (1,)}", "a colon is missing"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': 1}", "not a tuple"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (1)}", "a number, not a tuple"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': [1]}", "not a tuple"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (1 2)}", "a comma is missing in the shape"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (,)}", "not a number"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (-1,)}", "not a number"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (1.0,)}", "a comma is missing in the shape"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (0x1,)}", "a comma is missing in the shape"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (99999999999999999999,)}", "too large"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "more than 8"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (1,)} x", "something follows"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (1,)", "a comma is missing"},
        {"{'descr': '<i8, 'fortran_order': False, 'shape': (1,)}", "missing"},
        {"{'descr': '<i8", "does not end"},
        {"{'descr': '<i\\x38', 'fortran_order': False, 'shape': (1,)}", "a backslash"},
        {"{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,)}", "a string is missing"},
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        refuse(broken[i][0], 8, ECDC_E_FORMAT, broken[i][1]);
}

static void test_sizes(void **state) {
    (void)state;
    const char *four = "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 2), }\n";
    refuse(four, 31, ECDC_E_FORMAT, "is cut off: the shape claims 32 bytes of data, the file has 31");
    refuse(four, 33, ECDC_E_FORMAT, "has too many bytes: the shape claims 32 bytes of data, the file has 33");
    refuse("{'descr': '<i2', 'fortran_order': False, 'shape': (1152921504606846976, 4), }\n", 16, ECDC_E_FORMAT,
           "too large for any file");
    refuse("{'descr': '<i2', 'fortran_order': False, 'shape': (1152921504606846976,), }\n", 16, ECDC_E_FORMAT,
           "claims 2305843009213693952 bytes");
    refuse("{'descr': '<i2', 'fortran_order': False, 'shape': (9223372036854775807, 9223372036854775807, 0), }\n", 0,
           ECDC_E_FORMAT, "too large for any file"); /* nothing may multiply these */
}

static void test_not_npy(void **state) {
    (void)state;
    struct npy_reader *r;
    assert_fails(npy_open(in_scratch("none.npy"), &r, &err), ECDC_E_IO, &err, "none.npy: No such file");
    assert_fails(npy_open(scratch, &r, &err), ECDC_E_IO, &err, "Is a directory");
    assert_fails(npy_open("/dev/null", &r, &err), ECDC_E_IO, &err, "not a file or a pipe");
    assert_fails(npy_open(write_file("e.npy", "", 0), &r, &err), ECDC_E_FORMAT, &err, "only 0 bytes");
    assert_fails(npy_open(write_file("m.npy", "\x93NUMPX\1\0\1\0x", 11), &r, &err), ECDC_E_FORMAT, &err,
                 "does not start with \\x93NUMPY");
    assert_fails(npy_open(write_file("v.npy", "\x93NUMPY\4\0\1\0x", 11), &r, &err), ECDC_E_UNSUPPORTED, &err,
                 "version 4.0 of .npy");
    assert_fails(npy_open(write_file("l.npy", "\x93NUMPY\2\0\xff\xff\xff\xff{}", 14), &r, &err), ECDC_E_FORMAT, &err,
                 "claims 4294967295 bytes, the file has 2");
}

/* Cut anywhere, a file is refused with its name. */
static void test_cut_everywhere(void **state) {
    (void)state;
    size_t n;
    unsigned char *bytes =
        read_file(make_npy("{'descr': '<i8', 'fortran_order': False, 'shape': (2, 2), }\n", 32), &n);
    for (size_t i = 0; i < n; i++) {
        struct npy_reader *r;
        assert_fails(npy_open(write_file("cut.npy", bytes, i), &r, &err), ECDC_E_FORMAT, &err, "cut.npy: ");
    }
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hand_worked_bytes), cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_many_items),        cmocka_unit_test(test_wrong_finish),
        cmocka_unit_test(test_accepted_headers),  cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_broken_headers),    cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_not_npy),           cmocka_unit_test(test_cut_everywhere),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
