/* Mel power spectrograms back to sound, as a stream. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/fifo.h"
#include "base/memory.h"
#include "features/griffin_lim.h"
#include "features/mel_solver.h"

struct ecdc_mel_inverse {
    ecdc_mel_settings settings;
    struct mel_filters filters;
    struct mel_solver *solver;
    struct griffin_lim *phases;
    float *magnitudes; /* of a frame */
    struct fifo samples;
    int64_t frames;
    bool finished, broken;
};

ecdc_status ecdc_mel_inverse_new(const ecdc_mel_settings *settings, ecdc_mel_inverse **out, ecdc_error *err) {
    ecdc_mel_settings s = settings ? *settings : ecdc_default_mel_settings();
    ecdc_status status = mel_settings_check(&s, err);
    if (status != ECDC_OK)
        return status;
    ecdc_mel_inverse *m = ecdc_alloc_zeros(1, sizeof *m);
    if (!m)
        return ecdc_fail_memory(err, "a sound");
    m->settings = s;
    m->samples.item_size = sizeof(float);
    m->magnitudes = ecdc_alloc_floats((size_t)s.n_fft / 2 + 1);
    status = m->magnitudes ? mel_filters_init(&m->filters, &s, err) : ecdc_fail_memory(err, "a sound");
    if (status == ECDC_OK)
        status = mel_solver_new(&m->filters, &m->solver, err);
    if (status == ECDC_OK)
        status = griffin_lim_new(&s, &m->phases, err);
    if (status != ECDC_OK) {
        ecdc_mel_inverse_free(m);
        return status;
    }
    *out = m;
    return ECDC_OK;
}

void ecdc_mel_inverse_free(ecdc_mel_inverse *m) {
    if (!m)
        return;
    mel_solver_free(m->solver);
    griffin_lim_free(m->phases);
    mel_filters_free(&m->filters);
    free(m->magnitudes);
    fifo_free(&m->samples);
    free(m);
}

static ecdc_status check_open(const ecdc_mel_inverse *m, ecdc_error *err) {
    if (m->broken)
        return ecdc_fail_memory(err, "this sound, earlier");
    return m->finished ? ecdc_fail(err, ECDC_E_ARGUMENT, "this mel spectrogram has ended") : ECDC_OK;
}

static ecdc_status break_off(ecdc_mel_inverse *m, ecdc_error *err) {
    m->broken = true;
    return ecdc_fail_memory(err, "a sound");
}

ecdc_status ecdc_mel_inverse_push(ecdc_mel_inverse *m, const float *power, size_t n_frames, ecdc_error *err) {
    ecdc_status status = check_open(m, err);
    size_t n_mels = m->filters.n_mels;
    for (size_t i = 0; status == ECDC_OK && i < n_frames * n_mels; i++)
        if (!isfinite(power[i]) || power[i] < 0)
            status = ecdc_fail(err, ECDC_E_ARGUMENT, "power %g of filter %zu in frame %lld is not a finite number from 0 on",
                               (double)power[i], i % n_mels, (long long)(m->frames + (int64_t)(i / n_mels)));
    for (size_t t = 0; status == ECDC_OK && t < n_frames; t++) {
        mel_solver_run(m->solver, power + t * n_mels, m->magnitudes);
        m->frames++;
        if (!griffin_lim_push(m->phases, m->magnitudes, &m->samples))
            status = break_off(m, err);
    }
    return status;
}

ecdc_status ecdc_mel_inverse_finish(ecdc_mel_inverse *m, int64_t n_samples, ecdc_error *err) {
    ecdc_status status = check_open(m, err);
    if (status != ECDC_OK)
        return status;
    int64_t least = m->frames > 0 ? (m->frames - 1) * m->settings.hop : 0;
    int64_t most = m->frames > 0 ? least + m->settings.n_fft / 4 : 0;
    if (n_samples == -1)
        n_samples = least;
    if (n_samples < least || n_samples > most)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "n_samples is %lld, %lld frames stand for %lld to %lld", (long long)n_samples,
                         (long long)m->frames, (long long)least, (long long)most);
    m->finished = true;
    return griffin_lim_finish(m->phases, n_samples, &m->samples) ? ECDC_OK : break_off(m, err);
}

size_t ecdc_mel_inverse_ready(const ecdc_mel_inverse *m) {
    return m->samples.n;
}

size_t ecdc_mel_inverse_pull(ecdc_mel_inverse *m, float *samples, size_t max_samples) {
    return fifo_take(&m->samples, samples, max_samples);
}

ecdc_status ecdc_mel_to_audio(const ecdc_mel_settings *settings, const float *power, size_t n_frames, float *samples,
                              size_t n_samples, ecdc_error *err) {
    ecdc_mel_inverse *m;
    ecdc_status status = ecdc_mel_inverse_new(settings, &m, err);
    if (status != ECDC_OK)
        return status;
    size_t done = 0;
    for (size_t t = 0; status == ECDC_OK && t < n_frames; t++) { /* finished samples do not pile up */
        status = ecdc_mel_inverse_push(m, power + t * m->filters.n_mels, 1, err);
        done += ecdc_mel_inverse_pull(m, samples + done, n_samples - done);
    }
    if (status == ECDC_OK)
        status = n_samples > INT64_MAX ? ecdc_fail(err, ECDC_E_ARGUMENT, "n_samples is %zu", n_samples)
                                       : ecdc_mel_inverse_finish(m, (int64_t)n_samples, err);
    if (status == ECDC_OK)
        ecdc_mel_inverse_pull(m, samples + done, n_samples - done);
    ecdc_mel_inverse_free(m);
    return status;
}
