/* Features into files in mel mode: giblet's mel spectrogram in dB on the TR grid. Decibels are relative to the loudest value of the
 * whole sound, so it passes twice: the first time its samples are kept in an unlinked temporary file (88 kB per second of
 * sound) and its peak is measured. */
#include "features/file_job.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json_put.h"
#include "base/listener.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/temporary.h"
#include "features/mel_rows.h"
#include "features/row_writer.h"

enum { BLOCK = 16384, FRAMES = 32 };

struct mel_run {
    const struct features_job *job;
    ecdc_mel_settings settings;
    struct mel_rows rows;
    struct features_out out;
    struct row_writer writer;
    float *samples, *frames, *row; /* BLOCK, FRAMES frames, a row */
    FILE *spool;
    double ref;
    struct encoded result;
};

/* ---------------------------------------------------------------------------------------------- first pass --- */

static const char purpose[] = "the samples";

static ecdc_status measure(struct mel_run *f, ecdc_reader *reader, ecdc_mel *mel, ecdc_error *err) {
    ecdc_reader_get_info(reader, &f->result.input);
    ecdc_status status = ECDC_OK;
    for (size_t n = 1; status == ECDC_OK && n > 0;) {
        status = sound_in_read(&f->job->in, reader, f->samples, BLOCK, &n, err);
        if (status == ECDC_OK)
            status = n ? ecdc_mel_push(mel, f->samples, n, err) : ecdc_mel_finish(mel, err);
        if (status == ECDC_OK && fwrite(f->samples, sizeof *f->samples, n, f->spool) != n)
            status = ecdc_fail_temporary(purpose, err);
        while (status == ECDC_OK && ecdc_mel_pull(mel, f->frames, FRAMES) > 0) /* only the peak counts */
            continue;
        f->result.samples += status == ECDC_OK ? (int64_t)n : 0;
        listener_progress(f->job->in.listener, "measuring", (double)f->result.samples / f->settings.sampling_rate_hz,
                          f->result.input.duration_hint_s);
    }
    if (status == ECDC_OK && f->result.samples == 0)
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: no sound", f->job->in.path);
    f->ref = ecdc_mel_peak(mel);
    return status;
}

static ecdc_status first_pass(struct mel_run *f, ecdc_error *err) {
    ecdc_reader *reader = NULL;
    ecdc_mel *mel = NULL;
    ecdc_status status = sound_in_open(&f->job->in, f->settings.sampling_rate_hz, 1, &reader, err);
    if (status == ECDC_OK)
        status = ecdc_temporary_stream(purpose, &f->spool, err);
    if (status == ECDC_OK)
        status = ecdc_mel_new(&f->settings, &mel, err);
    if (status == ECDC_OK)
        status = measure(f, reader, mel, err);
    if (status == ECDC_OK) {
        encoded_conclude(&f->result, &f->job->in, reader);
        if (ecdc_mel_empty_filters(mel))
            listener_note(f->job->in.listener, "%d of %d mel filters lie between two bins of the spectrum and stay empty, as in librosa",
                        ecdc_mel_empty_filters(mel), f->settings.n_mels);
    }
    ecdc_mel_free(mel);
    ecdc_reader_close(reader);
    return status;
}

/* --------------------------------------------------------------------------------------------- second pass --- */

static ecdc_status write_row(struct mel_run *f, int64_t i, int64_t n_frames, int64_t whole, ecdc_error *err) {
    const ecdc_tr_grid *grid = &f->rows.grid.samples;
    ecdc_status status = row_writer_floats(&f->writer, f->row, err);
    double start_s = ecdc_tr_grid_start_s(grid, i), end_s = ecdc_tr_grid_start_s(grid, i + 1);
    if (i >= whole) /* a part of a TR ends with the sound */
        end_s = (double)f->result.samples / f->settings.sampling_rate_hz;
    else if (grid->alignment == ECDC_ALIGN_GIBLET)
        end_s = start_s + grid->tr_s;
    return status == ECDC_OK ? features_out_times(&f->out, i, start_s, end_s, n_frames, 0, err) : status;
}

static ecdc_status write_rows(struct mel_run *f, int64_t end, int64_t whole, bool last, ecdc_error *err) {
    int64_t n_frames;
    ecdc_status status = ECDC_OK;
    while (status == ECDC_OK && f->rows.next_tr < end && mel_rows_next(&f->rows, last, f->row, &n_frames))
        status = write_row(f, f->rows.next_tr - 1, n_frames, whole, err);
    return status;
}

/* Frames that are ready become dB and go into rows. */
static ecdc_status take_frames(struct mel_run *f, ecdc_mel *mel, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (size_t n; status == ECDC_OK && (n = ecdc_mel_pull(mel, f->frames, FRAMES)) > 0;) {
        ecdc_power_to_db(f->frames, n * (size_t)f->settings.n_mels, f->ref, (double)-mel_floor_db, f->frames);
        status = mel_rows_push(&f->rows, f->frames, n, err);
    }
    return status;
}

static ecdc_status second_pass(struct mel_run *f, ecdc_error *err) {
    const ecdc_tr_grid *grid = &f->rows.grid.samples;
    int rate = f->settings.sampling_rate_hz;
    int64_t whole = ecdc_tr_grid_count(grid, f->result.samples, rate, 0);
    int64_t end = ecdc_tr_grid_count(grid, f->result.samples, rate, f->job->s.partial);
    if (f->job->s.max_trs > 0 && end > f->job->s.max_trs)
        end = f->job->s.max_trs;
    if (end == 0)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: %.3f s of sound is shorter than one TR of %s s; --partial keeps it",
                         f->job->in.path, (double)f->result.samples / rate, f->job->s.tr);
    if (fflush(f->spool) != 0 || fseeko(f->spool, 0, SEEK_SET) != 0)
        return ecdc_fail_temporary(purpose, err);
    ecdc_mel *mel;
    ecdc_status status = ecdc_mel_new(&f->settings, &mel, err);
    if (status != ECDC_OK)
        return status;
    for (size_t n = 1; status == ECDC_OK && n > 0 && f->rows.next_tr < end;) {
        n = fread(f->samples, sizeof *f->samples, BLOCK, f->spool);
        if (listener_stops(f->job->in.listener))
            status = listener_fail(err);
        else if (ferror(f->spool))
            status = ecdc_fail_temporary(purpose, err);
        else
            status = n ? ecdc_mel_push(mel, f->samples, n, err) : ecdc_mel_finish(mel, err);
        if (status == ECDC_OK)
            status = take_frames(f, mel, err);
        if (status == ECDC_OK)
            status = write_rows(f, n ? whole < end ? whole : end : end, whole, n == 0, err);
        listener_progress(f->job->in.listener, "encoding", (double)f->rows.next_tr * grid->tr_s,
                          (double)f->result.samples / rate);
    }
    ecdc_mel_free(mel);
    return status == ECDC_OK ? row_writer_finish(&f->writer, err) : status;
}

/* -------------------------------------------------------------------------------------------------- the run --- */

static cJSON *description(const struct mel_run *f) {
    cJSON *json = features_out_describe(&f->out, &f->rows.grid.samples, &f->result);
    json_put_integer(json, "frames_per_tr", f->rows.grid.width);
    json_put_number(json, "frame_rate", (double)f->settings.sampling_rate_hz / f->settings.hop);
    cJSON *mel = json_put_object(json, "mel");
    json_put_integer(mel, "n_mels", f->settings.n_mels);
    json_put_integer(mel, "n_fft", f->settings.n_fft);
    json_put_integer(mel, "hop", f->settings.hop);
    json_put_number(mel, "top_db", (double)-mel_floor_db);
    json_put_number(mel, "ref", f->ref);
    return json;
}

static ecdc_status prepare(struct mel_run *f, ecdc_error *err) {
    ecdc_mel_grid grid;
    ecdc_status status = ecdc_mel_grid_init(&grid, &f->settings, f->job->s.tr, f->job->s.alignment, err);
    if (status == ECDC_OK)
        status = mel_rows_init(&f->rows, &grid, err);
    if (status != ECDC_OK)
        return status;
    size_t width = (size_t)(grid.n_mels * grid.width); /* a TR has an hour at most */
    f->samples = ecdc_alloc_floats(BLOCK);
    f->frames = ecdc_alloc_array(FRAMES * (size_t)grid.n_mels, sizeof *f->frames);
    f->row = ecdc_alloc_array(width, sizeof *f->row);
    if (!f->samples || !f->frames || !f->row)
        return ecdc_fail_memory(err, "a row");
    struct npy_shape array = {.dtype = NPY_F32, .n_dims = 3, .dims = {0, grid.n_mels, grid.width}};
    status = features_out_open(&f->out, f->job, &array, err);
    return status == ECDC_OK ? row_writer_init(&f->writer, &f->out, width, &grid.samples, (double)mel_floor_db, 0, err) : status;
}

static void summarise(const struct mel_run *f, ecdc_features_result *result) {
    *result = (ecdc_features_result){.n_trs = f->out.shape.dims[0], .row = {f->rows.grid.n_mels, f->rows.grid.width},
                                     .samples = f->result.samples, .sampling_rate_hz = f->result.sampling_rate_hz, .mel_ref = f->ref,
                                     .seconds_wall = f->result.seconds_wall};
}

ecdc_status features_mel(const struct features_job *job, ecdc_features_result *result, ecdc_error *err) {
    double start_s = now_s();
    struct mel_run f = {.job = job, .settings = ecdc_default_mel_settings()};
    f.result.sampling_rate_hz = f.settings.sampling_rate_hz;
    ecdc_status status = prepare(&f, err);
    if (status == ECDC_OK)
        status = first_pass(&f, err);
    if (status == ECDC_OK)
        status = second_pass(&f, err);
    if (status == ECDC_OK)
        status = features_out_finish(&f.out, description(&f), err);
    f.result.seconds_wall = now_s() - start_s;
    if (status == ECDC_OK)
        summarise(&f, result);
    features_out_discard(&f.out);
    row_writer_free(&f.writer);
    mel_rows_free(&f.rows);
    if (f.spool)
        fclose(f.spool);
    free(f.samples);
    free(f.frames);
    free(f.row);
    return status;
}
