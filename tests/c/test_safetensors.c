/* The safetensors directory: good files, and every way to be broken. */
#include "model_support.h"

#include <math.h>

/* An image in a heap block of its exact size, so that a read past its end is seen. `length` overrides the header's. */
static unsigned char *image_of(const char *header, size_t n_data, const uint64_t *length, size_t *n) {
    size_t n_header = strlen(header);
    *n = 8 + n_header + n_data;
    unsigned char *image = malloc(*n);
    assert_non_null(image);
    uint64_t claimed = length ? *length : n_header;
    for (int i = 0; i < 8; i++)
        image[i] = (unsigned char)(claimed >> (8 * i));
    memcpy(image + 8, header, n_header);
    memset(image + 8 + n_header, 0, n_data);
    return image;
}

static void expect_refusal(const char *header, size_t n_data, const char *part) {
    size_t n;
    unsigned char *image = image_of(header, n_data, NULL, &n);
    struct tensor_table table = {0};
    ecdc_error err = {ECDC_OK, ""};
    if (safetensors_read("x.safetensors", image, n, &table, &err) == ECDC_OK)
        fail_msg("accepted: %s", header);
    assert_int_equal(err.status, ECDC_E_FORMAT);
    assert_message(err, "x.safetensors");
    assert_message(err, part);
    assert_null(table.tensors);
    free(image);
}

static void a_file_is_read(void **state) {
    (void)state;
    size_t n;
    unsigned char *image = image_of("{\"b\": {\"dtype\": \"F32\", \"shape\": [2, 3], \"data_offsets\": [4, 28]}, "
                                    "\"__metadata__\": {\"format\": \"pt\"}, "
                                    "\"a\": {\"dtype\": \"F16\", \"shape\": [], \"data_offsets\": [0, 2]}, "
                                    "\"empty\": {\"dtype\": \"I64\", \"shape\": [0, 7], \"data_offsets\": [4, 4]}, "
                                    "\"odd\": {\"dtype\": \"F8_E4M3\", \"shape\": [2], \"data_offsets\": [2, 4]}}   ",
                                    28, NULL, &n);
    struct tensor_table table = {0};
    ecdc_error err;
    assert_int_equal(safetensors_read("x", image, n, &table, &err), ECDC_OK);
    assert_int_equal(table.n, 4);
    const struct tensor *b = tensor_table_find(&table, "b");
    assert_non_null(b);
    assert_int_equal(b->dtype, DTYPE_F32);
    assert_int_equal(b->rank, 2);
    assert_int_equal(b->shape[1], 3);
    assert_ptr_equal(b->data, image + n - 24);
    assert_int_equal(tensor_count(b), 6);
    assert_int_equal(tensor_count(tensor_table_find(&table, "a")), 1);
    assert_int_equal(tensor_table_find(&table, "odd")->dtype, DTYPE_UNKNOWN);
    assert_null(tensor_table_find(&table, "__metadata__"));
    assert_null(tensor_table_find(&table, "c"));
    tensor_table_free(&table);
    free(image);
}

static void an_empty_directory_is_fine(void **state) {
    (void)state;
    size_t n;
    unsigned char *image = image_of("{}", 0, NULL, &n);
    struct tensor_table table = {0};
    assert_int_equal(safetensors_read("x", image, n, &table, NULL), ECDC_OK);
    assert_int_equal(table.n, 0);
    assert_null(tensor_table_find(&table, "a"));
    tensor_table_free(&table);
    free(image);
}

static void lengths_beyond_the_file(void **state) {
    (void)state;
    static const uint64_t lengths[] = {3, 1000, 100000001, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        size_t n;
        unsigned char *image = image_of("{}", 0, &lengths[i], &n);
        struct tensor_table table = {0};
        ecdc_error err;
        assert_int_equal(safetensors_read("x", image, n, &table, &err), ECDC_E_FORMAT);
        assert_message(err, "claims a header of");
        free(image);
    }
    for (size_t n = 0; n < 8; n++) {
        unsigned char *few = calloc(n ? n : 1, 1);
        struct tensor_table table = {0};
        ecdc_error err;
        assert_int_equal(safetensors_read("x", few, n, &table, &err), ECDC_E_FORMAT);
        assert_message(err, "not a safetensors file");
        free(few);
    }
}

static void broken_headers(void **state) {
    (void)state;
    static const struct { const char *header, *part; } cases[] = {
        {"", "not valid JSON"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\"", "header: not valid JSON"},
        {"[1, 2]", "not an object"},
        {"{\"a\": 1}", "entry for a is not an object"},
        {"{\"a\": {\"shape\": [1], \"data_offsets\": [0, 4]}}", "tensor a has no dtype"},
        {"{\"a\": {\"dtype\": 3, \"shape\": [1], \"data_offsets\": [0, 4]}}", "tensor a has no dtype"},
        {"{\"a\": {\"dtype\": \"F32\", \"data_offsets\": [0, 4]}}", "tensor a has no shape"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [-1], \"data_offsets\": [0, 4]}}", "has -1 in its shape"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1.5], \"data_offsets\": [0, 4]}}", "has 1.5 in its shape"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1,1,1,1,1,1,1,1,1], \"data_offsets\": [0, 4]}}", "more than 8 dim"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1]}}", "data_offsets of tensor a are not two whole numbers"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0]}}", "not two whole numbers"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4, 8]}}", "not two whole numbers"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [-4, 0]}}", "not two whole numbers"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 1e300]}}", "not two whole numbers"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [8, 4]}}", "are 8 ... 4"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [16, 20]}}", "but the file has 16 bytes"},
        {"{\"a\": {\"dtype\": \"F9\", \"shape\": [1], \"data_offsets\": [16, 17]}}", "but the file has 16 bytes"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 4]}}", "is F32 (2) but has 4 bytes"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [], \"data_offsets\": [0, 0]}}", "is F32 () but has 0 bytes"},
        {"{\"a\": {\"dtype\": \"I64\", \"shape\": [0], \"data_offsets\": [0, 8]}}", "is I64 (0) but has 8 bytes"},
        /* 2^31 * 2^31 * 4 is 0 in 64 bits */
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2147483648, 2147483648], \"data_offsets\": [0, 0]}}", "has 0 bytes"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]},"
         " \"b\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [4, 12]}}", "tensors a and b overlap"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]},"
         " \"b\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}}", "overlap"},
        {"{\"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]},"
         " \"a\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 8]}}", "tensor a is listed twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(cases[i].header, 16, cases[i].part);
}

static void a_nesting_bomb_is_refused(void **state) {
    (void)state;
    enum { DEPTH = 1 << 20 };
    char *header = malloc(DEPTH + 1);
    assert_non_null(header);
    for (size_t i = 0; i < DEPTH; i++)
        header[i] = "{\"a\":"[i % 5];
    header[DEPTH] = '\0';
    expect_refusal(header, 0, "nested too deeply");
    free(header);
}

/* Every prefix of a real file's beginning is refused, and none is read past its end. */
static void cut_files(void **state) {
    (void)state;
    size_t n;
    char *file = read_fixture("tiny24/model.safetensors", &n);
    for (size_t cut = 0; cut < 20000; cut += cut < 64 ? 1 : 487) {
        char *part = malloc(cut ? cut : 1);
        assert_non_null(part);
        memcpy(part, file, cut);
        struct tensor_table table = {0};
        assert_int_equal(safetensors_read("x", part, cut, &table, NULL), ECDC_E_FORMAT);
        free(part);
    }
    struct tensor_table table = {0};
    ecdc_error err;
    assert_int_equal(safetensors_read("x", file, n - 1, &table, &err), ECDC_E_FORMAT);
    assert_message(err, "but the file has");
    assert_int_equal(safetensors_read("x", file, n, &table, &err), ECDC_OK);
    assert_int_equal(table.n, 156);
    tensor_table_free(&table);
    free(file);
}

static void what_is_laid_out_is_read_back(void **state) {
    (void)state;
    struct builder *b = calloc(1, sizeof *b);
    static const uint64_t shape[] = {3, 5};
    assert_non_null(b);
    builder_add(b, "z", DTYPE_F32, 2, shape, NULL);
    builder_add(b, "scalar", DTYPE_F64, 0, shape, "12345678");
    builder_add(b, "a", DTYPE_U8, 1, shape, "abc");
    size_t n;
    char *image = builder_image(b, &n);
    struct tensor_table table = {0};
    assert_int_equal(safetensors_read("x", image, n, &table, NULL), ECDC_OK);
    assert_int_equal(table.n, 3);
    const struct tensor *z = tensor_table_find(&table, "z"), *a = tensor_table_find(&table, "a");
    assert_ptr_equal(z->data, image + b->items[0].offset);
    assert_int_equal(b->items[0].offset % 64, 0);
    assert_int_equal(z->shape[0] * 10 + z->shape[1], 35);
    assert_memory_equal(a->data, "abc", 3);
    assert_ptr_equal((const char *)a->data + 3, image + n);
    tensor_table_free(&table);
    free(image);
    free(b);
}

static void what_cannot_be_laid_out(void **state) {
    (void)state;
    void *image;
    size_t n;
    ecdc_error err;
    struct safetensors_item quote = {.name = "a\"b", .dtype = DTYPE_F32};
    assert_int_equal(safetensors_layout(&quote, 1, &image, &n, &err), ECDC_E_ARGUMENT);
    struct safetensors_item unknown = {.name = "a", .dtype = DTYPE_UNKNOWN};
    assert_int_equal(safetensors_layout(&unknown, 1, &image, &n, &err), ECDC_E_ARGUMENT);
    struct safetensors_item huge = {.name = "a", .dtype = DTYPE_F32, .rank = 2, .shape = {UINT64_MAX / 2, 4}};
    assert_int_equal(safetensors_layout(&huge, 1, &image, &n, &err), ECDC_E_ARGUMENT);
}

/* ------------------------------------------------------------------------------------------- numbers --- */

static float read_one(enum dtype dtype, const void *data, bool *finite) {
    struct tensor t = {.dtype = dtype, .data = data, .n_bytes = dtype_size(dtype)};
    float value = 0;
    *finite = tensor_read(&t, "x", &value, NULL) == ECDC_OK;
    return value;
}

static void every_half_is_converted_exactly(void **state) {
    (void)state;
    for (uint32_t bits = 0; bits < 65536; bits++) {
        uint16_t half = (uint16_t)bits;
        int exponent = half >> 10 & 31, mantissa = half & 1023;
        double magnitude = exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
        bool finite;
        float value = read_one(DTYPE_F16, &half, &finite);
        assert_int_equal(finite, exponent != 31);
        if (finite)
            assert_true((double)value == (half & 0x8000 ? -magnitude : magnitude) && !signbit(value) == !(half >> 15));

        uint32_t wide = bits << 16;
        float expected;
        memcpy(&expected, &wide, sizeof expected);
        value = read_one(DTYPE_BF16, &half, &finite);
        assert_memory_equal(&value, &expected, sizeof value);
        assert_int_equal(finite, isfinite(expected) != 0);
    }
}

static void wider_numbers(void **state) {
    (void)state;
    static const double values[] = {0.1, -3.5, 1e-50, 1e300};
    bool finite;
    for (size_t i = 0; i < 3; i++) {
        unsigned char odd[9]; /* not aligned */
        memcpy(odd + 1, &values[i], 8);
        assert_true(read_one(DTYPE_F64, odd + 1, &finite) == (float)values[i] && finite);
    }
    read_one(DTYPE_F64, &values[3], &finite);
    assert_false(finite);
    float nan_value = NAN;
    read_one(DTYPE_F32, &nan_value, &finite);
    assert_false(finite);
}

static void shapes_are_cut_to_the_buffer(void **state) {
    (void)state;
    char text[16];
    static const uint64_t shape[] = {64, 16, 7}, huge[] = {UINT64_MAX, UINT64_MAX};
    assert_string_equal(tensor_shape_text(3, shape, text, sizeof text), "(64, 16, 7)");
    assert_string_equal(tensor_shape_text(0, shape, text, sizeof text), "()");
    assert_int_equal(strlen(tensor_shape_text(2, huge, text, sizeof text)), 15);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read),
        cmocka_unit_test(an_empty_directory_is_fine),
        cmocka_unit_test(lengths_beyond_the_file),
        cmocka_unit_test(broken_headers),
        cmocka_unit_test(a_nesting_bomb_is_refused),
        cmocka_unit_test(cut_files),
        cmocka_unit_test(what_is_laid_out_is_read_back),
        cmocka_unit_test(what_cannot_be_laid_out),
        cmocka_unit_test(every_half_is_converted_exactly),
        cmocka_unit_test(wider_numbers),
        cmocka_unit_test(shapes_are_cut_to_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
