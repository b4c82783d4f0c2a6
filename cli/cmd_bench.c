/* ecdc bench: how fast this machine encodes and decodes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/pool.h"
#include "base/status.h"
#include "bench_profile.h"
#include "cli.h"
#include "compute/kernels.h"
#include "json_out.h"
#include "model/model.h"
#include "model_open.h"

enum { MAX_REPEATS = 1000 };

struct bench {
    const ecdc_model *model;
    ecdc_model_info info;
    ecdc_settings settings;
    int n_codebooks;
    size_t n_samples, n_frames; /* with chunks: room for all of them, whole */
    float *samples;
    int32_t *codes;
    struct {
        size_t n_frames;
        float scale;
    } *chunks;
    size_t n_chunks; /* 0: the model has none */
    double encode_s[MAX_REPEATS], decode_s[MAX_REPEATS];
    struct network_profile encode, decode; /* filled with --profile */
};

/* Something like speech, in every channel: a buzz with a moving pitch under a slow envelope, and noise. The same on every machine
 * to rounding. */
static void make_sound(float *samples, size_t n, size_t channels, double rate_hz) {
    uint32_t seed = 1;
    double phase = 0;
    for (size_t i = 0; i < n; i++) {
        double t = (double)i / rate_hz;
        phase += (120 + 40 * sin(2.1 * t)) / rate_hz;
        phase -= floor(phase);
        seed = seed * 1664525u + 1013904223u;
        double noise = (double)(seed >> 8) / (1 << 24) - 0.5, envelope = 0.6 + 0.4 * sin(9 * t);
        for (size_t channel = 0; channel < channels; channel++)
            samples[i * channels + channel] = (float)(envelope * 0.2 * (1 - 2 * phase) + 0.03 * noise);
    }
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, by_value);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* The best of some bursts of multiply-adds on one thread, in GFLOP/s: what this machine can do, whatever kernels are timed. */
static double fma_peak_gflops(void) {
    const struct kernels *kernels = kernels_for(ECDC_CPU_AUTO, ECDC_PRECISION_F32);
    float sink[3] = {0.999f, 0.001f, 0};
    double best = 0;
    for (int i = 0; i < 20; i++) {
        double start = now_s(), n = kernels->fma_burst(1 << 20, sink), took = now_s() - start;
        if (took > 0 && 2 * n / took > best)
            best = 2 * n / took;
    }
    return best / 1e9;
}

static ecdc_status encode(struct bench *b, ecdc_encoder *encoder, ecdc_error *err) {
    ecdc_encoder_reset(encoder);
    ecdc_status status = ecdc_encoder_push(encoder, b->samples, b->n_samples, err);
    if (status == ECDC_OK)
        status = ecdc_encoder_finish(encoder, err);
    size_t room = (size_t)b->info.chunk_frames * (size_t)b->n_codebooks;
    for (size_t k = 0; k < b->n_chunks; k++)
        ecdc_encoder_pull_chunk(encoder, b->codes + k * room, &b->chunks[k].n_frames, &b->chunks[k].scale);
    if (b->n_chunks == 0)
        ecdc_encoder_pull(encoder, b->codes, b->n_frames);
    return status;
}

static ecdc_status decode(struct bench *b, ecdc_decoder *decoder, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    ecdc_decoder_reset(decoder);
    size_t room = (size_t)b->info.chunk_frames * (size_t)b->n_codebooks;
    for (size_t k = 0; status == ECDC_OK && k < b->n_chunks; k++)
        status = ecdc_decoder_push_chunk(decoder, b->codes + k * room, b->chunks[k].n_frames, b->chunks[k].scale, err);
    if (b->n_chunks == 0)
        status = ecdc_decoder_push(decoder, b->codes, b->n_frames, err);
    if (status == ECDC_OK)
        status = ecdc_decoder_finish(decoder, err);
    ecdc_decoder_pull(decoder, b->samples, b->n_frames * (size_t)b->info.hop);
    return status;
}

/* Encodes the sound, decodes its codes. */
static ecdc_status one_round(struct bench *b, ecdc_encoder *encoder, ecdc_decoder *decoder, double *encode_s,
                             double *decode_s, ecdc_error *err) {
    make_sound(b->samples, b->n_samples, (size_t)b->info.channels, b->info.sampling_rate_hz);
    double start = now_s();
    ecdc_status status = encode(b, encoder, err);
    double middle = now_s();
    if (status == ECDC_OK)
        status = decode(b, decoder, err);
    *encode_s = middle - start;
    *decode_s = now_s() - middle;
    return status == ECDC_OK && interrupted() ? fail_interrupted(err) : status;
}

/* The same once more with a look at every layer, so that looking does not count in the figures above. */
static ecdc_status measure_profile(struct bench *b, const struct options *o, ecdc_encoder *encoder, ecdc_decoder *decoder,
                                   ecdc_error *err) {
    encoder_set_profile(encoder, &b->encode.profile);
    decoder_set_profile(decoder, &b->decode.profile);
    ecdc_status status = ECDC_OK;
    for (int i = 0; status == ECDC_OK && i < o->repeats; i++) {
        double encode_s = 0, decode_s = 0;
        status = one_round(b, encoder, decoder, &encode_s, &decode_s, err);
        b->encode.wall_s += encode_s;
        b->decode.wall_s += decode_s;
    }
    b->encode.sound_s = b->decode.sound_s = o->repeats * (double)b->n_samples / b->info.sampling_rate_hz;
    encoder_set_profile(encoder, NULL);
    decoder_set_profile(decoder, NULL);
    return status;
}

static ecdc_status measure(struct bench *b, const struct options *o, ecdc_error *err) {
    b->samples = ecdc_alloc_floats(b->n_frames * (size_t)b->info.hop * (size_t)b->info.channels);
    b->codes = ecdc_alloc_array(b->n_frames * (size_t)b->n_codebooks, sizeof *b->codes);
    b->chunks = ecdc_alloc_zeros(b->n_chunks, sizeof *b->chunks);
    if (!b->samples || !b->codes || !b->chunks)
        return ecdc_fail_memory(err, "the sound");
    ecdc_encoder *encoder = NULL;
    ecdc_decoder *decoder = NULL;
    ecdc_status status = ecdc_encoder_new(b->model, &b->settings, &encoder, err); /* packs the weights, outside the clock */
    if (status == ECDC_OK)
        status = ecdc_decoder_new(b->model, &b->settings, &decoder, err);
    for (int i = -1; status == ECDC_OK && i < o->repeats; i++) { /* the first round is a warm-up */
        int slot = i < 0 ? 0 : i;
        status = one_round(b, encoder, decoder, &b->encode_s[slot], &b->decode_s[slot], err);
    }
    if (status == ECDC_OK && o->profile)
        status = measure_profile(b, o, encoder, decoder, err);
    ecdc_encoder_free(encoder);
    ecdc_decoder_free(decoder);
    return status;
}

/* What the layers have to do. */
static ecdc_status describe(struct bench *b, const struct options *o, ecdc_error *err) {
    const struct config *config = &b->model->config;
    if (o->profile && b->info.chunked)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "--profile: %s works through whole chunks, the profile knows streaming layers only",
                         b->info.name);
    b->encode.name = "encoder";
    b->encode.rate_hz = b->info.sampling_rate_hz;
    b->encode.quantizer_macs = (double)b->info.frame_rate_hz * b->n_codebooks * b->info.codebook_size * b->info.dimension;
    b->decode.name = "decoder";
    b->decode.rate_hz = b->info.frame_rate_hz;
    b->encode.n_codebooks = b->decode.n_codebooks = b->n_codebooks;
    architecture_encoder(config, &b->encode.layers);
    architecture_decoder(config, &b->decode.layers);
    ecdc_status status = network_profile_init(&b->encode, err);
    return status == ECDC_OK ? network_profile_init(&b->decode, err) : status;
}

static ecdc_status report(struct bench *b, const struct options *o, ecdc_error *err) {
    double encode_macs = architecture_multiply_adds(&b->encode.layers, b->encode.rate_hz) + b->encode.quantizer_macs;
    double decode_macs = architecture_multiply_adds(&b->decode.layers, b->decode.rate_hz);
    if (b->info.chunked) { /* chunks overlap: some seconds are computed twice */
        encode_macs *= (double)b->info.chunk_samples / b->info.chunk_stride;
        decode_macs *= (double)b->info.chunk_samples / b->info.chunk_stride;
    }

    double seconds = (double)b->n_samples / b->info.sampling_rate_hz;
    double encode_x = seconds / median(b->encode_s, o->repeats), decode_x = seconds / median(b->decode_s, o->repeats);
    double encode_gflops = 2 * encode_macs * encode_x / 1e9, decode_gflops = 2 * decode_macs * decode_x / 1e9;
    double peak = fma_peak_gflops();
    int threads = o->threads ? o->threads : pool_processors();
    if (!o->json) {
        printf("%s, %s, %s kernels, %d thread%s, %g kbps (%d codebooks), %g s, median of %d\n", b->info.name,
               ecdc_precision_name(o->precision), kernels_for(o->cpu, o->precision)->name, threads, threads == 1 ? "" : "s",
               o->bandwidth_kbps, b->n_codebooks, seconds, o->repeats);
        printf("encode  %7.1f x realtime  %7.1f GFLOP/s  %5.1f %% of the FMA peak\n", encode_x, encode_gflops,
               100 * encode_gflops / (peak * threads));
        printf("decode  %7.1f x realtime  %7.1f GFLOP/s  %5.1f %% of the FMA peak\n", decode_x, decode_gflops,
               100 * decode_gflops / (peak * threads));
        printf("FMA peak %.1f GFLOP/s per thread, peak memory %.0f MB\n", peak, peak_rss_mb());
        if (o->profile) {
            network_profile_print(&b->encode, peak * threads);
            network_profile_print(&b->decode, peak * threads);
        }
        return ECDC_OK;
    }
    cJSON *json = cJSON_CreateObject();
    json_put_string(json, "model", b->info.name);
    json_put_string(json, "precision", ecdc_precision_name(o->precision));
    json_put_string(json, "cpu", kernels_for(o->cpu, o->precision)->name);
    json_put_integer(json, "threads", threads);
    json_put_number(json, "bandwidth", o->bandwidth_kbps);
    json_put_integer(json, "codebooks", b->n_codebooks);
    json_put_number(json, "seconds", seconds);
    json_put_integer(json, "repeats", o->repeats);
    json_put_number(json, "encode_x_realtime", encode_x);
    json_put_number(json, "decode_x_realtime", decode_x);
    json_put_number(json, "encode_gflops", encode_gflops);
    json_put_number(json, "decode_gflops", decode_gflops);
    json_put_number(json, "fma_peak_gflops", peak);
    json_put_number(json, "peak_rss_mb", peak_rss_mb());
    if (o->profile) {
        cJSON *profile = json_put_object(json, "profile");
        network_profile_to_json(&b->encode, peak * threads, profile);
        network_profile_to_json(&b->decode, peak * threads, profile);
    }
    return json_print(json, err);
}

static int run(const struct options *o) {
    ecdc_error err;
    ecdc_model *model = NULL;
    struct bench *b = ecdc_alloc_zeros(1, sizeof *b);
    ecdc_status status = b ? ECDC_OK : ecdc_fail_memory(&err, "a measurement");
    if (status == ECDC_OK)
        status = model_open(o, o->model_given ? o->model : "random:encodec_24khz", &model, &err);
    if (status == ECDC_OK) {
        b->model = model;
        ecdc_model_get_info(model, &b->info);
        b->settings = settings_of(o);
        b->n_samples = (size_t)(o->seconds * b->info.sampling_rate_hz);
        b->n_frames = (size_t)ecdc_model_frames(model, (int64_t)b->n_samples);
        b->n_chunks = (size_t)ecdc_model_chunks(model, (int64_t)b->n_samples);
        if (b->info.chunked)
            b->n_frames = b->n_chunks * (size_t)b->info.chunk_frames;
        status = ecdc_model_codebooks(model, o->bandwidth_kbps, &b->n_codebooks, &err);
    }
    if (status == ECDC_OK)
        status = describe(b, o, &err);
    if (status == ECDC_OK)
        status = measure(b, o, &err);
    if (status == ECDC_OK)
        status = report(b, o, &err);
    if (b) {
        free(b->samples);
        free(b->codes);
        network_profile_free(&b->encode);
        network_profile_free(&b->decode);
        free(b->chunks);
    }
    free(b);
    ecdc_model_close(model);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

const struct command command_bench = {
    .name = "bench",
    .arguments = "",
    .summary = "speed of encode and decode on generated sound (default model: random:encodec_24khz)",
    .options = "model bandwidth seconds repeats profile threads precision cpu json",
    .min_arguments = 0,
    .max_arguments = 0,
    .run = run,
};
