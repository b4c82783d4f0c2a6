/* Mel power spectrograms as librosa has them, as a stream. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/fifo.h"
#include "base/memory.h"
#include "compute/spectrum.h"
#include "features/mel_filters.h"

static const double floor_power = 1e-10; /* librosa's amin */

struct ecdc_mel {
    ecdc_mel_settings settings;
    struct mel_filters filters;
    struct spectrum spectrum;
    double *window, *power;
    struct fifo samples; /* from the start of the next frame on */
    struct fifo frames;  /* finished */
    uint64_t n_samples;
    float peak;
    bool finished, broken;
};

static bool push_zeros(ecdc_mel *m, size_t n) {
    float *tail = fifo_reserve(&m->samples, n);
    for (size_t i = 0; tail && i < n; i++)
        tail[i] = 0;
    if (tail)
        fifo_commit(&m->samples, n);
    return tail != NULL;
}

ecdc_status ecdc_mel_new(const ecdc_mel_settings *settings, ecdc_mel **out, ecdc_error *err) {
    ecdc_mel_settings s = settings ? *settings : ecdc_default_mel_settings();
    ecdc_status status = mel_settings_check(&s, err);
    if (status != ECDC_OK)
        return status;
    ecdc_mel *m = ecdc_alloc_zeros(1, sizeof *m);
    if (!m)
        return ecdc_fail_memory(err, "a mel spectrogram");
    m->settings = s;
    size_t n_fft = (size_t)s.n_fft;
    m->samples.item_size = sizeof(float);
    m->frames.item_size = (size_t)s.n_mels * sizeof(float);
    m->window = ecdc_alloc_array(n_fft, sizeof *m->window);
    m->power = ecdc_alloc_array(n_fft / 2 + 1, sizeof *m->power);
    status = mel_filters_init(&m->filters, &s, err);
    if (status == ECDC_OK && (!m->window || !m->power || !spectrum_init(&m->spectrum, s.n_fft) || !push_zeros(m, n_fft / 2)))
        status = ecdc_fail_memory(err, "a mel spectrogram");
    if (status != ECDC_OK) {
        ecdc_mel_free(m);
        return status;
    }
    for (size_t i = 0; i < n_fft; i++) /* periodic Hann */
        m->window[i] = 0.5 - 0.5 * cos(2 * 3.14159265358979323846 * (double)i / (double)n_fft);
    *out = m;
    return ECDC_OK;
}

void ecdc_mel_free(ecdc_mel *m) {
    if (!m)
        return;
    mel_filters_free(&m->filters);
    spectrum_free(&m->spectrum);
    free(m->window);
    free(m->power);
    fifo_free(&m->samples);
    fifo_free(&m->frames);
    free(m);
}

int ecdc_mel_empty_filters(const ecdc_mel *m) {
    return m->filters.n_empty;
}

static bool make_frame(ecdc_mel *m) {
    size_t n_fft = (size_t)m->settings.n_fft;
    float *frame = fifo_reserve(&m->frames, 1);
    if (!frame)
        return false;
    const float *samples = fifo_items(&m->samples);
    for (size_t i = 0; i < n_fft; i++)
        m->spectrum.signal[i] = m->window[i] * (double)samples[i];
    spectrum_run(&m->spectrum);
    for (size_t k = 0; k <= n_fft / 2; k++) {
        const AVComplexDouble *bin = &m->spectrum.bins[k];
        m->power[k] = bin->re * bin->re + bin->im * bin->im;
    }
    mel_filters_apply(&m->filters, m->power, frame);
    for (size_t i = 0; i < m->filters.n_mels; i++)
        m->peak = fmaxf(m->peak, frame[i]);
    fifo_commit(&m->frames, 1);
    fifo_drop(&m->samples, (size_t)m->settings.hop);
    return true;
}

static ecdc_status make_frames(ecdc_mel *m, ecdc_error *err) {
    while (m->samples.n >= (size_t)m->settings.n_fft)
        if (!make_frame(m)) {
            m->broken = true;
            return ecdc_fail_memory(err, "frames of a mel spectrogram");
        }
    return ECDC_OK;
}

static ecdc_status check_open(const ecdc_mel *m, ecdc_error *err) {
    if (m->broken)
        return ecdc_fail_memory(err, "this mel spectrogram, earlier");
    return m->finished ? ecdc_fail(err, ECDC_E_ARGUMENT, "the signal of this mel spectrogram has ended") : ECDC_OK;
}

ecdc_status ecdc_mel_push(ecdc_mel *m, const float *samples, size_t n_samples, ecdc_error *err) {
    ecdc_status status = check_open(m, err);
    for (size_t i = 0; status == ECDC_OK && i < n_samples; i++)
        if (!isfinite(samples[i]))
            status = ecdc_fail(err, ECDC_E_ARGUMENT, "sample %llu is not finite", (unsigned long long)(m->n_samples + i));
    if (status != ECDC_OK)
        return status;
    m->n_samples += n_samples;
    for (size_t n; n_samples && status == ECDC_OK; samples += n, n_samples -= n) {
        n = n_samples < (size_t)m->settings.n_fft ? n_samples : (size_t)m->settings.n_fft;
        float *tail = fifo_reserve(&m->samples, n);
        if (!tail) {
            m->broken = true;
            return ecdc_fail_memory(err, "samples");
        }
        for (size_t i = 0; i < n; i++)
            tail[i] = samples[i];
        fifo_commit(&m->samples, n);
        status = make_frames(m, err);
    }
    return status;
}

ecdc_status ecdc_mel_finish(ecdc_mel *m, ecdc_error *err) {
    ecdc_status status = check_open(m, err);
    if (status != ECDC_OK)
        return status;
    m->finished = true;
    if (m->n_samples == 0)
        return ECDC_OK;
    if (!push_zeros(m, (size_t)m->settings.n_fft / 2)) {
        m->broken = true;
        return ecdc_fail_memory(err, "samples");
    }
    return make_frames(m, err);
}

size_t ecdc_mel_ready(const ecdc_mel *m) {
    return m->frames.n;
}

size_t ecdc_mel_pull(ecdc_mel *m, float *power, size_t max_frames) {
    return fifo_take(&m->frames, power, max_frames);
}

double ecdc_mel_peak(const ecdc_mel *m) {
    return (double)m->peak;
}

void ecdc_power_to_db(const float *power, size_t n, double ref, double top_db, float *db) {
    double ref_db = 10 * log10(fmax(ref, floor_power));
    for (size_t i = 0; i < n; i++)
        db[i] = (float)fmax(10 * log10(fmax((double)power[i], floor_power)) - ref_db, -top_db);
}

void ecdc_db_to_power(const float *db, size_t n, double ref, float *power) {
    for (size_t i = 0; i < n; i++)
        power[i] = (float)(ref * pow(10, (double)db[i] / 10));
}

ecdc_status ecdc_mel_spectrogram(const ecdc_mel_settings *settings, const float *samples, size_t n_samples, float *power,
                                 ecdc_error *err) {
    ecdc_mel *m;
    ecdc_status status = ecdc_mel_new(settings, &m, err);
    if (status != ECDC_OK)
        return status;
    size_t block = 64 * (size_t)m->settings.hop; /* finished frames do not pile up */
    for (size_t i = 0; status == ECDC_OK && i < n_samples; i += block) {
        status = ecdc_mel_push(m, samples + i, n_samples - i < block ? n_samples - i : block, err);
        power += ecdc_mel_pull(m, power, SIZE_MAX) * m->filters.n_mels;
    }
    if (status == ECDC_OK)
        status = ecdc_mel_finish(m, err);
    ecdc_mel_pull(m, power, SIZE_MAX);
    ecdc_mel_free(m);
    return status;
}
