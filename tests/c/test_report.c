/* What a report computes: pictures over time, levels per TR, text of the page, letters of the figure. */
#include "golden.h"

#include <unistd.h>

#include "report/canvas.h"
#include "report/columns.h"
#include "report/page_text.h"
#include "report/tr_levels.h"

enum { RATE = 24000 };

static void assert_near(double got, double want, double tolerance) {
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.9g, expected %.9g", got, want);
}

/* ------------------------------------------------------------------------------------------- pictures --- */

static struct columns_maker *new_columns(void) {
    ecdc_error err;
    struct columns_maker *m;
    MUST(columns_new(RATE, &m, &err));
    return m;
}

static float tone(int64_t i, double hz) {
    return (float)sin(2 * 3.14159265358979323846 * hz * (double)i / RATE);
}

/* One second at full scale, pushed in odd pieces: 200 columns, 0 dB in one band, next to nothing far from it. */
static void test_tone(void **state) {
    (void)state;
    ecdc_error err;
    static float samples[RATE];
    for (int i = 0; i < RATE; i++)
        samples[i] = tone(i, 1000);
    struct columns_maker *m = new_columns();
    for (size_t done = 0, n = 1; done < RATE; done += n, n = n * 3 + 1) {
        n = n < RATE - done ? n : RATE - done;
        MUST(columns_push(m, samples + done, n, &err));
    }
    struct columns c;
    columns_finish(m, &c);
    assert_int_equal(c.n, 200);
    assert_near(c.column_s, 0.005, 1e-15);
    int loudest = 0;
    for (int b = 0; b < COLUMN_BANDS; b++)
        if (c.levels[100][b] > c.levels[100][loudest])
            loudest = b;
    double mel = 2595 * log10(1 + 1000 / 700.0), top = 2595 * log10(1 + 12000 / 700.0);
    assert_near(loudest, floor(mel / top * COLUMN_BANDS), 1);
    assert_true(c.levels[100][loudest] >= 250); /* within 2 dB: the tone may lie between two bins */
    assert_true(c.levels[100][COLUMN_BANDS - 1] < 60);
    assert_int_equal(c.envelope[100][0], -127);
    assert_int_equal(c.envelope[100][1], 127);
    columns_free(m);
}

static void test_short_and_silent(void **state) {
    (void)state;
    ecdc_error err;
    struct columns c;
    struct columns_maker *m = new_columns();
    columns_finish(m, &c);
    assert_int_equal(c.n, 0);
    columns_free(m);
    m = new_columns();
    const float zeros[121] = {0};
    MUST(columns_push(m, zeros, 121, &err)); /* a column and a sample */
    columns_finish(m, &c);
    assert_int_equal(c.n, 2);
    assert_int_equal(c.envelope[1][0], 0);
    assert_int_equal(c.levels[1][3], 0);
    columns_free(m);
    m = new_columns();
    const float bad[3] = {0, 0, NAN};
    assert_int_equal(columns_push(m, bad, 3, &err), ECDC_E_ARGUMENT);
    assert_string_equal(err.message, "sample 2 is not a finite number");
    columns_free(m);
}

/* Longer than COLUMNS_MAX: columns become twice as long, a click stays where it is and as high as it is. */
static void test_columns_merge(void **state) {
    (void)state;
    ecdc_error err;
    struct columns c;
    struct columns_maker *m = new_columns();
    static float samples[120 * 1000];
    int64_t n_columns = 2 * COLUMNS_MAX + 1000, clicks[] = {100, COLUMNS_MAX + 17, 2 * COLUMNS_MAX + 999};
    for (int64_t column = 0; column < n_columns; column += 1000) {
        int64_t n = n_columns - column < 1000 ? n_columns - column : 1000;
        memset(samples, 0, sizeof samples);
        for (int k = 0; k < 3; k++)
            if (clicks[k] >= column && clicks[k] < column + n)
                samples[120 * (clicks[k] - column) + 60] = k == 1 ? -0.5f : 1;
        MUST(columns_push(m, samples, (size_t)n * 120, &err));
    }
    columns_finish(m, &c);
    assert_near(c.column_s, 0.02, 1e-15);
    assert_int_equal(c.n, (n_columns + 3) / 4);
    assert_true(c.n <= COLUMNS_MAX);
    for (int64_t i = 0; i < c.n; i++) {
        bool up = i == clicks[0] / 4 || i == clicks[2] / 4, down = i == clicks[1] / 4;
        assert_int_equal(c.envelope[i][1], up ? 127 : 0);
        assert_int_equal(c.envelope[i][0], down ? -64 : 0);
    }
    assert_true(c.levels[clicks[1] / 4][COLUMN_BANDS / 2] > 50 && c.levels[clicks[1] / 4 + 9][COLUMN_BANDS / 2] == 0);
    columns_free(m);
}

/* ---------------------------------------------------------------------------------------------- levels --- */

static void test_tr_levels(void **state) {
    (void)state;
    ecdc_error err;
    ecdc_tr_grid grid;
    MUST(ecdc_tr_grid_init(&grid, "0.7", 75, ECDC_ALIGN_EXACT, &err)); /* 16 800 samples; doubles have 16799.999... */
    struct tr_levels l;
    tr_levels_init(&l, &grid, RATE, 2);
    enum { N = 3 * 16800 + 5 };
    static float original[N], one[N], two[N];
    for (int i = 0; i < N; i++) {
        int tr = i / 16800;
        original[i] = (i % 2 ? 1.f : -1.f) * (tr == 1 ? 0.5f : tr == 2 ? 0 : 1);
        one[i] = original[i] * 0.9f;
        two[i] = original[i];
    }
    float *tracks[] = {one, two};
    for (size_t done = 0; done < N; done += 777) {
        float *rest[] = {tracks[0] + done, tracks[1] + done};
        MUST(tr_levels_push(&l, original + done, rest, N - done < 777 ? N - done : 777, &err));
    }
    assert_near(tr_levels_rms_db(&l, 0), 0, 1e-9);
    assert_near(tr_levels_rms_db(&l, 1), 20 * log10(0.5), 1e-9);
    assert_true(tr_levels_rms_db(&l, 2) == -INFINITY);
    assert_near(tr_levels_snr_db(&l, 0, 0), 20, 1e-4);
    assert_near(tr_levels_snr_db(&l, 1, 0), 20, 1e-4);
    assert_true(tr_levels_snr_db(&l, 0, 1) == INFINITY);
    assert_near(tr_levels_rms_db(&l, 3), 0, 1e-9); /* of the part of a TR that was heard */
    tr_levels_free(&l);
}

/* ------------------------------------------------------------------------------------------------ text --- */

/* What `write` puts into a page. */
static char *written(void (*write)(struct page_text *p)) {
    static char text[40000];
    char path[] = "/tmp/ecdc-report-XXXXXX";
    ecdc_error err;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct page_text p = {.err = &err};
    MUST(output_open(path, true, false, &p.output, &err));
    write(&p);
    assert_int_equal(p.status, ECDC_OK);
    MUST(output_commit(p.output, &err));
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    unlink(path);
    return text;
}

static void write_words(struct page_text *p) {
    text_escaped(p, "a<b> & \"c\"\tz\xc3\xa4\xe2\x82\xac \xff\xc3");
}

static void write_numbers(struct page_text *p) {
    const double numbers[] = {-1.25, 2, NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 5; i++) {
        text_number(p, numbers[i], 1);
        text_format(p, " ");
    }
}

static void write_data(struct page_text *p) {
    text_data(p, "codes", -1, "\x00\x01\xff\xfe", 4);
    text_data(p, "none", 3, NULL, 0);
}

static void write_much(struct page_text *p) {
    static char bytes[20000];
    memset(bytes, 'a', sizeof bytes);
    text_data(p, "a", 0, bytes, sizeof bytes);
}

static void test_text(void **state) {
    (void)state;
    assert_string_equal(written(write_words), "a&lt;b&gt; &amp; &quot;c&quot; z\xc3\xa4\xe2\x82\xac &#xfffd;&#xfffd;");
    assert_string_equal(written(write_numbers), "&minus;1.2 2.0 &ndash; &infin; &minus;&infin; ");
    assert_string_equal(written(write_data), "<script type=\"application/octet-stream\" id=\"codes\">AAH//g==</script>\n"
                                             "<script type=\"application/octet-stream\" id=\"none-3\"></script>\n");
    const char *much = strchr(written(write_much), '>') + 1; /* in pieces, without a seam */
    size_t n = strspn(much, "YWFh"); /* "YWFh" is "aaa" */
    assert_true(n == (20000 / 3) * 4 + 2 && !strncmp(much + n, "E=</script>", 11));
}

/* -------------------------------------------------------------------------------------------- pictures --- */

static int ink(const struct canvas *c) {
    int n = 0;
    for (int i = 0; i < c->width * c->height * 3; i++)
        n += c->rgb[i] != 255;
    return n;
}

static void test_canvas(void **state) {
    (void)state;
    ecdc_error err;
    struct canvas c;
    const struct colour white = {255, 255, 255}, black = {0, 0, 0};
    MUST(canvas_init(&c, 200, 60, white, &err));
    assert_int_equal(ink(&c), 0);
    canvas_fill(&c, -5, -5, 10, 10, black); /* cut at the edge */
    canvas_fill(&c, 198, 58, 100, 100, black);
    canvas_fill(&c, 300, 300, 5, 5, black);
    assert_int_equal(ink(&c), 3 * (25 + 4));
    canvas_fill(&c, 0, 0, 200, 60, white);

    int width = canvas_text_width(&c, FACE_REGULAR, "TR 12"), bold = canvas_text_width(&c, FACE_BOLD, "TR 12");
    assert_true(width > 30 && bold > width);
    assert_int_equal(canvas_text_width(&c, FACE_REGULAR, "\xc3\xa4\xe2\x82\xac"), 2 * canvas_text_width(&c, FACE_REGULAR, "?"));
    canvas_text(&c, 100, 30, ANCHOR_MIDDLE, FACE_REGULAR, black, "TR 12");
    int left = 200, right = 0, top = 60, bottom = 0;
    for (int y = 0; y < 60; y++)
        for (int x = 0; x < 200; x++)
            if (c.rgb[(y * 200 + x) * 3] < 128) {
                left = x < left ? x : left;
                right = x > right ? x : right;
                top = y < top ? y : top;
                bottom = y > bottom ? y : bottom;
            }
    assert_near((left + right) / 2.0, 100, 3);
    assert_near((top + bottom) / 2.0, 30, 4);
    assert_true(right - left < width + 2 && bottom - top < 20 && bottom > top + 10);
    canvas_text(&c, 195, 2, ANCHOR_LEFT, FACE_BOLD, black, "beyond the edge"); /* no byte outside */
    canvas_text(&c, 3, 59, ANCHOR_RIGHT, FACE_BOLD, black, "beyond the edge");
    canvas_free(&c);
}

/* ---------------------------------------------------------------------------------------------- report --- */

static void test_settings(void **state) {
    (void)state;
    ecdc_error err;
    ecdc_model *model;
    MUST(ecdc_model_open(ECDC_TEST_DATA "/tiny24", &model, &err));
    const struct {
        int n;
        double kbps[2];
        int format, threads;
        const char *tr, *says;
    } bad[] = {
        {0, {3}, 0, 0, "1.5", "n_bandwidths is 0, allowed are 1 to 16"},
        {17, {3}, 0, 0, "1.5", "n_bandwidths is 17"},
        {2, {3, 3}, 0, 0, "1.5", "bandwidth 3 kbps is named twice"},
        {1, {4}, 0, 0, "1.5", "4"},
        {1, {3}, 2, 0, "1.5", "format 2 is neither a page (0) nor a figure (1)"},
        {1, {3}, 0, 257, "1.5", "n_threads is 257"},
        {1, {3}, 0, 0, "0", "TR '0'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ecdc_report_settings s = ecdc_default_report_settings();
        s.n_bandwidths = bad[i].n;
        memcpy(s.bandwidths_kbps, bad[i].kbps, sizeof bad[i].kbps);
        s.format = (ecdc_report_format)bad[i].format;
        s.n_threads = bad[i].threads;
        s.tr = bad[i].tr;
        assert_int_equal(ecdc_report(model, ECDC_AUDIO_DIR "/jfk.flac", "/tmp/ecdc-never.html", &s, NULL, &err), ECDC_E_ARGUMENT);
        if (!strstr(err.message, bad[i].says))
            fail_msg("%s", err.message);
        assert_int_not_equal(access("/tmp/ecdc-never.html", F_OK), 0);
    }
    ecdc_model_close(model);
}

static int stop_at_once(void *context) {
    (void)context;
    return 1;
}

static void test_stop(void **state) {
    (void)state;
    ecdc_error err;
    ecdc_model *model;
    MUST(ecdc_model_open(ECDC_TEST_DATA "/tiny24", &model, &err));
    ecdc_report_settings s = ecdc_default_report_settings();
    s.input.stop = stop_at_once;
    assert_int_equal(ecdc_report(model, ECDC_AUDIO_DIR "/jfk.flac", "/tmp/ecdc-never.html", &s, NULL, &err), ECDC_E_STOPPED);
    assert_int_not_equal(access("/tmp/ecdc-never.html", F_OK), 0);
    ecdc_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tone), cmocka_unit_test(test_short_and_silent), cmocka_unit_test(test_columns_merge),
        cmocka_unit_test(test_tr_levels), cmocka_unit_test(test_text), cmocka_unit_test(test_canvas),
        cmocka_unit_test(test_settings), cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
