/* Writing a model as a directory, and reading it back. */
#include "model_support.h"

#include "media/model_dir.h"
#include "model/model.h"

static ecdc_model *open_model(const char *name) {
    ecdc_model *model = NULL;
    ecdc_error err;
    if (ecdc_model_open(name, &model, &err))
        fail_msg("%s: %s", name, err.message);
    return model;
}

static void expect_equal_files(const char *one, const char *other) {
    size_t n, m;
    char *a = read_file(one, &n), *b = read_file(other, &m);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    free(a);
    free(b);
}

static void a_written_model_is_the_model(void **state) {
    const char *dir = in_directory(*state, "new"), *fixture = in_directory(ECDC_TEST_DATA, "tiny24");
    ecdc_model *model = open_model(fixture);
    ecdc_error err;
    if (model_dir_write(model, dir, EXPORT_SAFETENSORS, DTYPE_UNKNOWN, false, NULL, &err))
        fail_msg("%s", err.message);
    expect_equal_files(in_directory(dir, "model.safetensors"), in_directory(fixture, "model.safetensors"));
    ecdc_model *copy = open_model(dir);
    assert_memory_equal(&copy->config, &model->config, sizeof model->config);
    assert_string_equal(ecdc_model_sha256(copy), ecdc_model_sha256(model));

    /* over itself, while it is mapped */
    assert_int_equal(model_dir_write(copy, dir, EXPORT_SAFETENSORS, DTYPE_UNKNOWN, true, NULL, NULL), ECDC_OK);
    expect_equal_files(in_directory(dir, "model.safetensors"), in_directory(fixture, "model.safetensors"));
    ecdc_model_close(copy);
    ecdc_model_close(model);
}

static void nothing_is_overwritten_unasked(void **state) {
    const char *dir = in_directory(*state, "old");
    ecdc_model *model = open_model(in_directory(ECDC_TEST_DATA, "tiny24"));
    static const char *const files[] = {"config.json", "model.safetensors"};
    for (int i = 0; i < 2; i++) {
        const char *path = in_directory(dir, files[i]), *other = in_directory(dir, files[1 - i]);
        write_text(path, "mine");
        ecdc_error err;
        assert_int_equal(model_dir_write(model, dir, EXPORT_SAFETENSORS, DTYPE_UNKNOWN, false, NULL, &err), ECDC_E_EXISTS);
        assert_message(err, files[i]);
        size_t n;
        char *text = read_file(path, &n);
        assert_string_equal(text, "mine");
        free(text);
        assert_int_not_equal(access(other, F_OK), 0);
        assert_int_equal(unlink(path), 0);
    }
    ecdc_model_close(model);
}

static void directories_that_cannot_be(void **state) {
    ecdc_model *model = open_model(in_directory(ECDC_TEST_DATA, "tiny24"));
    ecdc_error err;
    assert_int_equal(model_dir_write(model, in_directory(*state, "a/b"), EXPORT_SAFETENSORS, DTYPE_UNKNOWN, false, NULL, &err), ECDC_E_IO);
    assert_message(err, "its parent does not exist");
    write_text(in_directory(*state, "file"), "x");
    assert_int_equal(model_dir_write(model, in_directory(*state, "file"), EXPORT_SAFETENSORS, DTYPE_UNKNOWN, false, NULL, &err), ECDC_E_IO);
    assert_message(err, "is not a directory");
    ecdc_model_close(model);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_written_model_is_the_model),
        TEST(nothing_is_overwritten_unasked),
        TEST(directories_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
