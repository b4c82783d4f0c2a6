/* Weight files that change while a model is open: an error that says so, never a signal, never weights of two states. */
#include "model_support.h"

#include <fcntl.h>

#include "model/model.h"

static void copy_fixture(const char *directory, const char *fixture, const char *name) {
    char from[128];
    size_t n;
    snprintf(from, sizeof from, "%s/%s", fixture, name);
    char *bytes = read_fixture(from, &n);
    write_file(in_directory(directory, name), bytes, n);
    free(bytes);
}

/* The tiny model in a directory of its own. */
static ecdc_model *open_copy(const char *directory, const char *weights) {
    ecdc_error err;
    ecdc_model *model;
    copy_fixture(directory, "tiny24", "config.json");
    copy_fixture(directory, "tiny24", "model.safetensors");
    if (ecdc_model_open(weights ? in_directory(directory, weights) : directory, &model, &err))
        fail_msg("%s", err.message);
    return model;
}

static void expect_refusal(const ecdc_model *model, const char *part) {
    ecdc_error err;
    ecdc_encoder *encoder;
    ecdc_decoder *decoder;
    const char *hex;
    assert_int_equal(ecdc_encoder_new(model, NULL, &encoder, &err), ECDC_E_IO);
    assert_message(err, "model.safetensors");
    assert_message(err, part);
    assert_int_equal(ecdc_decoder_new(model, NULL, &decoder, &err), ECDC_E_IO);
    assert_message(err, part);
    assert_int_equal(model_sha256(model, &hex, &err), ECDC_E_IO);
    assert_message(err, part);
    assert_string_equal(ecdc_model_sha256(model), "");
}

static void a_file_that_is_cut(void **state) {
    ecdc_model *model = open_copy(*state, NULL);
    struct stat st;
    const char *path = in_directory(*state, "model.safetensors");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size / 2), 0);
    expect_refusal(model, "was cut from ");
    assert_int_equal(truncate(in_directory(*state, "model.safetensors"), 0), 0);
    expect_refusal(model, " to 0 bytes while it was in use; replace a model by renaming");
    ecdc_model_close(model);
}

static void a_file_that_is_written_to(void **state) {
    ecdc_model *model = open_copy(*state, "model.safetensors");
    const char *path = in_directory(*state, "model.safetensors");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "x", 1, st.st_size - 1), 1);
    const struct timespec times[] = {{0, UTIME_OMIT}, {st.st_mtim.tv_sec + 1, 0}}; /* the clock of a file system may be coarse */
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
    expect_refusal(model, "was written to while it was in use");
    ecdc_model_close(model);
}

static void what_is_packed_goes_on(void **state) {
    static float samples[4000];
    int32_t codes[13 * 32];
    ecdc_error err;
    ecdc_encoder *encoder;
    ecdc_model *model = open_copy(*state, NULL);
    assert_int_equal(ecdc_encoder_new(model, NULL, &encoder, &err), ECDC_OK);
    assert_int_equal(truncate(in_directory(*state, "model.safetensors"), 0), 0);
    assert_int_equal(ecdc_encoder_push(encoder, samples, 4000, &err), ECDC_OK);
    assert_int_equal(ecdc_encoder_finish(encoder, &err), ECDC_OK);
    assert_int_equal(ecdc_encoder_pull(encoder, codes, 13), 13);
    ecdc_encoder_free(encoder);
    ecdc_model_close(model);
}

static void a_file_that_is_replaced(void **state) {
    ecdc_error err;
    ecdc_encoder *encoder;
    ecdc_model *model = open_copy(*state, NULL);
    char *path = strdup(in_directory(*state, "model.safetensors"));
    write_file(in_directory(*state, "new"), "new", 3);
    assert_int_equal(rename(in_directory(*state, "new"), path), 0);
    assert_int_equal(ecdc_encoder_new(model, NULL, &encoder, &err), ECDC_OK);
    assert_int_equal(strlen(ecdc_model_sha256(model)), 64);
    ecdc_encoder_free(encoder);
    ecdc_model_close(model);
    free(path);
}

static void a_torch_file_is_read_once(void **state) {
    ecdc_error err;
    ecdc_encoder *encoder;
    ecdc_model *model;
    copy_fixture(*state, "torch", "config.json");
    copy_fixture(*state, "torch", "checkpoint.th");
    const char *path = in_directory(*state, "checkpoint.th");
    assert_int_equal(ecdc_model_open(path, &model, &err), ECDC_OK);
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    ecdc_settings settings = ecdc_default_settings();
    settings.bandwidth_kbps = info.bandwidths_kbps[0];
    assert_int_equal(truncate(in_directory(*state, "checkpoint.th"), 0), 0);
    assert_int_equal(ecdc_encoder_new(model, &settings, &encoder, &err), ECDC_OK);
    assert_int_equal(strlen(ecdc_model_sha256(model)), 64);
    ecdc_encoder_free(encoder);
    ecdc_model_close(model);
}

/* Longer than the pieces in which numbers are converted. */
enum { NUMBERS = 9001 };

static void every_dtype_from_a_file(void **state) {
    static float here[NUMBERS], there[NUMBERS];
    struct safetensors_item items[] = {{.name = "a", .dtype = DTYPE_F64}, {.name = "b", .dtype = DTYPE_F32},
                                       {.name = "c", .dtype = DTYPE_F16}, {.name = "d", .dtype = DTYPE_BF16}};
    void *image;
    size_t n;
    ecdc_error err;
    for (int i = 0; i < 4; i++) {
        items[i].rank = 1;
        items[i].shape[0] = NUMBERS;
    }
    assert_int_equal(safetensors_layout(items, 4, &image, &n, &err), ECDC_OK);
    uint32_t noise = 1;
    for (size_t i = items[0].offset; i < n; i++)
        ((unsigned char *)image)[i] = (unsigned char)((noise = noise * 1664525 + 1013904223) >> 24 & 0xbf); /* no exponent of ones */
    const char *path = in_directory(*state, "x.safetensors");
    write_file(path, image, n);
    struct weight_file *file;
    struct tensor_table memory = {0}, disk = {0};
    assert_int_equal(weight_file_open(path, &file, &err), ECDC_OK);
    assert_int_equal(safetensors_read("x", image, n, &memory, &err), ECDC_OK);
    assert_int_equal(safetensors_read_file(file, &disk, NULL, &err), ECDC_OK);
    for (int i = 0; i < 4; i++) {
        assert_null(disk.tensors[i].data);
        assert_int_equal(tensor_read(&memory.tensors[i], "x", here, &err), ECDC_OK);
        assert_int_equal(tensor_read(&disk.tensors[i], "x", there, &err), ECDC_OK);
        assert_memory_equal(here, there, sizeof here);
    }
    tensor_table_free(&memory);
    tensor_table_free(&disk);
    weight_file_close(file);
    free(image);
}

static void files_that_are_none(void **state) {
    struct weight_file *file = NULL;
    ecdc_error err;
    assert_int_equal(weight_file_open(in_directory(*state, "absent"), &file, &err), ECDC_E_IO);
    assert_message(err, "absent");
    assert_int_equal(weight_file_open(*state, &file, &err), ECDC_E_IO);
    assert_message(err, "it is a directory");
    write_file(in_directory(*state, "empty"), "", 0);
    assert_int_equal(weight_file_open(in_directory(*state, "empty"), &file, &err), ECDC_E_FORMAT);
    assert_message(err, "empty is empty");
    assert_null(file);
    weight_file_close(NULL);
}

#define in_fresh_directory(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void) {
    const struct CMUnitTest tests[] = {
        in_fresh_directory(a_file_that_is_cut),       in_fresh_directory(a_file_that_is_written_to),
        in_fresh_directory(what_is_packed_goes_on),   in_fresh_directory(a_file_that_is_replaced),
        in_fresh_directory(a_torch_file_is_read_once), in_fresh_directory(every_dtype_from_a_file),
        in_fresh_directory(files_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
