/* The Hugging Face cache: where it is, what may be asked, what is found. */
#include "model_support.h"

#include "model/hub_cache.h"

static const char COMMIT[] = "c1dbe2ae3f1de713481a3b3e7c47f357092ee040";
static const char OTHER[] = "0123456789abcdef0123456789abcdef01234567";

/* Each test has an empty HF_HUB_CACHE. */
static int set_up(void **state) {
    unsetenv("HF_HOME");
    unsetenv("XDG_CACHE_HOME");
    return make_directory(state) || setenv("HF_HUB_CACHE", *state, 1);
}

static void put(const char *cache, const char *path, const char *text) {
    write_text(in_directory(cache, path), text);
}

static void put_model(const char *cache, const char *folder, const char *commit, const char *model_type) {
    char path[512], text[128];
    snprintf(text, sizeof text, "{\"model_type\": \"%s\"}", model_type);
    snprintf(path, sizeof path, "%s/snapshots/%s/config.json", folder, commit);
    put(cache, path, text);
    snprintf(path, sizeof path, "%s/snapshots/%s/model.safetensors", folder, commit);
    put(cache, path, "0123456789");
}

static void expect_found(const char *cache, const char *name, const char *folder, const char *commit) {
    char *found = NULL, expected[SUPPORT_PATH];
    ecdc_error err;
    if (hub_cache_find(name, &found, &err))
        fail_msg("%s", err.message);
    snprintf(expected, sizeof expected, "%s/%s/snapshots/%s", cache, folder, commit);
    assert_string_equal(found, expected);
    free(found);
}

static void expect_refusal(const char *name, ecdc_status status, const char *part) {
    char *found = NULL;
    ecdc_error err = {ECDC_OK, ""};
    assert_int_equal(hub_cache_find(name, &found, &err), status);
    assert_null(found);
    assert_message(err, part);
}

static void names(void **state) {
    (void)state;
    static const char *const good[] = {"facebook/encodec_24khz", "a/b", "A-1/b.c_d", "a/b@main", "a/b@v1.0",
                                       "a/b@refs/pr/1"};
    static const char *const bad[] = {"", "encodec", "/b", "a/", "a/b/c", "../b", "a/..", "a/.b", ".a/b", "a/b.", "-a/b",
                                      "a--b/c", "a/b..c", "a/b c", "a/b\\c", "a/b\n", "a/b@", "a/b@..", "a/b@../x",
                                      "a/b@/x", "a/b@x/", "a/b@x//y", "a@b", "a@x/b", "a/b@x@y", "~/b", "a/\xc3\xa9"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!hub_cache_is_name(good[i]))
            fail_msg("%s is a name", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (hub_cache_is_name(bad[i]))
            fail_msg("%s is not a name", bad[i]);
        expect_refusal(bad[i], ECDC_E_ARGUMENT, "is not the name of a Hugging Face model");
    }
}

static void expect_directory(const char *expected) {
    char *directory = hub_cache_directory();
    assert_non_null(directory);
    assert_string_equal(directory, expected);
    free(directory);
}

static void the_first_variable_that_is_set_counts(void **state) {
    (void)state;
    char *home = getenv("HOME") ? strdup(getenv("HOME")) : NULL;
    setenv("HF_HUB_CACHE", "/hub cache", 1);
    setenv("HF_HOME", "/hf", 1);
    setenv("XDG_CACHE_HOME", "/xdg", 1);
    setenv("HOME", "/home/me", 1);
    expect_directory("/hub cache");
    setenv("HF_HUB_CACHE", "~/hub", 1);
    expect_directory("/home/me/hub");
    setenv("HF_HUB_CACHE", "", 1);
    expect_directory("/hf/hub");
    unsetenv("HF_HOME");
    expect_directory("/xdg/huggingface/hub");
    unsetenv("XDG_CACHE_HOME");
    expect_directory("/home/me/.cache/huggingface/hub");
    unsetenv("HOME");
    assert_null(hub_cache_directory());
    expect_refusal("a/b", ECDC_E_MODEL, "none of HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME and HOME");
    struct hub_model *models;
    size_t n = 7;
    assert_int_equal(hub_cache_list(&models, &n, NULL), ECDC_OK);
    assert_int_equal(n, 0);
    if (home)
        setenv("HOME", home, 1);
    free(home);
}

static void models_are_found(void **state) {
    const char *cache = *state;
    static const char folder[] = "models--facebook--encodec_24khz";
    put_model(cache, folder, COMMIT, "encodec");
    put_model(cache, folder, OTHER, "encodec");
    put(cache, "models--facebook--encodec_24khz/refs/main", "c1dbe2ae3f1de713481a3b3e7c47f357092ee040\n");
    put(cache, "models--facebook--encodec_24khz/refs/refs/pr/1", OTHER);
    expect_found(cache, "facebook/encodec_24khz", folder, COMMIT);
    expect_found(cache, "facebook/encodec_24khz@main", folder, COMMIT);
    expect_found(cache, "facebook/encodec_24khz@refs/pr/1", folder, OTHER);
    expect_found(cache, "facebook/encodec_24khz@0123456789abcdef0123456789abcdef01234567", folder, OTHER);
}

static void what_is_missing_is_named(void **state) {
    const char *cache = *state;
    expect_refusal("facebook/encodec_24khz", ECDC_E_MODEL, "models--facebook--encodec_24khz does not exist");
    put_model(cache, "models--facebook--encodec_24khz", COMMIT, "encodec");
    expect_refusal("facebook/encodec_24khz", ECDC_E_MODEL, "refs/main does not exist");
    put(cache, "models--facebook--encodec_24khz/refs/main", OTHER);
    expect_refusal("facebook/encodec_24khz", ECDC_E_MODEL,
                   "is not complete in the Hugging Face cache");
    expect_refusal("facebook/encodec_24khz", ECDC_E_MODEL, "config.json does not exist");
    expect_refusal("facebook/encodec_24khz@ffffffffffffffffffffffffffffffffffffffff", ECDC_E_MODEL, "not complete");
    unlink(in_directory(cache, "models--facebook--encodec_24khz/snapshots/"
                               "c1dbe2ae3f1de713481a3b3e7c47f357092ee040/model.safetensors"));
    put(cache, "models--facebook--encodec_24khz/refs/main", COMMIT);
    expect_refusal("facebook/encodec_24khz", ECDC_E_MODEL, "model.safetensors does not exist");
}

/* A ref becomes part of a path. */
static void refs_are_not_trusted(void **state) {
    const char *cache = *state;
    put_model(cache, "models--a--b", COMMIT, "encodec");
    static const char *const refs[] = {"../../../../etc", "", "..", "a/b", "c1dbe2ae3f1de713481a3b3e7c47f357092ee040/.."};
    for (size_t i = 0; i < sizeof refs / sizeof *refs; i++) {
        put(cache, "models--a--b/refs/main", refs[i]);
        expect_refusal("a/b", ECDC_E_FORMAT, "does not hold a commit");
    }
    put(cache, "models--a--b/refs/main", "abc-1\n"); /* by hand */
    put_model(cache, "models--a--b", "abc-1", "encodec");
    expect_found(cache, "a/b", "models--a--b", "abc-1");
    char big[4000];
    memset(big, 'a', sizeof big);
    write_file(in_directory(cache, "models--a--b/refs/main"), big, sizeof big);
    expect_refusal("a/b", ECDC_E_FORMAT, "at most 1024 are expected");
}

static void models_are_listed(void **state) {
    const char *cache = *state;
    put_model(cache, "models--facebook--encodec_24khz", COMMIT, "encodec");
    put_model(cache, "models--facebook--encodec_24khz", OTHER, "encodec");
    put(cache, "models--facebook--encodec_24khz/refs/main", COMMIT);
    put(cache, "models--facebook--encodec_24khz/refs/a", COMMIT);
    put_model(cache, "models--openai--whisper", COMMIT, "whisper");
    put(cache, "models--me--half/snapshots/0123456789abcdef0123456789abcdef01234567/config.json",
        "{\"model_type\": \"encodec\"}");
    put(cache, "models--me--half/refs/dev", OTHER);
    put(cache, "models--me--broken/snapshots/0123456789abcdef0123456789abcdef01234567/config.json", "{");
    put(cache, "models--strange/snapshots/x/config.json", "{\"model_type\": \"encodec\"}");
    put(cache, "datasets--a--b/snapshots/x/config.json", "{\"model_type\": \"encodec\"}");
    put(cache, "version.txt", "1");

    struct hub_model *m;
    size_t n;
    ecdc_error err;
    if (hub_cache_list(&m, &n, &err))
        fail_msg("%s", err.message);
    assert_int_equal(n, 3);
    assert_string_equal(m[0].name, "facebook/encodec_24khz");
    assert_string_equal(m[0].commit, OTHER);
    assert_string_equal(m[0].revision, "");
    assert_string_equal(m[1].commit, COMMIT);
    assert_string_equal(m[1].revision, "main");
    assert_true(m[1].complete && m[1].n_bytes == 10);
    assert_int_equal(strncmp(m[1].path, cache, strlen(cache)), 0);
    assert_string_equal(m[2].name, "me/half");
    assert_string_equal(m[2].revision, "dev");
    assert_true(!m[2].complete && m[2].n_bytes == 0);
    hub_cache_list_free(m, n);
}

static void no_cache_is_an_empty_list(void **state) {
    setenv("HF_HUB_CACHE", in_directory(*state, "missing"), 1);
    struct hub_model *m;
    size_t n = 7;
    assert_int_equal(hub_cache_list(&m, &n, NULL), ECDC_OK);
    assert_int_equal(n, 0);
    hub_cache_list_free(m, n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names, set_up, remove_directory),
        cmocka_unit_test_setup_teardown(the_first_variable_that_is_set_counts, set_up, remove_directory),
        cmocka_unit_test_setup_teardown(models_are_found, set_up, remove_directory),
        cmocka_unit_test_setup_teardown(what_is_missing_is_named, set_up, remove_directory),
        cmocka_unit_test_setup_teardown(refs_are_not_trusted, set_up, remove_directory),
        cmocka_unit_test_setup_teardown(models_are_listed, set_up, remove_directory),
        cmocka_unit_test_setup_teardown(no_cache_is_an_empty_list, set_up, remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
