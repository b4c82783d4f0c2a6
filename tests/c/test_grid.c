/* The TR grid by hand-worked examples, and rows of TRs there and back. */
#include "golden.h"

static ecdc_tr_grid grid_of(const char *tr, ecdc_alignment alignment) {
    ecdc_error err;
    ecdc_tr_grid grid;
    MUST(ecdc_tr_grid_init(&grid, tr, 75, alignment, &err));
    return grid;
}

/* A call fails with this status and a message that says this. */
#define REFUSES(call, wanted, text)                       \
    do {                                                  \
        assert_int_equal(call, wanted);                   \
        if (!strstr(err.message, text))                   \
            fail_msg("%s", err.message);                  \
    } while (0)

static void check_frames(const ecdc_tr_grid *grid, int64_t i, int64_t first, int64_t count) {
    int64_t f, c;
    ecdc_tr_grid_frames(grid, i, &f, &c);
    if (f != first || c != count)
        fail_msg("TR %d: frames %d + %d, expected %d + %d", (int)i, (int)f, (int)c, (int)first, (int)count);
}

/* 75 * 1.5 = 112.5: exact TRs alternate between 112 and 113 frames, giblet's all have 112. */
static void test_one_and_a_half(void **state) {
    (void)state;
    ecdc_tr_grid exact = grid_of("1.5", ECDC_ALIGN_EXACT), giblet = grid_of("1.5", ECDC_ALIGN_GIBLET);
    assert_int_equal(exact.frames_per_tr, 113);
    assert_int_equal(giblet.frames_per_tr, 112);
    check_frames(&exact, 0, 0, 112);
    check_frames(&exact, 1, 112, 113);
    check_frames(&exact, 2, 225, 112);
    check_frames(&exact, 1975, 222187, 113);
    check_frames(&giblet, 0, 0, 112);
    check_frames(&giblet, 1, 112, 112); /* 112 ... 225: the 113th is cut off */
    check_frames(&giblet, 2, 225, 112);
    /* 49.4 minutes are 1976 TRs, one sample less is 1975 */
    assert_int_equal(ecdc_tr_grid_count(&exact, 2964ll * 24000, 24000, 0), 1976);
    assert_int_equal(ecdc_tr_grid_count(&exact, 2964ll * 24000 - 1, 24000, 0), 1975);
    assert_int_equal(ecdc_tr_grid_count(&exact, 2964ll * 24000 - 1, 24000, 1), 1976);
    assert_int_equal(ecdc_tr_grid_count(&exact, 2964ll * 24000, 24000, 1), 1976);
    assert_int_equal(ecdc_tr_grid_count(&giblet, 2964ll * 24000, 24000, 0), 1976);
    assert_true(ecdc_tr_grid_start_s(&exact, 3) == 4.5);
}

static void test_two(void **state) {
    (void)state;
    ecdc_tr_grid exact = grid_of("2.0", ECDC_ALIGN_EXACT), giblet = grid_of("2", ECDC_ALIGN_GIBLET);
    assert_int_equal(exact.frames_per_tr, 150);
    assert_int_equal(giblet.frames_per_tr, 150);
    for (int64_t i = 0; i < 3000; i += 7) {
        check_frames(&exact, i, 150 * i, 150);
        check_frames(&giblet, i, 150 * i, 150);
    }
}

/* 75 * 0.72 = 54 frames exactly, but not in doubles: int(start * 75) is one less for 967 of 4116 TRs. */
static void test_seventy_two_hundredths(void **state) {
    (void)state;
    ecdc_tr_grid exact = grid_of("0.72", ECDC_ALIGN_EXACT), giblet = grid_of("0.72", ECDC_ALIGN_GIBLET);
    assert_int_equal(exact.tr_num, 18);
    assert_int_equal(exact.tr_den, 25);
    assert_int_equal(exact.frames_per_tr, 54);
    int early = 0;
    for (int64_t i = 0; i < 4116; i++) {
        int64_t first, count;
        check_frames(&exact, i, 54 * i, 54);
        ecdc_tr_grid_frames(&giblet, i, &first, &count);
        early += first == 54 * i - 1;
        assert_true(first == 54 * i || first == 54 * i - 1);
    }
    assert_int_equal(early, 967);
}

/* 75 * 1.49 = 111.75 */
static void test_one_forty_nine(void **state) {
    (void)state;
    ecdc_tr_grid exact = grid_of("1.49", ECDC_ALIGN_EXACT), giblet = grid_of("1.49", ECDC_ALIGN_GIBLET);
    assert_int_equal(exact.frames_per_tr, 112);
    assert_int_equal(giblet.frames_per_tr, 111);
    check_frames(&exact, 0, 0, 111);
    check_frames(&exact, 1, 111, 112);
    check_frames(&exact, 2, 223, 112);
    check_frames(&exact, 3, 335, 112);
    check_frames(&exact, 4, 447, 111);
    check_frames(&giblet, 1, 111, 111);
    check_frames(&giblet, 2, 223, 111);
}

/* 50 frames, and no decimal number says so. */
static void test_two_thirds(void **state) {
    (void)state;
    ecdc_tr_grid fraction = grid_of("2/3", ECDC_ALIGN_EXACT), decimal = grid_of("0.6667", ECDC_ALIGN_EXACT);
    assert_int_equal(fraction.frames_per_tr, 50);
    for (int64_t i = 0; i < 100000; i += 999)
        check_frames(&fraction, i, 50 * i, 50);
    assert_int_equal(decimal.frames_per_tr, 51);
    check_frames(&decimal, 400, 20001, 50); /* 400 * 50.0025 = 20001.0: one frame late by now */
    assert_int_equal(ecdc_tr_grid_count(&fraction, 16000, 24000, 0), 1);
    assert_int_equal(ecdc_tr_grid_count(&fraction, 15999, 24000, 0), 0);
    assert_true(fraction.tr_s == 2.0 / 3.0);
    assert_true(ecdc_tr_grid_start_s(&fraction, 3) == 2.0);
}

static void test_bad_trs(void **state) {
    (void)state;
    static const char *const bad[] = {"", "0", "-1", "nan", "1e3", "1.5s", "1..5", ".", "2/0", "2/3/4", "0.0000", "3601",
                                      "0.01", "1234567890123456789", " 1.5", "1/x"};
    ecdc_tr_grid grid;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ecdc_error err;
        assert_int_equal(ecdc_tr_grid_init(&grid, bad[i], 75, ECDC_ALIGN_EXACT, &err), ECDC_E_ARGUMENT);
        assert_non_null(strstr(err.message, bad[i]));
    }
    assert_int_equal(ecdc_tr_grid_init(&grid, NULL, 75, ECDC_ALIGN_EXACT, NULL), ECDC_E_ARGUMENT);
}

/* Exact grids tile the frames: no frame twice, none left out, and never more than a frame from the true time. */
static void test_tiling(void **state) {
    (void)state;
    static const char *const trs[] = {"1.5", "0.72", "1.49", "2/3", "0.8", "1.333333333333", "2.51", "7/9", "3599.99"};
    for (size_t i = 0; i < sizeof trs / sizeof *trs; i++) {
        ecdc_tr_grid grid = grid_of(trs[i], ECDC_ALIGN_EXACT);
        int64_t next = 0;
        for (int64_t tr = 0; tr < 5000; tr++) {
            int64_t first, count;
            ecdc_tr_grid_frames(&grid, tr, &first, &count);
            assert_int_equal(first, next);
            assert_true(count <= grid.frames_per_tr && count >= grid.frames_per_tr - 1);
            assert_true(fabs((double)first / 75 - ecdc_tr_grid_start_s(&grid, tr)) < 1.0 / 75);
            next = first + count;
        }
    }
}

static void test_rows(void **state) {
    (void)state;
    ecdc_error err;
    ecdc_row_shape shape = {grid_of("1.5", ECDC_ALIGN_EXACT), 2, 2};
    ecdc_row_maker *maker;
    ecdc_row_info info;
    MUST(ecdc_row_maker_new(&shape, 24000, 1, &maker, &err));
    int64_t row[2 * 113];
    int32_t frame[2];
    int made = 0;
    for (int32_t t = 0; t < 230; t++) {
        frame[0] = t;
        frame[1] = 1000 - t;
        MUST(ecdc_row_maker_push(maker, frame, 1, 230 * 320, &err));
        while (ecdc_row_maker_pull(maker, row, &info)) {
            int64_t first = made == 0 ? 0 : 112;
            assert_int_equal(info.tr_index, made);
            assert_int_equal(info.n_frames, made == 0 ? 112 : 113);
            assert_true(info.start_s == made * 1.5 && info.end_s == made * 1.5 + 1.5);
            assert_int_equal(t, first + info.n_frames - 1); /* as soon as the last frame is there */
            for (int64_t j = 0; j < 113; j++) {
                assert_int_equal(row[j], j < info.n_frames ? first + j : -1);
                assert_int_equal(row[113 + j], j < info.n_frames ? 1000 - first - j : -1);
            }
            made++;
        }
    }
    assert_int_equal(made, 2);
    ecdc_row_maker_finish(maker);
    assert_true(ecdc_row_maker_pull(maker, row, &info)); /* the 5 that are left */
    assert_int_equal(info.n_frames, 5);
    assert_true(info.start_s == 3 && info.end_s == 230 * 320 / 24000.0);
    assert_int_equal(row[4], 229);
    assert_int_equal(row[5], -1);
    assert_false(ecdc_row_maker_pull(maker, row, &info));
    REFUSES(ecdc_row_maker_push(maker, frame, 1, 231 * 320, &err), ECDC_E_ARGUMENT, "after the end");
    ecdc_row_maker_free(maker);

    /* giblet's layout: places for codebooks that do not exist */
    shape = (ecdc_row_shape){grid_of("2", ECDC_ALIGN_GIBLET), 1, 3};
    MUST(ecdc_row_maker_new(&shape, 24000, 0, &maker, &err));
    int64_t wide[3 * 150];
    for (int32_t t = 1; t <= 150; t++)
        MUST(ecdc_row_maker_push(maker, &t, 1, t * 320, &err));
    REFUSES(ecdc_row_maker_push(maker, frame, 1, 320, &err), ECDC_E_ARGUMENT, "had 48000 samples and now has 320");
    assert_true(ecdc_row_maker_pull(maker, wide, &info));
    for (int64_t j = 0; j < 450; j++)
        assert_int_equal(wide[j], j < 150 ? j + 1 : 0);
    ecdc_row_maker_free(maker);
    assert_int_equal(ecdc_giblet_codebooks(3), 8);
    assert_int_equal(ecdc_giblet_codebooks(24), 32);
    assert_int_equal(ecdc_giblet_codebooks(5), 0);
    shape.row_codebooks = 0;
    REFUSES(ecdc_row_maker_new(&shape, 24000, 0, &maker, &err), ECDC_E_ARGUMENT, "1 codebooks per frame in rows of 0");
}

/* Frames that n_trs rows of ones become, by the placer's word and by counting. */
static int64_t frames_of_rows(const char *tr, ecdc_alignment alignment, int64_t n_trs, int64_t n_frames) {
    ecdc_error err;
    ecdc_row_shape shape = {grid_of(tr, alignment), 1, 1};
    ecdc_row_placer *placer;
    int64_t row[113], length, sum = 0;
    int32_t codes[256];
    for (int j = 0; j < 113; j++)
        row[j] = 1;
    MUST(ecdc_row_placer_new(&shape, 2, n_trs, n_frames, &placer, &err));
    MUST(ecdc_row_placer_length(placer, row, &length, &err));
    for (int64_t i = 0; i < n_trs; i++) {
        MUST(ecdc_row_placer_push(placer, row, &err));
        for (size_t n; (n = ecdc_row_placer_pull(placer, codes, 256)) > 0;)
            sum += (int64_t)n;
    }
    REFUSES(ecdc_row_placer_push(placer, row, &err), ECDC_E_ARGUMENT, "more than the");
    assert_int_equal(sum, length);
    ecdc_row_placer_free(placer);
    return sum;
}

/* On the way back every row fills the time up to the next one. */
static void test_placement(void **state) {
    (void)state;
    ecdc_error err;
    assert_int_equal(frames_of_rows("1.5", ECDC_ALIGN_GIBLET, 1, -1), 112);  /* 0 ... 112 */
    assert_int_equal(frames_of_rows("1.5", ECDC_ALIGN_GIBLET, 2, -1), 225);  /* 112 ... 225: one is repeated */
    assert_int_equal(frames_of_rows("1.5", ECDC_ALIGN_EXACT, 3, 230), 230);  /* the third ends with the sound */
    assert_int_equal(frames_of_rows("1.5", ECDC_ALIGN_GIBLET, 1976, -1), 222300); /* 2964 s */
    assert_int_equal(frames_of_rows("1.5", ECDC_ALIGN_EXACT, 1976, -1), 222300);
    int64_t drifting = frames_of_rows("0.72", ECDC_ALIGN_GIBLET, 4116, -1);
    assert_true(llabs(drifting - 54 * 4116) <= 1);

    ecdc_row_shape shape = {grid_of("1.5", ECDC_ALIGN_GIBLET), 2, 2};
    ecdc_row_placer *placer;
    int64_t row[2 * 112], length;
    int32_t codes[113 * 2];
    for (int j = 0; j < 2 * 112; j++)
        row[j] = j;
    MUST(ecdc_row_placer_new(&shape, 224, 2, -1, &placer, &err));
    MUST(ecdc_row_placer_push(placer, row, &err));
    assert_int_equal(ecdc_row_placer_pull(placer, codes, 113), 112);
    MUST(ecdc_row_placer_push(placer, row, &err));
    assert_int_equal(ecdc_row_placer_ready(placer), 113);
    assert_int_equal(ecdc_row_placer_pull(placer, codes, 113), 113);
    for (int t = 0; t < 113; t++) { /* the last frame once more */
        assert_int_equal(codes[2 * t], t < 112 ? t : 111);
        assert_int_equal(codes[2 * t + 1], t < 112 ? 112 + t : 223);
    }
    ecdc_row_placer_reset(placer);
    row[112 + 7] = 224;
    REFUSES(ecdc_row_placer_push(placer, row, &err), ECDC_E_FORMAT, "code 224 in row 0, codebook 1, frame 7 is outside 0 to 223");
    assert_int_equal(ecdc_row_placer_ready(placer), 0);
    ecdc_row_placer_free(placer);
    MUST(ecdc_row_placer_new(&shape, 224, 3, 100, &placer, &err));
    REFUSES(ecdc_row_placer_length(placer, row, &length, &err), ECDC_E_FORMAT, "3 rows do not fit a sound of 100 frames");
    ecdc_row_placer_free(placer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_and_a_half), cmocka_unit_test(test_two),     cmocka_unit_test(test_seventy_two_hundredths),
        cmocka_unit_test(test_one_forty_nine), cmocka_unit_test(test_two_thirds), cmocka_unit_test(test_bad_trs),
        cmocka_unit_test(test_tiling),         cmocka_unit_test(test_rows),    cmocka_unit_test(test_placement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
