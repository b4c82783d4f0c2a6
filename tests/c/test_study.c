/* Studies on disk: what is found where, keys of caches, locks. */
#include "media_files.h"

#include <fcntl.h>
#include <utime.h>

#include "base/listener.h"
#include "base/memory.h"
#include "study/cache.h"
#include "study/lock.h"

static ecdc_error err;

static void make_directory(const char *name) {
    char command[600];
    snprintf(command, sizeof command, "mkdir -p '%s'", in_scratch(name));
    assert_int_equal(system(command), 0);
}

static void touch(const char *name) {
    write_file(name, "", 0);
}

static struct study_subjects find(const char *name, const char *pattern, bool expect_bids) {
    struct study_subjects found = {0};
    bool bids;
    assert_ok(find_subjects(in_scratch(name), pattern, &bids, &found, &err), &err);
    assert_int_equal(bids, expect_bids);
    return found;
}

static void refuse(const char *name, const char *pattern, ecdc_status status, const char *words) {
    struct study_subjects found = {0};
    bool bids;
    assert_fails(find_subjects(in_scratch(name), pattern, &bids, &found, &err), status, &err, words);
    assert_null(found.items);
}

static void assert_labels(struct study_subjects *s, const char *labels) {
    char text[200] = "";
    for (size_t i = 0; i < s->n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", s->items[i].label);
    assert_string_equal(text, labels);
}

/* ------------------------------------------------------------------------------------------- discovery --- */

static void test_giblet_layout(void **state) {
    (void)state;
    make_directory("g/sherlock_nii");
    touch("g/sherlock_nii/sherlock_movie_s10.nii.gz");
    touch("g/sherlock_nii/sherlock_movie_s2.nii.gz");
    touch("g/sherlock_nii/sherlock_movie_s1.nii");
    touch("g/sherlock_nii/sherlock_movie_summary.nii.gz"); /* nobody's number */
    touch("g/sherlock_nii/sherlock_movie_s3.txt");
    touch("g/sherlock_nii/.sherlock_movie_s4.nii.gz");
    struct study_subjects s = find("g", NULL, false);
    assert_labels(&s, "1 2 10");
    assert_int_equal(s.items[2].number, 10);
    assert_non_null(strstr(s.items[0].scan, "/g/sherlock_nii/sherlock_movie_s1.nii"));

    assert_fails(choose_subjects(&s, "1,99", &err), ECDC_E_ARGUMENT, &err, "subject '99': the study has none of that name; it has 1, 2, 10");
    assert_labels(&s, "1 2 10");
    assert_ok(choose_subjects(&s, "all", &err), &err);
    assert_ok(choose_subjects(&s, "10, 01,10", &err), &err);
    assert_labels(&s, "1 10");
    subjects_free(&s);

    touch("g/sherlock_nii/sherlock_movie_s01.nii.gz");
    refuse("g", NULL, ECDC_E_FORMAT, "has two scans, ");
}

static void test_bids_layout(void **state) {
    (void)state;
    make_directory("b/sub-02/func");
    make_directory("b/sub-1/func");
    make_directory("b/sub-x/func");
    make_directory("b/sub-empty/anat");
    touch("b/sub-02/func/sub-02_task-film_bold.nii.gz");
    touch("b/sub-1/func/sub-1_task-film_bold.nii.gz");
    touch("b/sub-1/func/sub-1_task-film_boldref.nii.gz");
    touch("b/sub-x/func/sub-x_task-film_bold.nii");
    struct study_subjects s = find("b", NULL, true);
    assert_labels(&s, "1 02 x"); /* numbers first, by size */
    assert_int_equal(s.items[2].number, -1);
    assert_ok(choose_subjects(&s, "sub-x,2", &err), &err);
    assert_labels(&s, "02 x");
    subjects_free(&s);

    touch("b/sub-x/func/sub-x_task-rest_bold.nii.gz");
    refuse("b", NULL, ECDC_E_FORMAT, "subject x has two scans, ");
    assert_non_null(strstr(err.message, "--scans PATTERN"));
    s = find("b", "*task-film*", true);
    assert_int_equal(s.n, 3);
    subjects_free(&s);
    refuse("b", "*task-memory*", ECDC_E_FORMAT, "none of 4 scans has a name that matches --scans *task-memory*");
}

static void test_nothing_there(void **state) {
    (void)state;
    make_directory("empty");
    refuse("empty", NULL, ECDC_E_FORMAT, "no scans: neither sherlock_nii/sherlock_movie_s*.nii.gz nor sub-*/func/*_bold.nii.gz");
    refuse("nowhere", NULL, ECDC_E_IO, "nowhere: no such directory");
}

static void test_film(void **state) {
    (void)state;
    char *film = NULL;
    make_directory("f/stimuli");
    assert_fails(find_film(in_scratch("f"), &film, &err), ECDC_E_FORMAT, &err, "no film: neither stimuli_*.m4v nor stimuli_*.mp4");
    touch("f/stimuli/film.mp4");
    assert_ok(find_film(in_scratch("f"), &film, &err), &err);
    assert_non_null(strstr(film, "/f/stimuli/film.mp4"));
    free(film);
    touch("f/stimuli_Sherlock.m4v");
    touch("f/stimuli_Sherlock.txt");
    assert_ok(find_film(in_scratch("f"), &film, &err), &err);
    assert_non_null(strstr(film, "/f/stimuli_Sherlock.m4v"));
    free(film);
    touch("f/stimuli_b.mp4");
    assert_fails(find_film(in_scratch("f"), &film, &err), ECDC_E_FORMAT, &err, "two films, stimuli_Sherlock.m4v and stimuli_b.mp4; --film");
}

/* ------------------------------------------------------------------------------------------------ names --- */

static void assert_film_name(const struct ecdc_study *study, const char *wanted) {
    char head[160], tail[64], name[300];
    film_name_head(study, head, sizeof head);
    film_name_tail(study, tail, sizeof tail);
    snprintf(name, sizeof name, "%s920%s", head, tail);
    assert_string_equal(name, wanted);
}

static void test_names(void **state) {
    (void)state;
    struct study_subject subject = {.label = "7", .n_trs = 946};
    struct ecdc_study study = {.s = ecdc_default_study_settings(), .cache = "c", .subjects = {&subject, 1}, .subjects_hex = "0123abcd"};
    assert_ok(ecdc_tr_grid_init(&study.grid, "1.5", 75, ECDC_ALIGN_GIBLET, &err), &err);
    study.s.hrf = ECDC_HRF_GIBLET;
    assert_film_name(&study, "audio_features_encodec_bw3.0_tr1.5_920trs_hrf.npy"); /* as giblet's integration page has it */
    study.s.mode = ECDC_MODE_MEL;
    study.s.hrf = ECDC_HRF_CAUSAL;
    assert_film_name(&study, "audio_features_mel_tr1.5_920trs_hrf.npy");
    study.s.hrf = ECDC_HRF_GIBLET;
    assert_film_name(&study, "audio_features_mel_tr1.5_920trs_hrf-giblet.npy");
    study.s.mode = ECDC_MODE_ENCODEC;
    study.s.hrf = ECDC_HRF_NONE;
    study.s.n_codebooks = 1;
    study.s.bandwidth_kbps = 1.5;
    assert_film_name(&study, "audio_features_encodec_bw1.5_k1_tr1.5_920trs.npy");
    char *path = scan_path(&study, 0);
    assert_string_equal(path, "c/fmri_sub-7_tr1.5_946trs_0123abcd_zscore.npy");
    free(path);
    study.s.zscore = 0;
    study.s.max_trs = 920;
    path = scan_path(&study, 0);
    assert_string_equal(path, "c/fmri_sub-7_tr1.5_920trs_0123abcd.npy");
    free(path);
    path = mask_path(&study);
    assert_string_equal(path, "c/fmri_mask_1subjects_0123abcd.nii.gz");
    free(path);
}

/* ------------------------------------------------------------------------------------------------- keys --- */

static cJSON *key_of(const char *path, const char *model, double n) {
    cJSON *key = cJSON_CreateObject();
    cJSON_AddStringToObject(key, "model", model);
    cJSON_AddNumberToObject(key, "n", n);
    assert_ok(key_add_file(key, "film", path, &err), &err);
    return key;
}

/* Gives the wanted key back. */
static void check_match(cJSON *wanted, const cJSON *stored, bool expected, const char *words) {
    struct key_match match;
    assert_ok(key_compare(wanted, stored, &listener_deaf, &match, &err), &err);
    if (match.same != expected || !strstr(match.why, words))
        fail_msg("\"%s\" instead of \"%s\"", match.why, words);
    cJSON_Delete(wanted);
}

static void test_keys(void **state) {
    (void)state;
    const char *path = write_file("film.bin", "0123456789", 10);
    cJSON *made = key_of(path, "abc", 4);
    assert_ok(key_complete(made, &listener_deaf, &err), &err);
    assert_string_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(made, "film"), "sha256")->valuestring,
                        "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"); /* sha256sum */
    char *text = cJSON_Print(made);
    cJSON *stored = cJSON_Parse(text);
    cJSON_free(text);

    check_match(key_of(path, "abc", 4), stored, true, "");
    check_match(key_of(path, "abd", 4), stored, false, "model is \"abd\", the cache was made with \"abc\"");
    check_match(key_of(path, "abc", 1), stored, false, "n is 1, the cache was made with 4");
    check_match(key_of(path, "abc", 4), NULL, false, "no key");
    cJSON *more = key_of(path, "abc", 4);
    cJSON_AddStringToObject(more, "new", "x");
    check_match(more, stored, false, "new is \"x\", the cache was made with none");
    cJSON_AddStringToObject(stored, "old", "x");
    check_match(key_of(path, "abc", 4), stored, false, "another version");
    cJSON_DeleteItemFromObject(stored, "old");

    /* Only the time has changed: the contents decide. */
    assert_int_equal(utime(path, &(struct utimbuf){1000, 1000}), 0);
    check_match(key_of(path, "abc", 4), stored, true, "");
    assert_fails(key_check_unchanged(made, &err), ECDC_E_IO, &err, "film.bin: was changed while it was read");

    /* With the new time in the stored key they need not be read again. */
    struct key_match match;
    cJSON *today = key_of(path, "abc", 4);
    assert_ok(key_compare(today, stored, &listener_deaf, &match, &err), &err);
    assert_true(match.same && match.by_contents);
    assert_true(key_renew_times(stored, today));
    assert_ok(key_compare(today, stored, &listener_deaf, &match, &err), &err);
    assert_true(match.same && !match.by_contents);
    cJSON_Delete(today);
    write_file("film.bin", "012345678x", 10);
    assert_int_equal(utime(path, &(struct utimbuf){2000, 2000}), 0);
    check_match(key_of(path, "abc", 4), stored, false, "has changed since the cache was made");
    write_file("film.bin", "0123", 4);
    check_match(key_of(path, "abc", 4), stored, false, "has 4 bytes, the cache was made when it had 10");
    cJSON_Delete(made);
    cJSON_Delete(stored);

    cJSON *none = cJSON_CreateObject();
    assert_fails(key_add_file(none, "film", in_scratch("no-film"), &err), ECDC_E_IO, &err, "no-film: No such file");
    cJSON_Delete(none);
}

/* A key that is stored is an untrusted file: whatever it holds, it is another key. */
static void test_strange_keys(void **state) {
    (void)state;
    const char *path = write_file("film.bin", "0123456789", 10);
    const char *strange[] = {"{}", "{\"model\":\"abc\",\"n\":4,\"film\":7}", "{\"model\":\"abc\",\"n\":4,\"film\":{\"modified\":7}}",
                             "{\"model\":{\"modified\":\"x\"},\"n\":4,\"film\":[]}", "{\"model\":null,\"n\":\"4\",\"film\":{}}"};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        cJSON *stored = cJSON_Parse(strange[i]);
        assert_non_null(stored);
        check_match(key_of(path, "abc", 4), stored, false, "");
        cJSON_Delete(stored);
    }
}

/* ------------------------------------------------------------------------------------------------ locks --- */

struct heard {
    int n_notes, n_asked;
};

static void hear(void *context, const char *text) {
    ((struct heard *)context)->n_notes++;
    assert_string_equal(text, "waiting for another process that makes film");
}

static int stop_at_third(void *context) {
    return ++((struct heard *)context)->n_asked == 3;
}

static void test_lock(void **state) {
    (void)state;
    int first, second = 7;
    struct heard heard = {0};
    ecdc_listener listener = {.note = hear, .stop = stop_at_third, .context = &heard};
    make_directory("locks");
    assert_ok(lock_take(in_scratch("locks"), "film", &listener_deaf, &first, &err), &err);
    assert_true(first >= 0);
    assert_fails(lock_take(in_scratch("locks"), "film", &listener, &second, &err), ECDC_E_STOPPED, &err, "interrupted");
    assert_int_equal(heard.n_notes, 1);
    lock_give_back(first);
    assert_ok(lock_take(in_scratch("locks"), "film", &listener, &second, &err), &err);
    lock_give_back(second);
    lock_give_back(-1);
    assert_fails(lock_take(in_scratch("no-locks"), "film", &listener, &second, &err), ECDC_E_IO, &err, "cannot be made");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_giblet_layout), cmocka_unit_test(test_bids_layout), cmocka_unit_test(test_nothing_there),
        cmocka_unit_test(test_film), cmocka_unit_test(test_names), cmocka_unit_test(test_keys), cmocka_unit_test(test_strange_keys),
        cmocka_unit_test(test_lock),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
