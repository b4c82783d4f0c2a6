/* How long one frame takes in a live stream: samples are pushed 320 at a time (codes one frame at a time) and the time until
 * the codes (the samples) are there is taken for each.
 *
 * usage: latency MODEL THREADS SECONDS      prints one JSON object
 * Exit status 1 where the first codes come later than the header promises, with the frame that completes 7 * 320 samples, or never. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ecdc.h"
#include "timing.h"

enum { MOST_PUSHES = 7 };

struct figures {
    double p50_ms, p99_ms, max_ms, x_realtime;
    size_t first; /* the push, counted from 1, after which something could be pulled */
};

/* Sorts the times. */
static struct figures figures_of(double *times_s, size_t n, double frame_s, size_t first) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += times_s[i];
    sort_times(times_s, n);
    return (struct figures){.p50_ms = 1e3 * times_s[n / 2],
                            .p99_ms = 1e3 * times_s[(n * 99) / 100],
                            .max_ms = 1e3 * times_s[n - 1],
                            .x_realtime = frame_s * (double)n / sum,
                            .first = first};
}

static void print(const char *name, const struct figures *f, const char *end) {
    printf("\"%s\": {\"p50_ms\": %.6g, \"p99_ms\": %.6g, \"max_ms\": %.6g, \"x_realtime\": %.6g, \"first_after\": %zu}%s",
           name, f->p50_ms, f->p99_ms, f->max_ms, f->x_realtime, f->first, end);
}

static ecdc_status measure(const ecdc_model *model, const ecdc_settings *settings, const ecdc_model_info *info, size_t n,
                           float *samples, int32_t *codes, double *times_s, struct figures figures[2], ecdc_error *err) {
    size_t hop = (size_t)info->hop, first = 0, frames = 0, width;
    double frame_s = 1.0 / info->frame_rate_hz;
    ecdc_encoder *encoder = NULL;
    ecdc_decoder *decoder = NULL;
    ecdc_status status = ecdc_encoder_new(model, settings, &encoder, err);
    if (status == ECDC_OK)
        status = ecdc_decoder_new(model, settings, &decoder, err);
    width = status == ECDC_OK ? (size_t)ecdc_encoder_codebooks(encoder) : 0;
    for (size_t i = 0; status == ECDC_OK && i < n; i++) {
        double start = now_s();
        status = ecdc_encoder_push(encoder, samples + i * hop, hop, err);
        frames += ecdc_encoder_pull(encoder, codes + frames * width, n - frames);
        times_s[i] = now_s() - start;
        if (frames && !first)
            first = i + 1;
    }
    figures[0] = figures_of(times_s, n, frame_s, first);
    first = 0;
    size_t made = 0;
    for (size_t i = 0; status == ECDC_OK && i < frames; i++) {
        double start = now_s();
        status = ecdc_decoder_push(decoder, codes + i * width, 1, err);
        made += ecdc_decoder_pull(decoder, samples + made, n * hop - made);
        times_s[i] = now_s() - start;
        if (made && !first)
            first = i + 1;
    }
    if (status == ECDC_OK && frames > 0)
        figures[1] = figures_of(times_s, frames, frame_s, first);
    ecdc_encoder_free(encoder);
    ecdc_decoder_free(decoder);
    return status;
}

int main(int argc, char **argv) {
    double seconds = argc == 4 ? atof(argv[3]) : 0;
    if (!(seconds >= 1 && seconds <= 3600)) {
        fprintf(stderr, "usage: %s MODEL THREADS SECONDS, of 1 to 3600 s\n", argv[0]);
        return 2;
    }
    ecdc_error err;
    ecdc_model *model = NULL;
    ecdc_model_info info;
    struct figures figures[2] = {{0}};
    if (ecdc_model_open(argv[1], &model, &err) != ECDC_OK) {
        fprintf(stderr, "latency: %s\n", err.message);
        return 1;
    }
    ecdc_model_get_info(model, &info);
    if (info.chunked || info.channels != 1) { /* codes come by the chunk, not by the frame */
        fprintf(stderr, "latency: %s has chunks or more than one channel\n", info.name);
        ecdc_model_close(model);
        return 1;
    }
    ecdc_settings settings = ecdc_default_settings();
    settings.n_threads = atoi(argv[2]);
    size_t n = (size_t)(seconds * info.frame_rate_hz), hop = (size_t)info.hop;
    float *samples = calloc(n, hop * sizeof *samples);
    int32_t *codes = calloc(n, (size_t)info.n_codebooks * sizeof *codes);
    double *times_s = calloc(n, sizeof *times_s);
    ecdc_status status = samples && codes && times_s ? ECDC_OK : ECDC_E_MEMORY;
    for (size_t i = 0; status == ECDC_OK && i < n * hop; i++) /* two tones that beat */
        samples[i] = 0.2f * sinf(0.031f * (float)(i % 48000)) + 0.1f * sinf(0.27f * (float)(i % 44100));
    if (status == ECDC_OK)
        status = measure(model, &settings, &info, n, samples, codes, times_s, figures, &err);
    if (status == ECDC_OK) {
        printf("{\"frames\": %zu, \"threads\": %d, ", n, settings.n_threads);
        print("encode", &figures[0], ", ");
        print("decode", &figures[1], "}\n");
    } else {
        fprintf(stderr, "latency: %s\n", status == ECDC_E_MEMORY ? "out of memory" : err.message);
    }
    free(samples);
    free(codes);
    free(times_s);
    ecdc_model_close(model);
    if (status == ECDC_OK && (figures[0].first < 1 || figures[0].first > MOST_PUSHES)) {
        fprintf(stderr, "latency: no codes came by the %dth push\n", MOST_PUSHES);
        return 1;
    }
    return status == ECDC_OK ? 0 : 1;
}
