/* Sound files, and reading them whole, for the tests of the reader. */
#ifndef ECDC_TESTS_READER_FILES_H
#define ECDC_TESTS_READER_FILES_H

#include "media_files.h"

#include <math.h>

static ecdc_error err;

/* ------------------------------------------------------------------------------------------ files --- */

static inline void put(unsigned char **at, uint64_t value, int n_bytes) {
    for (int i = 0; i < n_bytes; i++)
        *(*at)++ = (unsigned char)(value >> (8 * i));
}

/* A WAV by hand. format: 1 integers, 3 floats. `claimed`: bytes of data in the header. */
static inline const char *make_wav(const char *name, int format, int rate, int channels, int bits, const void *data,
                            size_t n_bytes, uint32_t claimed) {
    unsigned char *bytes = malloc(44 + n_bytes), *at = bytes;
    int block = channels * bits / 8;
    memcpy(at, "RIFF", 4), at += 4, put(&at, claimed + 36, 4);
    memcpy(at, "WAVEfmt ", 8), at += 8, put(&at, 16, 4), put(&at, (uint64_t)format, 2), put(&at, (uint64_t)channels, 2);
    put(&at, (uint64_t)rate, 4), put(&at, (uint64_t)(rate * block), 4), put(&at, (uint64_t)block, 2);
    put(&at, (uint64_t)bits, 2), memcpy(at, "data", 4), at += 4, put(&at, claimed, 4);
    if (n_bytes > 0)
        memcpy(at, data, n_bytes);
    const char *path = write_file(name, bytes, 44 + n_bytes);
    free(bytes);
    return path;
}

static inline const char *make_wav16(const char *name, int rate, int channels, const int16_t *data, size_t n) {
    size_t bytes = n * (size_t)channels * 2;
    return make_wav(name, 1, rate, channels, 16, data, bytes, (uint32_t)bytes);
}

/* A second of noise per second, the same every time. */
static inline int16_t *noise(size_t n) {
    int16_t *x = malloc((n + 1) * sizeof *x);
    uint32_t seed = 1;
    for (size_t i = 0; i < n; i++)
        x[i] = (int16_t)((seed = seed * 1664525 + 1013904223) >> 17) - 8192;
    return x;
}

/* Runs ffmpeg in the scratch directory; the test is skipped where the command is missing. */
static inline void ffmpeg(const char *arguments) {
    char command[1000];
    if (system("command -v ffmpeg > /dev/null") != 0)
        skip();
    snprintf(command, sizeof command, "cd '%s' && ffmpeg -nostdin -v error -y %s", scratch, arguments);
    assert_int_equal(system(command), 0);
}

/* ---------------------------------------------------------------------------------------- reading --- */

static inline ecdc_status open_at(const char *path, int rate_hz, ecdc_reader **r, ecdc_error *e) {
    ecdc_reader_settings settings = ecdc_default_reader_settings();
    settings.rate_hz = rate_hz;
    return ecdc_reader_open(path, &settings, r, e);
}

/* Reads everything, `piece` samples per channel at a time, to be freed. */
static inline float *read_with(const char *path, const ecdc_reader_settings *settings, size_t piece, size_t *n,
                        ecdc_reader_info *info) {
    ecdc_reader *r;
    assert_ok(ecdc_reader_open(path, settings, &r, &err), &err);
    float *samples = NULL;
    size_t got, room = 0, channels = settings->channels > 1 ? (size_t)settings->channels : 1;
    *n = 0;
    do {
        if (room < *n + piece)
            samples = realloc(samples, (room = 2 * (*n + piece)) * channels * sizeof *samples);
        assert_ok(ecdc_reader_read(r, samples + *n * channels, piece, &got, &err), &err);
        *n += got;
    } while (got > 0);
    assert_ok(ecdc_reader_read(r, samples, piece, &got, &err), &err); /* the end stays the end */
    assert_int_equal(got, 0);
    ecdc_reader_get_info(r, info);
    assert_int_equal(info->samples, *n);
    ecdc_reader_close(r);
    return samples;
}

static inline float *read_all(const char *path, int rate, size_t piece, size_t *n, ecdc_reader_info *info) {
    return read_with(path, &(ecdc_reader_settings){.rate_hz = rate}, piece, n, info);
}

static inline float *read_stereo(const char *path, int rate, size_t piece, size_t *n, ecdc_reader_info *info) {
    return read_with(path, &(ecdc_reader_settings){.rate_hz = rate, .channels = 2}, piece, n, info);
}

/* Reads until it fails; returns the samples that came before. */
static inline size_t read_failing(const char *path, ecdc_status status, const char *words) {
    ecdc_reader *r;
    float samples[1000];
    size_t n = 0, got = 1;
    ecdc_status found = ECDC_OK;
    assert_ok(open_at(path, 0, &r, &err), &err);
    while (found == ECDC_OK && got > 0) {
        found = ecdc_reader_read(r, samples, 1000, &got, &err);
        n += found == ECDC_OK ? got : 0;
    }
    assert_fails(ecdc_reader_read(r, samples, 1000, &got, &err), status, &err, words); /* and again */
    assert_int_equal(found, status);
    ecdc_reader_close(r);
    return n;
}

static inline double rms(const float *x, size_t from, size_t to) {
    double sum = 0;
    for (size_t i = from; i < to; i++)
        sum += (double)x[i] * x[i];
    return sqrt(sum / (double)(to - from));
}

#endif
