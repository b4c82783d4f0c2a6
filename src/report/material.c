#include "report/material.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/fifo.h"
#include "base/memory.h"
#include "base/pool.h"
#include "metrics/comparison.h"
#include "metrics/stoi_stream.h"
#include "model/model.h"

enum { BLOCK = 15360 /* samples read at once: 48 frames, as the encoder likes them */, JOBS_PER_TRACK = 3 };

/* A reconstruction on its way. */
struct track {
    ecdc_decoder *decoder;
    int n_codebooks;
    float *samples; /* BLOCK of them */
    struct columns_maker *columns;
    struct sound_file *sound;
    struct comparison *comparison;
    struct stoi_stream *stoi;
};

struct gatherer {
    const ecdc_report_settings *settings;
    ecdc_reader *reader;
    ecdc_encoder *encoder;
    struct pool *pool;
    float *samples;          /* BLOCK read */
    float *original_samples; /* BLOCK of what the tracks are compared with */
    int32_t *new_codes, *track_codes; /* of one block */
    size_t codes_capacity;   /* frames */
    struct fifo waiting;     /* samples that no decoder has reached */
    struct fifo codes;       /* all frames, uint16 */
    struct columns_maker *original;
    int n_tracks, n_codebooks;
    struct track tracks[ECDC_MAX_BANDWIDTHS];
    struct tr_levels levels;
    /* the block that the jobs share, and how each of them ended */
    size_t n_block;
    atomic_int next_job;
    ecdc_error errors[2 + JOBS_PER_TRACK * ECDC_MAX_BANDWIDTHS];
};

/* ---------------------------------------------------------------------------------------------- set-up --- */

static ecdc_status open_track(struct gatherer *g, const ecdc_model *model, const ecdc_model_info *info, double bandwidth_kbps,
                              bool with_sound, struct track *t, ecdc_error *err) {
    ecdc_settings settings = ecdc_default_settings();
    settings.n_threads = g->settings->n_threads;
    settings.cpu = g->settings->cpu;
    settings.precision = g->settings->precision;
    settings.bandwidth_kbps = bandwidth_kbps;
    ecdc_status status = ecdc_model_codebooks(model, bandwidth_kbps, &t->n_codebooks, err);
    if (status == ECDC_OK)
        status = ecdc_decoder_new(model, &settings, &t->decoder, err);
    if (status == ECDC_OK)
        status = columns_new(info->sampling_rate_hz, &t->columns, err);
    if (status == ECDC_OK)
        status = comparison_new(&t->comparison, err);
    if (status == ECDC_OK)
        status = stoi_stream_new(info->sampling_rate_hz, &t->stoi, err);
    if (status == ECDC_OK && with_sound)
        status = sound_file_new(info->sampling_rate_hz, &t->sound, err);
    if (status == ECDC_OK && !(t->samples = ecdc_alloc_floats(BLOCK)))
        return ecdc_fail_memory(err, "samples");
    return status;
}

static ecdc_status open_all(struct gatherer *g, const ecdc_model *model, const ecdc_model_info *info, const char *input,
                            bool with_sound, ecdc_error *err) {
    const ecdc_report_settings *s = g->settings;
    ecdc_reader_settings reading = s->input;
    reading.rate_hz = info->sampling_rate_hz;
    reading.channels = 1;
    ecdc_tr_grid grid;
    ecdc_status status = ecdc_tr_grid_init(&grid, s->tr, info->frame_rate_hz, s->alignment, err);
    for (int i = 0; status == ECDC_OK && i < s->n_bandwidths; i++) {
        g->n_tracks = i + 1;
        status = open_track(g, model, info, s->bandwidths_kbps[i], with_sound, &g->tracks[i], err);
        if (g->tracks[i].n_codebooks > g->n_codebooks)
            g->n_codebooks = g->tracks[i].n_codebooks;
    }
    ecdc_settings settings = ecdc_default_settings();
    settings.n_codebooks = g->n_codebooks;
    settings.n_threads = s->n_threads;
    settings.cpu = s->cpu;
    settings.precision = s->precision;
    if (status == ECDC_OK)
        status = ecdc_encoder_new(model, &settings, &g->encoder, err);
    if (status == ECDC_OK)
        status = columns_new(info->sampling_rate_hz, &g->original, err);
    if (status == ECDC_OK)
        status = pool_new(s->n_threads ? s->n_threads : pool_processors(), &g->pool, err);
    if (status == ECDC_OK)
        status = ecdc_reader_open(input, &reading, &g->reader, err);
    g->samples = ecdc_alloc_floats(BLOCK);
    g->original_samples = ecdc_alloc_floats(BLOCK);
    if (status == ECDC_OK && (!g->samples || !g->original_samples))
        return ecdc_fail_memory(err, "samples");
    g->waiting.item_size = sizeof(float);
    g->codes.item_size = (size_t)g->n_codebooks * sizeof(uint16_t);
    if (status == ECDC_OK)
        tr_levels_init(&g->levels, &grid, info->sampling_rate_hz, g->n_tracks);
    return status;
}

void gatherer_free(struct gatherer *g) {
    if (!g)
        return;
    for (int i = 0; i < g->n_tracks; i++) {
        struct track *t = &g->tracks[i];
        ecdc_decoder_free(t->decoder);
        columns_free(t->columns);
        sound_file_free(t->sound);
        comparison_free(t->comparison);
        stoi_stream_free(t->stoi);
        free(t->samples);
    }
    ecdc_reader_close(g->reader);
    ecdc_encoder_free(g->encoder);
    pool_free(g->pool);
    columns_free(g->original);
    tr_levels_free(&g->levels);
    fifo_free(&g->waiting);
    fifo_free(&g->codes);
    free(g->samples);
    free(g->original_samples);
    free(g->new_codes);
    free(g->track_codes);
    free(g);
}

/* ------------------------------------------------------------------------------------------- measuring --- */

static int n_jobs(const struct gatherer *g) {
    return 2 + JOBS_PER_TRACK * g->n_tracks;
}

/* The long ones come first, so that the threads end at about the same time. */
static ecdc_status run_job(struct gatherer *g, int job, ecdc_error *err) {
    const float *original = g->original_samples;
    size_t n = g->n_block;
    if (job == n_jobs(g) - 2)
        return columns_push(g->original, original, n, err);
    if (job == n_jobs(g) - 1) {
        float *samples[ECDC_MAX_BANDWIDTHS];
        for (int i = 0; i < g->n_tracks; i++)
            samples[i] = g->tracks[i].samples;
        return tr_levels_push(&g->levels, original, samples, n, err);
    }
    struct track *t = &g->tracks[job % g->n_tracks];
    switch (job / g->n_tracks) {
    case 0: return t->sound ? sound_file_push(t->sound, original, t->samples, n, err) : ECDC_OK;
    case 1:
        comparison_push(t->comparison, original, t->samples, n);
        return stoi_stream_push(t->stoi, original, t->samples, n, err);
    default: return columns_push(t->columns, t->samples, n, err);
    }
}

/* Every job writes to things of its own: which thread does it changes nothing. */
static void run_jobs(void *context, int part) {
    struct gatherer *g = context;
    (void)part;
    for (int job; (job = atomic_fetch_add(&g->next_job, 1)) < n_jobs(g);) {
        ecdc_error err;
        ecdc_status status = run_job(g, job, &err);
        if (status != ECDC_OK && g->errors[job].status == ECDC_OK)
            g->errors[job] = err;
    }
}

/* Measures what all decoders have reached. */
static ecdc_status measure(struct gatherer *g, ecdc_error *err) {
    for (;;) {
        size_t n = g->waiting.n < BLOCK ? g->waiting.n : BLOCK;
        for (int i = 0; i < g->n_tracks; i++) {
            size_t ready = ecdc_decoder_ready(g->tracks[i].decoder);
            n = ready < n ? ready : n;
        }
        if (n == 0)
            return ECDC_OK;
        fifo_take(&g->waiting, g->original_samples, n);
        for (int i = 0; i < g->n_tracks; i++)
            ecdc_decoder_pull(g->tracks[i].decoder, g->tracks[i].samples, n);
        g->n_block = n;
        atomic_store(&g->next_job, 0);
        pool_run(g->pool, run_jobs, g);
        for (int job = 0; job < n_jobs(g); job++)
            if (g->errors[job].status != ECDC_OK) {
                if (err)
                    *err = g->errors[job];
                return g->errors[job].status;
            }
    }
}

/* ---------------------------------------------------------------------------------------------- coding --- */

static ecdc_status make_room(struct gatherer *g, size_t n_frames, ecdc_error *err) {
    if (n_frames <= g->codes_capacity)
        return ECDC_OK;
    size_t size = (size_t)g->n_codebooks * sizeof(int32_t);
    int32_t *new_codes = ecdc_realloc_array(g->new_codes, n_frames, size);
    g->new_codes = new_codes ? new_codes : g->new_codes;
    int32_t *track_codes = ecdc_realloc_array(g->track_codes, n_frames, size);
    g->track_codes = track_codes ? track_codes : g->track_codes;
    if (!new_codes || !track_codes)
        return ecdc_fail_memory(err, "codes");
    g->codes_capacity = n_frames;
    return ECDC_OK;
}

static ecdc_status keep_codes(struct gatherer *g, size_t n_frames, ecdc_error *err) {
    uint16_t *kept = fifo_reserve(&g->codes, n_frames);
    if (!kept)
        return ecdc_fail_memory(err, "codes");
    for (size_t i = 0; i < n_frames * (size_t)g->n_codebooks; i++)
        kept[i] = (uint16_t)g->new_codes[i];
    fifo_commit(&g->codes, n_frames);
    return ECDC_OK;
}

/* A residual quantizer refines: the first codebooks of a high bandwidth are those of a lower one. */
static ecdc_status decode(struct gatherer *g, struct track *t, size_t n_frames, ecdc_error *err) {
    for (size_t f = 0; f < n_frames; f++)
        memcpy(g->track_codes + f * (size_t)t->n_codebooks, g->new_codes + f * (size_t)g->n_codebooks,
               (size_t)t->n_codebooks * sizeof(int32_t));
    return ecdc_decoder_push(t->decoder, g->track_codes, n_frames, err);
}

static ecdc_status pass_on(struct gatherer *g, bool at_end, ecdc_error *err) {
    size_t n = ecdc_encoder_ready(g->encoder);
    ecdc_status status = make_room(g, n, err);
    if (status != ECDC_OK)
        return status;
    n = ecdc_encoder_pull(g->encoder, g->new_codes, n);
    status = keep_codes(g, n, err);
    for (int i = 0; status == ECDC_OK && i < g->n_tracks; i++) {
        status = decode(g, &g->tracks[i], n, err);
        if (status == ECDC_OK && at_end)
            status = ecdc_decoder_finish(g->tracks[i].decoder, err);
    }
    return status == ECDC_OK ? measure(g, err) : status;
}

static ecdc_status wait_for_decoders(struct gatherer *g, size_t n, ecdc_error *err) {
    float *waiting = fifo_reserve(&g->waiting, n);
    if (!waiting)
        return ecdc_fail_memory(err, "samples");
    memcpy(waiting, g->samples, n * sizeof *waiting);
    fifo_commit(&g->waiting, n);
    return ECDC_OK;
}

static ecdc_status run_to_end(struct gatherer *g, const char *input, int64_t *n_samples, int rate, ecdc_error *err) {
    const ecdc_report_settings *s = g->settings;
    ecdc_reader_info info;
    ecdc_reader_get_info(g->reader, &info);
    for (size_t n = 1; n > 0;) {
        if (s->input.stop && s->input.stop(s->input.stop_context))
            return ecdc_fail(err, ECDC_E_STOPPED, "%s: stopped", input);
        ecdc_status status = ecdc_reader_read(g->reader, g->samples, BLOCK, &n, err);
        if (status == ECDC_OK && n == 0 && *n_samples == 0)
            status = ecdc_fail(err, ECDC_E_FORMAT, "%s: no sound", input);
        if (status == ECDC_OK)
            status = wait_for_decoders(g, n, err);
        if (status == ECDC_OK)
            status = n ? ecdc_encoder_push(g->encoder, g->samples, n, err) : ecdc_encoder_finish(g->encoder, err);
        *n_samples += (int64_t)n;
        if (status == ECDC_OK)
            status = pass_on(g, n == 0, err);
        if (status != ECDC_OK)
            return status;
        if (s->progress)
            s->progress(s->input.stop_context, (double)*n_samples / rate, info.duration_hint_s);
    }
    return ECDC_OK;
}

/* ------------------------------------------------------------------------------------------------- end --- */

static ecdc_status finish_track(struct track *t, struct report_track *result, ecdc_error *err) {
    result->n_codebooks = t->n_codebooks;
    columns_finish(t->columns, &result->columns);
    ecdc_status status = comparison_finish(t->comparison, &result->metrics, err);
    if (status == ECDC_OK)
        status = stoi_stream_finish(t->stoi, &result->metrics.stoi, &result->metrics.estoi, err);
    return status == ECDC_OK && t->sound ? sound_file_finish(t->sound, &result->sound, err) : status;
}

static void describe_input(const struct gatherer *g, struct report_material *m) {
    ecdc_reader_get_info(g->reader, &m->input);
    snprintf(m->broken_off, sizeof m->broken_off, "%s", m->input.broken_off ? m->input.broken_off : "");
    m->input.broken_off = NULL; /* was the reader's */
}

static ecdc_status finish(struct gatherer *g, struct report_material *m, ecdc_error *err) {
    describe_input(g, m);
    m->n_frames = (int64_t)g->codes.n;
    m->codes = fifo_items(&g->codes);
    m->n_codebooks = g->n_codebooks;
    m->levels = g->levels;
    m->grid = g->levels.grid;
    m->n_trs = ecdc_tr_grid_count(&m->grid, m->n_samples, m->model.sampling_rate_hz, 0);
    m->n_tracks = g->n_tracks;
    columns_finish(g->original, &m->original);
    ecdc_status status = ECDC_OK;
    for (int i = 0; status == ECDC_OK && i < g->n_tracks; i++) {
        m->tracks[i].bandwidth_kbps = g->settings->bandwidths_kbps[i];
        status = finish_track(&g->tracks[i], &m->tracks[i], err);
    }
    return status;
}

ecdc_status gather(const ecdc_model *model, const char *input, const ecdc_report_settings *settings, bool with_sound,
                   struct gatherer **gatherer, struct report_material *m, ecdc_error *err) {
    memset(m, 0, sizeof *m);
    struct gatherer *g = *gatherer = ecdc_alloc_zeros(1, sizeof *g);
    if (!g)
        return ecdc_fail_memory(err, "a report");
    g->settings = settings;
    ecdc_model_get_info(model, &m->model);
    m->title = input;
    ecdc_status status = open_all(g, model, &m->model, input, with_sound, err);
    if (status == ECDC_OK)
        status = run_to_end(g, input, &m->n_samples, m->model.sampling_rate_hz, err);
    if (status == ECDC_OK)
        status = finish(g, m, err);
    return status == ECDC_OK ? model_sha256(model, &m->model_sha256, err) : status;
}
