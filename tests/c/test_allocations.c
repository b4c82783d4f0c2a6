/* Memory runs out at the first allocation, at the second, ... at every one that opening a model, encoding and decoding make, or
 * writing features: each time an error that says so, nothing leaked (AddressSanitizer looks), nothing half done that looks whole
 * (failing_allocations.h). */
#include "failing_allocations.h"
#include "base/json_put.h"
#include "golden.h"
#include "reader_files.h"

enum { SAMPLES = 4000, FRAMES = 13, CODEBOOKS = 4 };

struct run {
    float x[SAMPLES], sound[FRAMES * 320];
    int32_t codes[FRAMES * CODEBOOKS];
    ecdc_error failure;
};

static ecdc_status encode(const ecdc_model *model, const ecdc_settings *s, struct run *r) {
    ecdc_encoder *e;
    ecdc_status status = ecdc_encoder_new(model, s, &e, &r->failure);
    if (status != ECDC_OK)
        return status;
    size_t n = 0;
    for (size_t i = 0; status == ECDC_OK && i < SAMPLES; i += 1000) {
        status = ecdc_encoder_push(e, r->x + i, 1000, &r->failure);
        n += ecdc_encoder_pull(e, r->codes + n * CODEBOOKS, FRAMES - n);
    }
    if (status == ECDC_OK)
        status = ecdc_encoder_finish(e, &r->failure);
    if (status == ECDC_OK)
        assert_int_equal(n + ecdc_encoder_pull(e, r->codes + n * CODEBOOKS, FRAMES - n), FRAMES);
    else
        ecdc_encoder_reset(e); /* must leave it fit for use, or saying that it is not */
    ecdc_encoder_free(e);
    return status;
}

static ecdc_status run(struct run *r) {
    ecdc_model *model = NULL;
    ecdc_group *group = NULL;
    ecdc_settings s = ecdc_default_settings();
    s.n_threads = 2;
    ecdc_status status = ecdc_model_open(ECDC_TEST_DATA "/tiny24", &model, &r->failure);
    if (status == ECDC_OK)
        status = ecdc_group_new(&group, &r->failure);
    s.group = group;
    if (status == ECDC_OK)
        status = encode(model, &s, r);
    if (status == ECDC_OK)
        status = ecdc_decode(model, &s, r->codes, FRAMES, r->sound, &r->failure);
    ecdc_group_free(group);
    ecdc_model_close(model);
    return status;
}

static void assert_says_memory(ecdc_status status, const ecdc_error *failure, long n) {
    if (status != ECDC_E_MEMORY || !strstr(failure->message, "memory"))
        fail_msg("allocation %ld: %s: '%s'", n, ecdc_status_name(status), failure->message);
}

static void test_every_allocation(void **state) {
    (void)state;
    static struct run want, got;
    uint32_t seed = 5;
    for (int i = 0; i < SAMPLES; i++)
        want.x[i] = got.x[i] = 0.3f * random_float(&seed);
    assert_int_equal(run(&want), ECDC_OK);
    long n = 0;
    for (bool done = false; !done; n++) {
        assert_true(n < 100000);
        got.failure.message[0] = '\0';
        allocations_fail_after(n);
        ecdc_status status = run(&got);
        done = !allocations_failed();
        allocations_fail_after(-1);
        if (status == ECDC_OK) { /* none failed, or one that could be done without */
            assert_memory_equal(got.codes, want.codes, sizeof want.codes);
            assert_memory_equal(got.sound, want.sound, sizeof want.sound);
        } else {
            assert_says_memory(status, &got.failure, n);
        }
    }
    printf("  %ld allocations\n", n - 1);
    assert_true(n > 100);
}

/* What a file holds, up to `most` bytes; 0 where it is absent. */
static size_t read_back(const char *path, char *bytes, size_t most) {
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(bytes, 1, most, f) : 0;
    if (f)
        fclose(f);
    return n;
}

static ecdc_status write_features(const char *sound, const char *features, ecdc_error *failure) {
    ecdc_model *model = NULL;
    ecdc_features_settings s = ecdc_default_features_settings();
    ecdc_features_result result;
    s.tr = "0.1";
    s.n_threads = 1;
    ecdc_status status = ecdc_model_open(ECDC_TEST_DATA "/tiny24", &model, failure);
    if (status == ECDC_OK)
        status = ecdc_write_features(model, sound, features, &s, &result, failure);
    ecdc_model_close(model);
    return status;
}

/* The description has the sound's path and time; both stay. */
static void test_every_allocation_of_features(void **state) {
    (void)state;
    enum { OUTPUTS = 3, MOST = 4096 };
    static const char *const endings[OUTPUTS] = {".npy", ".tsv", ".json"};
    static char want[OUTPUTS][MOST], got[MOST];
    size_t want_n[OUTPUTS];
    int16_t *x = noise(SAMPLES * 2);
    char sound[512], features[512], output[OUTPUTS][512];
    snprintf(sound, sizeof sound, "%s", make_wav16("sound.wav", 24000, 1, x, SAMPLES * 2));
    snprintf(features, sizeof features, "%s", in_scratch("out.npy"));
    free(x);
    ecdc_error failure;
    assert_int_equal(write_features(sound, features, &failure), ECDC_OK);
    for (int i = 0; i < OUTPUTS; i++) {
        snprintf(output[i], sizeof output[i], "%s%s", in_scratch("out"), endings[i]);
        want_n[i] = read_back(output[i], want[i], MOST);
        assert_true(want_n[i] > 0 && want_n[i] < MOST);
        assert_int_equal(remove(output[i]), 0);
    }
    long n = 0;
    for (bool done = false; !done; n++) {
        assert_true(n < 100000);
        failure.message[0] = '\0';
        allocations_fail_after(n);
        ecdc_status status = write_features(sound, features, &failure);
        done = !allocations_failed();
        allocations_fail_after(-1);
        if (status != ECDC_OK)
            assert_says_memory(status, &failure, n);
        for (int i = 0; i < OUTPUTS; i++) {
            size_t got_n = read_back(output[i], got, MOST);
            assert_int_equal(got_n, status == ECDC_OK ? want_n[i] : 0);
            assert_memory_equal(got, want[i], got_n);
            remove(output[i]);
        }
    }
    printf("  %ld allocations\n", n - 1);
    assert_true(n > 300);
}

static cJSON *describe(void) {
    cJSON *json = cJSON_CreateObject();
    json_put_string(json, "name", "film");
    json_put_number(json, "tr", 1.5);
    json_put_integer(json, "n_trs", 1976);
    json_put_bool(json, "partial", false);
    cJSON *input = json_put_object(json, "input");
    json_put_string(input, "path", "film.mp4");
    cJSON *list = json_put_list(input, "tracks");
    for (int i = 0; i < 2; i++) {
        cJSON *track = cJSON_CreateObject();
        json_put_integer(track, "channels", i);
        json_append(list, track);
    }
    return json;
}

/* What lacks something is not printed, and cannot be taken for an object. */
static void test_json_that_lacks_something(void **state) {
    (void)state;
    static const char want[] = "{\"name\":\"film\",\"tr\":1.5,\"n_trs\":1976,\"partial\":false,\"input\":{\"path\":\"film.mp4\","
                               "\"tracks\":[{\"channels\":0},{\"channels\":1}]}}";
    long n = 0;
    for (bool failed = true; failed; n++) {
        allocations_fail_after(n);
        cJSON *json = describe();
        failed = allocations_failed();
        allocations_fail_after(-1);
        char *text = cJSON_PrintUnformatted(json);
        if (failed)
            assert_null(text);
        else
            assert_string_equal(text, want);
        cJSON_free(text);
        cJSON_Delete(json);
    }
    assert_true(n > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation), cmocka_unit_test(test_every_allocation_of_features),
                                       cmocka_unit_test(test_json_that_lacks_something)};
    allocations_begin();
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
