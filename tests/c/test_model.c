/* Opening models by all their names, and what they say about themselves. */
#include "model_support.h"

#include <math.h>
#include <pthread.h>

#include "model/embedded.h"
#include "model/model.h"

static const char TINY_SHA256[] = "583e162e59f9dc2bca60ec8308e952329c8ea54f3ebd32d988e57badbbfd1a2a";

static ecdc_model *open_model(const char *name) {
    ecdc_model *model = NULL;
    ecdc_error err;
    if (ecdc_model_open(name, &model, &err))
        fail_msg("%s: %s", name, err.message);
    return model;
}

static void expect_refusal(const char *name, ecdc_status status, const char *part) {
    ecdc_model *model = NULL;
    ecdc_error err = {ECDC_OK, ""};
    ecdc_status got = ecdc_model_open(name, &model, &err);
    if (got != status)
        fail_msg("%s gave %s (%s)", name, ecdc_status_name(got), err.message);
    assert_null(model);
    assert_int_equal(err.status, status);
    assert_message(err, part);
    assert_null(strchr(err.message, '\n'));
}

static void expect_name(const char *opened, const char *name, const char *origin) {
    ecdc_model *model = open_model(opened);
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    assert_string_equal(info.name, name);
    if (origin)
        assert_string_equal(info.origin, origin);
    assert_string_equal(ecdc_model_sha256(model), TINY_SHA256);
    ecdc_model_close(model);
}

/* Each test has a directory with tiny/config.json and tiny/model.safetensors, and an empty cache. */
static int set_up(void **state) {
    if (make_directory(state))
        return -1;
    static const char *const files[] = {"config.json", "model.safetensors"};
    for (int i = 0; i < 2; i++) {
        char name[64];
        size_t n;
        snprintf(name, sizeof name, "tiny24/%s", files[i]);
        char *bytes = read_fixture(name, &n);
        snprintf(name, sizeof name, "tiny/%s", files[i]);
        write_file(in_directory(*state, name), bytes, n);
        free(bytes);
    }
    return setenv("HF_HUB_CACHE", in_directory(*state, "cache"), 1);
}

static void the_default_is_embedded(void **state) {
    (void)state;
    ecdc_model *model = open_model("default");
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    assert_string_equal(info.name, EMBEDDED_NAME);
    assert_string_equal(info.origin, "embedded");
    assert_int_equal(info.sampling_rate_hz, 24000);
    assert_int_equal(info.channels, 1);
    assert_int_equal(info.hop, 320);
    assert_int_equal(info.frame_rate_hz, 75);
    assert_int_equal(info.dimension, 128);
    assert_int_equal(info.n_codebooks, 32);
    assert_int_equal(info.codebook_size, 1024);
    assert_int_equal(info.n_bandwidths, 5);
    assert_true(info.bandwidths_kbps[0] == 1.5 && info.bandwidths_kbps[4] == 24);
    assert_int_equal(info.chunked, 0);

    /* the digest that the build computed is the digest of the bytes */
    struct embedded_model e = embedded_model();
    assert_int_equal((uintptr_t)e.weights % 64, 0);
    assert_string_equal(ecdc_model_sha256(model), e.sha256);
    struct ecdc_model copy = *model;
    memset(copy.sha256, 0, sizeof copy.sha256);
    pthread_mutex_init(&copy.lock, NULL);
    assert_string_equal(ecdc_model_sha256(&copy), e.sha256);
    pthread_mutex_destroy(&copy.lock);
    ecdc_model_close(model);
    ecdc_model_close(NULL);
}

static void directories_and_files(void **state) {
    const char *dir = *state;
    char cwd[SUPPORT_PATH];
    assert_non_null(getcwd(cwd, sizeof cwd));
    const char *weights = in_directory(dir, "tiny/model.safetensors");
    expect_name(in_directory(dir, "tiny"), "tiny", weights);
    expect_name(in_directory(dir, "tiny/"), "tiny", NULL);
    expect_name(in_directory(dir, "tiny/../tiny/."), "tiny", NULL);
    expect_name(weights, "tiny", weights);
    assert_int_equal(chdir(in_directory(dir, "tiny")), 0);
    expect_name(".", "tiny", NULL);
    expect_name("./", "tiny", NULL);
    expect_name("model.safetensors", "tiny", NULL);
    assert_int_equal(rename("model.safetensors", "speech v2.safetensors"), 0);
    expect_name("speech v2.safetensors", "speech v2", NULL);
    expect_name("./speech v2.safetensors", "speech v2", NULL);
    assert_int_equal(chdir(cwd), 0);
}

static void models_of_the_cache(void **state) {
    static const char commit[] = "c1dbe2ae3f1de713481a3b3e7c47f357092ee040";
    static const char *const repositories[] = {"models--facebook--encodec_24khz", "models--me--encodec_24khz"};
    char path[SUPPORT_PATH], target[SUPPORT_PATH];
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/cache/%s/refs/main", (char *)*state, repositories[i]);
        write_text(path, commit);
        snprintf(path, sizeof path, "%s/cache/%s/snapshots/%s", (char *)*state, repositories[i], commit);
        make_parents(path);
        snprintf(target, sizeof target, "%s/tiny", (char *)*state);
        assert_int_equal(symlink(target, path), 0);
    }
    expect_name("facebook/encodec_24khz", "encodec_24khz", NULL);
    expect_name("facebook/encodec_24khz@main", "encodec_24khz", NULL);
    expect_name("me/encodec_24khz", "me/encodec_24khz", NULL); /* not the published weights: not their name */
    ecdc_model *model = open_model("facebook/encodec_24khz");
    assert_true(model->published);
    ecdc_model_close(model);
    model = open_model("me/encodec_24khz");
    assert_false(model->published);
    ecdc_model_close(model);
}

static void unknown_names(void **state) {
    const char *dir = *state;
    static const char *const possible[] = {"`default`", "a directory with config.json", ".safetensors", "local cache",
                                           "random:encodec_24khz"};
    static const char *const names[] = {"nonsense", "facebook/encodec_24khz", "./missing", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t k = 0; k < sizeof possible / sizeof *possible; k++)
            expect_refusal(names[i], ECDC_E_MODEL, possible[k]);
    expect_refusal("nonsense", ECDC_E_MODEL, "no model `nonsense`");
    expect_refusal("facebook/encodec_24khz", ECDC_E_MODEL, "cache/models--facebook--encodec_24khz does not exist");
    expect_refusal(in_directory(dir, "x.safetensors"), ECDC_E_MODEL, "x.safetensors: there is no such file");
    expect_refusal("random:nonsense", ECDC_E_MODEL, "random:encodec_24khz");
    ecdc_error err;
    ecdc_model *model;
    assert_int_equal(ecdc_model_open(NULL, &model, &err), ECDC_E_ARGUMENT);
}

static void incomplete_models(void **state) {
    const char *dir = *state;
    write_text(in_directory(dir, "empty/readme"), "");
    expect_refusal(in_directory(dir, "empty"), ECDC_E_MODEL, "holds no config.json and no model.safetensors");
    write_text(in_directory(dir, "half/config.json"), "{}");
    expect_refusal(in_directory(dir, "half"), ECDC_E_MODEL, "holds no model.safetensors");
    write_text(in_directory(dir, "bare/model.safetensors"), "12345678{}");
    expect_refusal(in_directory(dir, "bare"), ECDC_E_MODEL, "holds no config.json");
    expect_refusal(in_directory(dir, "bare/model.safetensors"), ECDC_E_FORMAT, "not a safetensors file");
    write_text(in_directory(dir, "bare/checkpoint.th"), "PK");
    expect_refusal(in_directory(dir, "bare"), ECDC_E_MODEL, "holds no config.json");
    expect_refusal(in_directory(dir, "bare/checkpoint.th"), ECDC_E_FORMAT, "checkpoint.th: not a zip archive, or cut short");
    expect_refusal(in_directory(dir, "empty/readme"), ECDC_E_MODEL, "ends neither in .safetensors nor in .th");
}

static void broken_models(void **state) {
    const char *dir = *state;
    const char *config = in_directory(dir, "tiny/config.json"), *weights = in_directory(dir, "tiny/model.safetensors");
    write_text(config, "{\"num_filters\": 8}");
    expect_refusal(in_directory(dir, "tiny"), ECDC_E_MODEL, "the config asks for (8, 1, 1)");
    write_text(config, "{\"num_filters\": ");
    expect_refusal(in_directory(dir, "tiny"), ECDC_E_FORMAT, "tiny/config.json: not valid JSON");
    write_text(config, "{}");
    write_text(weights, "");
    expect_refusal(in_directory(dir, "tiny"), ECDC_E_FORMAT, "model.safetensors is empty");
    write_text(weights, "1234");
    expect_refusal(in_directory(dir, "tiny"), ECDC_E_FORMAT, "it has 4 bytes");
    write_file(weights, "\2\0\0\0\0\0\0\0{}", 10);
    expect_refusal(in_directory(dir, "tiny"), ECDC_E_MODEL, "not an EnCodec checkpoint: none of its 0 tensors");
    char *big = calloc(1, 2 << 20);
    write_file(config, big, 2 << 20);
    free(big);
    expect_refusal(in_directory(dir, "tiny"), ECDC_E_FORMAT, "at most 1048576 are expected");
}

static void bandwidths(void **state) {
    ecdc_model *model = open_model(in_directory(*state, "tiny"));
    int n = 0;
    ecdc_error err;
    assert_int_equal(ecdc_model_codebooks(model, 3, &n, NULL), ECDC_OK);
    assert_int_equal(n, 4);
    assert_int_equal(ecdc_model_codebooks(model, 5, &n, &err), ECDC_E_ARGUMENT);
    assert_string_equal(err.message, "bandwidth 5 kbps is not supported by tiny: it offers 1.5, 3, 6 kbps");
    assert_int_equal(ecdc_model_codebooks(model, NAN, &n, &err), ECDC_E_ARGUMENT);
    assert_int_equal(n, 4);
    ecdc_model_close(model);
}

static void frames(void **state) {
    ecdc_model *model = open_model(in_directory(*state, "tiny"));
    static const struct { int64_t samples, frames; } table[] = {
        {-1, 0}, {0, 0}, {1, 1}, {319, 1}, {320, 1}, {321, 2}, {24000, 75}, {INT64_MAX, INT64_MAX / 320 + 1}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_true(ecdc_model_frames(model, table[i].samples) == table[i].frames);
    ecdc_model_close(model);
}

static void *ask_for_digest(void *model) {
    return (void *)ecdc_model_sha256(model);
}

static void many_threads_may_ask(void **state) {
    ecdc_model *model = open_model(in_directory(*state, "tiny"));
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_for_digest, model), 0);
    for (int i = 0; i < 8; i++) {
        void *digest;
        pthread_join(threads[i], &digest);
        assert_string_equal(digest, TINY_SHA256);
    }
    ecdc_model_close(model);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, remove_directory)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_default_is_embedded), TEST(directories_and_files), TEST(models_of_the_cache), TEST(unknown_names),
        TEST(incomplete_models),       TEST(broken_models),         TEST(bandwidths),          TEST(frames),
        TEST(many_threads_may_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
