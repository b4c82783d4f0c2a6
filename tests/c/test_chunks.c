/* Models with chunks: every layer, codes, scales and sound of the reference on the small 48 kHz stereo model, the lengths at
 * which something special happens, and the same bits however the signal is cut, whatever the number of threads. */
#define GOLDEN "tiny48"
#include "codec/chunk_network.h"
#include "golden.h"
#include "model/model.h"

enum { CHUNK = 48000, STRIDE = 47520, FRAMES = 150, HOP = 320, MAX_CODEBOOKS = 16 };

/* This model's codebooks shrink by half from one to the next: from the tenth on they are of the size of the rounding errors in
 * the vectors, and the reference itself, on another processor, finds 3 % other codes. Those before must be equal, all. */
enum { EXACT_CODEBOOKS = 9 };

static ecdc_settings settings_for(ecdc_cpu cpu, int threads, int codebooks) {
    ecdc_settings s = ecdc_default_settings();
    s.cpu = cpu;
    s.n_threads = threads;
    s.n_codebooks = codebooks;
    return s;
}

/* 16-bit samples, interleaved, as floats. */
static float *golden_sound(const char *name, size_t *n) {
    int64_t dims[2];
    int64_t *stored = golden_codes(name, dims);
    *n = (size_t)dims[0];
    assert_int_equal(dims[1], 2);
    float *sound = malloc(2 * *n * sizeof *sound);
    for (size_t i = 0; i < 2 * *n; i++)
        sound[i] = (float)stored[i] / 32768;
    free(stored);
    return sound;
}

/* ------------------------------------------------------------------------------------------------ layers --- */

static void check_layer(const struct chunk_network *c, const struct kernels *kernels, const char *part, int index) {
    char name[64];
    size_t n, width = c->signal[0].width, rows = chunk_network_rows(c);
    int64_t dims[2], row_dims[2];
    snprintf(name, sizeof name, "layers/%s_%d", part, index);
    float *want = golden_floats(name, &n, dims);
    snprintf(name, sizeof name, "layers/%s_%d_rows", part, index);
    int64_t *which = golden_codes(name, row_dims);
    assert_int_equal(dims[0], row_dims[0]);
    assert_int_equal(dims[1], width);
    assert_int_equal(which[row_dims[0] - 1], rows - 1); /* the last row is among them: the lengths agree */
    float *got = malloc(rows * width * sizeof *got);
    chunk_network_output(c, kernels, got);
    double worst = 0, peak = 0;
    for (int64_t i = 0; i < dims[0]; i++)
        for (size_t j = 0; j < width; j++) {
            double x = want[(size_t)i * width + j];
            worst = fmax(worst, fabs(x - (double)got[(size_t)which[i] * width + j]));
            peak = fmax(peak, fabs(x));
        }
    printf("  %-9s %s_%d: largest difference %.2g of %.2g\n", kernels->name, part, index, worst, peak);
    assert_true(worst < 1e-5 * peak); /* differences of the layers before are in it */
    free(want);
    free(which);
    free(got);
}

static void check_part(const ecdc_model *model, ecdc_cpu cpu, int threads, enum network_part part, const char *name,
                       const float *input, size_t n) {
    ecdc_error err;
    struct engine engine;
    const struct network *net;
    struct chunk_network c;
    ecdc_settings settings = settings_for(cpu, threads, 0);
    MUST(engine_open(&engine, &settings, &err));
    MUST(network_get(model, part, engine.kernels, 0, &net, &err));
    MUST(chunk_network_init(&c, net, n, &err));
    memcpy(chunk_network_input(&c, n), input, n * net->layers[0].in * sizeof *input);
    int index = 0;
    for (size_t i = 0; i < net->n_layers; i++, index++) {
        index += net->layers[i].elu_before;
        MUST(chunk_network_layer(&c, &engine, i, &err));
        check_layer(&c, engine.kernels, name, index);
    }
    assert_int_equal(index, 16);
    chunk_network_free(&c);
    engine_close(&engine);
}

static void test_layers(void **state) {
    enum { N = 9600 };
    size_t n, n_scales;
    int64_t dims[2];
    float *input = golden_sound("input", &n), *scales = golden_floats("scales", &n_scales, dims);
    for (size_t i = 0; i < 2 * N; i++)
        input[i] /= scales[0];
    float *quantized = golden_floats("layers/quantized", &n, dims);
    for (int cpu = 0; cpu < N_CPUS; cpu++)
        for (int threads = 1; kernels_for(all_cpus[cpu], ECDC_PRECISION_F32) && threads <= 2; threads++) {
            check_part(*state, all_cpus[cpu], threads, NETWORK_ENCODER, "encoder", input, N);
            check_part(*state, all_cpus[cpu], threads, NETWORK_DECODER, "decoder", quantized, (size_t)dims[0]);
        }
    free(input);
    free(scales);
    free(quantized);
}

/* ------------------------------------------------------------------------------------------------- codec --- */

struct chunks {
    size_t n, n_codebooks;
    struct {
        int32_t codes[FRAMES * MAX_CODEBOOKS];
        size_t n_frames;
        float scale;
    } of[4];
};

static void pull_chunks(ecdc_encoder *e, struct chunks *c) {
    while (c->n < 4 && ecdc_encoder_pull_chunk(e, c->of[c->n].codes, &c->of[c->n].n_frames, &c->of[c->n].scale))
        c->n++;
}

/* Pieces of up to `most` samples, 0: all at once. */
static struct chunks *encode(ecdc_encoder *e, const float *sound, size_t n, size_t most, uint32_t *seed) {
    ecdc_error err;
    struct chunks *c = calloc(1, sizeof *c);
    c->n_codebooks = (size_t)ecdc_encoder_codebooks(e);
    for (size_t i = 0, part; i < n; i += part) {
        part = most ? random_bits(seed) % (most + 1) : n;
        part = part < n - i ? part : n - i;
        MUST(ecdc_encoder_push(e, sound + 2 * i, part, &err));
        if (random_bits(seed) % 2)
            pull_chunks(e, c);
    }
    MUST(ecdc_encoder_finish(e, &err));
    size_t ready = ecdc_encoder_ready(e), before = c->n;
    pull_chunks(e, c);
    assert_int_equal(c->n - before, ready);
    return c;
}

static float *decode(ecdc_decoder *d, const struct chunks *c, size_t most, uint32_t *seed, size_t *n) {
    ecdc_error err;
    float *sound = malloc(2 * (4 * CHUNK) * sizeof *sound);
    *n = 0;
    for (size_t k = 0; k < c->n; k++) {
        MUST(ecdc_decoder_push_chunk(d, c->of[k].codes, c->of[k].n_frames, c->of[k].scale, &err));
        if (most)
            *n += ecdc_decoder_pull(d, sound + 2 * *n, random_bits(seed) % (most + 1));
    }
    MUST(ecdc_decoder_finish(d, &err));
    *n += ecdc_decoder_pull(d, sound + 2 * *n, ecdc_decoder_ready(d));
    return sound;
}

/* (chunks, codebooks, width), zeros behind a shorter chunk */
static int64_t *golden_chunks(const char *name, int64_t dims[2], size_t *width) {
    size_t n;
    npy_close(golden_open(name, &n, dims));
    *width = n / (size_t)(dims[0] * dims[1]);
    return golden_codes(name, dims);
}

/* The reference's codes in place of our own, to be decoded. */
static void replace_codes(struct chunks *c, const char *name) {
    size_t width;
    int64_t dims[2], *codes = golden_chunks(name, dims, &width);
    for (size_t k = 0; k < c->n; k++)
        for (size_t t = 0; t < c->of[k].n_frames; t++)
            for (size_t q = 0; q < c->n_codebooks; q++)
                c->of[k].codes[t * c->n_codebooks + q] = (int32_t)codes[(k * c->n_codebooks + q) * width + t];
    free(codes);
}

static void check_chunks(const ecdc_model *model, const struct chunks *c, size_t n_samples, const char *name,
                         const float *scales) {
    size_t n_equal = 0, width;
    int64_t dims[2], *want = golden_chunks(name, dims, &width);
    assert_int_equal(c->n, dims[0]);
    assert_int_equal(c->n, ecdc_model_chunks(model, (int64_t)n_samples));
    assert_int_equal(c->n_codebooks, dims[1]);
    for (size_t k = 0; k < c->n; k++) {
        size_t frames = c->of[k].n_frames;
        assert_int_equal(frames, ecdc_model_chunk_frames(model, (int64_t)n_samples, (int64_t)k));
        assert_true(frames <= width && fabsf(c->of[k].scale - scales[k]) <= 1e-5f * scales[k]);
        for (size_t q = 0; q < c->n_codebooks; q++)
            for (size_t t = 0; t < width; t++) {
                int64_t expected = want[(k * c->n_codebooks + q) * width + t];
                int64_t code = t < frames ? c->of[k].codes[t * c->n_codebooks + q] : 0;
                n_equal += code == expected;
                if (code != expected && q < EXACT_CODEBOOKS)
                    fail_msg("%s: chunk %zu, codebook %zu, frame %zu: %d, expected %d", name, k, q, t, (int)code, (int)expected);
            }
    }
    assert_true((double)n_equal >= 0.95 * (double)(c->n * c->n_codebooks * width));
    free(want);
}

static void check_sound(const float *sound, const char *name, size_t n) {
    size_t n_want;
    float *want = golden_sound(name, &n_want); /* the last ones */
    assert_true(n >= n_want);
    for (size_t i = 0; i < 2 * n_want; i++)
        if (!(fabsf(sound[2 * (n - n_want) + i] - want[i]) < 4e-5f)) /* half of it the rounding to 16 bits; the promise is 1e-4 */
            fail_msg("%s: sample %zu of channel %zu: %.8g, expected %.8g", name, n - n_want + i / 2, i % 2,
                     (double)sound[2 * (n - n_want) + i], (double)want[i]);
    free(want);
}

static void test_golden(void **state) {
    ecdc_model *model = *state;
    ecdc_error err;
    static const struct { const char *name; int codebooks; } rows[] = {{"3", 2}, {"6", 4}, {"12", 8}, {"24", 16}};
    size_t n, n_scales, n_sound;
    int64_t dims[2];
    uint32_t seed = 1;
    float *input = golden_sound("input", &n), *scales = golden_floats("scales", &n_scales, dims);
    for (int cpu = 0; cpu < N_CPUS; cpu++)
        for (int b = 0; kernels_for(all_cpus[cpu], ECDC_PRECISION_F32) && b < 4; b++) {
            char name[64];
            ecdc_encoder *e;
            ecdc_settings s = settings_for(all_cpus[cpu], 2, rows[b].codebooks);
            MUST(ecdc_encoder_new(model, &s, &e, &err));
            struct chunks *c = encode(e, input, n, 0, &seed);
            snprintf(name, sizeof name, "codes_%skbps", rows[b].name);
            check_chunks(model, c, n, name, scales);
            ecdc_encoder_free(e);
            if (b == 3) {
                ecdc_decoder *d;
                MUST(ecdc_decoder_new(model, &s, &d, &err));
                replace_codes(c, name);
                float *sound = decode(d, c, 0, &seed, &n_sound);
                assert_int_equal(n_sound, n);
                check_sound(sound, "decoded_24kbps", n_sound);
                ecdc_decoder_free(d);
                free(sound);
            }
            free(c);
        }
    free(input);
    free(scales);
}

static void test_lengths(void **state) {
    ecdc_model *model = *state;
    ecdc_error err;
    static const struct { int n, decoded; } rows[] = {{1, 320}, {2, 320}, {319, 320}, {320, 320}, {321, 640},
        {47519, 47680}, {47520, 47680}, {47521, 47840}, {48000, 48160}, {48001, 48160}, {95040, 95200}, {96000, 96000}};
    size_t n, n_sound;
    uint32_t seed = 1;
    ecdc_encoder *e;
    ecdc_decoder *d;
    ecdc_settings s = settings_for(ECDC_CPU_AUTO, 1, 16);
    float *input = golden_sound("input", &n);
    MUST(ecdc_encoder_new(model, &s, &e, &err));
    MUST(ecdc_decoder_new(model, &s, &d, &err));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[64];
        float scales[4] = {0};
        for (size_t k = 0; k < 4 && k * STRIDE < (size_t)rows[i].n; k++) {
            double sum = 0;
            size_t end = k * STRIDE + CHUNK < (size_t)rows[i].n ? k * STRIDE + CHUNK : (size_t)rows[i].n;
            for (size_t t = k * STRIDE; t < end; t++)
                sum += pow(((double)input[2 * t] + (double)input[2 * t + 1]) / 2, 2);
            scales[k] = (float)(sqrt(sum / (double)(end - k * STRIDE)) + 1e-8);
        }
        struct chunks *c = encode(e, input, (size_t)rows[i].n, 0, &seed);
        snprintf(name, sizeof name, "lengths/codes_%d", rows[i].n);
        check_chunks(model, c, (size_t)rows[i].n, name, scales);
        replace_codes(c, name);
        float *sound = decode(d, c, 0, &seed, &n_sound);
        assert_int_equal(n_sound, rows[i].decoded);
        snprintf(name, sizeof name, "lengths/decoded_%d", rows[i].n);
        check_sound(sound, name, n_sound);
        free(sound);
        free(c);
        ecdc_encoder_reset(e);
        ecdc_decoder_reset(d);
    }
    /* no samples are no chunks, and no error */
    struct chunks *c = encode(e, input, 0, 0, &seed);
    assert_int_equal(c->n, 0);
    free(decode(d, c, 0, &seed, &n_sound));
    assert_int_equal(n_sound, 0);
    free(c);
    ecdc_encoder_free(e);
    ecdc_decoder_free(d);
    free(input);
}

/* The last chunk lies within its overlap with the chunk before, whose frames reach further: the reference's overlap-add
 * fails. Where only the chunk before speaks, the sound is its own. */
static void test_short_last_chunk(void **state) {
    ecdc_model *model = *state;
    ecdc_error err;
    size_t n, n_sound, n_alone;
    uint32_t seed = 1;
    ecdc_encoder *e;
    ecdc_decoder *d;
    ecdc_settings s = settings_for(ECDC_CPU_AUTO, 2, 16);
    float *input = golden_sound("input", &n);
    MUST(ecdc_encoder_new(model, &s, &e, &err));
    MUST(ecdc_decoder_new(model, &s, &d, &err));
    for (size_t more = 161; more <= 320; more += 159) {
        struct chunks *c = encode(e, input, STRIDE + more, 0, &seed);
        assert_int_equal(c->n, 2);
        assert_int_equal(c->of[0].n_frames, 150);
        assert_int_equal(c->of[1].n_frames, 1);
        float *sound = decode(d, c, 0, &seed, &n_sound);
        assert_int_equal(n_sound, STRIDE + HOP);
        ecdc_decoder_reset(d);
        c->n = 1;
        float *alone = decode(d, c, 0, &seed, &n_alone);
        assert_int_equal(n_alone, CHUNK);
        for (size_t i = 0; i < 2 * STRIDE; i++)
            assert_true(fabsf(sound[i] - alone[i]) < 1e-6f);
        for (size_t i = 2 * STRIDE; i < 2 * n_sound; i++)
            assert_true(isfinite(sound[i]));
        assert_true(sound[2 * STRIDE + 600] != alone[2 * STRIDE + 600]); /* there the last chunk speaks, too */
        free(c);
        free(sound);
        free(alone);
        ecdc_encoder_reset(e);
        ecdc_decoder_reset(d);
    }
    ecdc_encoder_free(e);
    ecdc_decoder_free(d);
    free(input);
}

static void check_equal(const struct chunks *a, const struct chunks *b) {
    assert_int_equal(a->n, b->n);
    for (size_t k = 0; k < a->n; k++) {
        assert_int_equal(a->of[k].n_frames, b->of[k].n_frames);
        assert_memory_equal(&a->of[k].scale, &b->of[k].scale, sizeof(float));
        assert_memory_equal(a->of[k].codes, b->of[k].codes, a->of[k].n_frames * a->n_codebooks * sizeof(int32_t));
    }
}

static void test_cuts_and_threads(void **state) {
    ecdc_model *model = *state;
    ecdc_error err;
    static const size_t most[] = {1, 500, 47520, 48001, 120000};
    size_t n, n_sound, n_want;
    uint32_t seed = 48;
    float *input = golden_sound("input", &n);
    for (int cpu = 0; cpu < N_CPUS; cpu++) {
        if (!kernels_for(all_cpus[cpu], ECDC_PRECISION_F32))
            continue;
        struct chunks *want = NULL;
        float *want_sound = NULL;
        for (int threads = 1; threads <= (all_cpus[cpu] == ECDC_CPU_REFERENCE ? 2 : 5); threads++) {
            ecdc_encoder *e;
            ecdc_decoder *d;
            ecdc_settings s = settings_for(all_cpus[cpu], threads, 3);
            MUST(ecdc_encoder_new(model, &s, &e, &err));
            MUST(ecdc_decoder_new(model, &s, &d, &err));
            struct chunks *got = encode(e, input, n, most[(size_t)threads - 1], &seed);
            float *sound = decode(d, got, 50000, &seed, &n_sound);
            if (!want) {
                want = got;
                want_sound = sound;
                n_want = n_sound;
            } else {
                check_equal(got, want);
                assert_int_equal(n_sound, n_want);
                assert_memory_equal(sound, want_sound, 2 * n_sound * sizeof *sound);
                free(got);
                free(sound);
            }
            ecdc_encoder_free(e);
            ecdc_decoder_free(d);
        }
        free(want);
        free(want_sound);
    }
    free(input);
}

/* ------------------------------------------------------------------------------------------------ errors --- */

#define REFUSED(call, part)                                                                       \
    do {                                                                                          \
        assert_int_equal(call, ECDC_E_ARGUMENT);                                                  \
        if (!strstr(err.message, part))                                                           \
            fail_msg("the message `%s` does not say `%s`", err.message, part);                    \
    } while (0)

static void test_arguments(void **state) {
    ecdc_model *model = *state;
    ecdc_error err;
    ecdc_encoder *e;
    ecdc_decoder *d;
    static int32_t codes[FRAMES * 2];
    float samples[4] = {0, 0, 0, NAN};
    ecdc_settings s = settings_for(ECDC_CPU_AUTO, 1, 2);
    MUST(ecdc_encoder_new(model, &s, &e, &err));
    MUST(ecdc_decoder_new(model, &s, &d, &err));
    REFUSED(ecdc_encoder_push(e, samples, 2, &err), "sample 1 is nan");
    assert_int_equal(ecdc_encoder_pull(e, codes, 1), 0);

    REFUSED(ecdc_decoder_push(d, codes, 1, &err), "ecdc_decoder_push_chunk");
    REFUSED(ecdc_decoder_push_chunk(d, codes, 0, 1, &err), "chunk 0 has 0 frames, allowed are 1 to 150");
    REFUSED(ecdc_decoder_push_chunk(d, codes, 151, 1, &err), "151 frames");
    REFUSED(ecdc_decoder_push_chunk(d, codes, 1, INFINITY, &err), "the scale of chunk 0 is inf");
    MUST(ecdc_decoder_push_chunk(d, codes, 149, 1, &err));
    codes[3] = 1024;
    REFUSED(ecdc_decoder_push_chunk(d, codes, 2, 1, &err), "code 1024 at frame 1 of chunk 1, codebook 1 is outside 0 to 1023");
    codes[3] = 0;
    REFUSED(ecdc_decoder_push_chunk(d, codes, 150, 1, &err), "more than the first one's 149");
    MUST(ecdc_decoder_push_chunk(d, codes, 148, 1, &err));
    REFUSED(ecdc_decoder_push_chunk(d, codes, 1, 1, &err), "chunk 2 follows one of 148 frames");
    MUST(ecdc_decoder_finish(d, &err));
    REFUSED(ecdc_decoder_push_chunk(d, codes, 1, 1, &err), "finished");
    ecdc_decoder_reset(d);
    MUST(ecdc_decoder_push_chunk(d, codes, 150, 1, &err));

    assert_int_equal(ecdc_encode(model, &s, samples, 1, codes, &err), ECDC_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "ecdc_encoder_pull_chunk"));
    assert_int_equal(ecdc_decode(model, &s, codes, 1, samples, &err), ECDC_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "ecdc_decoder_push_chunk"));
    ecdc_encoder_free(e);
    ecdc_decoder_free(d);

    ecdc_model *stream;
    MUST(ecdc_model_open(ECDC_TEST_DATA "/tiny24", &stream, &err));
    MUST(ecdc_decoder_new(stream, &s, &d, &err));
    REFUSED(ecdc_decoder_push_chunk(d, codes, 1, 1, &err), "the model has no chunks");
    assert_int_equal(ecdc_model_chunks(stream, 48000), 0);
    ecdc_decoder_free(d);
    ecdc_model_close(stream);
}

static void test_info(void **state) {
    ecdc_model_info info;
    ecdc_model_get_info(*state, &info);
    assert_int_equal(info.chunked, 1);
    assert_int_equal(info.channels, 2);
    assert_int_equal(info.chunk_samples, CHUNK);
    assert_int_equal(info.chunk_stride, STRIDE);
    assert_int_equal(info.chunk_frames, FRAMES);
    assert_int_equal(ecdc_model_chunks(*state, 0), 0);
    assert_int_equal(ecdc_model_chunk_frames(*state, 48000, 2), 0);
    assert_int_equal(ecdc_model_chunk_frames(*state, 48000, -1), 0);
}

static int open_model(void **state) {
    *state = open_golden_model();
    return 0;
}

static int close_model(void **state) {
    ecdc_model_close(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_short_last_chunk),
        cmocka_unit_test(test_cuts_and_threads),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_info),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
