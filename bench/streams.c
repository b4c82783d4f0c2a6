/* The throughput of many streams at once, each on a thread of its own, alone and as a group (ecdc_group): what encoding a folder
 * of films costs. Every stream encodes and then decodes the same sound; with the group the same codes must come out.
 *
 * usage: streams MODEL STREAMS SECONDS REPEATS     prints one JSON object: x realtime of all streams together, medians
 * Exit status 1 where the codes differ. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecdc.h"
#include "timing.h"

enum { BLOCK_FRAMES = 144, MOST = 1024, MOST_REPEATS = 100 };

struct stream {
    const ecdc_model *model;
    ecdc_settings settings;
    const float *samples;
    size_t n_frames, hop;
    int32_t *codes; /* made by the encoder, or taken by the decoder */
    float *sound;
    ecdc_error err;
    int failed;
};

static void *encode(void *context) {
    struct stream *s = context;
    ecdc_encoder *e = NULL;
    ecdc_status status = ecdc_encoder_new(s->model, &s->settings, &e, &s->err);
    size_t block = BLOCK_FRAMES * s->hop, n = s->n_frames * s->hop, done = 0, width = e ? (size_t)ecdc_encoder_codebooks(e) : 0;
    for (size_t i = 0; status == ECDC_OK && i < n; i += block) {
        status = ecdc_encoder_push(e, s->samples + i, n - i < block ? n - i : block, &s->err);
        done += ecdc_encoder_pull(e, s->codes + done * width, s->n_frames - done);
    }
    if (status == ECDC_OK)
        status = ecdc_encoder_finish(e, &s->err);
    if (status == ECDC_OK)
        done += ecdc_encoder_pull(e, s->codes + done * width, s->n_frames - done);
    ecdc_encoder_free(e);
    s->failed = status != ECDC_OK || done != s->n_frames;
    return NULL;
}

static void *decode(void *context) {
    struct stream *s = context;
    s->failed = ecdc_decode(s->model, &s->settings, s->codes, s->n_frames, s->sound, &s->err) != ECDC_OK;
    return NULL;
}

/* Seconds that n streams take together, below 0 if one failed. */
static double run(struct stream *streams, size_t n, void *(*work)(void *)) {
    pthread_t threads[MOST];
    double start = now_s();
    size_t started = 0;
    while (started < n && pthread_create(&threads[started], NULL, work, &streams[started]) == 0)
        started++;
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    double seconds = now_s() - start;
    for (size_t i = 0; i < n; i++)
        if (i >= started || streams[i].failed) {
            fprintf(stderr, "streams: %s\n", i < started ? streams[i].err.message : "cannot start a thread");
            return -1;
        }
    return seconds;
}

static double median(double *values, size_t n) {
    sort_times(values, n);
    return values[n / 2];
}

int main(int argc, char **argv) {
    size_t n = argc == 5 ? strtoul(argv[2], NULL, 10) : 0, repeats = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
    double seconds = argc == 5 ? atof(argv[3]) : 0, times[2][2][MOST_REPEATS];
    if (n < 1 || n > MOST || repeats < 1 || repeats > MOST_REPEATS || !(seconds >= 1 && seconds <= 3600)) {
        fprintf(stderr, "usage: %s MODEL STREAMS SECONDS REPEATS, of 1 to %d streams, 1 to 3600 s and 1 to %d repeats\n", argv[0], MOST,
                MOST_REPEATS);
        return 2;
    }
    ecdc_error err;
    ecdc_model *model = NULL;
    ecdc_group *group = NULL;
    ecdc_model_info info;
    if (ecdc_model_open(argv[1], &model, &err) != ECDC_OK || ecdc_group_new(&group, &err) != ECDC_OK) {
        fprintf(stderr, "streams: %s\n", err.message);
        return 1;
    }
    ecdc_model_get_info(model, &info);
    if (info.chunked || info.channels != 1) { /* codes come by the chunk, not by the frame */
        fprintf(stderr, "streams: %s has chunks or more than one channel\n", info.name);
        ecdc_group_free(group);
        ecdc_model_close(model);
        return 1;
    }
    size_t hop = (size_t)info.hop, frames = (size_t)(seconds * info.frame_rate_hz);
    float *samples = calloc(frames, hop * sizeof *samples);
    struct stream *streams = calloc(n, sizeof *streams);
    int ok = samples && streams, width = 0;
    for (size_t i = 0; ok && i < frames * hop; i++) /* two tones that beat */
        samples[i] = 0.2f * sinf(0.031f * (float)(i % 48000)) + 0.1f * sinf(0.27f * (float)(i % 44100));
    ok = ok && ecdc_model_codebooks(model, 3, &width, &err) == ECDC_OK;
    for (size_t i = 0; ok && i < n; i++) {
        streams[i] = (struct stream){.model = model, .settings = ecdc_default_settings(), .samples = samples, .n_frames = frames, .hop = hop};
        streams[i].settings.n_threads = 1;
        streams[i].codes = calloc(frames, (size_t)info.n_codebooks * sizeof(int32_t));
        streams[i].sound = calloc(frames, hop * sizeof(float));
        ok = streams[i].codes && streams[i].sound;
    }
    for (size_t r = 0; ok && r < repeats; r++)
        for (int together = 0; ok && together < 2; together++) {
            for (size_t i = 0; i < n; i++)
                streams[i].settings.group = together ? group : NULL;
            times[together][0][r] = run(streams, n, encode);
            times[together][1][r] = run(streams, n, decode);
            ok = times[together][0][r] > 0 && times[together][1][r] > 0;
            for (size_t i = 1; ok && i < n; i++)
                ok = memcmp(streams[i].codes, streams[0].codes, frames * (size_t)width * sizeof(int32_t)) == 0 &&
                     memcmp(streams[i].sound, streams[0].sound, frames * hop * sizeof(float)) == 0;
        }
    if (ok)
        printf("{\"streams\": %zu, \"seconds\": %g, \"alone\": {\"encode_x_realtime\": %.4g, \"decode_x_realtime\": %.4g}, "
               "\"group\": {\"encode_x_realtime\": %.4g, \"decode_x_realtime\": %.4g}}\n", n, seconds,
               (double)n * seconds / median(times[0][0], repeats), (double)n * seconds / median(times[0][1], repeats),
               (double)n * seconds / median(times[1][0], repeats), (double)n * seconds / median(times[1][1], repeats));
    else
        fprintf(stderr, "streams: failed, or the streams differ\n");
    for (size_t i = 0; streams && i < n; i++) {
        free(streams[i].codes);
        free(streams[i].sound);
    }
    free(streams);
    free(samples);
    ecdc_group_free(group);
    ecdc_model_close(model);
    return ok ? 0 : 1;
}
