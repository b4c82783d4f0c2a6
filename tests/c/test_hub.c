/* hub/: model cards, checksums, and what ecdc_hub_fetch does without a network. Downloads are tested in tests/cli/test_hub.py. */
#include "model_support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "hub/card.h"
#include "hub/checksum.h"
#include "hub/http.h"
#include "hub/store.h"

static void expect_licence(const char *text, const char *expected) {
    char licence[16];
    assert_string_equal(card_licence(text, strlen(text), licence, sizeof licence), expected);
}

static void licences(void **state) {
    (void)state;
    expect_licence("---\nlicense: mit\n---\n", "mit");
    expect_licence("---\r\nlanguage: en\r\nlicense:   \"cc-by-nc-4.0\" \r\n---\r\n", "cc-by-nc-4.0");
    expect_licence("---\nlicense: other\nlicense_name: my-licence\nlicense: x\n---\n", "my-licence");
    expect_licence("---\nlicense: [mit, gpl]\n---\n", "mit");
    expect_licence("---\nlicense:\n- apache-2.0\n- mit\n---\n", "apache-2.0");
    expect_licence("---\nlicense: 'mit'", "mit");
    expect_licence("---\ntags:\n- license: no\n---\nlicense: mit\n", "");
    expect_licence("---\nlicense:\n---\nlicense: mit\n", "");
    expect_licence("# Card\nlicense: mit\n", "");
    expect_licence("---\nlicense: a name that is too long\n---\n", "");
    expect_licence("---\nlicense: \x1b[2Jmit\n---\n", "");
    expect_licence("---\nlicense: m\xc3\xaft\n---\n", "");
    expect_licence("---\nlicense:", "");
    expect_licence("---", "");
    expect_licence("", "");
    char licence[16];
    assert_string_equal(card_licence("---\nlicense: m\0t\n", 17, licence, sizeof licence), "");
}

/* `printf abc | git hash-object --stdin`, `printf abc | sha256sum`. */
static const char GIT_ABC[] = "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f";
static const char SHA256_ABC[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void expect_checksum(const char *etag, const char *text, const char *path, ecdc_status expected) {
    ecdc_error err = {ECDC_OK, ""};
    assert_int_equal(checksum_bytes("x", etag, text, strlen(text), &err), expected);
    if (expected)
        assert_message(err, "x: what came has the SHA-");
    write_file(path, text, strlen(text));
    int fd = open(path, O_RDONLY);
    assert_int_equal(checksum_file("x", etag, fd, strlen(text), &err), expected);
    close(fd);
}

static void checksums(void **state) {
    char path[SUPPORT_PATH];
    snprintf(path, sizeof path, "%s/file", (const char *)*state);
    expect_checksum(GIT_ABC, "abc", path, ECDC_OK);
    expect_checksum(SHA256_ABC, "abc", path, ECDC_OK);
    expect_checksum(GIT_ABC, "abd", path, ECDC_E_FORMAT);
    expect_checksum(SHA256_ABC, "ab", path, ECDC_E_FORMAT);
    expect_checksum("d41d8cd98f00b204e9800998ecf8427e-7", "abd", path, ECDC_OK); /* no checksum of these bytes */
    int fd = open(path, O_RDONLY);
    ecdc_error err;
    assert_int_equal(checksum_file("x", SHA256_ABC, fd, 4, &err), ECDC_E_IO);
    assert_message(err, "x: cannot read back what was downloaded: it became shorter");
    close(fd);
}

static void origins(void **state) {
    (void)state;
    assert_true(http_same_origin("https://hub.test/a", "https://HUB.test:443/b?c"));
    assert_false(http_same_origin("https://hub.test/", "http://hub.test/"));
    assert_false(http_same_origin("http://127.0.0.1:80/", "http://127.0.0.1:81/"));
    assert_false(http_same_origin("https://hub.test/", "https://hub.test.evil.test/"));
    assert_false(http_same_origin("https://hub.test/", "https://hub.test@evil.test/"));
    assert_false(http_same_origin("https://hub.test/", "nonsense"));
}

static int never(void *context) {
    ++*(int *)context;
    return 0;
}

static void fetching_without_a_network(void **state) {
    setenv("HF_HUB_CACHE", *state, 1);
    setenv("HF_HUB_OFFLINE", "1", 1);
    int asked = 0;
    ecdc_hub_settings settings = ecdc_default_hub_settings();
    settings.stop = never;
    settings.context = &asked;
    ecdc_error err;
    assert_int_equal(ecdc_hub_fetch("a/b", &settings, &err), ECDC_E_MODEL);
    assert_message(err, "HF_HUB_OFFLINE=1 forbids to download it: run `ecdc model fetch a/b`");
    assert_int_equal(asked, 0);
    assert_int_equal(ecdc_hub_fetch(NULL, NULL, &err), ECDC_E_ARGUMENT);
    assert_message(err, "ecdc_hub_fetch: the name is NULL");
    assert_int_equal(ecdc_hub_fetch("b", NULL, NULL), ECDC_E_ARGUMENT);
    unsetenv("HF_HUB_OFFLINE");
    setenv("HF_ENDPOINT", "file:///etc", 1);
    assert_int_equal(ecdc_hub_fetch("a/b", NULL, &err), ECDC_E_ARGUMENT);
    assert_message(err, "HF_ENDPOINT=file:///etc");
    unsetenv("HF_ENDPOINT");
}

/* Opening never downloads: nothing listens there, and nothing is asked. */
static void opening_stays_offline(void **state) {
    setenv("HF_HUB_CACHE", *state, 1);
    setenv("HF_ENDPOINT", "http://127.0.0.1:1", 1);
    ecdc_model *model = NULL;
    ecdc_error err;
    assert_int_equal(ecdc_model_open("a/b", &model, &err), ECDC_E_MODEL);
    assert_message(err, "a/b is not in the Hugging Face cache");
    assert_int_equal(ecdc_hub_fetch("a/b", NULL, &err), ECDC_E_IO);
    assert_message(err, "no connection to http://127.0.0.1:1");
    unsetenv("HF_ENDPOINT");
}

static void told(void *context, const char *reason, double seconds) {
    (void)reason, (void)seconds;
    ++*(int *)context;
}

/* Somebody removes the directory of locks between its making and the lock. */
static void locks_whose_directory_vanished(void **state) {
    int n_told = 0, lock = -1;
    char locks[SUPPORT_PATH];
    snprintf(locks, sizeof locks, "%s/.locks/models--a--b", (const char *)*state);
    struct hub_store store = {*state, *state, locks};
    ecdc_hub_settings settings = ecdc_default_hub_settings();
    settings.waiting = told;
    settings.context = &n_told;
    ecdc_error err;
    assert_int_equal(hub_store_lock(&store, "abc", &settings, &lock, &err), ECDC_OK);
    assert_true(lock >= 0);
    assert_int_equal(n_told, 0);
    hub_store_unlock(lock);

    snprintf(locks, sizeof locks, "%s/file/locks", (const char *)*state);
    char file[SUPPORT_PATH];
    snprintf(file, sizeof file, "%s/file", (const char *)*state);
    assert_int_equal(symlink("nowhere/at/all", file), 0);
    assert_int_equal(hub_store_lock(&store, "abc", &settings, &lock, &err), ECDC_E_IO);
    assert_message(err, "HF_HUB_CACHE or HF_HOME names another place");
}

/* A write that the system cuts short says why the rest does not fit. */
static void a_disk_that_fills_up(void **state) {
    char blobs[SUPPORT_PATH];
    snprintf(blobs, sizeof blobs, "%s/blobs", (const char *)*state);
    assert_int_equal(mkdir(blobs, 0777), 0);
    struct hub_store store = {*state, *state, blobs};
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){.rlim_cur = 10, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    ecdc_error err;
    setrlimit(RLIMIT_FSIZE, &small);
    errno = 0;
    ecdc_status status = hub_store_put_blob(&store, "abc", "0123456789abcdef", 16, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(status, ECDC_E_IO);
    assert_message(err, strerror(EFBIG));
    assert_int_equal(rmdir(blobs), 0); /* nothing is left in it */
    assert_int_equal(mkdir(blobs, 0777), 0);
    assert_int_equal(hub_store_put_blob(&store, "abc", "0123456789abcdef", 16, &err), ECDC_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(licences),
        cmocka_unit_test_setup_teardown(checksums, make_directory, remove_directory),
        cmocka_unit_test(origins),
        cmocka_unit_test_setup_teardown(fetching_without_a_network, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(locks_whose_directory_vanished, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(a_disk_that_fills_up, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(opening_stays_offline, make_directory, remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
