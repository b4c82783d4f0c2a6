/* The public reader: samples, time, rates, and what it says about files that are wrong. */
#include "reader_files.h"

#include <fcntl.h>
#include <libavutil/log.h>
#include <sys/wait.h>

/* ------------------------------------------------------------------------------------------- exact --- */

static void test_sample_formats(void **state) {
    (void)state;
    static const unsigned char u8[] = {0, 128, 255, 1};
    static const int16_t s16[] = {-32768, 0, 32767, 1};
    static const unsigned char s24[] = {0, 0, 0x80, 0, 0, 0, 0xff, 0xff, 0x7f, 1, 0, 0};
    static const int32_t s32[] = {INT32_MIN, 0, INT32_MAX, 1 << 8};
    static const float f32[] = {-1, 0, 1.5f, 1e-30f};
    static const double f64[] = {-1, 0, 1.5, 0.1};
    struct {
        int format, bits;
        const void *data;
        float expected[4];
    } cases[] = {
        {1, 8, u8, {-1, 0, 127 / 128.f, -127 / 128.f}},
        {1, 16, s16, {-1, 0, 32767 / 32768.f, 1 / 32768.f}},
        {1, 24, s24, {-1, 0, 8388607 / 8388608.f, 1 / 8388608.f}},
        {1, 32, s32, {-1, 0, 1, 0x1p-23f}}, /* 2^31 - 1 rounds to 1 */
        {3, 32, f32, {-1, 0, 1.5f, 1e-30f}},
        {3, 64, f64, {-1, 0, 1.5f, 0.1f}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n, bytes = 4 * (size_t)cases[i].bits / 8;
        ecdc_reader_info info;
        const char *path = make_wav("a.wav", cases[i].format, 44100, 1, cases[i].bits, cases[i].data, bytes,
                                    (uint32_t)bytes);
        float *x = read_all(path, 0, 3, &n, &info);
        assert_int_equal(n, 4);
        for (int k = 0; k < 4; k++)
            assert_true(x[k] == cases[i].expected[k]);
        assert_int_equal(info.source_rate_hz, 44100);
        assert_int_equal(info.source_channels, 1);
        assert_int_equal(info.source_samples, 4);
        assert_true(info.audio_start_s == 0 && info.n_gaps == 0 && info.n_overlaps == 0);
        free(x);
    }
}

static void test_mean_of_channels(void **state) {
    (void)state;
    const int16_t stereo[] = {100, 101, -32768, -32768, 32767, -32768, 3, 0};
    const int16_t six[] = {6, 0, 0, 0, 0, 0, 600, 600, 600, 600, 600, 600};
    size_t n;
    ecdc_reader_info info;
    float *x = read_all(make_wav16("s.wav", 48000, 2, stereo, 4), 48000, 100, &n, &info);
    assert_int_equal(n, 4);
    assert_true(x[0] == 100.5f / 32768 && x[1] == -1 && x[2] == -0.5f / 32768 && x[3] == 1.5f / 32768);
    assert_int_equal(info.source_channels, 2);
    free(x);
    x = read_all(make_wav16("six.wav", 48000, 6, six, 2), 0, 100, &n, &info);
    assert_true(n == 2 && x[0] == 1 / 32768.f && x[1] == 600 / 32768.f);
    free(x);
}

/* Two channels as they are, one in both, more by their places. */
static void test_stereo(void **state) {
    (void)state;
    const int16_t stereo[] = {100, 101, -32768, 32767, 3, 0}, mono[] = {5, -7};
    size_t n;
    ecdc_reader_info info;
    float *x = read_stereo(make_wav16("s.wav", 48000, 2, stereo, 3), 48000, 100, &n, &info);
    assert_int_equal(n, 3);
    for (int i = 0; i < 6; i++)
        assert_true(x[i] == stereo[i] / 32768.f);
    free(x);
    x = read_stereo(make_wav16("m.wav", 48000, 1, mono, 2), 0, 100, &n, &info);
    assert_true(n == 2 && x[0] == 5 / 32768.f && x[1] == 5 / 32768.f && x[2] == -7 / 32768.f && x[3] == -7 / 32768.f);
    assert_int_equal(info.source_channels, 1);
    free(x);
    /* One sample in each of FL FR FC LFE BL BR, then in all. */
    const double side = sqrt(0.5), sum = 1 + 2 * side;
    const double left[] = {1, 0, side, 0, side, 0, sum}, right[] = {0, 1, side, 0, 0, side, sum};
    int16_t six[7][6] = {{0}};
    for (int c = 0; c < 6; c++)
        six[c][c] = six[6][c] = 32767;
    x = read_stereo(make_wav16("six.wav", 48000, 6, six[0], 7), 0, 100, &n, &info);
    assert_int_equal(n, 7);
    for (int i = 0; i < 7; i++)
        assert_true(fabs(x[2 * i] - left[i] / sum) < 1e-4 && fabs(x[2 * i + 1] - right[i] / sum) < 1e-4);
    free(x);
}

/* Each channel of a stereo signal is what the same signal gives alone: after a late start, resampled, in any pieces. */
static void test_stereo_is_two_monos(void **state) {
    (void)state;
    enum { N = 30000 };
    int16_t *data = noise(2 * N), *one = malloc(N * sizeof *one);
    make_wav16("two.wav", 44100, 2, data, N);
    ffmpeg("-itsoffset 0.5 -i two.wav -c:a pcm_s16le two.mkv");
    size_t n, m;
    ecdc_reader_info info;
    float *x = read_stereo(in_scratch("two.mkv"), 24000, 777, &n, &info);
    for (int c = 0; c < 2; c++) {
        for (int i = 0; i < N; i++)
            one[i] = data[2 * i + c];
        make_wav16("one.wav", 44100, 1, one, N);
        ffmpeg("-itsoffset 0.5 -i one.wav -c:a pcm_s16le one.mkv");
        float *y = read_all(in_scratch("one.mkv"), 24000, 5000, &m, &info);
        assert_int_equal(m, n);
        for (size_t i = 0; i < n; i++)
            assert_true(x[2 * i + (size_t)c] == y[i]);
        free(y);
    }
    assert_int_equal(n, 12000 + (N * 80 + 146) / 147);
    free(x);
    free(data);
    free(one);
}

static void test_no_conversion_is_exact(void **state) {
    (void)state;
    enum { N = 100000 };
    int16_t *data = noise(N);
    size_t n;
    ecdc_reader_info info;
    float *x = read_all(make_wav16("n.wav", 24000, 1, data, N), 24000, 777, &n, &info);
    assert_int_equal(n, N);
    for (int i = 0; i < N; i++)
        assert_true(x[i] == data[i] / 32768.f);
    assert_true(fabs(info.duration_hint_s - N / 24000.) < 0.01);
    free(x);
    free(data);
}

/* ------------------------------------------------------------------------------------------- rates --- */

static void test_count(void **state) {
    (void)state;
    static const int rates[][2] = {{44100, 24000}, {48000, 24000}, {24000, 44100}, {8000, 24000}, {44100, 384000},
                                   {96000, 1000}, {22050, 24000}};
    static const size_t lengths[] = {1, 2, 3, 146, 147, 148, 1000, 44100, 44101, 50003};
    int16_t *data = noise(60000);
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
            size_t n;
            uint64_t in = (uint64_t)rates[i][0], out = (uint64_t)rates[i][1];
            ecdc_reader_info info;
            free(read_all(make_wav16("c.wav", rates[i][0], 1, data, lengths[k]), rates[i][1], 5000, &n, &info));
            assert_int_equal(n, (lengths[k] * out + in - 1) / in);
        }
    free(data);
}

/* A tone keeps its frequency, level and place; one above the new Nyquist frequency is gone. */
static void test_resampled_tone(void **state) {
    (void)state;
    enum { N = 44100 };
    const double pi = 3.14159265358979323846;
    for (int hz = 1000; hz <= 15000; hz += 14000) {
        float *tone = malloc(N * sizeof *tone);
        for (int i = 0; i < N; i++)
            tone[i] = (float)(0.5 * sin(2 * pi * hz * i / 44100));
        size_t n;
        ecdc_reader_info info;
        float *x = read_all(make_wav("t.wav", 3, 44100, 1, 32, tone, N * 4, N * 4), 24000, 1000, &n, &info);
        assert_int_equal(n, 24000);
        double worst = 0;
        for (size_t i = 1000; i < 23000; i++) {
            double expected = hz < 12000 ? 0.5 * sin(2 * pi * hz * (double)i / 24000) : 0;
            worst = fmax(worst, fabs(x[i] - expected));
        }
        assert_true(worst < 1e-4);
        free(x);
        free(tone);
    }
}

/* By not a single bit does the signal depend on how it is read. */
static void test_pieces(void **state) {
    (void)state;
    int16_t *data = noise(60000);
    const char *path = make_wav16("p.wav", 44100, 2, data, 30000);
    size_t n, m;
    ecdc_reader_info info;
    float *whole = read_all(path, 24000, 100000, &n, &info);
    for (size_t piece = 1; piece < 9000; piece = piece * 5 + 2) {
        float *x = read_all(path, 24000, piece, &m, &info);
        assert_int_equal(m, n);
        assert_memory_equal(x, whole, n * sizeof *x);
        free(x);
    }
    free(whole);
    free(data);
}

/* -------------------------------------------------------------------------------------------- time --- */

/* A tone of 4 s, as file tone.wav. */
static void make_tone(void) {
    ffmpeg("-f lavfi -i sine=440:d=4:r=44100 tone.wav");
}

static void check_delayed(const char *name, int rate) {
    size_t n;
    ecdc_reader_info info;
    float *x = read_all(in_scratch(name), 0, 5000, &n, &info);
    assert_int_equal(info.source_rate_hz, rate);
    /* Lossy codecs fade in for some milliseconds before the sound, which starts at 1.5 s. */
    assert_true(fabs(info.audio_start_s - 1.5) < 0.03);
    size_t at = (size_t)rate * 3 / 2;
    assert_true(rms(x, 0, at - (size_t)rate / 20) == 0);
    assert_true(rms(x, at - (size_t)rate / 20, at - 200) < 0.005);
    assert_true(rms(x, at + 500, at + 3000) > 0.05);
    assert_true(n >= (size_t)rate * 11 / 2 && n < (size_t)rate * 11 / 2 + 4000);
    assert_true(info.n_gaps == 0 && info.n_overlaps == 0);
    free(x);
}

static void test_late_start(void **state) {
    (void)state;
    make_tone();
    ffmpeg("-itsoffset 1.5 -i tone.wav -c:a aac late.m4a");
    check_delayed("late.m4a", 44100);
    ffmpeg("-f lavfi -i testsrc=d=5:s=64x64:r=10 -c:v mpeg2video picture.mkv");
    ffmpeg("-i picture.mkv -itsoffset 1.5 -i tone.wav -map 0 -map 1 -c:v mpeg4 -c:a aac late.mp4");
    check_delayed("late.mp4", 44100);
    ffmpeg("-i picture.mkv -itsoffset 1.5 -i tone.wav -map 0 -map 1 -c:v copy -c:a flac late.mkv");
    check_delayed("late.mkv", 44100);
    /* In a transport stream, whose clock starts anywhere, late against the picture. */
    ffmpeg("-i picture.mkv -itsoffset 1.5 -i tone.wav -map 0 -map 1 -c:v copy -c:a mp2 late.ts");
    check_delayed("late.ts", 44100);
}

/* A second is missing from 1 s on: the rest keeps its place. */
static void test_gap(void **state) {
    (void)state;
    make_tone();
    static const char *const names[][2] = {{"flac", "gap.mka"}, {"aac", "gap.mp4"}, {"mp2", "gap.ts"}};
    for (int i = 0; i < 3; i++) {
        char arguments[200];
        snprintf(arguments, sizeof arguments, "-i tone.wav -af \"aselect='lt(t,1)+gt(t,2)'\" -c:a %s %s", names[i][0],
                 names[i][1]);
        ffmpeg(arguments);
        size_t n;
        ecdc_reader_info info;
        float *x = read_all(in_scratch(names[i][1]), 0, 5000, &n, &info);
        assert_int_equal(info.n_gaps, 1);
        assert_true(fabs(info.gap_s - 1) < 0.03);
        assert_true(info.n_overlaps == 0);
        assert_true(n >= 176000 && n < 178000);
        assert_true(rms(x, 46500, 86000) == 0);
        assert_true(rms(x, 30000, 43000) > 0.05 && rms(x, 91000, 170000) > 0.05);
        free(x);
    }
}

/* Coded formats without holes yield what their decoder yields: no silence, no cut, priming skipped. */
static void test_no_gap(void **state) {
    (void)state;
    make_tone();
    static const struct {
        const char *name, *options;
        size_t least, most;
    } cases[] = {
        {"c.mp3", "-c:a libmp3lame", 176400, 176400},   {"c.flac", "", 176400, 176400},
        {"c.ogg", "-c:a libvorbis", 176400, 176400},    {"c.m4a", "-c:a aac", 176400, 177424},
        {"c.mka", "-c:a pcm_s16le", 176400, 176400},    {"c.mkv", "-c:a aac", 176400, 178500},
        {"c.ts", "-c:a mp2", 176400, 178500},           {"c.flv", "-c:a aac", 176400, 178500},
        {"c.w64", "", 176400, 176400},                  {"c.aac", "-c:a aac", 176400, 178500},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char arguments[200];
        snprintf(arguments, sizeof arguments, "-i tone.wav %s %s", cases[i].options, cases[i].name);
        ffmpeg(arguments);
        size_t n;
        ecdc_reader_info info;
        float *x = read_all(in_scratch(cases[i].name), 0, 5000, &n, &info);
        if (n < cases[i].least || n > cases[i].most || info.n_gaps || info.n_overlaps || info.audio_start_s != 0 ||
            (size_t)info.source_samples != n)
            fail_msg("%s: %zu samples, %d gaps, start %g", cases[i].name, n, (int)info.n_gaps, info.audio_start_s);
        assert_true(rms(x, 1000, 170000) > 0.05);
        free(x);
    }
    size_t n;
    ecdc_reader_info info;
    ffmpeg("-i tone.wav -c:a libopus c.opus");
    free(read_all(in_scratch("c.opus"), 0, 5000, &n, &info));
    assert_int_equal(n, 192000);
    assert_true(info.n_gaps == 0 && info.audio_start_s == 0);
}

/* A timestamp years ahead is not filled with zeros. */
static void test_hostile_gap(void **state) {
    (void)state;
    make_tone();
    ffmpeg("-i tone.wav -c:a flac -af \"asetpts='if(lt(T,2),PTS,PTS+200000/TB)'\" years.mka");
    size_t n = read_failing(in_scratch("years.mka"), ECDC_E_FORMAT, "more than a day");
    assert_true(n > 80000 && n < 100000);
}

/* ----------------------------------------------------------------------------------------- failures --- */

static void refuse(const char *path, ecdc_status status, const char *words) {
    ecdc_reader *r = NULL;
    assert_fails(open_at(path, 0, &r, &err), status, &err, words);
    assert_null(r);
}

static void test_arguments(void **state) {
    (void)state;
    ecdc_reader *r;
    const char *path = make_wav16("a.wav", 44100, 1, (int16_t[]){0}, 1);
    assert_fails(open_at(path, 999, &r, &err), ECDC_E_ARGUMENT, &err, "999 Hz is not in 1000 ... 384000");
    assert_fails(open_at(path, -1, &r, &err), ECDC_E_ARGUMENT, &err, "-1 Hz");
    assert_fails(open_at(path, 384001, &r, &err), ECDC_E_ARGUMENT, &err, "384001 Hz");
    assert_fails(ecdc_reader_open(path, &(ecdc_reader_settings){.channels = 3}, &r, &err), ECDC_E_ARGUMENT, &err,
                 "3 channels are not in 0 ... 2");
    assert_fails(open_at(NULL, 0, &r, &err), ECDC_E_ARGUMENT, &err, "NULL");
    assert_int_equal(open_at(in_scratch("none"), 0, &r, NULL), ECDC_E_IO);
    ecdc_reader_close(NULL);
}

static int stop_after(void *context) {
    int *calls_left = context;
    return (*calls_left)-- <= 0;
}

/* Stopped while opening, or while reading, wherever that is. */
static void test_stop(void **state) {
    (void)state;
    static int16_t sound[200000];
    const char *path = make_wav16("long.wav", 44100, 1, sound, 200000);
    int stopped_opening = 0, stopped_reading = 0;
    for (int calls = 0; calls < 40; calls++) {
        int left = calls;
        ecdc_reader_settings settings = {.stop = stop_after, .stop_context = &left};
        ecdc_reader *r;
        ecdc_status status = ecdc_reader_open(path, &settings, &r, &err);
        stopped_opening += status == ECDC_E_STOPPED;
        if (status == ECDC_OK) {
            float samples[1000];
            for (size_t got = 1; status == ECDC_OK && got > 0;)
                status = ecdc_reader_read(r, samples, 1000, &got, &err);
            stopped_reading += status == ECDC_E_STOPPED;
            ecdc_reader_close(r);
        }
        if (status != ECDC_OK)
            check_failure(status, ECDC_E_STOPPED, &err, "long.wav: reading was stopped", __FILE__, __LINE__);
    }
    assert_true(stopped_opening > 0 && stopped_reading > 0);
}

static void test_not_media(void **state) {
    (void)state;
    refuse(in_scratch("none.wav"), ECDC_E_IO, "none.wav: No such file or directory");
    refuse(scratch, ECDC_E_IO, "Is a directory");
    refuse(write_file("empty.wav", "", 0), ECDC_E_FORMAT, "empty.wav: is empty");
    refuse(write_file("text.bin", "hello world\n", 12), ECDC_E_FORMAT,
           "text.bin: not a media file that FFmpeg can read (Invalid data");
    refuse(write_file("text.txt", "hello world\n", 12), ECDC_E_FORMAT, "text.txt: not a media file");
    refuse("http://127.0.0.1:9/x.wav", ECDC_E_IO, "http://127.0.0.1:9/x.wav: No such file or directory");
    /* Just a name, though it looks like a protocol's. */
    size_t n;
    ecdc_reader_info info;
    assert_int_equal(chdir(scratch), 0);
    make_wav16("concat:a|b.wav", 44100, 1, (int16_t[]){7}, 1);
    free(read_all("concat:a|b.wav", 0, 5, &n, &info));
    assert_int_equal(n, 1);
    assert_int_equal(chdir("/"), 0);
}

/* A list of files is not followed: it could name any file of this machine. */
static void test_playlists(void **state) {
    (void)state;
    static const int16_t zeros[44100];
    make_wav16("one.wav", 44100, 1, zeros, 44100);
    static const char m3u[] = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:4,\none.wav\n#EXT-X-ENDLIST\n";
    static const char concat[] = "ffconcat version 1.0\nfile one.wav\n";
    refuse(write_file("list.m3u8", m3u, sizeof m3u - 1), ECDC_E_FORMAT, "list.m3u8: is a list of other files (hls)");
    refuse(write_file("list.txt", concat, sizeof concat - 1), ECDC_E_FORMAT, "is a list of other files (concat)");
}

static void test_no_audio(void **state) {
    (void)state;
    ffmpeg("-f lavfi -i testsrc=d=1:s=64x64:r=10 -c:v mpeg4 silent.mp4");
    refuse(in_scratch("silent.mp4"), ECDC_E_FORMAT, "silent.mp4: has no audio track (found: video mpeg4)");
}

static void test_no_samples(void **state) {
    (void)state;
    size_t n;
    ecdc_reader_info info;
    free(read_all(make_wav16("zero.wav", 44100, 2, NULL, 0), 0, 100, &n, &info));
    assert_int_equal(n, 0);
    free(read_all(in_scratch("zero.wav"), 24000, 100, &n, &info));
    assert_int_equal(n, 0);
    assert_int_equal(info.source_rate_hz, 44100);
    assert_int_equal(info.source_channels, 2);
}

static void test_cut_files(void **state) {
    (void)state;
    static const int16_t zeros[100000];
    const char *path = make_wav("cut.wav", 1, 44100, 1, 16, zeros, sizeof zeros, 400000);
    assert_int_equal(read_failing(path, ECDC_E_FORMAT, "cut.wav: breaks off at 2.268 s of 4.535 s"), 100000);
    /* A stream's header promises nothing. */
    size_t n, size;
    ecdc_reader_info info;
    free(read_all(make_wav("pipe.wav", 1, 44100, 1, 16, zeros, sizeof zeros, UINT32_MAX), 0, 5000, &n, &info));
    assert_int_equal(n, 100000);

    make_tone();
    ffmpeg("-i tone.wav -c:a libmp3lame cut.mp3");
    unsigned char *bytes = read_file(in_scratch("cut.mp3"), &size);
    assert_true(read_failing(write_file("cut.mp3", bytes, size / 2), ECDC_E_FORMAT, "cut.mp3: ") > 80000);
    free(bytes);
    ffmpeg("-i tone.wav -c:a aac -movflags +faststart cut.m4a");
    bytes = read_file(in_scratch("cut.m4a"), &size);
    assert_true(read_failing(write_file("cut.m4a", bytes, size / 2), ECDC_E_FORMAT, "cut.m4a: ") > 60000);
    free(bytes);
    ffmpeg("-f lavfi -i testsrc=d=8:s=64x64:r=10 -f lavfi -i sine=d=8 -c:v mpeg4 -c:a aac cut.mkv");
    bytes = read_file(in_scratch("cut.mkv"), &size);
    assert_true(read_failing(write_file("cut.mkv", bytes, size / 2), ECDC_E_FORMAT, "cut.mkv: ") > 60000);
    free(bytes);
}

/* Two bytes changed in the middle of a FLAC: found by its checksums. */
static void test_damage(void **state) {
    (void)state;
    int16_t *data = noise(3 * 44100);
    make_wav16("noise.wav", 44100, 1, data, 3 * 44100);
    free(data);
    ffmpeg("-i noise.wav good.flac");
    size_t size;
    unsigned char *bytes = read_file(in_scratch("good.flac"), &size);
    bytes[size / 2] ^= 0x55;
    bytes[size / 2 + 1] ^= 0xaa;
    size_t n = read_failing(write_file("bad.flac", bytes, size), ECDC_E_FORMAT, "bad.flac: is damaged at 1.");
    assert_true(n > 44100 && n < 2 * 44100);
    free(bytes);
}

static void test_not_finite(void **state) {
    (void)state;
    static float x[44100];
    x[4410] = NAN;
    const char *path = make_wav("nan.wav", 3, 44100, 1, 32, x, sizeof x, sizeof x);
    read_failing(path, ECDC_E_FORMAT, "nan.wav: the sample at 0.100000 s is not a finite number");
    x[4410] = 3e38f; /* the resampler would make infinity of it */
    read_failing(make_wav("loud.wav", 3, 44100, 1, 32, x, sizeof x, sizeof x), ECDC_E_FORMAT,
                 "loud.wav: the sample at 0.100000 s is beyond 1e30 times full scale");
    x[4410] = 1e29f;
    size_t n = 0;
    float *y = read_all(make_wav("less.wav", 3, 44100, 1, 32, x, sizeof x, sizeof x), 24000, 1000, &n, &(ecdc_reader_info){0});
    assert_int_equal(n, 24000);
    for (size_t i = 0; i < n; i++)
        assert_true(isfinite(y[i]));
    free(y);
}

static void test_changes(void **state) {
    (void)state;
    ffmpeg("-f lavfi -i sine=d=1:r=44100 -c:a mp2 -f mp2 a.mp2");
    ffmpeg("-f lavfi -i sine=d=1:r=48000 -c:a mp2 -f mp2 b.mp2");
    size_t n_a, n_b;
    unsigned char *a = read_file(in_scratch("a.mp2"), &n_a), *b = read_file(in_scratch("b.mp2"), &n_b);
    a = realloc(a, n_a + n_b);
    memcpy(a + n_a, b, n_b);
    /* Which of the two FFmpeg takes for the file's depends on how far it looked ahead. */
    read_failing(write_file("ab.mp2", a, n_a + n_b), ECDC_E_UNSUPPORTED,
                 "ab.mp2: the sound changes from 1 channels at 4");
    free(a);
    free(b);
    static const int16_t zeros[100];
    refuse(make_wav16("slow.wav", 8, 1, zeros, 100), ECDC_E_UNSUPPORTED,
           "slow.wav: a sampling rate of 8 Hz is not supported, 1000 to 768000 Hz are");
}

/* Every prefix and many single changes of a small file: an answer, no crash, no endless loop. */
static void test_mutations(void **state) {
    (void)state;
    static const int16_t zeros[50];
    size_t n;
    unsigned char *bytes = read_file(make_wav16("small.wav", 8000, 2, zeros, 25), &n);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < 4; k++) {
            static const unsigned char values[] = {0, 1, 0x80, 0xff};
            unsigned char old = bytes[i];
            bytes[i] = values[k];
            ecdc_reader *r = NULL;
            float x[100];
            size_t got = 1, reads = 0;
            ecdc_status status = open_at(write_file("mutant.wav", bytes, k ? n : i + 1), 24000, &r, &err);
            assert_int_equal(status == ECDC_OK, r != NULL);
            for (; status == ECDC_OK && got > 0 && reads < 1000; reads++) {
                status = ecdc_reader_read(r, x, 100, &got, &err);
                for (size_t s = 0; status == ECDC_OK && s < got; s++)
                    assert_true(isfinite(x[s]));
            }
            if (status == ECDC_OK)
                assert_true(got == 0 || reads == 1000); /* a rate of 1 Hz makes a long sound of it */
            else /* FFmpeg has no memory for some of the sizes */
                assert_true(status == ECDC_E_FORMAT || status == ECDC_E_UNSUPPORTED || status == ECDC_E_MEMORY);
            if (status != ECDC_OK) {
                assert_int_equal(err.status, status);
                assert_non_null(strstr(err.message, "mutant.wav"));
            }
            ecdc_reader_close(r);
            bytes[i] = old;
        }
    free(bytes);
}

/* Standard input of a child process. */
static void test_standard_input(void **state) {
    (void)state;
    int16_t *data = noise(20000);
    const char *path = make_wav16("in.wav", 24000, 1, data, 20000);
    pid_t child = fork();
    if (child == 0) {
        int pipe_fd[2], good = 0;
        if (pipe(pipe_fd) == 0 && fork() == 0) {
            char command[600];
            dup2(pipe_fd[1], STDOUT_FILENO);
            close(pipe_fd[0]);
            snprintf(command, sizeof command, "cat '%s'", path);
            _exit(system(command) != 0);
        }
        close(pipe_fd[1]);
        dup2(pipe_fd[0], STDIN_FILENO);
        ecdc_reader *r;
        float x[300];
        size_t n = 0, got = 1;
        if (open_at("-", 0, &r, &err) == ECDC_OK)
            while (ecdc_reader_read(r, x, 300, &got, &err) == ECDC_OK && got > 0)
                for (size_t i = 0; i < got; i++, n++)
                    good += n < 20000 && x[i] == data[n] / 32768.f;
        _exit(n == 20000 && good == 20000 ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    free(data);
}

int main(void) {
    av_log_set_level(AV_LOG_QUIET); /* what the command does, too */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_formats),
        cmocka_unit_test(test_mean_of_channels),
        cmocka_unit_test(test_stereo),
        cmocka_unit_test(test_stereo_is_two_monos),
        cmocka_unit_test(test_no_conversion_is_exact),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_resampled_tone),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_late_start),
        cmocka_unit_test(test_gap),
        cmocka_unit_test(test_no_gap),
        cmocka_unit_test(test_hostile_gap),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_not_media),
        cmocka_unit_test(test_playlists),
        cmocka_unit_test(test_no_audio),
        cmocka_unit_test(test_no_samples),
        cmocka_unit_test(test_cut_files),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_standard_input),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
