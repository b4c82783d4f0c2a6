/* Zip archives: good ones, and every way to be broken or hostile. */
#include "model_support.h"

#include <zip.h>

#include "base/archive.h"

enum { BIG = 3 * 1000 * 1000 };

static zip_source_t *source_of(const void *data, size_t n) {
    if (n == 0)
        return zip_source_buffer_create(NULL, 0, 0, NULL);
    void *copy = malloc(n);
    assert_non_null(copy);
    memcpy(copy, data, n);
    return zip_source_buffer_create(copy, n, 1, NULL);
}

static void add(zip_t *zip, const char *name, const void *data, size_t n, bool deflated) {
    zip_int64_t i = zip_file_add(zip, name, source_of(data, n), ZIP_FL_ENC_UTF_8);
    assert_true(i >= 0);
    assert_int_equal(zip_set_file_compression(zip, (zip_uint64_t)i, deflated ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 9), 0);
}

/* b.txt (stored), a/zeros (deflated, BIG zeros), empty, c.txt (deflated); made anew for every test, since each spoils it. */
static unsigned char *make_archive(const char *directory, size_t *n) {
    const char *path = in_directory(directory, "good.zip");
    remove(path);
    zip_t *zip = zip_open(path, ZIP_CREATE, NULL);
    assert_non_null(zip);
    static const char zeros[BIG];
    add(zip, "b.txt", "stored as it is", 15, false);
    add(zip, "a/zeros", zeros, BIG, true);
    add(zip, "empty", "", 0, false);
    add(zip, "c.txt", "deflated deflated deflated", 26, true);
    assert_int_equal(zip_close(zip), 0);
    return (unsigned char *)read_file(path, n);
}

/* The directory's record of an entry; fields: 8 flags, 10 method, 16 CRC, 20 packed size, 24 size, 42 offset. */
static unsigned char *record_of(unsigned char *bytes, size_t n, const char *name) {
    for (size_t i = 0; i + 46 + strlen(name) <= n; i++)
        if (memcmp(bytes + i, "PK\1\2", 4) == 0 && memcmp(bytes + i + 46, name, strlen(name)) == 0)
            return bytes + i;
    fail_msg("no record of %s", name);
    return bytes;
}

static ecdc_status read_named(struct archive *a, const char *name, uint64_t max, char **text, size_t *n,
                              ecdc_error *err) {
    size_t index;
    void *bytes = NULL;
    assert_true(archive_find(a, name, &index));
    ecdc_status status = archive_read(a, index, max, &bytes, n, err);
    *text = bytes;
    return status;
}

static void check_contents(struct archive *a) {
    static const char *const names[] = {"a/zeros", "b.txt", "c.txt", "empty"};
    static const uint64_t sizes[] = {BIG, 15, 26, 0};
    assert_int_equal(archive_count(a), 4);
    for (size_t i = 0; i < 4; i++) {
        struct archive_entry e = archive_entry_at(a, i);
        assert_string_equal(e.name, names[i]);
        assert_int_equal(e.size, sizes[i]);
        char *text;
        size_t n;
        ecdc_error err;
        if (read_named(a, names[i], sizes[i], &text, &n, &err))
            fail_msg("%s", err.message);
        assert_int_equal(n, sizes[i]);
        assert_int_equal(text[n], 0);
        if (i == 1)
            assert_string_equal(text, "stored as it is");
        if (i == 2)
            assert_string_equal(text, "deflated deflated deflated");
        free(text);
    }
    size_t index;
    assert_false(archive_find(a, "zeros", &index));
    assert_false(archive_find(a, "", &index));
}

static void entries_are_read(void **state) {
    size_t n;
    unsigned char *bytes = make_archive(*state, &n);
    struct archive *a;
    assert_int_equal(archive_open_bytes("x.zip", bytes, n, &a, NULL), ECDC_OK);
    check_contents(a);
    check_contents(a); /* and once more */
    archive_close(a);
    assert_int_equal(archive_open(in_directory(*state, "good.zip"), &a, NULL), ECDC_OK);
    check_contents(a);
    archive_close(a);
    archive_close(NULL);
    free(bytes);
}

/* In pieces that fit nothing, two entries at once. */
static void entries_are_read_in_pieces(void **state) {
    static const char text[] = "deflated deflated deflated";
    size_t n, which, zeros;
    unsigned char *bytes = make_archive(*state, &n), piece[4099];
    struct archive *a;
    struct archive_stream *s, *t;
    ecdc_error err;
    free(bytes);
    assert_int_equal(archive_open(in_directory(*state, "good.zip"), &a, NULL), ECDC_OK);
    assert_true(archive_find(a, "c.txt", &which));
    assert_true(archive_find(a, "a/zeros", &zeros));
    assert_int_equal(archive_stream_open(a, which, &s, NULL), ECDC_OK);
    assert_int_equal(archive_stream_open(a, zeros, &t, NULL), ECDC_OK);
    for (size_t i = 0; i < 25; i += 5) {
        assert_int_equal(archive_stream_read(s, piece, 5, NULL), ECDC_OK);
        assert_memory_equal(piece, text + i, 5);
        assert_int_equal(archive_stream_read(t, piece, sizeof piece, NULL), ECDC_OK);
        assert_int_equal(piece[0] | piece[sizeof piece - 1], 0);
    }
    assert_int_equal(archive_stream_read(s, piece, 2, &err), ECDC_E_FORMAT);
    assert_message(err, "the entry c.txt ends 1 bytes too soon");
    assert_int_equal(archive_stream_read(s, piece, 1, NULL), ECDC_OK);
    archive_stream_close(s);
    archive_stream_close(t);
    archive_stream_close(NULL);
    archive_close(a);
}

/* The checksum is compared when the last byte is read. */
static void streams_see_damage(void **state) {
    size_t n, which;
    unsigned char *bytes = make_archive(*state, &n), contents[15];
    unsigned char *stored = memmem(bytes, n, "stored as it is", 15);
    assert_non_null(stored);
    stored[3] ^= 1;
    struct archive *a;
    struct archive_stream *s;
    ecdc_error err;
    assert_int_equal(archive_open_bytes("x.zip", bytes, n, &a, NULL), ECDC_OK);
    assert_true(archive_find(a, "b.txt", &which));
    assert_int_equal(archive_stream_open(a, which, &s, NULL), ECDC_OK);
    assert_int_equal(archive_stream_read(s, contents, 14, NULL), ECDC_OK);
    assert_int_equal(archive_stream_read(s, contents, 1, &err), ECDC_E_FORMAT);
    assert_message(err, "the entry b.txt is damaged");
    archive_stream_close(s);
    archive_close(a);
    free(bytes);
}

static void an_empty_archive_is_fine(void **state) {
    (void)state;
    unsigned char end[22] = "PK\5\6";
    struct archive *a;
    ecdc_error err;
    if (archive_open_bytes("x.zip", end, sizeof end, &a, &err))
        fail_msg("%s", err.message);
    size_t index;
    assert_int_equal(archive_count(a), 0);
    assert_false(archive_find(a, "a", &index));
    archive_close(a);
}

static void the_caller_bounds_what_is_read(void **state) {
    size_t n, got;
    unsigned char *bytes = make_archive(*state, &n);
    struct archive *a;
    char *text;
    ecdc_error err;
    assert_true(n < 20000); /* a small bomb */
    assert_int_equal(archive_open_bytes("x.zip", bytes, n, &a, NULL), ECDC_OK);
    assert_int_equal(read_named(a, "a/zeros", BIG - 1, &text, &got, &err), ECDC_E_FORMAT);
    assert_string_equal(err.message, "x.zip: the entry a/zeros has 3000000 bytes; at most 2999999 are expected");
    assert_int_equal(read_named(a, "b.txt", 14, &text, &got, &err), ECDC_E_FORMAT);
    assert_message(err, "the entry b.txt has 15 bytes; at most 14 are expected");
    archive_close(a);
    free(bytes);
}

/* A field of an entry's record is changed; opening or reading must say `part`. */
static void expect_refusal(const char *directory, const char *name, int field, uint32_t value, int width,
                           ecdc_status status, const char *part) {
    size_t n, got;
    unsigned char *bytes = make_archive(directory, &n), *p = record_of(bytes, n, name) + field;
    for (int i = 0; i < width; i++)
        p[i] = (unsigned char)(value >> (8 * i));
    struct archive *a = NULL;
    char *text = NULL;
    ecdc_error err = {ECDC_OK, ""};
    if (archive_open_bytes("x.zip", bytes, n, &a, &err) == ECDC_OK)
        (void)read_named(a, name, UINT64_MAX, &text, &got, &err);
    if (err.status != status)
        fail_msg("%s, field %d = %u gave %s: %s", name, field, value, ecdc_status_name(err.status), err.message);
    assert_message(err, "x.zip");
    assert_message(err, part);
    archive_close(a);
    free(bytes);
}

static void entries_that_lie(void **state) {
    const char *d = *state;
    expect_refusal(d, "a/zeros", 24, BIG - 1, 4, ECDC_E_FORMAT, "a/zeros holds more than the 2999999 bytes");
    expect_refusal(d, "a/zeros", 24, 0, 4, ECDC_E_FORMAT, "a/zeros holds more than the 0 bytes that it claims");
    expect_refusal(d, "a/zeros", 24, BIG + 1, 4, ECDC_E_FORMAT, "the entry a/zeros ends after 3000000 of 3000001");
    expect_refusal(d, "c.txt", 24, 27, 4, ECDC_E_FORMAT, "the entry c.txt ends after 26 of 27 bytes");
    /* no allocation that the compressed bytes cannot justify */
    expect_refusal(d, "c.txt", 24, 0x7fffffff, 4, ECDC_E_FORMAT, "claims 2147483647 bytes, which its");
    expect_refusal(d, "b.txt", 24, 14, 4, ECDC_E_FORMAT, "claims 14 bytes, which its 15 stored bytes cannot be");
    expect_refusal(d, "b.txt", 24, 16, 4, ECDC_E_FORMAT, "claims 16 bytes, which its 15 stored bytes cannot be");
    expect_refusal(d, "b.txt", 20, 0x7fffffff, 4, ECDC_E_FORMAT, "its entries claim more bytes than the file's");
    expect_refusal(d, "b.txt", 16, 1, 4, ECDC_E_FORMAT, "the entry b.txt is damaged or cut short: CRC error");
    expect_refusal(d, "c.txt", 16, 1, 4, ECDC_E_FORMAT, "the entry c.txt is damaged or cut short: CRC error");
    expect_refusal(d, "c.txt", 10, 12, 2, ECDC_E_UNSUPPORTED, "compressed with method 12; stored (0) and deflated (8)");
    expect_refusal(d, "c.txt", 10, 99, 2, ECDC_E_FORMAT, "a broken zip archive");
    expect_refusal(d, "b.txt", 8, 1, 2, ECDC_E_UNSUPPORTED, "the entry b.txt is encrypted");
    expect_refusal(d, "c.txt", 42, 0x7ffffff0, 4, ECDC_E_FORMAT, "x.zip");
    expect_refusal(d, "b.txt", 42, 3, 4, ECDC_E_FORMAT, "the entry b.txt is damaged or cut short");
}

static void names_stand_once(void **state) {
    size_t n;
    unsigned char *bytes = make_archive(*state, &n);
    memcpy(record_of(bytes, n, "c.txt") + 46, "b.txt", 5);
    struct archive *a;
    ecdc_error err;
    assert_int_equal(archive_open_bytes("x.zip", bytes, n, &a, &err), ECDC_E_FORMAT);
    assert_message(err, "x.zip: the entry b.txt is there twice");
    free(bytes);
}

/* Two records of one large entry: a bomb without a single wrong size. */
static void entries_share_no_bytes(void **state) {
    size_t n;
    unsigned char *bytes = make_archive(*state, &n);
    unsigned char *zeros = record_of(bytes, n, "a/zeros"), *c = record_of(bytes, n, "c.txt");
    memcpy(c + 10, zeros + 10, 18); /* method ... size */
    memcpy(c + 42, zeros + 42, 4);
    struct archive *a;
    ecdc_error err;
    assert_int_equal(archive_open_bytes("x.zip", bytes, n, &a, &err), ECDC_E_FORMAT);
    assert_message(err, "its entries claim more bytes than the file's");
    free(bytes);
}

/* The end record of a zip64 archive may claim 2^64 entries. */
static void claimed_numbers_of_entries(void **state) {
    (void)state;
    unsigned char bytes[56 + 20 + 22] = "PK\6\6";
    ecdc_error err;
    struct archive *a;
    bytes[4] = 44;
    memset(bytes + 24, 0x0f, 16); /* entries */
    memcpy(bytes + 56, "PK\6\7", 4);
    bytes[56 + 16] = 1;
    memcpy(bytes + 76, "PK\5\6", 4);
    memset(bytes + 76 + 8, 0xff, 12);
    assert_int_equal(archive_open_bytes("x.zip", bytes, sizeof bytes, &a, &err), ECDC_E_FORMAT);
    unsigned char end[22] = "PK\5\6";
    memset(end + 8, 0xff, 4);
    assert_int_equal(archive_open_bytes("x.zip", end, sizeof end, &a, &err), ECDC_E_FORMAT);
    memset(end + 8, 0xfe, 4);
    assert_int_equal(archive_open_bytes("x.zip", end, sizeof end, &a, &err), ECDC_E_FORMAT);
}

static void truncated_archives(void **state) {
    size_t n;
    unsigned char *bytes = make_archive(*state, &n);
    for (size_t cut = 0; cut < n; cut += cut < 200 || cut + 300 > n ? 1 : n / 40) {
        unsigned char *part = malloc(cut ? cut : 1); /* of its exact size, so that a read past its end is seen */
        memcpy(part, bytes, cut);
        struct archive *a;
        ecdc_error err;
        assert_int_equal(archive_open_bytes("x.zip", part, cut, &a, &err), ECDC_E_FORMAT);
        assert_message(err, "x.zip: ");
        free(part);
    }
    free(bytes);
}

/* A byte anywhere is spoilt: an error or the true contents, never anything else. */
static void spoilt_bytes(void **state) {
    size_t n;
    unsigned char *bytes = make_archive(*state, &n);
    for (size_t i = 0; i < n; i += i < 100 || i + 400 > n ? 1 : 97) {
        unsigned char old = bytes[i];
        bytes[i] ^= 0x5a;
        struct archive *a;
        ecdc_error err;
        if (archive_open_bytes("x.zip", bytes, n, &a, &err) == ECDC_OK) {
            size_t index, got;
            void *text;
            if (archive_find(a, "b.txt", &index) && archive_read(a, index, 100, &text, &got, &err) == ECDC_OK) {
                assert_string_equal(text, "stored as it is");
                free(text);
            }
            archive_close(a);
        }
        bytes[i] = old;
    }
    free(bytes);
}

static void files_that_are_none(void **state) {
    struct archive *a;
    ecdc_error err;
    assert_int_equal(archive_open(in_directory(*state, "absent.zip"), &a, &err), ECDC_E_IO);
    assert_message(err, "absent.zip: No such file");
    assert_int_equal(archive_open(*state, &a, &err), ECDC_E_IO);
    assert_message(err, "it is a directory");
    const char *fifo = in_directory(*state, "pipe.zip");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(archive_open(fifo, &a, &err), ECDC_E_IO);
    assert_message(err, "it is not a regular file");
    const char *text = in_directory(*state, "text.zip");
    write_text(text, "not an archive at all, but longer than the end record of one");
    assert_int_equal(archive_open(text, &a, &err), ECDC_E_FORMAT);
    assert_message(err, "not a zip archive, or cut short");
    write_text(text, "");
    assert_int_equal(archive_open(text, &a, &err), ECDC_E_FORMAT);
    assert_message(err, "text.zip");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void) {
    static const struct CMUnitTest tests[] = {
        TEST(entries_are_read),
        TEST(entries_are_read_in_pieces),
        TEST(streams_see_damage),
        TEST(an_empty_archive_is_fine),
        TEST(the_caller_bounds_what_is_read),
        TEST(entries_that_lie),
        TEST(names_stand_once),
        TEST(entries_share_no_bytes),
        TEST(claimed_numbers_of_entries),
        TEST(truncated_archives),
        TEST(spoilt_bytes),
        TEST(files_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
