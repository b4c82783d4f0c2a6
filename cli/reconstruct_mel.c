/* ecdc reconstruct for mel spectrograms in dB: rows become frames again, each where the scan has it, and sound. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "features/mel_rows.h"
#include "reconstruct_modes.h"
#include "sound_out.h"

enum { BLOCK = 8192 };

static const float LOUDEST_DB = 200; /* nothing that was sound is louder */

struct mel_in {
    const struct options *o;
    const char *path;
    struct npy_reader *npy;
    ecdc_mel_settings settings;
    double ref;
    ecdc_mel_grid grid;
    size_t columns;       /* of a row: grid.width, or 1: an old row, one spectrum per TR */
    int64_t n_trs, total; /* total: frames of the sound, those after it are padding; INT64_MAX: not known */
    int64_t n_samples;
    float *row, *frame;
    float *samples;       /* BLOCK */
    int64_t next_frame;
    ecdc_mel_inverse *inverse;
    struct sound_out out;
};

/* ----------------------------------------------------------------------------------------------- parameters --- */

/* What an array of floats that is no spectrogram may be instead, and what to do about it. */
static const char *guess(const struct mel_in *in) {
    enum { LATENT_DIMENSION = 128, FRAME_RATE_HZ = 75 };
    const struct npy_shape *shape = npy_shape_of(in->npy);
    int64_t width = shape->n_dims == 2 || shape->n_dims == 3 ? shape->dims[shape->n_dims - 1] : 0;
    int64_t frames = (int64_t)(FRAME_RATE_HZ * in->grid.samples.tr_s); /* of codes, as giblet counts them, or one more */
    if (shape->n_dims > 1 && shape->dims[1] == LATENT_DIMENSION)
        return "vectors of 128 numbers are latents, which are not decoded";
    if ((shape->n_dims == 3 && (width == frames || width == frames + 1)) ||
        (shape->n_dims == 2 && frames > 0 && width > 0 && (width % frames == 0 || width % (frames + 1) == 0)))
        return "codes of this shape are integers: numpy.save(PATH, codes.astype('int64'))";
    return "give the right --tr";
}

static ecdc_status check_shape(struct mel_in *in, const char *tr, ecdc_error *err) {
    const struct npy_shape *shape = npy_shape_of(in->npy);
    int64_t n_mels = in->grid.n_mels, width = in->grid.width;
    if (shape->fortran_order)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: is in Fortran order; save it with numpy.ascontiguousarray", in->path);
    if (shape->n_dims == 2 && shape->dims[1] == n_mels)
        in->columns = 1;
    else if ((shape->n_dims == 3 && shape->dims[1] == n_mels && shape->dims[2] == width) ||
             (shape->n_dims == 2 && shape->dims[1] == n_mels * width))
        in->columns = (size_t)in->grid.width;
    else
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: a mel spectrogram at a TR of %s s has the shape (n_trs, %" PRId64 ", %" PRId64
                         "), (n_trs, %" PRId64 ") or, from before, (n_trs, %" PRId64 "); this array is another one (%d dimensions"
                         ", the last of %" PRId64 "); %s", in->path, tr, n_mels, width, n_mels * width, n_mels,
                         shape->n_dims, shape->n_dims ? shape->dims[shape->n_dims - 1] : 1, guess(in));
    in->n_trs = shape->dims[0];
    return in->n_trs > 0 ? ECDC_OK : ecdc_fail(err, ECDC_E_FORMAT, "%s: no sound (0 TRs)", in->path);
}

static ecdc_status find_parameters(struct mel_in *in, const struct sidecar *s, ecdc_error *err) {
    const struct options *o = in->o;
    const char *tr = o->tr_given || !s->found ? o->tr : s->tr; /* a fraction there */
    ecdc_alignment alignment = o->alignment_given || !s->found ? o->alignment : s->alignment;
    char text[48];
    in->settings = s->found ? s->mel : ecdc_default_mel_settings();
    in->ref = s->found ? s->mel_ref : 1;
    in->total = s->found && s->partial ? ecdc_mel_frames(&in->settings, s->samples) : INT64_MAX;
    ecdc_status status = ecdc_mel_inverse_new(&in->settings, &in->inverse, err); /* checks the settings of the description */
    if (status == ECDC_OK)
        status = ecdc_mel_grid_init(&in->grid, &in->settings, tr, alignment, err);
    if (status == ECDC_OK)
        status = check_shape(in, tr_text(tr, text), err);
    return status;
}

/* The frames of row i that the sound has: [*first, *first + *count). */
static void find_frames(const struct mel_in *in, int64_t i, int64_t *first, int64_t *count) {
    if (in->o->as_giblet) { /* one after the other */
        *first = i * (int64_t)in->columns;
        *count = (int64_t)in->columns;
        return;
    }
    ecdc_mel_grid_frames(&in->grid, i, first, count);
    if (*count > in->total - *first)
        *count = in->total > *first ? in->total - *first : 0;
}

static ecdc_status find_length(struct mel_in *in, const struct sidecar *s, ecdc_error *err) {
    int64_t first, count;
    find_frames(in, in->n_trs - 1, &first, &count);
    if (first + count == 0)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: no sound (its rows have no frame)", in->path);
    if (in->o->as_giblet) {
        in->n_samples = (first + count - 1) * in->settings.hop;
        return in->n_samples > 0 ? ECDC_OK : ecdc_fail(err, ECDC_E_FORMAT, "%s: no sound (one frame)", in->path);
    }
    int64_t least = (first + count - 1) * in->settings.hop;
    ecdc_tr_grid_frames(&in->grid.samples, in->n_trs - 1, &first, &count);
    in->n_samples = first + count;
    if (s->found && s->partial && s->samples < in->n_samples)
        in->n_samples = s->samples;
    return in->n_samples >= least ? ECDC_OK
                                  : ecdc_fail(err, ECDC_E_FORMAT, "%s: its last row does not fit the length of the sound in its "
                                              "description", in->path);
}

/* ------------------------------------------------------------------------------------------------- the sound --- */

static ecdc_status drain(struct mel_in *in, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (size_t n; status == ECDC_OK && (n = ecdc_mel_inverse_pull(in->inverse, in->samples, BLOCK)) > 0;)
        status = sound_out_write(&in->out, in->samples, n, err);
    return status;
}

/* Column t of the row at hand as powers, into in->frame. */
static ecdc_status fill_frame(struct mel_in *in, int64_t i, size_t t, ecdc_error *err) {
    for (size_t m = 0; m < (size_t)in->grid.n_mels; m++) {
        in->frame[m] = in->row[m * in->columns + t];
        if (!isfinite(in->frame[m]) || in->frame[m] > LOUDEST_DB)
            return ecdc_fail(err, ECDC_E_FORMAT, "%s: %g in row %" PRId64 ", mel %zu, frame %zu is not a level in dB", in->path,
                             (double)in->frame[m], i, m, t);
    }
    ecdc_db_to_power(in->frame, (size_t)in->grid.n_mels, in->ref, in->frame);
    return ECDC_OK;
}

/* Row i into the spectrogram: doubles can leave a frame out between two TRs, then the one behind it stands there, too, or give
 * one to both, then the first has it. */
static ecdc_status push_row(struct mel_in *in, int64_t i, ecdc_error *err) {
    int64_t first, count;
    find_frames(in, i, &first, &count);
    ecdc_status status = npy_read_float(in->npy, in->row, (size_t)in->grid.n_mels * in->columns, err);
    for (int64_t t = 0; status == ECDC_OK && t < count; t++) {
        status = fill_frame(in, i, in->columns > 1 ? (size_t)t : 0, err);
        for (; status == ECDC_OK && in->next_frame <= first + t; in->next_frame++) {
            status = ecdc_mel_inverse_push(in->inverse, in->frame, 1, err);
            if (status == ECDC_OK)
                status = drain(in, err);
        }
    }
    return status;
}

/* Ends the sound where the scan does. A TR leaves its last, cut frame out: where the one before does not reach the end, it stands there,
 * too; hops of more than n_fft / 4 leave a rest of silence. */
static ecdc_status finish(struct mel_in *in, ecdc_error *err) {
    int64_t hop = in->settings.hop, reach = in->settings.n_fft / 4;
    ecdc_status status = ECDC_OK;
    for (; status == ECDC_OK && (in->next_frame - 1) * hop + reach < in->n_samples && in->next_frame * hop <= in->n_samples;
         in->next_frame++)
        status = ecdc_mel_inverse_push(in->inverse, in->frame, 1, err);
    int64_t most = (in->next_frame - 1) * hop + reach, end = most < in->n_samples ? most : in->n_samples;
    if (status == ECDC_OK)
        status = ecdc_mel_inverse_finish(in->inverse, end, err);
    if (status == ECDC_OK)
        status = drain(in, err);
    memset(in->samples, 0, BLOCK * sizeof *in->samples);
    for (int64_t n = 0; status == ECDC_OK && end < in->n_samples; end += n) {
        n = in->n_samples - end < BLOCK ? in->n_samples - end : BLOCK;
        status = sound_out_write(&in->out, in->samples, (size_t)n, err);
    }
    return status;
}

static ecdc_status pass(void *context, struct sound_out *out, ecdc_error *err) {
    struct mel_in *in = context;
    (void)out; /* in->out */
    in->next_frame = 0;
    ecdc_mel_inverse_free(in->inverse);
    in->inverse = NULL;
    ecdc_status status = ecdc_mel_inverse_new(&in->settings, &in->inverse, err);
    if (status == ECDC_OK)
        status = npy_seek(in->npy, 0, err);
    for (int64_t i = 0; status == ECDC_OK && i < in->n_trs; i++)
        status = interrupted() ? fail_interrupted(err) : push_row(in, i, err);
    return status == ECDC_OK ? finish(in, err) : status;
}

static ecdc_status write_sound(struct mel_in *in, ecdc_error *err) {
    in->row = ecdc_alloc_array((size_t)in->grid.n_mels * in->columns, sizeof *in->row);
    in->frame = ecdc_alloc_array((size_t)in->grid.n_mels, sizeof *in->frame);
    in->samples = ecdc_alloc_floats(BLOCK);
    if (!in->row || !in->frame || !in->samples)
        return ecdc_fail_memory(err, "a row");
    ecdc_status status = sound_out_open(&in->out, in->o, in->settings.sampling_rate_hz, 1, in->n_samples, err);
    return status == ECDC_OK ? sound_out_make(&in->out, pass, in, err) : status;
}

ecdc_status reconstruct_mel(const struct options *o, const struct sidecar *sidecar, struct npy_reader *npy, ecdc_error *err) {
    struct mel_in in = {.o = o, .path = o->arguments[0], .npy = npy};
    ecdc_status status = find_parameters(&in, sidecar, err);
    if (status == ECDC_OK)
        status = find_length(&in, sidecar, err);
    if (status == ECDC_OK)
        status = write_sound(&in, err);
    sound_out_free(&in.out);
    ecdc_mel_inverse_free(in.inverse);
    free(in.row);
    free(in.frame);
    free(in.samples);
    return status;
}
