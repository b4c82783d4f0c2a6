/* npz.h: codes in chunks as numpy.savez writes them, and every array that does not fit. What numpy itself reads and writes is
 * tested through the command. */
#include "media_files.h"

#include "media/npy.h"
#include "media/npz.h"

enum { CODEBOOKS = 3, FRAMES = 5, CHUNKS = 4 };

static ecdc_error err;

/* The last chunk has 2 frames. */
static size_t frames_of(int k) {
    return k + 1 < CHUNKS ? FRAMES : 2;
}

static const char *make_npz(void) {
    struct output *o;
    struct npz_writer *w;
    assert_ok(output_open(in_scratch("made.npz"), true, true, &o, &err), &err);
    assert_ok(npz_write_open(o, CODEBOOKS, FRAMES, &w, &err), &err);
    for (int k = 0; k < CHUNKS; k++) {
        int32_t codes[FRAMES * CODEBOOKS];
        for (int i = 0; i < FRAMES * CODEBOOKS; i++)
            codes[i] = 100 * k + i + 1;
        assert_ok(npz_write_chunk(w, codes, frames_of(k), 0.5f * (float)(k + 1), &err), &err);
    }
    assert_ok(npz_finish(w, 777, &err), &err);
    npz_writer_free(w);
    assert_ok(output_commit(o, &err), &err);
    return in_scratch("made.npz");
}

static void check_chunks(struct npz_reader *r) {
    int64_t codes[CODEBOOKS * FRAMES];
    float scale;
    for (int k = 0; k < CHUNKS; k++) {
        assert_ok(npz_read_chunk(r, codes, &scale, &err), &err);
        assert_true(scale == 0.5f * (float)(k + 1));
        for (size_t q = 0; q < CODEBOOKS; q++)
            for (size_t t = 0; t < FRAMES; t++)
                assert_int_equal(codes[q * FRAMES + t],
                                 t < frames_of(k) ? 100 * (size_t)k + t * CODEBOOKS + q + 1 : 0);
    }
    assert_fails(npz_read_chunk(r, codes, &scale, &err), ECDC_E_FORMAT, &err, "made.npz: codes.npy: ");
}

static void test_round_trip(void **state) {
    (void)state;
    struct npz_reader *r;
    assert_ok(npz_open(make_npz(), &r, &err), &err);
    const struct npz_header *h = npz_header_of(r);
    assert_int_equal(h->chunks, CHUNKS);
    assert_int_equal(h->codebooks, CODEBOOKS);
    assert_int_equal(h->frames, FRAMES);
    assert_int_equal(h->audio_length, 777);
    check_chunks(r);
    assert_ok(npz_rewind(r, &err), &err);
    check_chunks(r);
    npz_close(r);
}

static void test_no_chunks(void **state) {
    (void)state;
    struct output *o;
    struct npz_writer *w;
    struct npz_reader *r;
    assert_ok(output_open(in_scratch("empty.npz"), true, true, &o, &err), &err);
    assert_ok(npz_write_open(o, CODEBOOKS, FRAMES, &w, &err), &err);
    assert_ok(npz_finish(w, 0, &err), &err);
    npz_writer_free(w);
    assert_ok(output_commit(o, &err), &err);
    assert_ok(npz_open(in_scratch("empty.npz"), &r, &err), &err);
    assert_int_equal(npz_header_of(r)->chunks, 0);
    npz_close(r);
}

/* Cut anywhere, the archive has no directory; changed anywhere, the answer is one of the documented ones. */
static void test_cut_and_changed(void **state) {
    (void)state;
    size_t n;
    unsigned char *bytes = read_file(make_npz(), &n);
    struct npz_reader *r = NULL;
    for (size_t i = 0; i < n; i += 7)
        assert_fails(npz_open(write_file("cut.npz", bytes, i), &r, &err), ECDC_E_FORMAT, &err, "cut.npz: ");
    int n_refused = 0;
    for (size_t i = 0; i < n; i++) {
        bytes[i] ^= 0x5a;
        ecdc_status status = npz_open(write_file("changed.npz", bytes, n), &r, &err);
        int64_t codes[CODEBOOKS * FRAMES];
        float scale;
        if (status == ECDC_OK && npz_header_of(r)->codebooks == CODEBOOKS && npz_header_of(r)->frames == FRAMES)
            for (int k = 0; status == ECDC_OK && k < CHUNKS; k++)
                status = npz_read_chunk(r, codes, &scale, &err);
        if (r)
            npz_close(r);
        r = NULL;
        assert_true(status == ECDC_OK || status == ECDC_E_FORMAT || status == ECDC_E_UNSUPPORTED);
        n_refused += status != ECDC_OK;
        bytes[i] ^= 0x5a;
    }
    assert_true(n_refused > (int)n * 3 / 4); /* headers are checked, contents have a checksum; dates are not looked at */
    free(bytes);
}

/* An array under another name; no archive; no file. */
static void test_missing_array(void **state) {
    (void)state;
    size_t n;
    unsigned char *bytes = read_file(make_npz(), &n);
    for (size_t i = 0; i + 10 < n; i++)
        if (memcmp(bytes + i, "scales.npy", 10) == 0)
            bytes[i] = 'S';
    struct npz_reader *r;
    assert_fails(npz_open(write_file("missing.npz", bytes, n), &r, &err), ECDC_E_FORMAT, &err,
                 "missing.npz: there is no array scales in it");
    free(bytes);
    assert_fails(npz_open(write_file("text.npz", "no archive", 10), &r, &err), ECDC_E_FORMAT, &err, "not a zip archive");
    assert_fails(npz_open(in_scratch("none.npz"), &r, &err), ECDC_E_IO, &err, "none.npz");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_no_chunks),
        cmocka_unit_test(test_cut_and_changed),
        cmocka_unit_test(test_missing_array),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
