/* Mel spectrograms back to sound: the solver, Griffin-Lim against its definition, and speech. */
#include "features/griffin_lim.h"
#include "features/mel_solver.h"
#include "golden.h"

static void assert_fails(ecdc_status status, ecdc_status wanted, const ecdc_error *err, const char *says) {
    assert_int_equal(status, wanted);
    if (!strstr(err->message, says))
        fail_msg("`%s` does not say `%s`", err->message, says);
}

/* ---------------------------------------------------------------------------------------------- the solver -- */

static void check_solver(int n_mels, bool possible, double tolerance) {
    ecdc_error err;
    ecdc_mel_settings s = ecdc_default_mel_settings();
    s.n_mels = n_mels;
    struct mel_filters f;
    struct mel_solver *solver;
    MUST(mel_filters_init(&f, &s, &err));
    MUST(mel_solver_new(&f, &solver, &err));
    double *x = calloc(f.n_bins, sizeof *x), error = 0, size = 0;
    float *mel = calloc(f.n_mels, sizeof *mel), *again = calloc(f.n_mels, sizeof *mel), *found = calloc(f.n_bins, sizeof *found);
    uint32_t seed = 3;
    for (size_t k = 0; k < f.n_bins; k++) /* peaks far apart on a low floor, as in speech */
        x[k] = k % 23 == 5 ? 1 + (double)random_float(&seed) : 1e-4 * (1 + (double)random_float(&seed));
    mel_filters_apply(&f, x, mel);
    for (size_t m = 0; !possible && m < f.n_mels; m++)
        mel[m] *= 1 + 0.5f * random_float(&seed);
    mel_solver_run(solver, mel, found);
    for (size_t k = 0; k < f.n_bins; k++) {
        assert_true(isfinite(found[k]) && found[k] >= 0);
        x[k] = (double)found[k] * (double)found[k];
    }
    mel_filters_apply(&f, x, again);
    for (size_t m = 0; m < f.n_mels; m++) {
        error += pow((double)(again[m] - mel[m]), 2);
        size += pow((double)mel[m], 2);
    }
    print_message("%d filters: relative error %.1e\n", n_mels, sqrt(error / size));
    assert_true(sqrt(error / size) < tolerance);
    /* Where the optimum is: no bin that is on can go either way, no bin that is off can go up. */
    for (size_t m = 0; m < f.n_mels; m++)
        again[m] -= mel[m];
    double *gradient = calloc(f.n_bins, sizeof *gradient), steepest = 0;
    for (size_t m = 0; m < f.n_mels; m++)
        for (size_t i = f.first[m], k = f.bin[m]; i < f.first[m + 1]; i++, k++)
            gradient[k] += (double)f.weights[i] * (double)again[m];
    for (size_t k = 0; k < f.n_bins; k++)
        steepest = fmax(steepest, found[k] > 0 ? fabs(gradient[k]) : -gradient[k]);
    print_message("%d filters: steepest slope %.1e\n", n_mels, steepest);
    assert_true(steepest < tolerance * sqrt(size));
    free(x);
    free(mel);
    free(again);
    free(found);
    free(gradient);
    mel_solver_free(solver);
    mel_filters_free(&f);
}

static void test_solver(void **state) {
    (void)state;
    check_solver(2048, true, 1e-2);
    check_solver(128, true, 0.05); /* many solutions, and peaks narrower than a filter: twenty sweeps leave some of it */
    check_solver(1, true, 1e-5);
    check_solver(2048, false, 0.5);
}

/* --------------------------------------------------------------------------------- Griffin-Lim's definition -- */

enum { N_FFT = 64, BINS = N_FFT / 2 + 1, MAX_FRAMES = 40, MAX_PLACES = MAX_FRAMES * N_FFT };
static const double pi = 3.14159265358979323846;

/* Everything about the whole spectrogram at once, in doubles and by the sums that define it. */
struct whole {
    size_t frames, hop;
    int64_t n_samples;
    double magnitudes[MAX_FRAMES][BINS], re[MAX_FRAMES][BINS], im[MAX_FRAMES][BINS], rebuilt[2][2][MAX_FRAMES][BINS];
    double sound[MAX_PLACES];
};

static double hann(size_t i) {
    return 0.5 - 0.5 * cos(2 * pi * (double)i / N_FFT);
}

static void to_sound(struct whole *w) {
    static double weight[MAX_PLACES];
    memset(weight, 0, sizeof weight);
    memset(w->sound, 0, sizeof w->sound);
    for (size_t t = 0; t < w->frames; t++)
        for (size_t i = 0; i < N_FFT; i++) {
            double sum = 0;
            for (size_t k = 0; k < BINS; k++) {
                double angle = 2 * pi * (double)(k * i % N_FFT) / N_FFT, twice = k == 0 || k == BINS - 1 ? 1 : 2;
                sum += twice * (w->re[t][k] * cos(angle) - (twice == 2 ? w->im[t][k] * sin(angle) : 0));
            }
            w->sound[t * w->hop + i] += hann(i) * sum / N_FFT;
            weight[t * w->hop + i] += hann(i) * hann(i);
        }
    for (size_t i = 0; i < MAX_PLACES; i++) {
        bool inside = i >= N_FFT / 2 && (int64_t)i < N_FFT / 2 + w->n_samples;
        w->sound[i] = inside ? w->sound[i] / weight[i] : 0;
    }
}

static void iterate(struct whole *w, int iteration, double momentum) {
    to_sound(w);
    double(*now)[MAX_FRAMES][BINS] = w->rebuilt[iteration % 2], (*before)[MAX_FRAMES][BINS] = w->rebuilt[1 - iteration % 2];
    for (size_t t = 0; t < w->frames; t++)
        for (size_t k = 0; k < BINS; k++) {
            double re = 0, im = 0;
            for (size_t i = 0; i < N_FFT; i++) {
                double angle = 2 * pi * (double)(k * i % N_FFT) / N_FFT, x = hann(i) * w->sound[t * w->hop + i];
                re += x * cos(angle);
                im -= x * sin(angle);
            }
            now[0][t][k] = re;
            now[1][t][k] = im;
            if (iteration > 0) {
                re -= momentum / (1 + momentum) * before[0][t][k];
                im -= momentum / (1 + momentum) * before[1][t][k];
            }
            double length = hypot(re, im);
            w->re[t][k] = length > 0 ? re / length * w->magnitudes[t][k] : 0;
            w->im[t][k] = length > 0 ? im / length * w->magnitudes[t][k] : 0;
        }
}

/* The phases of griffin_lim.c: splitmix64. */
static double next_phase(uint64_t *seed) {
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return 2 * pi * (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static void check_griffin_lim(size_t frames, size_t hop, int iterations, int64_t rest) {
    ecdc_error err;
    static struct whole w;
    memset(&w, 0, sizeof w);
    w.frames = frames;
    w.hop = hop;
    w.n_samples = (int64_t)((frames - 1) * hop) + rest;
    ecdc_mel_settings s = ecdc_default_mel_settings();
    s.n_fft = N_FFT;
    s.hop = (int)hop;
    s.iterations = iterations;
    s.seed = 5;
    struct griffin_lim *g;
    MUST(griffin_lim_new(&s, &g, &err));
    struct fifo samples = {.item_size = sizeof(float)};
    uint32_t random = 9;
    uint64_t phases = 5;
    for (size_t t = 0; t < frames; t++) {
        float magnitudes[BINS];
        for (size_t k = 0; k < BINS; k++) {
            magnitudes[k] = 1 + random_float(&random);
            double phase = next_phase(&phases);
            w.magnitudes[t][k] = (double)magnitudes[k];
            w.re[t][k] = w.magnitudes[t][k] * cos(phase);
            w.im[t][k] = w.magnitudes[t][k] * sin(phase);
        }
        assert_true(griffin_lim_push(g, magnitudes, &samples));
    }
    assert_true(griffin_lim_finish(g, w.n_samples, &samples));
    for (int i = 0; i < iterations; i++)
        iterate(&w, i, s.momentum);
    to_sound(&w);
    assert_int_equal(samples.n, w.n_samples);
    const float *got = fifo_items(&samples);
    double worst = 0;
    for (size_t i = 0; i < samples.n; i++)
        worst = fmax(worst, fabs((double)got[i] - w.sound[N_FFT / 2 + i]));
    print_message("%zu frames, hop %zu, %d iterations: largest difference %.1e\n", frames, hop, iterations, worst);
    assert_true(worst < 1e-4); /* rounding grows from iteration to iteration; sound of about 0.3 */
    fifo_free(&samples);
    griffin_lim_free(g);
}

static void test_griffin_lim(void **state) {
    (void)state;
    check_griffin_lim(30, 8, 0, 0);
    check_griffin_lim(30, 8, 1, 0);
    check_griffin_lim(30, 8, 4, 16);
    check_griffin_lim(30, 16, 3, 5);
    check_griffin_lim(20, 24, 3, 0); /* no divisor of n_fft */
    check_griffin_lim(3, 8, 4, 9);   /* shorter than the pipeline */
    check_griffin_lim(1, 16, 2, 16);
}

/* --------------------------------------------------------------------------------------------- real speech -- */

enum { RATE = 22050, SECONDS = 11, MELS = 2048, FRAMES = 1 + SECONDS * RATE / 512 };

static const double librosa_stoi = 0.8494; /* of mel_to_audio on this spectrogram (tests/data/README.md) */

static size_t read_speech(float *samples, size_t max) {
    ecdc_error err;
    ecdc_reader *reader;
    ecdc_reader_settings settings = ecdc_default_reader_settings();
    settings.rate_hz = RATE;
    MUST(ecdc_reader_open(ECDC_AUDIO_DIR "/jfk.flac", &settings, &reader, &err));
    size_t n = 0;
    for (size_t part = 1; n < max && part; n += part)
        MUST(ecdc_reader_read(reader, samples + n, max - n, &part, &err));
    ecdc_reader_close(reader);
    return n;
}

static void test_speech(void **state) {
    (void)state;
    ecdc_error err;
    static float speech[SECONDS * RATE], power[FRAMES * MELS], sound[SECONDS * RATE];
    size_t n = read_speech(speech, SECONDS * RATE);
    ecdc_mel_settings s = ecdc_default_mel_settings();
    assert_int_equal(ecdc_mel_frames(&s, (int64_t)n), FRAMES);
    MUST(ecdc_mel_spectrogram(&s, speech, n, power, &err));
    double ref = 0, before = 0, after = 0, stoi;
    for (size_t i = 0; i < FRAMES * MELS; i++)
        ref = fmax(ref, (double)power[i]);
    ecdc_power_to_db(power, FRAMES * MELS, ref, 80, power);
    ecdc_db_to_power(power, FRAMES * MELS, ref, power);
    MUST(ecdc_mel_to_audio(&s, power, FRAMES, sound, n, &err));
    MUST(ecdc_stoi(speech, sound, n, RATE, &stoi, NULL, &err));
    for (size_t i = 0; i < n; i++) {
        before += (double)speech[i] * (double)speech[i];
        after += (double)sound[i] * (double)sound[i];
    }
    print_message("STOI %.4f (librosa %.4f), level %+.3f dB\n", stoi, librosa_stoi, 10 * log10(after / before));
    assert_true(stoi > librosa_stoi - 0.01);
    assert_true(fabs(10 * log10(after / before)) < 0.2);
}

/* ------------------------------------------------------------------------------------------ the interface -- */

static void test_pieces_are_the_whole(void **state) {
    (void)state;
    enum { N_MELS = 40, N = 60, HOP = 32 };
    ecdc_error err;
    ecdc_mel_settings s = ecdc_default_mel_settings();
    s.n_fft = 128;
    s.hop = HOP;
    s.n_mels = N_MELS;
    s.iterations = 5;
    static float power[N * N_MELS], whole[N * HOP], pieces[N * HOP];
    uint32_t random = 1;
    for (size_t i = 0; i < N * N_MELS; i++)
        power[i] = 1 + random_float(&random);
    size_t n_samples = (N - 1) * HOP, done = 0;
    MUST(ecdc_mel_to_audio(&s, power, N, whole, n_samples, &err));
    ecdc_mel_inverse *inverse;
    MUST(ecdc_mel_inverse_new(&s, &inverse, &err));
    for (size_t t = 0, part = 1; t < N; t += part, part = part % 7 + 1) {
        part = part < N - t ? part : N - t;
        MUST(ecdc_mel_inverse_push(inverse, power + t * N_MELS, part, &err));
        done += ecdc_mel_inverse_pull(inverse, pieces + done, 13);
    }
    MUST(ecdc_mel_inverse_finish(inverse, -1, &err));
    assert_int_equal(ecdc_mel_inverse_ready(inverse), n_samples - done);
    ecdc_mel_inverse_pull(inverse, pieces + done, n_samples - done);
    assert_memory_equal(pieces, whole, n_samples * sizeof *whole);
    assert_fails(ecdc_mel_inverse_push(inverse, power, 1, &err), ECDC_E_ARGUMENT, &err, "has ended");
    ecdc_mel_inverse_free(inverse);
    s.seed = 1;
    MUST(ecdc_mel_to_audio(&s, power, N, pieces, n_samples, &err));
    assert_memory_not_equal(pieces, whole, n_samples * sizeof *whole);
}

static void test_silence_and_nothing(void **state) {
    (void)state;
    ecdc_error err;
    ecdc_mel_inverse *inverse;
    static const float silence[3 * MELS];
    float sound[1024];
    MUST(ecdc_mel_to_audio(NULL, silence, 3, sound, 1024, &err));
    for (size_t i = 0; i < 1024; i++)
        assert_true(sound[i] == 0);
    MUST(ecdc_mel_inverse_new(NULL, &inverse, &err));
    MUST(ecdc_mel_inverse_finish(inverse, -1, &err));
    assert_int_equal(ecdc_mel_inverse_ready(inverse), 0);
    ecdc_mel_inverse_free(inverse);
    ecdc_mel_inverse_free(NULL);
}

static void test_refusals(void **state) {
    (void)state;
    ecdc_error err;
    ecdc_mel_inverse *inverse;
    static float power[2 * MELS];
    float sound[4096];
    ecdc_mel_settings s = ecdc_default_mel_settings();
    s.hop = 1;
    assert_fails(ecdc_mel_inverse_new(&s, &inverse, &err), ECDC_E_ARGUMENT, &err, "hop is 1");
    assert_fails(ecdc_mel_to_audio(NULL, power, 2, sound, 511, &err), ECDC_E_ARGUMENT, &err,
                 "n_samples is 511, 2 frames stand for 512 to 1536");
    assert_fails(ecdc_mel_to_audio(NULL, power, 2, sound, 1537, &err), ECDC_E_ARGUMENT, &err, "n_samples is 1537");
    MUST(ecdc_mel_inverse_new(NULL, &inverse, &err));
    MUST(ecdc_mel_inverse_push(inverse, power, 1, &err));
    power[MELS + 7] = -1;
    assert_fails(ecdc_mel_inverse_push(inverse, power, 2, &err), ECDC_E_ARGUMENT, &err, "power -1 of filter 7 in frame 2");
    power[MELS + 7] = INFINITY;
    assert_fails(ecdc_mel_inverse_push(inverse, power, 2, &err), ECDC_E_ARGUMENT, &err, "power inf of filter 7 in frame 2");
    ecdc_mel_inverse_free(inverse);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_solver),         cmocka_unit_test(test_griffin_lim),
        cmocka_unit_test(test_speech),         cmocka_unit_test(test_pieces_are_the_whole),
        cmocka_unit_test(test_silence_and_nothing), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
