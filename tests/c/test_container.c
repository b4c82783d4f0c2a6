/* container.h: .ecdc files, byte for byte as the reference's tool writes them. */
#include "media_files.h"

#include "media/container.h"

static ecdc_error err;

static struct container_header make_header(const char *model, int64_t samples, int codebooks) {
    struct container_header h = {.samples = samples, .codebooks = codebooks};
    strcpy(h.model, model);
    return h;
}

/* Writes a file whose header first claims `guess` samples. */
static const char *write_codes(struct container_header h, int64_t guess, const int32_t *codes, size_t n_frames) {
    struct output *o;
    struct container_writer *w;
    int64_t samples = h.samples;
    h.samples = guess;
    assert_ok(output_open(in_scratch("made.ecdc"), true, true, &o, &err), &err);
    assert_ok(container_write_open(o, &h, 10, &w, &err), &err);
    size_t half = n_frames / 2;
    assert_ok(container_write(w, codes, half, &err), &err);
    assert_ok(container_write(w, codes + half * (size_t)h.codebooks, n_frames - half, &err), &err);
    assert_ok(container_finish(w, samples, &err), &err);
    container_writer_free(w);
    assert_ok(output_commit(o, &err), &err);
    return in_scratch("made.ecdc");
}

/* A file with this JSON and n_data bytes of codes. */
static const char *make_file(const char *json, size_t n_data) {
    static unsigned char bytes[100000];
    size_t n = strlen(json);
    assert_true(9 + n + n_data <= sizeof bytes);
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, "ECDC", 4);
    for (int i = 0; i < 4; i++)
        bytes[5 + i] = (unsigned char)(n >> (24 - 8 * i));
    memcpy(bytes + 9, json, n);
    return write_file("made.ecdc", bytes, 9 + n + n_data);
}

/* Opens and begins; either may fail. */
static ecdc_status open_and_begin(const char *path, ecdc_error *e) {
    struct container_reader *r = NULL;
    ecdc_status status = container_open(path, &r, e);
    if (status == ECDC_OK)
        status = container_begin(r, 10, 320, e);
    container_close(r);
    return status;
}

static void refuse(const char *json, size_t n_data, ecdc_status status, const char *words) {
    const char *path = make_file(json, n_data);
    assert_fails(open_and_begin(path, &err), status, &err, words);
    assert_non_null(strstr(err.message, "made.ecdc: "));
}

static void test_hand_worked_bytes(void **state) {
    (void)state;
    const int32_t codes[] = {1, 2, 1023, 512}; /* 1 + 2 << 10 + 1023 << 20 + 512 << 30 = 0x803ff00801 */
    const char expected[] = "ECDC\0\0\0\0\x35" "{\"m\": \"encodec_24khz\", \"al\": 1, \"nc\": 4, \"lm\": false}"
                            "\x01\x08\xf0\x3f\x80";
    const char *path = write_codes(make_header("encodec_24khz", 1, 4), 1, codes, 1);
    assert_file(path, expected, sizeof expected - 1);
}

static void test_sha_and_escapes(void **state) {
    (void)state;
    struct container_header h = make_header("a\"\\\n\x01\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x8e\xb5", 0, 1);
    strcpy(h.sha, "0123456789abcdef");
    /* json.dumps({"m": 'a"\\\n\x01\x7f\u00e9\u20ac\U0001f3b5', ...}) */
    const char json[] = "{\"m\": \"a\\\"\\\\\\n\\u0001\\u007f\\u00e9\\u20ac\\ud83c\\udfb5\", \"al\": 0, \"nc\": 1, "
                        "\"lm\": false, \"sha\": \"0123456789abcdef\"}";
    size_t n;
    unsigned char *bytes = read_file(write_codes(h, 0, (int32_t[]){0}, 0), &n);
    assert_int_equal(n, 9 + sizeof json - 1);
    assert_memory_equal(bytes + 9, json, sizeof json - 1);
    free(bytes);

    struct container_reader *r;
    assert_ok(container_open(in_scratch("made.ecdc"), &r, &err), &err);
    assert_string_equal(container_header_of(r)->model, h.model);
    assert_string_equal(container_header_of(r)->sha, h.sha);
    container_close(r);
}

/* The bytes do not depend on the guess, whichever of the two numbers is longer. */
static void test_round_trip(void **state) {
    (void)state;
    enum { FRAMES = 4001, CODEBOOKS = 7 };
    static int32_t codes[FRAMES * CODEBOOKS], back[FRAMES * CODEBOOKS];
    for (int i = 0; i < FRAMES * CODEBOOKS; i++)
        codes[i] = (int32_t)((unsigned)i * 2654435761u >> 22);
    struct container_header h = make_header("m", (FRAMES - 1) * 320 + 1, CODEBOOKS);
    size_t n_first = 0;
    unsigned char *first = NULL;
    for (int64_t guess = 1; guess <= INT64_C(1) << 40; guess *= 1024) {
        const char *path = write_codes(h, guess, codes, FRAMES);
        if (first)
            assert_file(path, first, n_first);
        else
            first = read_file(path, &n_first);
    }
    free(first);
    for (size_t piece = 1; piece < 10000; piece = piece * 7 + 3) {
        struct container_reader *r;
        size_t n = 0, got;
        assert_ok(container_open(in_scratch("made.ecdc"), &r, &err), &err);
        assert_int_equal(container_header_of(r)->samples, h.samples);
        assert_int_equal(container_header_of(r)->codebooks, CODEBOOKS);
        assert_fails(container_read(r, back, 1, &got, &err), ECDC_E_ARGUMENT, &err, "container_begin");
        assert_ok(container_begin(r, 10, 320, &err), &err);
        memset(back, 0, sizeof back);
        do {
            assert_ok(container_read(r, back + n * CODEBOOKS, FRAMES - n < piece ? FRAMES - n + 1 : piece, &got, &err),
                      &err);
            n += got;
        } while (got > 0);
        assert_int_equal(n, FRAMES);
        assert_memory_equal(back, codes, sizeof codes);
        container_close(r);
    }
}

static void test_writer_arguments(void **state) {
    (void)state;
    struct output *o;
    struct container_writer *w;
    struct container_header good = make_header("m", 1, 2), h;
    assert_ok(output_open(in_scratch("w.ecdc"), true, true, &o, &err), &err);
    h = make_header("", 1, 2);
    assert_fails(container_write_open(o, &h, 10, &w, &err), ECDC_E_ARGUMENT, &err, "the model's name");
    h = make_header("\xff", 1, 2);
    assert_fails(container_write_open(o, &h, 10, &w, &err), ECDC_E_ARGUMENT, &err, "not UTF-8");
    h = make_header("\xed\xa0\x80", 1, 2); /* a surrogate */
    assert_fails(container_write_open(o, &h, 10, &w, &err), ECDC_E_ARGUMENT, &err, "not UTF-8");
    memset(h.model, 'x', sizeof h.model);
    assert_fails(container_write_open(o, &h, 10, &w, &err), ECDC_E_ARGUMENT, &err, "too long");
    h = make_header("m", -1, 2);
    assert_fails(container_write_open(o, &h, 10, &w, &err), ECDC_E_ARGUMENT, &err, "-1 samples");
    h = make_header("m", 1, 257);
    assert_fails(container_write_open(o, &h, 10, &w, &err), ECDC_E_ARGUMENT, &err, "257 codebooks");
    h = good;
    strcpy(h.sha, "xyz");
    assert_fails(container_write_open(o, &h, 10, &w, &err), ECDC_E_ARGUMENT, &err, "hexadecimal");
    h = good;
    h.lm = true;
    assert_fails(container_write_open(o, &h, 10, &w, &err), ECDC_E_UNSUPPORTED, &err, "language model");
    assert_fails(container_write_open(o, &good, 25, &w, &err), ECDC_E_ARGUMENT, &err, "25 bits");
    assert_int_equal(output_size(o), 0);

    assert_ok(container_write_open(o, &good, 10, &w, &err), &err);
    assert_ok(container_write(w, (int32_t[]){0, 1023, 5, 6}, 2, &err), &err);
    assert_fails(container_write(w, (int32_t[]){0, 1, 2, 1024}, 2, &err), ECDC_E_ARGUMENT, &err,
                 "code 1024 of frame 3, codebook 1 is not in 0 ... 1023");
    assert_fails(container_write(w, (int32_t[]){-1, 1}, 1, &err), ECDC_E_ARGUMENT, &err,
                 "code -1 of frame 2, codebook 0");
    container_writer_free(w);
    output_discard(o);
}

/* What json.loads would read, we read: other spacing, order and further keys. */
static void test_lenient_json(void **state) {
    (void)state;
    struct container_reader *r;
    const char *json = " { \"nc\":2,\"x\":{\"al\":[1]}, \"al\" : 320.0, \"lm\":false,\"m\":\"\\u00e9\" }\n";
    assert_ok(container_open(make_file(json, 3), &r, &err), &err);
    assert_string_equal(container_header_of(r)->model, "\xc3\xa9");
    assert_string_equal(container_header_of(r)->sha, "");
    assert_int_equal(container_header_of(r)->samples, 320);
    assert_ok(container_begin(r, 10, 320, &err), &err);
    container_close(r);
}

static void test_wrong_headers(void **state) {
    (void)state;
    static const char *const wrong[][2] = {
        {"", "not a JSON object"},
        {"[]", "not a JSON object"},
        {"{\"m\": \"m\"", "not a JSON object"},
        {"{\"m\": \"m\", \"al\": 0, \"nc\": 1, \"lm\": false} x", "not a JSON object"},
        {"{\"al\": 0, \"nc\": 1, \"lm\": false}", "\"m\" in the header"},
        {"{\"m\": 1, \"al\": 0, \"nc\": 1, \"lm\": false}", "\"m\" in the header"},
        {"{\"m\": \"\", \"al\": 0, \"nc\": 1, \"lm\": false}", "\"m\" in the header"},
        {"{\"m\": \"a\\u0000b\", \"al\": 0, \"nc\": 1, \"lm\": false}", "a NUL character"},
        {"{\"m\": \"m\", \"nc\": 1, \"lm\": false}", "\"al\" in the header is missing"},
        {"{\"m\": \"m\", \"al\": \"0\", \"nc\": 1, \"lm\": false}", "\"al\" in the header is missing or not a number"},
        {"{\"m\": \"m\", \"al\": true, \"nc\": 1, \"lm\": false}", "\"al\" in the header"},
        {"{\"m\": \"m\", \"al\": -1, \"nc\": 1, \"lm\": false}", "\"al\" in the header is -1, not an integer in 0"},
        {"{\"m\": \"m\", \"al\": 0.5, \"nc\": 1, \"lm\": false}", "\"al\" in the header is 0.5"},
        {"{\"m\": \"m\", \"al\": 1e300, \"nc\": 1, \"lm\": false}", "\"al\" in the header is 1"},
        {"{\"m\": \"m\", \"al\": 1e999, \"nc\": 1, \"lm\": false}", "\"al\" in the header is inf"},
        {"{\"m\": \"m\", \"al\": 9007199254740994, \"nc\": 1, \"lm\": false}", "header is 9007199254740994, not"},
        {"{\"m\": \"m\", \"al\": 0, \"nc\": 0, \"lm\": false}", "\"nc\" in the header is 0, not an integer in 1 ..."},
        {"{\"m\": \"m\", \"al\": 0, \"nc\": 257, \"lm\": false}", "\"nc\" in the header is 257"},
        {"{\"m\": \"m\", \"al\": 0, \"nc\": 4294967297, \"lm\": false}", "\"nc\" in the header is 4294967297"},
        {"{\"m\": \"m\", \"al\": 0, \"nc\": 1}", "\"lm\" in the header is missing"},
        {"{\"m\": \"m\", \"al\": 0, \"nc\": 1, \"lm\": 0}", "\"lm\" in the header"},
        {"{\"m\": \"m\", \"al\": 0, \"al\": 1, \"nc\": 1, \"lm\": false}", "\"al\" occurs twice"},
        {"{\"m\": \"m\", \"al\": 0, \"nc\": 1, \"lm\": false, \"sha\": \"12\"}", "\"sha\" in the header"},
        {"{\"m\": \"m\", \"al\": 0, \"nc\": 1, \"lm\": false, \"sha\": 7}", "\"sha\" in the header"},
        {"{\"m\": \"m\", \"al\": 0, \"nc\": 1, \"lm\": false, \"sha\": \"0123456789abcdeg\"}", "\"sha\" in the header"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refuse(wrong[i][0], 0, ECDC_E_FORMAT, wrong[i][1]);
    refuse("{\"m\": \"encodec_24khz\", \"al\": 1, \"nc\": 4, \"lm\": true}", 100, ECDC_E_UNSUPPORTED,
           "encode the sound again");
    char name[300] = "{\"al\": 0, \"nc\": 1, \"lm\": false, \"m\": \"";
    size_t n = strlen(name);
    memset(name + n, 'n', 128);
    strcpy(name + n + 128, "\"}");
    refuse(name, 0, ECDC_E_FORMAT, "\"m\" in the header");
    static char deep[70000];
    memset(deep, '[', 5000);
    refuse(deep, 0, ECDC_E_FORMAT, "not a JSON object");
    memset(deep, ' ', sizeof deep - 1);
    refuse(deep, 0, ECDC_E_FORMAT, "69999 bytes is too long");
}

static void test_not_ecdc(void **state) {
    (void)state;
    assert_fails(open_and_begin(in_scratch("none.ecdc"), &err), ECDC_E_IO, &err, "none.ecdc: No such file");
    assert_fails(open_and_begin(scratch, &err), ECDC_E_IO, &err, "Is a directory");
    assert_fails(open_and_begin(write_file("e", "", 0), &err), ECDC_E_FORMAT, &err, "only 0 bytes");
    assert_fails(open_and_begin(write_file("r", "RIFF\0\0\0\0WAVE", 12), &err), ECDC_E_FORMAT, &err,
                 "does not start with ECDC");
    assert_fails(open_and_begin(write_file("v", "ECDC\1\0\0\0\2{}", 11), &err), ECDC_E_UNSUPPORTED, &err,
                 "version 1 of .ecdc");
    assert_fails(open_and_begin(write_file("l", "ECDC\0\xff\xff\xff\xff{}", 11), &err), ECDC_E_FORMAT, &err,
                 "claims 4294967295 bytes, the file has 2");
}

static void test_sizes(void **state) {
    (void)state;
    const char *json = "{\"m\": \"m\", \"al\": 961, \"nc\": 4, \"lm\": false}"; /* 4 frames, 160 bits */
    assert_ok(open_and_begin(make_file(json, 20), &err), &err);
    refuse(json, 19, ECDC_E_FORMAT, "is cut off after 3 of 4 frames");
    refuse(json, 4, ECDC_E_FORMAT, "is cut off after 0 of 4 frames");
    refuse(json, 21, ECDC_E_FORMAT, "1 bytes too many follow the 4 frames");
    const char *huge = "{\"m\": \"m\", \"al\": 9007199254740992, \"nc\": 64, \"lm\": false}";
    refuse(huge, 800, ECDC_E_FORMAT, "is cut off after 10 of 28147497671066 frames");
    struct container_reader *r;
    assert_ok(container_open(make_file(huge, 800), &r, &err), &err);
    assert_fails(container_begin(r, 24, 1, &err), ECDC_E_FORMAT, &err, "is cut off after 4 of 9007199254740992 frames");
    assert_fails(container_begin(r, 0, 320, &err), ECDC_E_ARGUMENT, &err, "0 bits");
    assert_fails(container_begin(r, 10, 0, &err), ECDC_E_ARGUMENT, &err, "0 samples");
    container_close(r);
}

/* Cut at every byte, a file is refused with its name; so it is with a byte more. */
static void test_cut_everywhere(void **state) {
    (void)state;
    int32_t codes[40] = {0};
    size_t n;
    unsigned char *bytes = read_file(write_codes(make_header("encodec_24khz", 3200, 4), 1, codes, 10), &n);
    for (size_t i = 0; i <= n + 1; i++) {
        const char *path = write_file("cut.ecdc", bytes, i); /* one byte more: read_file adds a zero */
        if (i == n)
            assert_ok(open_and_begin(path, &err), &err);
        else
            assert_fails(open_and_begin(path, &err), ECDC_E_FORMAT, &err, "cut.ecdc: ");
    }
    free(bytes);
}

/* Any byte of the header changed: no crash, and the answer is one of the documented ones. */
static void test_changed_bytes(void **state) {
    (void)state;
    int32_t codes[8] = {0};
    size_t n;
    unsigned char *bytes = read_file(write_codes(make_header("encodec_24khz", 640, 4), 1, codes, 2), &n);
    for (size_t i = 0; i < n; i++)
        for (int value = 0; value < 256; value += 5) {
            unsigned char old = bytes[i];
            bytes[i] = (unsigned char)value;
            memset(&err, 0, sizeof err);
            ecdc_status status = open_and_begin(write_file("changed.ecdc", bytes, n), &err);
            assert_true(status == ECDC_OK || status == ECDC_E_FORMAT || status == ECDC_E_UNSUPPORTED);
            bytes[i] = old;
        }
    free(bytes);
}

/* 1000 samples in chunks of 640 that start every 600: two frames, then two. */
static const struct container_chunks two_chunks = {10, 320, 640, 600, true};

static const char *write_chunks(bool scales) {
    const int32_t codes[] = {1, 2, 1023, 512, 5, 6, 7, 8};
    const float values[] = {0.15625f, -2};
    struct output *o;
    struct container_writer *w;
    struct container_header h = make_header("m", 0, 2);
    assert_ok(output_open(in_scratch("chunks.ecdc"), true, true, &o, &err), &err);
    assert_ok(container_write_open(o, &h, 10, &w, &err), &err);
    for (int k = 0; k < 2; k++)
        assert_ok(container_write_chunk(w, codes + 4 * k, 2, scales ? &values[k] : NULL, &err), &err);
    assert_fails(container_write_chunk(w, (int32_t[]){0, 1024}, 1, values, &err), ECDC_E_ARGUMENT, &err, "code 1024");
    assert_ok(container_finish(w, 1000, &err), &err);
    container_writer_free(w);
    assert_ok(output_commit(o, &err), &err);
    return in_scratch("chunks.ecdc");
}

/* Each chunk: its scale, big-endian, and its codes, filled up to a byte (struct.pack('!f', 0.15625) is 3e 20 00 00). */
static void test_chunks(void **state) {
    (void)state;
    const char expected[] = "ECDC\0\0\0\0\x2c" "{\"m\": \"m\", \"al\": 1000, \"nc\": 2, \"lm\": false}"
                            "\x3e\x20\0\0" "\x01\x08\xf0\x3f\x80" "\xc0\0\0\0" "\x05\x18\x70\0\x02";
    const char *path = write_chunks(true);
    assert_file(path, expected, sizeof expected - 1);
    struct container_reader *r;
    int32_t codes[4];
    size_t n;
    float scale;
    assert_ok(container_open(path, &r, &err), &err);
    assert_fails(container_read_chunk(r, codes, &n, &scale, &err), ECDC_E_ARGUMENT, &err, "container_begin_chunks comes first");
    for (int round = 0; round < 2; round++) {
        assert_ok(container_begin_chunks(r, &two_chunks, &err), &err);
        assert_fails(container_read(r, codes, 1, &n, &err), ECDC_E_ARGUMENT, &err, "container_begin comes first");
        assert_ok(container_read_chunk(r, codes, &n, &scale, &err), &err);
        assert_true(n == 2 && scale == 0.15625f && codes[0] == 1 && codes[3] == 512);
        assert_ok(container_read_chunk(r, codes, &n, &scale, &err), &err);
        assert_true(n == 2 && scale == -2 && codes[0] == 5 && codes[3] == 8);
        assert_ok(container_read_chunk(r, codes, &n, &scale, &err), &err);
        assert_int_equal(n, 0);
    }
    container_close(r);

    struct container_chunks plain = two_chunks;
    plain.scales = false;
    assert_ok(container_open(write_chunks(false), &r, &err), &err);
    assert_ok(container_begin_chunks(r, &plain, &err), &err);
    assert_ok(container_read_chunk(r, codes, &n, &scale, &err), &err);
    assert_true(n == 2 && scale == 1 && codes[3] == 512);
    container_close(r);
}

static void test_chunk_sizes(void **state) {
    (void)state;
    size_t n;
    struct container_reader *r;
    unsigned char *bytes = read_file(write_chunks(true), &n);
    for (size_t i = n - 18; i <= n + 1; i++) {
        assert_ok(container_open(write_file("cut.ecdc", bytes, i), &r, &err), &err);
        if (i == n)
            assert_ok(container_begin_chunks(r, &two_chunks, &err), &err);
        else
            assert_fails(container_begin_chunks(r, &two_chunks, &err), ECDC_E_FORMAT, &err,
                         i < n ? "cut.ecdc: is cut off: 2 chunks take 18 bytes" : "1 bytes too many follow the 2 chunks");
        container_close(r);
    }
    free(bytes);
    const char *huge = "{\"m\": \"m\", \"al\": 9007199254740992, \"nc\": 256, \"lm\": false}";
    assert_ok(container_open(make_file(huge, 800), &r, &err), &err);
    assert_fails(container_begin_chunks(r, &(struct container_chunks){24, 1, 48000, 1, true}, &err), ECDC_E_FORMAT, &err,
                 "9007199254740992 chunks");
    assert_fails(container_begin_chunks(r, &(struct container_chunks){10, 320, 640, 0, true}, &err), ECDC_E_ARGUMENT, &err, "");
    assert_fails(container_begin_chunks(r, &(struct container_chunks){10, 320, 640, 641, true}, &err), ECDC_E_ARGUMENT, &err, "");
    container_close(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hand_worked_bytes), cmocka_unit_test(test_sha_and_escapes),
        cmocka_unit_test(test_round_trip),        cmocka_unit_test(test_writer_arguments),
        cmocka_unit_test(test_lenient_json),      cmocka_unit_test(test_wrong_headers),
        cmocka_unit_test(test_not_ecdc),          cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_cut_everywhere),    cmocka_unit_test(test_changed_bytes),
        cmocka_unit_test(test_chunks),            cmocka_unit_test(test_chunk_sizes),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
