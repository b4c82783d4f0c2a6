/* The reader on what other programs write: where sound lies in time, tracks, cut files, and the quality of new rates. */
#include "reader_files.h"

#include <libavutil/log.h>
#include <stdbool.h>

static const double pi = 3.14159265358979323846;

/* ------------------------------------------------------------------------------------------ clicks --- */

/* Pulses of 2 kHz, 3 ms wide, at these times in a sound of 4.2 s. */
static const double click_s[] = {0.25, 0.9, 1.55, 2.4, 3.1, 3.8};
enum { N_CLICKS = sizeof click_s / sizeof *click_s };

static double pulse(double t) {
    return fabs(t) < 0.006 ? exp(-t * t / (0.0015 * 0.0015)) * cos(2 * pi * 2000 * t) : 0;
}

static void make_clicks(const char *name, int rate) {
    size_t n = (size_t)rate * 42 / 10;
    int16_t *x = calloc(n, sizeof *x);
    for (int k = 0; k < N_CLICKS; k++)
        for (size_t i = 0; i < n; i++)
            x[i] = (int16_t)(x[i] + lrint(16000 * pulse((double)i / rate - click_s[k])));
    make_wav16(name, rate, 1, x, n);
    free(x);
}

/* How late a click is, in seconds: where in +-0.1 s the sound resembles a pulse most; 1 if there is none. */
static double lateness(const float *x, size_t n, int rate, double at_s) {
    enum { MOST = 1200 };
    double shape[MOST], best = 0.05, late_s = 1;
    int width = rate * 12 / 1000, first = (int)ceil(at_s * rate) - width / 2;
    for (int i = 0; i < width; i++)
        shape[i] = pulse((double)(first + i) / rate - at_s);
    for (int shift = -rate / 10; shift <= rate / 10; shift++) {
        double sum = 0;
        for (int i = 0; i < width; i++) {
            int at = first + shift + i;
            if (at >= 0 && (size_t)at < n)
                sum += (double)x[at] * shape[i];
        }
        if (sum > best) {
            best = sum;
            late_s = (double)shift / rate;
        }
    }
    return late_s;
}

/* All clicks are `late_s` after their times (+ delay_s), to 10 us and at most `more_s`. */
static ecdc_reader_info check_clicks(const char *name, double delay_s, double late_s, double more_s) {
    size_t n;
    ecdc_reader_info info;
    float *x = read_all(in_scratch(name), 0, 5000, &n, &info);
    for (int k = 0; k < N_CLICKS; k++) {
        double late = lateness(x, n, info.source_rate_hz, click_s[k] + delay_s) - late_s;
        if (fabs(late) > more_s + 1e-5)
            fail_msg("%s: click %d is %.3f ms from where it should be", name, k, 1000 * late);
    }
    free(x);
    return info;
}

static void make(const char *options, const char *name) {
    char arguments[400];
    snprintf(arguments, sizeof arguments, "%s %s", options, name);
    ffmpeg(arguments);
}

static int make_films(void **state) {
    if (make_scratch(state) != 0)
        return -1;
    make_clicks("c44.wav", 44100);
    make_clicks("c48.wav", 48000);
    ffmpeg("-f lavfi -i testsrc=d=5:s=64x48:r=25 -c:v mpeg4 -g 12 picture.mkv");
    return 0;
}

/* Where a file tells of its encoder's priming a click comes back at its very sample. */
static void test_priming_is_skipped(void **state) {
    (void)state;
    static const char *const files[][2] = {
        {"-i c44.wav -c:a aac", "a.m4a"},        {"-i c48.wav -c:a libmp3lame", "b.mp4"}, {"-i c44.wav", "a.mp3"},
        {"-i c44.wav -c:a libvorbis", "a.ogg"},  {"-i c48.wav -c:a libopus", "a.opus"},   {"-i c48.wav -c:a libopus", "a.webm"},
        {"-i c48.wav -c:a libvorbis", "b.ogg"},  {"-i c44.wav", "a.flac"},                {"-i c44.wav -c:a alac", "b.m4a"},
        {"-i c48.wav -c:a flac", "a.mkv"},       {"-i c44.wav -c:a pcm_s16le", "a.avi"},  {"-i c48.wav", "a.mp3"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        make(files[i][0], files[i][1]);
        ecdc_reader_info info = check_clicks(files[i][1], 0, 0, 0);
        assert_true(info.n_gaps == 0 && info.n_overlaps == 0 && info.audio_start_s == 0);
    }
}

/* Where it does not tell, priming is sound like any other: the whole file is late by it, its picture too. */
static void test_priming_that_no_file_tells(void **state) {
    (void)state;
    make("-i c44.wav -c:a aac", "p.aac");
    check_clicks("p.aac", 0, 1024 / 44100., 0);
    make("-i picture.mkv -i c44.wav -map 0:v -map 1:a -c:v mpeg2video -c:a aac", "p.ts");
    check_clicks("p.ts", 0, 1024 / 44100., 0);
    make("-i picture.mkv -i c48.wav -map 0:v -map 1:a -c:v copy -c:a aac", "p.mkv");
    check_clicks("p.mkv", 0, 1024 / 48000., 0.001);
    make("-i c44.wav -c:a libmp3lame", "p.avi");
    check_clicks("p.avi", 0, 1105 / 44100., 0);
}

static void test_late_clicks(void **state) {
    (void)state;
    static const struct {
        const char *options, *name;
        double more_s;
    } files[] = {
        {"-c:v copy -c:a aac", "l.mp4", 0.001}, /* the edit list counts milliseconds */
        {"-c:v copy -c:a flac", "l.mkv", 0},
        {"-c:v copy -c:a aac", "la.mkv", 0.001},
        {"-c:v copy -c:a libopus", "lo.mkv", 0.0066}, /* FFmpeg 5.1 subtracts the codec's delay twice */
        {"-c:v mpeg2video -c:a mp2", "l.ts", 0},
        {"-c:v copy -c:a pcm_s16le", "l.mov", 0},
        {"-c:v mpeg2video -c:a mp2", "l.mpg", 0},
        {"-c:v copy -c:a aac -movflags frag_keyframe+empty_moov", "lf.mp4", 0},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char options[200];
        snprintf(options, sizeof options, "-i picture.mkv -itsoffset 0.5 -i c44.wav -map 0:v -map 1:a %s",
                 files[i].options);
        make(options, files[i].name);
        check_clicks(files[i].name, 0.5, 0, files[i].more_s);
    }
}

/* A transport stream's clock of 33 bits goes round every 95443.7 s: just before the recording, in it, or just after. */
static void test_clock_that_goes_round(void **state) {
    (void)state;
    static const char *const names[] = {"w.ts", "w.mpg"};
    for (int i = 0; i < 6; i++) {
        char options[300];
        snprintf(options, sizeof options, "-i picture.mkv -itsoffset 0.5 -i c48.wav -map 0:v -map 1:a -c:v mpeg2video -c:a mp2 "
                 "-output_ts_offset %d", (const int[]){95340, 95400, 95440}[i / 2]);
        make(options, names[i % 2]);
        ecdc_reader_info info = check_clicks(names[i % 2], 0.5, 0, 0);
        assert_true(info.n_gaps == 0 && info.n_overlaps == 0 && fabs(info.audio_start_s - 0.49) < 0.01);
    }
}

/* Two programmes in one transport stream, 50 minutes apart: each has its sound from the start of its own picture on. */
static void test_programmes(void **state) {
    (void)state;
    make("-i picture.mkv -itsoffset 0.5 -i c48.wav -itsoffset 3000 -i picture.mkv -itsoffset 3000.8 -i c48.wav -map 0 -map 1 -map 2 "
         "-map 3 -c:v mpeg2video -c:a mp2 -program st=0:st=1 -program st=2:st=3 -max_interleave_delta 1", "two.ts");
    for (int track = 0; track < 2; track++) {
        ecdc_reader_settings settings = {.choose_track = 1, .track = track};
        size_t n;
        ecdc_reader_info info;
        float *x = read_with(in_scratch("two.ts"), &settings, 5000, &n, &info);
        assert_true(info.n_gaps == 0 && n < 6 * 48000);
        for (int k = 0; k < N_CLICKS; k++)
            assert_true(fabs(lateness(x, n, 48000, click_s[k] + (track ? 0.8 : 0.5))) < 1e-5);
        free(x);
    }
}

/* A recording of a stream that had long been running is whole, and starts where it starts. */
static void test_clock_that_began_long_ago(void **state) {
    (void)state;
    static const char *const files[][2] = {{"-c:a libopus", "s.opus"}, {"-c:a libvorbis", "s.ogg"}, {"-c:a mp2", "s.ts"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char options[100];
        snprintf(options, sizeof options, "-i c48.wav %s -output_ts_offset 3600", files[i][0]);
        make(options, files[i][1]);
        ecdc_reader_info info = check_clicks(files[i][1], 0, i == 2 ? 481 / 48000. : 0, i == 1 ? 0.003 : 0);
        assert_true(info.n_gaps == 0 && info.samples < 5 * 48000);
    }
}

/* An edit list that begins in the middle of the sound. */
static void test_edit_list(void **state) {
    (void)state;
    make("-i picture.mkv -i c44.wav -map 0:v -map 1:a -c:v copy -c:a aac", "whole.mp4");
    make("-ss 0.2 -i whole.mp4 -c copy", "cut.mp4");
    check_clicks("cut.mp4", -0.2, 0, 0.001);
}

/* 0.3 s are missing from 1.1 s on: what follows keeps its place. */
static void test_hole(void **state) {
    (void)state;
    static const char *const files[][2] = {{"-c:a aac", "h.mp4"}, {"-c:a flac", "h.mkv"}, {"-c:a libopus", "ho.mkv"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char options[200];
        snprintf(options, sizeof options, "-i picture.mkv -i c44.wav -map 0:v -map 1:a -af "
                 "\"aselect='lt(t,1.1)+gte(t,1.4)'\" -c:v copy %s", files[i][0]);
        make(options, files[i][1]);
        ecdc_reader_info info = check_clicks(files[i][1], 0, 0, 0.001);
        assert_int_equal(info.n_gaps, 1);
        assert_true(fabs(info.gap_s - 0.3) < 0.03);
    }
}

/* ------------------------------------------------------------------------------------------- tracks --- */

static void test_tracks(void **state) {
    (void)state;
    int16_t *x = noise(50000);
    make_wav16("t0.wav", 8000, 1, x, 4000);
    make_wav16("t1.wav", 48000, 2, x + 7, 20000);
    free(x);
    ffmpeg("-i picture.mkv -i t0.wav -i t1.wav -map 0 -map 1 -map 2 -t 1 -c:v copy -c:a flac -metadata:s:a:0 language=fra "
           "-metadata:s:a:1 language=deu -metadata:s:a:1 title=Ton -disposition:a:1 default two.mkv");
    ecdc_reader *r;
    const char *path = in_scratch("two.mkv");
    const int rates[] = {8000, 48000};
    for (int i = 0; i < 2; i++) {
        ecdc_reader_info info;
        size_t n;
        ecdc_reader_settings settings = {.choose_track = 1, .track = i};
        free(read_with(path, &settings, 5000, &n, &info));
        assert_true(info.track == i && info.n_tracks == 2 && info.source_rate_hz == rates[i]);
    }
    assert_ok(ecdc_reader_open(path, NULL, &r, &err), &err);
    ecdc_track_info track;
    assert_ok(ecdc_reader_get_track(r, 1, &track, &err), &err);
    assert_true(track.stream == 2 && track.rate_hz == 48000 && track.channels == 2 && track.is_default);
    assert_string_equal(track.codec, "flac");
    assert_string_equal(track.language, "deu");
    assert_string_equal(track.title, "Ton");
    assert_fails(ecdc_reader_get_track(r, 2, &track, &err), ECDC_E_ARGUMENT, &err, "no audio track 2 among 2");
    assert_fails(ecdc_reader_get_track(r, -1, &track, &err), ECDC_E_ARGUMENT, &err, "no audio track -1");
    ecdc_reader_close(r);
    assert_fails(ecdc_reader_open(path, &(ecdc_reader_settings){.choose_track = 1, .track = 2}, &r, &err), ECDC_E_ARGUMENT,
                 &err, "has no audio track 2; its audio tracks, counted from 0: 0 flac fra, 1 flac deu");
    assert_fails(ecdc_reader_open(path, &(ecdc_reader_settings){.choose_track = 1, .track = -1}, &r, &err),
                 ECDC_E_ARGUMENT, &err, "counted from 0; -1 is none");
    assert_fails(ecdc_reader_open(in_scratch("picture.mkv"), &(ecdc_reader_settings){.choose_track = 1}, &r, &err),
                 ECDC_E_FORMAT, &err, "has no audio track (found: video mpeg4)");
}

/* --------------------------------------------------------------------------------------- cut files --- */

/* A file cut after n bytes is an error, from opening it or at the time reached; with partial_input what was read before is
 * the beginning of the whole file's sound, and the error is kept. Returns the seconds read. */
static double check_cut(const char *name, const unsigned char *bytes, size_t n, const float *whole, size_t n_whole) {
    const char *path = write_file(name, bytes, n);
    ecdc_reader *r;
    memset(&err, 0, sizeof err);
    if (ecdc_reader_open(path, NULL, &r, &err) != ECDC_OK) {
        if (err.status != ECDC_E_FORMAT)
            fail_msg("%s", err.message);
        return 0;
    }
    float piece[1000];
    ecdc_reader_info info;
    ecdc_status status = ECDC_OK;
    size_t got = 1, m, room = n_whole; /* the rest is less */
    while (status == ECDC_OK && got > 0)
        status = ecdc_reader_read(r, piece, 1000, &got, &err);
    ecdc_reader_close(r);
    if (status != ECDC_E_FORMAT || !strstr(err.message, " at "))
        fail_msg("%s cut to %zu bytes: %s %s", name, n, ecdc_status_name(status), err.message);
    ecdc_error failure = err;
    float *x = malloc(room * sizeof *x);
    assert_ok(ecdc_reader_open(path, &(ecdc_reader_settings){.partial_input = 1}, &r, &err), &err);
    for (m = 0, got = 1; got > 0; m += got)
        assert_ok(ecdc_reader_read(r, x + m, room - m, &got, &err), &err);
    ecdc_reader_get_info(r, &info);
    assert_string_equal(info.broken_off, failure.message);
    ecdc_reader_close(r);
    double s = (double)m / info.source_rate_hz;
    size_t same = m < 4096 ? 0 : m - 4096; /* codecs overlap their packets */
    for (size_t i = 0; i < same; i++)
        assert_true(x[i] == whole[i]);
    free(x);
    return s;
}

static void test_cut_at_every_tenth(void **state) {
    (void)state;
    int16_t *x = noise(6 * 24000);
    make_wav16("n.wav", 24000, 1, x, 6 * 24000);
    free(x);
    static const struct {
        const char *options, *name;
        bool needs_end; /* nothing can be read without it */
    } files[] = {
        {"-c:a pcm_s24le", "n24.wav", false},  {"", "n.flac", false},
        {"", "n.mp3", false},                  {"-c:a libvorbis", "n.ogg", false},
        {"-c:a libopus", "n.opus", false},     {"-c:a aac", "n.mp4", true},
        {"-c:a aac -movflags faststart", "f.mp4", false}, {"-c:a aac", "n.mkv", false},
        {"-c:a libopus", "n.webm", false},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char options[100];
        snprintf(options, sizeof options, "-i n.wav %s", files[i].options);
        make(options, files[i].name);
        size_t n, size;
        ecdc_reader_info info;
        float *whole = read_all(in_scratch(files[i].name), 0, 5000, &n, &info);
        double whole_s = (double)n / info.source_rate_hz;
        unsigned char *bytes = read_file(in_scratch(files[i].name), &size);
        for (int tenth = 1; tenth < 10; tenth++) {
            double s = check_cut("cut", bytes, size * (size_t)tenth / 10, whole, n);
            double least = files[i].needs_end || tenth < 4 ? 0 : whole_s * tenth / 10 - 1.5; /* pages of Ogg last a second */
            if (s < least)
                fail_msg("%s cut at %d/10: only %.3f s of %.3f s", files[i].name, tenth, s, whole_s);
        }
        free(bytes);
        free(whole);
    }
    unsigned char *bytes;
    size_t size;
    ecdc_reader *r;
    bytes = read_file(in_scratch("n.mp4"), &size);
    assert_fails(open_at(write_file("end.mp4", bytes, size - 1), 0, &r, &err), ECDC_E_FORMAT, &err,
                 "end.mp4: has no index (moov), or a part of one");
    free(bytes);
    bytes = read_file(in_scratch("n24.wav"), &size);
    read_failing(write_file("half.wav", bytes, size / 2 + 1), ECDC_E_FORMAT, "half.wav: breaks off at 2.999 s of 6.000 s");
    free(bytes);
}

/* The sound of a film may end before the picture, and after it. */
static void test_other_length_than_picture(void **state) {
    (void)state;
    static const char *const names[] = {"o.mp4", "o.mkv", "o.ts", "o.asf"};
    for (int longer = 0; longer < 2; longer++)
        for (int i = 0; i < 4; i++) {
            char options[200];
            snprintf(options, sizeof options, "-t %d -i picture.mkv -t %d -i c48.wav -map 0:v -map 1:a -c:v mpeg4 -c:a mp2",
                     longer ? 1 : 4, longer ? 4 : 1);
            make(options, names[i]);
            size_t n;
            ecdc_reader_info info;
            free(read_all(in_scratch(names[i]), 0, 5000, &n, &info));
            if (n < (longer ? 191800u : 47800u) || n > (longer ? 195000u : 51000u))
                fail_msg("%s: %zu samples", names[i], n);
        }
}

/* ------------------------------------------------------------------------------------------- rates --- */

static double level_db(double amplitude) {
    return 20 * log10(amplitude / 0.5 + 1e-30);
}

/* A tone of amplitude 0.5 at another rate: the level it has there, and of all else, in dB. */
static void measure_tone(int in_hz, int out_hz, double hz, double *tone_db, double *rest_db) {
    size_t n = (size_t)in_hz / 8, m;
    float *x = malloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(0.5 * sin(2 * pi * hz * (double)i / in_hz));
    ecdc_reader_info info;
    float *y = read_all(make_wav("tone.wav", 3, in_hz, 1, 32, x, n * 4, (uint32_t)n * 4), out_hz, 5000, &m, &info);
    /* Least squares by two steps of projection on sine and cosine, in the middle, away from both ends. */
    size_t from = m / 4, to = m - m / 4;
    double a = 0, b = 0, rest = 0;
    for (int step = 0; step < 4; step++) {
        double da = 0, db = 0;
        for (size_t i = from; i < to; i++) {
            double phase = 2 * pi * hz * (double)i / out_hz, e = y[i] - a * sin(phase) - b * cos(phase);
            da += e * sin(phase), db += e * cos(phase);
        }
        a += 2 * da / (double)(to - from), b += 2 * db / (double)(to - from);
    }
    for (size_t i = from; i < to; i++) {
        double phase = 2 * pi * hz * (double)i / out_hz, e = y[i] - a * sin(phase) - b * cos(phase);
        rest += e * e;
    }
    *tone_db = level_db(hypot(a, b));
    *rest_db = level_db(sqrt(2 * rest / (double)(to - from)));
    free(x);
    free(y);
}

/* Within 0.1 dB up to 0.9 of the lower Nyquist frequency, images and aliases below -90 dB. */
static void test_sweep(void **state) {
    (void)state;
    static const int rates[][2] = {{44100, 24000}, {48000, 24000}, {8000, 24000}, {96000, 24000}, {22050, 24000},
                                   {24000, 48000}};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        int in_hz = rates[i][0], out_hz = rates[i][1];
        double nyquist = (in_hz < out_hz ? in_hz : out_hz) / 2., tone_db, rest_db;
        for (double share = 0.05; share < 0.91; share += 0.05) {
            measure_tone(in_hz, out_hz, share * nyquist, &tone_db, &rest_db);
            if (fabs(tone_db) > 0.1 || rest_db > -90)
                fail_msg("%d -> %d Hz, tone of %.0f Hz: %.3f dB, rest %.1f dB", in_hz, out_hz, share * nyquist, tone_db,
                         rest_db);
        }
        for (double hz = 1.1 * nyquist; hz < in_hz / 2.; hz += 0.09 * nyquist) { /* what the new rate cannot hold */
            measure_tone(in_hz, out_hz, hz, &tone_db, &rest_db);
            if (rest_db > -90 || tone_db > -90)
                fail_msg("%d -> %d Hz, alias of %.0f Hz: %.1f dB", in_hz, out_hz, hz, fmax(rest_db, tone_db));
        }
    }
}

int main(void) {
    av_log_set_level(AV_LOG_QUIET);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_priming_is_skipped),
        cmocka_unit_test(test_priming_that_no_file_tells),
        cmocka_unit_test(test_late_clicks),
        cmocka_unit_test(test_clock_that_goes_round),
        cmocka_unit_test(test_clock_that_began_long_ago),
        cmocka_unit_test(test_programmes),
        cmocka_unit_test(test_edit_list),
        cmocka_unit_test(test_hole),
        cmocka_unit_test(test_tracks),
        cmocka_unit_test(test_cut_at_every_tenth),
        cmocka_unit_test(test_other_length_than_picture),
        cmocka_unit_test(test_sweep),
    };
    return cmocka_run_group_tests(tests, make_films, remove_scratch);
}
