/* PyTorch's checkpoints: one that torch wrote, those that this library writes, and every way to be broken or hostile. */
#include "model_support.h"

#include <zip.h>

#include "base/archive.h"
#include "golden.h"
#include "media/model_dir.h"
#include "model/model.h"
#include "model/names.h"
#include "model/pickle.h"
#include "model/torch_file.h"

/* --------------------------------------------------------------------------------------------- pickles --- */

/* A state dict {"w": tensor} around the description of one tensor. */
#define STORAGE(type, count) "((X\7\0\0\0storagectorch\n" type "\nX\1\0\0\0" "0X\3\0\0\0cpu" count "tQ"
#define DICT(value) "\x80\2ccollections\nOrderedDict\n)RX\1\0\0\0w" value "s."
#define TENSOR(storage, offset, shape, stride) \
    DICT("ctorch._utils\n_rebuild_tensor_v2\n" storage offset shape stride "\x89" "ccollections\nOrderedDict\n)RtR")
#define GOOD TENSOR(STORAGE("FloatStorage", "K\6"), "K\0", "K\2K\3\x86", "K\3K\1\x86")

static ecdc_status read_code(const char *code, size_t n, struct pickle_tensors *out, ecdc_error *err) {
    char *exact = malloc(n ? n : 1); /* so that a read past its end is seen */
    memcpy(exact, code, n);
    ecdc_status status = pickle_read("x.th", exact, n, out, err);
    free(exact);
    return status;
}

static void expect_pickle_refusal(const char *code, size_t n, ecdc_status status, const char *part) {
    struct pickle_tensors tensors = {0};
    ecdc_error err = {ECDC_OK, ""};
    ecdc_status got = read_code(code, n, &tensors, &err);
    if (got != status)
        fail_msg("%s instead of %s (%s): %s", ecdc_status_name(got), ecdc_status_name(status), part, err.message);
    assert_message(err, "x.th: ");
    assert_message(err, part);
    assert_null(tensors.tensors);
}
#define REFUSED(code, status, part) expect_pickle_refusal(code, sizeof(code) - 1, status, part)

static void a_pickle_is_read(void **state) {
    (void)state;
    struct pickle_tensors t;
    ecdc_error err;
    if (read_code(GOOD, sizeof(GOOD) - 1, &t, &err))
        fail_msg("%s", err.message);
    assert_int_equal(t.n, 1);
    assert_string_equal(t.tensors[0].name, "w");
    assert_string_equal(t.tensors[0].storage, "0");
    assert_int_equal(t.tensors[0].dtype, DTYPE_F32);
    assert_int_equal(t.tensors[0].storage_count, 6);
    assert_int_equal(t.tensors[0].rank, 2);
    assert_int_equal(t.tensors[0].shape[1], 3);
    assert_int_equal(t.tensors[0].stride[0], 3);
    pickle_tensors_free(&t);
    assert_int_equal(read_code("\x80\2}.", 4, &t, &err), ECDC_OK);
    assert_int_equal(t.n, 0);
    pickle_tensors_free(&t);
}

static void nothing_is_executed(void **state) {
    (void)state;
    REFUSED("\x80\2cos\nsystem\nX\4\0\0\0true\x85R.", ECDC_E_UNSUPPORTED,
            "data.pkl, byte 2: the pickle refers to os.system, which no state dict of tensors needs; it was not run");
    REFUSED(DICT("cbuiltins\neval\nX\1\0\0\0" "1\x85R"), ECDC_E_UNSUPPORTED, "byte 35: the pickle refers to builtins.eval");
    REFUSED("\x80\2ctorch\nload\n.", ECDC_E_UNSUPPORTED, "torch.load");
    REFUSED("\x80\2ctorch._utils\n_rebuild_tensor_v3\n.", ECDC_E_UNSUPPORTED, "torch._utils._rebuild_tensor_v3");
    REFUSED("\x80\2X\2\0\0\0osX\6\0\0\0system\x93.", ECDC_E_UNSUPPORTED, "byte 20: the pickle's instruction 0x93");
    REFUSED("\x80\2(ios\nsystem\n.", ECDC_E_UNSUPPORTED, "instruction 0x69 (i) is none that a state dict needs; it was not run");
    REFUSED("\x80\2(oS'x'\n.", ECDC_E_UNSUPPORTED, "instruction 0x6f (o)");
    REFUSED("\x80\2)\x81.", ECDC_E_UNSUPPORTED, "instruction 0x81");
    REFUSED("\x80\2\x82\1.", ECDC_E_UNSUPPORTED, "instruction 0x82");
    REFUSED("\x80\4}.", ECDC_E_UNSUPPORTED, "protocol 4; 2 is known");
    REFUSED("\x80\2ctorch\nFloatStorage\n)R.", ECDC_E_UNSUPPORTED, "a call of torch.FloatStorage");
    REFUSED("\x80\2ccollections\nOrderedDict\n]\x85R.", ECDC_E_UNSUPPORTED, "an OrderedDict that is made of arguments");
    REFUSED("\x80\2)}b.", ECDC_E_UNSUPPORTED, "attributes for a tuple");
}

static void broken_pickles(void **state) {
    (void)state;
    REFUSED("", ECDC_E_FORMAT, "cut short");
    REFUSED("\x80\2", ECDC_E_FORMAT, "byte 2: the pickle is cut short");
    REFUSED("\x80\2.", ECDC_E_FORMAT, "takes more from its stack");
    REFUSED("\x80\2K\1.", ECDC_E_FORMAT, "holds a whole number, not a dict of tensors");
    REFUSED("\x80\2(.", ECDC_E_FORMAT, "takes more from its stack");
    REFUSED("\x80\2t.", ECDC_E_FORMAT, "closes what it has not opened");
    REFUSED("\x80\2}K\1s.", ECDC_E_FORMAT, "takes more from its stack");
    REFUSED("\x80\2}(K\1u.", ECDC_E_FORMAT, "1 keys and values for a dict");
    REFUSED("\x80\2)K\1K\1s.", ECDC_E_FORMAT, "2 keys and values for a tuple");
    REFUSED("\x80\2)K\1a.", ECDC_E_FORMAT, "appends to what is not a list");
    REFUSED("\x80\2}h\0.", ECDC_E_FORMAT, "memo 0 is read but not set");
    REFUSED("\x80\2}j\xff\xff\xff\xff.", ECDC_E_FORMAT, "memo 4294967295 is read but not set");
    REFUSED("\x80\2}r\xff\xff\xff\xff.", ECDC_E_FORMAT, "memo 4294967295 is set before memo 0");
    REFUSED("\x80\2X\xff\xff\xff\xff" "abc.", ECDC_E_FORMAT, "cut short");
    REFUSED("\x80\2ctorch", ECDC_E_FORMAT, "cut short");
    REFUSED("\x80\2\x8a\x09" "123456789.", ECDC_E_FORMAT, "a whole number of 9 bytes");
    REFUSED("\x80\2))R.", ECDC_E_FORMAT, "a call of a tuple with a tuple");
    REFUSED("\x80\2K\1Q.", ECDC_E_FORMAT, "a reference to a storage that is not");
    REFUSED(DICT(STORAGE("FloatStorage", "J\xff\xff\xff\xff")), ECDC_E_FORMAT, "a storage of -1 numbers");
    REFUSED(DICT("ctorch._utils\n_rebuild_tensor_v2\n)R"), ECDC_E_FORMAT, "a tensor that is not (storage, offset");
    REFUSED(DICT("ctorch._utils\n_rebuild_parameter\nK\1\x85R"), ECDC_E_FORMAT, "a parameter that is no tensor");
    for (size_t n = 0; n + 1 < sizeof(GOOD) - 1; n++)
        expect_pickle_refusal(GOOD, n, ECDC_E_FORMAT, "cut short");
}

#define F6 STORAGE("FloatStorage", "K\6")
#define BIG "\x8a\x08\0\0\0\0\0\0\0\x40" /* 2^62 */
#define MOST "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"

static void views_outside_their_storage(void **state) {
    (void)state;
    REFUSED(TENSOR(F6, "K\0", "K\7\x85", "K\1\x85"), ECDC_E_FORMAT,
            "tensor w has the shape (7) from number 0 on, but its storage has 6 numbers");
    REFUSED(TENSOR(F6, "K\1", "K\6\x85", "K\1\x85"), ECDC_E_FORMAT, "from number 1 on, but its storage has 6");
    REFUSED(TENSOR(F6, "K\0", "K\2K\3\x86", "K\4K\1\x86"), ECDC_E_FORMAT, "its storage has 6 numbers");
    REFUSED(TENSOR(F6, "K\0", "K\7\x85", "K\0\x85"), ECDC_E_FORMAT, "its storage has 6 numbers"); /* one number, expanded */
    REFUSED(TENSOR(F6, "K\0", "J\xff\xff\xff\xff\x85", "K\1\x85"), ECDC_E_FORMAT, "tensor w has -1 in its shape");
    REFUSED(TENSOR(F6, "K\0", "K\2\x85", "J\xfe\xff\xff\xff\x85"), ECDC_E_FORMAT, "tensor w has -2 in its strides");
    REFUSED(TENSOR(F6, "J\xff\xff\xff\xff", "K\2\x85", "K\1\x85"), ECDC_E_FORMAT, "begins at number -1 of its storage");
    REFUSED(TENSOR(F6, "K\0", BIG BIG "\x86", "K\0K\0\x86"), ECDC_E_FORMAT, "its storage has 6 numbers");
    REFUSED(TENSOR(F6, "K\0", MOST MOST "\x86", MOST MOST "\x86"), ECDC_E_FORMAT, "its storage has 6 numbers");
    REFUSED(TENSOR(F6, MOST, "K\2\x85", MOST "\x85"), ECDC_E_FORMAT, "its storage has 6 numbers");
    REFUSED(TENSOR(F6, "K\0", "\x8a\x08\0\0\0\0\0\0\0\x80\x85", "K\1\x85"), ECDC_E_FORMAT, "has -9223372036854775808 in its");
    REFUSED(TENSOR(F6, "K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t"), ECDC_E_FORMAT,
            "more than 8 dimensions");
    REFUSED(TENSOR(F6, "K\0", "K\2\x85", "K\1K\1\x86"), ECDC_E_FORMAT, "a tensor that is not (storage, offset");
    REFUSED(TENSOR(F6, "K\0", "N\x85", "K\1\x85"), ECDC_E_FORMAT, "a tensor that is not (storage, offset");
}

/* --------------------------------------------------------------------------------------------- archives --- */

static unsigned char *make_file(const char *pickle, size_t n_pickle, const char *data, size_t n_data, const char *order,
                                size_t *n) {
    const struct archive_item items[] = {
        {"a/data.pkl", pickle, n_pickle}, {"a/data/0", data, n_data}, {"a/byteorder", order, strlen(order)}};
    void *image;
    assert_int_equal(archive_make(items, 3, &image, n, NULL), ECDC_OK);
    return image;
}

static void expect_file(const char *pickle, size_t n_pickle, const char *data, size_t n_data, const char *order,
                        ecdc_status status, const char *part) {
    size_t n;
    unsigned char *image = make_file(pickle, n_pickle, data, n_data, order, &n);
    struct tensor_table table = {0};
    struct torch_storages storages = {0};
    ecdc_error err;
    assert_int_equal(torch_file_read("x.th", image, n, &table, &storages, &err), status);
    assert_message(err, part);
    assert_null(table.tensors);
    assert_null(storages.blocks);
    free(image);
}

static void files_that_contradict_themselves(void **state) {
    (void)state;
    static const char data[28];
#define FILE_REFUSED(code, n_data, order, status, part) \
    expect_file(code, sizeof(code) - 1, data, n_data, order, status, part)
    FILE_REFUSED(GOOD, 20, "little", ECDC_E_FORMAT,
                 "x.th: a/data/0 has 20 bytes, but tensor w says that it has 6 numbers of dtype F32");
    FILE_REFUSED(GOOD, 28, "little", ECDC_E_FORMAT, "a/data/0 has 28 bytes");
    FILE_REFUSED(GOOD, 24, "big", ECDC_E_UNSUPPORTED, "byte order `big`; only `little` can be read");
    FILE_REFUSED(TENSOR(STORAGE("FloatStorage", MOST), "K\0", "K\2\x85", "K\1\x85"), 24, "little", ECDC_E_FORMAT,
                 "says that it has 9223372036854775807 numbers");
    FILE_REFUSED(TENSOR("((X\7\0\0\0storagectorch\nFloatStorage\nX\4\0\0\0../0X\3\0\0\0cpuK\6tQ", "K\0", "K\2\x85", "K\1\x85"),
                 24, "little", ECDC_E_FORMAT, "tensor w is in a/data/../0, which is not there");
    FILE_REFUSED("\x80\2cos\nsystem\n.", 0, "little", ECDC_E_UNSUPPORTED, "os.system");
}

static void views_are_put_in_order(void **state) {
    (void)state;
    static const char code[] = TENSOR(F6, "K\1", "K\2K\2\x86", "K\1K\2\x86");
    const float data[] = {0, 1, 2, 3, 4, 5};
    size_t n;
    unsigned char *image = make_file(code, sizeof code - 1, (const char *)data, sizeof data, "little", &n);
    struct tensor_table table = {0};
    struct torch_storages storages = {0};
    ecdc_error err;
    if (torch_file_read("x.th", image, n, &table, &storages, &err))
        fail_msg("%s", err.message);
    free(image); /* the storages are the table's own */
    float values[4];
    assert_int_equal(tensor_read(tensor_table_find(&table, "w"), "x.th", values, NULL), ECDC_OK);
    assert_true(values[0] == 1 && values[1] == 3 && values[2] == 2 && values[3] == 4);
    tensor_table_free(&table);
    torch_storages_free(&storages);
}

/* 32 MB of zeros in 32 kB, all sizes honest. */
static void a_bomb_is_not_unpacked(void **state) {
    enum { NUMBERS = 8 << 20 };
    static const char code[] = TENSOR(STORAGE("FloatStorage", "J\0\0\x80\0"), "K\0", "J\0\0\x80\0\x85", "K\1\x85");
    const char *path = in_directory(*state, "bomb.th");
    zip_t *zip = zip_open(path, ZIP_CREATE, NULL);
    void *zeros = calloc(NUMBERS, sizeof(float));
    assert_non_null(zip);
    zip_file_add(zip, "a/data.pkl", zip_source_buffer(zip, code, sizeof code - 1, 0), 0);
    zip_file_add(zip, "a/data/0", zip_source_buffer(zip, zeros, NUMBERS * sizeof(float), 0), 0);
    assert_int_equal(zip_close(zip), 0);
    free(zeros);
    size_t n;
    char *bytes = read_file(path, &n);
    assert_true(n < 100000);
    struct tensor_table table = {0};
    struct torch_storages storages = {0};
    ecdc_error err;
    assert_int_equal(torch_file_read("x.th", bytes, n, &table, &storages, &err), ECDC_E_FORMAT);
    assert_message(err, "x.th: up to a/data/0, its tensors are more than 16 times as large as the file; that is no checkpoint");
    free(bytes);
}

static void published_files_are_known_by_their_digest(void **state) {
    (void)state;
    assert_string_equal(model_published_name("d7cc33bcf1aad7f2dad9836f36431530744abeace3ca033005e3290ed4fa47bf"), "encodec_24khz");
    assert_string_equal(model_published_name("7e698e3e"), "encodec_48khz");
    assert_null(model_published_name("d7cc33b"));
    assert_null(model_published_name(""));
}

/* Every half there is, and the ways between two of them. */
static void halves_are_rounded(void **state) {
    (void)state;
    for (uint32_t half = 0; half < 0x7c00; half++) {
        uint16_t in = (uint16_t)half, next = (uint16_t)(half + 1), out[3];
        float here, there;
        assert_int_equal(tensor_read(&(struct tensor){.dtype = DTYPE_F16, .data = &in}, "x", &here, NULL), ECDC_OK);
        bool last = half == 0x7bff;
        there = last ? 65536.0f : 0;
        if (!last)
            assert_int_equal(tensor_read(&(struct tensor){.dtype = DTYPE_F16, .data = &next}, "x", &there, NULL), ECDC_OK);
        float middle = (here + there) / 2, values[] = {here, nextafterf(middle, 0), -middle};
        bool fits = tensor_to_half(values, 3, out);
        assert_int_equal(fits, !last); /* the middle behind the last rounds to 65536 */
        assert_int_equal(out[0], half);
        assert_int_equal(out[1], half);
        assert_int_equal(out[2], 0x8000 | (half + (half & 1))); /* ties to even */
    }
    static const float large[] = {65520.0f, 1e10f, INFINITY};
    uint16_t out;
    for (int i = 0; i < 3; i++)
        assert_false(tensor_to_half(&large[i], 1, &out));
}

static void archives_of_something_else(void **state) {
    (void)state;
    const struct archive_item items[] = {{"word/document.xml", "x", 1}};
    void *image;
    size_t n;
    struct tensor_table table = {0};
    struct torch_storages storages = {0};
    ecdc_error err;
    assert_int_equal(archive_make(items, 1, &image, &n, NULL), ECDC_OK);
    assert_int_equal(torch_file_read("x.th", image, n, &table, &storages, &err), ECDC_E_FORMAT);
    assert_message(err, "not a PyTorch checkpoint: it has 0 entries <name>/data.pkl");
    free(image);
    assert_int_equal(torch_file_read("x.th", "\x80\2\x8a\x0a....", 8, &table, &storages, &err), ECDC_E_UNSUPPORTED);
    assert_message(err, "from before 1.6");
    assert_int_equal(torch_file_read("x.th", "nothing", 7, &table, &storages, &err), ECDC_E_FORMAT);
    assert_message(err, "not a zip archive");
}

/* ----------------------------------------------------------------------------------------------- models --- */

static ecdc_model *open_model(const char *name) {
    ecdc_model *model = NULL;
    ecdc_error err;
    if (ecdc_model_open(name, &model, &err))
        fail_msg("%s: %s", name, err.message);
    return model;
}

static void expect_model_refusal(const char *name, const char *part) {
    ecdc_model *model = NULL;
    ecdc_error err;
    if (ecdc_model_open(name, &model, &err) == ECDC_OK)
        fail_msg("%s was opened", name);
    assert_message(err, part);
}

static void expect_equal_codes(const ecdc_model *a, const ecdc_model *b, double kbps) {
    size_t n;
    int64_t dims[2];
    float *sound = golden_floats("input", &n, dims);
    ecdc_settings settings = ecdc_default_settings();
    settings.bandwidth_kbps = kbps;
    enum { FRAMES = 40, BOOKS = 8 };
    int32_t one[FRAMES * BOOKS] = {0}, other[FRAMES * BOOKS] = {0};
    assert_int_equal(ecdc_encode(a, &settings, sound, FRAMES * 320, one, NULL), ECDC_OK);
    assert_int_equal(ecdc_encode(b, &settings, sound, FRAMES * 320, other, NULL), ECDC_OK);
    assert_memory_equal(one, other, sizeof one);
    free(sound);
}

/* Written by torch.save, wrapped, with views; the codes are those of the package encodec. */
static void a_checkpoint_of_torch(void **state) {
    (void)state;
    ecdc_error err;
    size_t n;
    int64_t dims[2];
    ecdc_model *model = open_model(in_directory(ECDC_TEST_DATA, "torch"));
    assert_string_equal(model->name, "torch");
    assert_int_equal(model->published, 0);
    float *sound = golden_floats("../torch/input", &n, dims);
    int64_t *wanted = golden_codes("../torch/codes", dims);
    int32_t codes[2 * 251];
    assert_int_equal(dims[0] * dims[1], 2 * 251);
    ecdc_settings settings = ecdc_default_settings();
    settings.bandwidth_kbps = 2;
    MUST(ecdc_encode(model, &settings, sound, n, codes, &err));
    for (int t = 0; t < 251; t++)
        for (int q = 0; q < 2; q++)
            assert_int_equal(codes[2 * t + q], wanted[251 * q + t]);
    free(sound);
    free(wanted);
    ecdc_model_close(model);
}

static void th_and_safetensors_give_equal_codes(void **state) {
    const char *dir = in_directory(*state, "th");
    ecdc_error err;
    ecdc_model *model = open_golden_model();
    struct model_dir_written written;
    MUST(model_dir_write(model, dir, EXPORT_TORCH, DTYPE_UNKNOWN, false, &written, &err));
    assert_string_equal(written.file, "checkpoint.th");
    ecdc_model *copy = open_model(dir);
    assert_string_equal(copy->name, "th");
    assert_string_equal(ecdc_model_sha256(copy), written.sha256);
    expect_equal_codes(model, copy, 6);

    /* and back: the same tensors under the same names */
    MUST(model_dir_write(copy, in_directory(*state, "back"), EXPORT_SAFETENSORS, DTYPE_UNKNOWN, false, NULL, &err));
    ecdc_model *back = open_model(in_directory(*state, "back"));
    const struct tensor_table *a = checkpoint_tensors(model->checkpoint), *b = checkpoint_tensors(back->checkpoint);
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_string_equal(a->tensors[i].name, b->tensors[i].name);
        assert_int_equal(a->tensors[i].n_bytes, b->tensors[i].n_bytes);
        size_t n_bytes = (size_t)a->tensors[i].n_bytes;
        char *one = malloc(n_bytes), *other = malloc(n_bytes);
        MUST(tensor_copy(&a->tensors[i], one, &err));
        MUST(tensor_copy(&b->tensors[i], other, &err));
        assert_memory_equal(one, other, n_bytes);
        free(one);
        free(other);
    }
    ecdc_model_close(back);

    /* without the config the shapes tell the same */
    assert_int_equal(unlink(in_directory(dir, "config.json")), 0);
    ecdc_model *bare = open_model(in_directory(dir, "checkpoint.th"));
    assert_memory_equal(&bare->config, &model->config, sizeof bare->config);
    expect_equal_codes(model, bare, 3);
    ecdc_model_close(bare);
    ecdc_model_close(copy);
    ecdc_model_close(model);
}

static void the_48_khz_form_is_told_from_its_shapes(void **state) {
    struct config config = parse_config(
        "{\"sampling_rate\": 48000, \"audio_channels\": 2, \"num_filters\": 2, \"hidden_size\": 4, \"codebook_size\": 16, "
        "\"norm_type\": \"time_group_norm\", \"normalize\": true, \"chunk_length_s\": 1.0, \"overlap\": 0.01, "
        "\"use_causal_conv\": false, \"target_bandwidths\": [3.0, 4.2]}");
    struct builder *b = builder_of_config(&config);
    size_t n;
    char *image = builder_image(b, &n);
    const char *path = in_directory(*state, "some48.safetensors");
    write_file(path, image, n);
    ecdc_model *model = open_model(path);
    assert_string_equal(model->name, "some48");
    assert_int_equal(config_n_codebooks(&model->config, model->config.target_bandwidths[model->config.n_bandwidths - 1]), 7);
    assert_memory_equal(&model->config, &config, sizeof config);
    ecdc_error err;
    MUST(model_dir_write(model, in_directory(*state, "th48"), EXPORT_TORCH, DTYPE_F16, false, NULL, &err));
    ecdc_model *half = open_model(in_directory(*state, "th48"));
    assert_int_equal(tensor_table_find(checkpoint_tensors(half->checkpoint), "decoder.layers.3.norm.weight")->dtype, DTYPE_F16);
    assert_memory_equal(&half->config, &config, sizeof config);
    ecdc_model_close(half);
    ecdc_model_close(model);
    free(image);
    free(b);
}

/* Shapes of no published model, without a config. */
static void shapes_that_tell_too_little(void **state) {
    struct config config = parse_config(SMALL_CONFIG(""));
    struct builder *b = builder_of_config(&config);
    size_t n;
    const char *path = in_directory(*state, "x.safetensors");
    char *image = builder_image(b, &n);
    write_file(path, image, n);
    expect_model_refusal(path, "x.safetensors: weight norm, 1 channel and a hop of 4 samples are those of neither published model, so "
                               "that the sampling rate cannot be told from the tensors: a config.json beside the file is needed");
    free(image);
    static const char *const needed[] = {"encoder.layers.0.conv.weight", "encoder.layers.1.block.1.conv.weight",
                                         "encoder.layers.6.conv.weight", "quantizer.layers.0.codebook.embed"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        struct builder *copy = malloc(sizeof *copy);
        memcpy(copy, b, sizeof *b);
        for (size_t k = 0; k < copy->n; k++)
            copy->items[k].name = copy->names[k];
        builder_drop(copy, needed[i]);
        image = builder_image(copy, &n);
        write_file(path, image, n);
        expect_model_refusal(path, needed[i]);
        free(image);
        free(copy);
    }
    free(b);
}

static void tensors_of_something_else(void **state) {
    struct builder *b = calloc(1, sizeof *b);
    uint64_t shape[] = {2, 2};
    static const char *const names[] = {"model.embed.weight", "model.layers.0.mlp.weight", "model.norm.weight", "lm_head.weight"};
    for (int i = 0; i < 4; i++)
        builder_add(b, names[i], DTYPE_F32, 2, shape, NULL);
    size_t n;
    char *image = builder_image(b, &n);
    const char *path = in_directory(*state, "llm.safetensors");
    write_file(path, image, n);
    static const char *const parts[] = {"not an EnCodec checkpoint: none of its 4 tensors", "encoder.layers.*",
                                        "quantizer.vq.layers.*._codebook.embed",
                                        "it holds lm_head.weight, model.embed.weight, model.layers.0.mlp.weight ..."};
    for (int k = 0; k < 2; k++) { /* without and with a config */
        for (int i = 0; i < 4; i++)
            expect_model_refusal(path, parts[i]);
        write_text(in_directory(*state, "config.json"), "{}");
    }
    free(image);
    free(b);
}

static void a_config_that_contradicts_the_tensors(void **state) {
    size_t n;
    char *bytes = read_fixture("torch/checkpoint.th", &n);
    write_file(in_directory(*state, "checkpoint.th"), bytes, n);
    write_text(in_directory(*state, "config.json"), SMALL_CONFIG(", \"num_lstm_layers\": 2"));
    expect_model_refusal(*state, "checkpoint.th: no tensor encoder.layers.7.lstm.weight_ih_l1");
    write_text(in_directory(*state, "config.json"), SMALL_CONFIG(", \"num_lstm_layers\": 1, \"kernel_size\": 5"));
    expect_model_refusal(*state, "tensor encoder.layers.0.conv.weight_v has the shape (2, 1, 7); the config asks for (2, 1, 5)");
    free(bytes);
}

static void truncated_files(void **state) {
    size_t n;
    char *bytes = read_fixture("torch/checkpoint.th", &n);
    const char *path = in_directory(*state, "cut.th");
    for (int tenth = 0; tenth < 10; tenth++) {
        write_file(path, bytes, n * (size_t)tenth / 10);
        expect_model_refusal(path, tenth ? "cut.th: not a zip archive, or cut short" : "cut.th is empty");
    }
    write_file(path, bytes, n - 1);
    expect_model_refusal(path, "cut.th");
    free(bytes);
}

/* A byte anywhere is spoilt: an error, or the same tensors. */
static void spoilt_files(void **state) {
    (void)state;
    size_t n;
    unsigned char *bytes = (unsigned char *)read_fixture("torch/checkpoint.th", &n);
    for (size_t i = 0; i < n; i += 1 + i % 7) {
        struct tensor_table table = {0};
        struct torch_storages storages = {0};
        unsigned char old = bytes[i];
        bytes[i] ^= (unsigned char)(1 << i % 8);
        if (torch_file_read("x.th", bytes, n, &table, &storages, NULL) == ECDC_OK) {
            tensor_table_free(&table);
            torch_storages_free(&storages);
        }
        bytes[i] = old;
    }
    free(bytes);
}

static void names_are_translated(void **state) {
    (void)state;
    static const struct { const char *original, *reference; bool transposed; } names[] = {
        {"encoder.model.0.conv.conv.weight_g", "encoder.layers.0.conv.weight_g", false},
        {"encoder.model.1.block.3.conv.conv.bias", "encoder.layers.1.block.3.conv.bias", false},
        {"encoder.model.1.shortcut.conv.norm.weight", "encoder.layers.1.shortcut.norm.weight", false},
        {"encoder.model.13.lstm.bias_hh_l1", "encoder.layers.13.lstm.bias_hh_l1", false},
        {"decoder.model.3.convtr.convtr.weight_v", "decoder.layers.3.conv.weight_v", true},
        {"decoder.model.3.convtr.norm.bias", "decoder.layers.3.norm.bias", true},
        {"quantizer.vq.layers.31._codebook.embed_avg", "quantizer.layers.31.codebook.embed_avg", false},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *there = names_to_reference(names[i].original), *back = names_to_original(names[i].reference, names[i].transposed);
        char *same = names_to_reference(names[i].reference);
        assert_string_equal(there, names[i].reference);
        assert_string_equal(back, names[i].original);
        assert_string_equal(same, names[i].reference);
        free(there);
        free(back);
        free(same);
    }
    char *other = names_to_reference("encoder.model.norm");
    assert_string_equal(other, "encoder.model.norm");
    free(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void) {
    static const struct CMUnitTest tests[] = {
        TEST(a_pickle_is_read),
        TEST(nothing_is_executed),
        TEST(broken_pickles),
        TEST(views_outside_their_storage),
        TEST(files_that_contradict_themselves),
        TEST(views_are_put_in_order),
        TEST(a_bomb_is_not_unpacked),
        TEST(published_files_are_known_by_their_digest),
        TEST(halves_are_rounded),
        TEST(archives_of_something_else),
        TEST(a_checkpoint_of_torch),
        TEST(th_and_safetensors_give_equal_codes),
        TEST(the_48_khz_form_is_told_from_its_shapes),
        TEST(shapes_that_tell_too_little),
        TEST(tensors_of_something_else),
        TEST(a_config_that_contradicts_the_tensors),
        TEST(truncated_files),
        TEST(spoilt_files),
        TEST(names_are_translated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
