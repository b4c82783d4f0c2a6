/* Streams on threads of their own that share passes over the LSTM's weights: every one gets, to the bit, what it gets alone,
 * whatever their lengths, models and pieces, and although members come and go. */
#include <pthread.h>

#include "golden.h"

enum { STREAMS = 11, CODEBOOKS = 4 };

struct stream {
    const ecdc_model *model;
    ecdc_settings settings;
    size_t n, frames;
    uint32_t seed;
    float *x, *sound;
    int32_t *codes;
    ecdc_error err;
    size_t got_frames, got_samples;
    ecdc_status status;
};

/* No assertion in here: cmocka's leave only the thread that they stand on. */
static ecdc_status encode(struct stream *s) {
    ecdc_encoder *e;
    ecdc_status status = ecdc_encoder_new(s->model, &s->settings, &e, &s->err);
    if (status != ECDC_OK)
        return status;
    for (size_t i = 0, piece; status == ECDC_OK && i < s->n; i += piece) {
        piece = 1 + random_bits(&s->seed) % 9000;
        piece = piece < s->n - i ? piece : s->n - i;
        status = ecdc_encoder_push(e, s->x + i, piece, &s->err);
    }
    if (status == ECDC_OK)
        status = ecdc_encoder_finish(e, &s->err);
    s->got_frames = ecdc_encoder_pull(e, s->codes, SIZE_MAX);
    ecdc_encoder_free(e);
    return status;
}

static ecdc_status decode(struct stream *s) {
    ecdc_decoder *d;
    ecdc_status status = ecdc_decoder_new(s->model, &s->settings, &d, &s->err);
    if (status != ECDC_OK)
        return status;
    for (size_t i = 0, piece; status == ECDC_OK && i < s->frames; i += piece) {
        piece = 1 + random_bits(&s->seed) % 30;
        piece = piece < s->frames - i ? piece : s->frames - i;
        status = ecdc_decoder_push(d, s->codes + i * CODEBOOKS, piece, &s->err);
    }
    if (status == ECDC_OK)
        status = ecdc_decoder_finish(d, &s->err);
    s->got_samples = ecdc_decoder_pull(d, s->sound, SIZE_MAX);
    ecdc_decoder_free(d);
    return status;
}

static void *work(void *context) {
    struct stream *s = context;
    s->status = encode(s);
    if (s->status == ECDC_OK)
        s->status = decode(s);
    return NULL;
}

static struct stream make_stream(const ecdc_model *model, ecdc_group *group, ecdc_cpu cpu, int i, uint32_t *seed) {
    struct stream s = {.model = model, .settings = ecdc_default_settings(), .seed = (uint32_t)i + 1};
    s.settings.n_codebooks = CODEBOOKS;
    s.settings.n_threads = 1 + (i == 3);
    s.settings.cpu = cpu;
    s.settings.group = group;
    s.n = i == 5 ? 0 : i == 6 ? 700 : 4000 + random_bits(seed) % 20000;
    s.frames = (size_t)ecdc_model_frames(model, (int64_t)s.n);
    s.x = malloc((s.n + 1) * sizeof *s.x);
    for (size_t t = 0; t < s.n; t++)
        s.x[t] = 0.3f * random_float(seed);
    s.codes = malloc((s.frames + 1) * CODEBOOKS * sizeof *s.codes);
    s.sound = malloc((s.frames * 320 + 1) * sizeof *s.sound);
    return s;
}

static void check_alone(const struct stream *s) {
    ecdc_error err;
    ecdc_settings alone = s->settings;
    alone.group = NULL;
    int32_t *codes = malloc((s->frames + 1) * CODEBOOKS * sizeof *codes);
    float *sound = malloc((s->frames * 320 + 1) * sizeof *sound);
    if (s->status != ECDC_OK)
        fail_msg("%s", s->err.message);
    assert_int_equal(s->got_frames, s->frames);
    assert_int_equal(s->got_samples, s->frames * 320);
    MUST(ecdc_encode(s->model, &alone, s->x, s->n, codes, &err));
    assert_memory_equal(s->codes, codes, s->frames * CODEBOOKS * sizeof *codes);
    MUST(ecdc_decode(s->model, &alone, codes, s->frames, sound, &err));
    assert_memory_equal(s->sound, sound, s->frames * 320 * sizeof *sound);
    free(codes);
    free(sound);
}

static void run_streams(ecdc_model *const models[2], ecdc_cpu cpu, int n, uint32_t *seed) {
    ecdc_error err;
    ecdc_group *group;
    struct stream streams[STREAMS];
    pthread_t threads[STREAMS];
    MUST(ecdc_group_new(&group, &err));
    for (int i = 0; i < n; i++)
        streams[i] = make_stream(models[i % 4 == 3], group, cpu, i, seed);
    for (int i = 0; i < n; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &streams[i]), 0);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    ecdc_group_free(group);
    for (int i = 0; i < n; i++) {
        check_alone(&streams[i]);
        free(streams[i].x);
        free(streams[i].codes);
        free(streams[i].sound);
    }
}

static void test_streams(void **state) {
    (void)state;
    ecdc_error err;
    ecdc_model *models[2] = {open_golden_model(), NULL};
    uint32_t seed = 20260102;
    MUST(ecdc_model_open("default", &models[1], &err));
    for (int n = 1; n <= STREAMS; n += n < 3 ? 1 : 4)
        run_streams(models, ECDC_CPU_AUTO, n, &seed);
    run_streams(models, ECDC_CPU_REFERENCE, 3, &seed);
    ecdc_model_close(models[0]);
    ecdc_model_close(models[1]);
}

/* A member that does nothing must not hold up the others. */
static void test_idle_member(void **state) {
    (void)state;
    ecdc_error err;
    ecdc_group *group;
    ecdc_encoder *idle;
    ecdc_model *model = open_golden_model();
    uint32_t seed = 3;
    MUST(ecdc_group_new(&group, &err));
    struct stream s = make_stream(model, group, ECDC_CPU_AUTO, 0, &seed);
    MUST(ecdc_encoder_new(model, &s.settings, &idle, &err));
    work(&s);
    ecdc_encoder_free(idle);
    ecdc_group_free(group);
    check_alone(&s);
    free(s.x);
    free(s.codes);
    free(s.sound);
    ecdc_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_streams), cmocka_unit_test(test_idle_member)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
