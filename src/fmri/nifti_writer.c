/* NIfTI files, volume by volume. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/status.h"
#include "fmri/mask.h"
#include "fmri/nifti_header.h"
#include "media/output.h"

enum { MAX_DIM = 32767, DEFAULT_LEVEL = 6, BLOCK_BYTES = 1 << 16, GZIP_WINDOW = 15 + 16 };

struct ecdc_nifti_writer {
    ecdc_nifti_settings settings;
    struct output *output;
    size_t n_voxels, item_bytes;
    int64_t n_volumes, n_written;
    unsigned char *raw; /* a volume as the file has it */
    float *volume;      /* of ecdc_nifti_write_masked */
    bool deflating;
    z_stream z;
    unsigned char block[BLOCK_BYTES];
};

ecdc_nifti_settings ecdc_default_nifti_settings(void) {
    return (ecdc_nifti_settings){.type = ECDC_NIFTI_FLOAT32};
}

static bool writes(ecdc_nifti_type type) {
    return type == ECDC_NIFTI_UINT8 || type == ECDC_NIFTI_INT16 || type == ECDC_NIFTI_FLOAT32 || type == ECDC_NIFTI_FLOAT64;
}

static ecdc_status check_settings(const char *path, const ecdc_nifti_settings *s, ecdc_error *err) {
    const int64_t dims[] = {s->space.x, s->space.y, s->space.z};
    for (int axis = 0; axis < 3; axis++)
        if (dims[axis] < 1 || dims[axis] > MAX_DIM)
            return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: %" PRId64 " voxels along axis %d, NIfTI-1 has 1 to 32767", path, dims[axis], axis);
    if (s->n_trs < 0 || s->n_trs > MAX_DIM)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: %" PRId64 " volumes, NIfTI-1 has 1 to 32767", path, s->n_trs);
    for (int i = 0; i < 12; i++)
        if (!isfinite(s->space.affine[i]))
            return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: affine[%d] is not finite", path, i);
    if (!writes(s->type))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: type %d is not written, only uint8, int16, float32 and float64", path, (int)s->type);
    if (!(s->tr_s >= 0 && s->tr_s <= 3600))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: tr_s is %g, allowed is 0 to 3600", path, s->tr_s);
    if (s->level < 0 || s->level > 9)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: level is %d, allowed is 1 to 9", path, s->level);
    return ECDC_OK;
}

/* n more bytes, compressed if that is what is written; `flush` is zlib's. */
static ecdc_status put(ecdc_nifti_writer *w, const unsigned char *bytes, size_t n, int flush, ecdc_error *err) {
    if (!w->deflating)
        return output_write(w->output, bytes, n, err);
    ecdc_status status = ECDC_OK;
    do {
        unsigned piece = n < 1 << 30 ? (unsigned)n : 1 << 30;
        w->z.next_in = (unsigned char *)bytes; /* zlib's const came later */
        w->z.avail_in = piece;
        do {
            w->z.next_out = w->block;
            w->z.avail_out = sizeof w->block;
            deflate(&w->z, piece == n ? flush : Z_NO_FLUSH); /* with room for output it cannot fail */
            status = output_write(w->output, w->block, sizeof w->block - w->z.avail_out, err);
        } while (status == ECDC_OK && w->z.avail_out == 0);
        bytes += piece;
        n -= piece;
    } while (status == ECDC_OK && n > 0);
    return status;
}

static bool is_gzip(const char *path) {
    size_t n = strlen(path);
    return n > 3 && strcasecmp(path + n - 3, ".gz") == 0;
}

static ecdc_status start(ecdc_nifti_writer *w, const char *path, ecdc_error *err) {
    const ecdc_nifti_settings *s = &w->settings;
    size_t bytes;
    w->n_voxels = (size_t)(s->space.x * s->space.y * s->space.z); /* at most 45 bits */
    w->item_bytes = nifti_type_bytes(s->type);
    w->n_volumes = s->n_trs ? s->n_trs : 1;
    if (!ecdc_mul_size(w->n_voxels, sizeof(double), &bytes) || !(w->raw = ecdc_alloc_array(w->n_voxels, w->item_bytes)))
        return ecdc_fail_memory(err, "a volume");
    ecdc_status status = output_open(path, s->overwrite != 0, false, &w->output, err);
    if (status != ECDC_OK)
        return status;
    if (is_gzip(path)) {
        if (deflateInit2(&w->z, s->level ? s->level : DEFAULT_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
            return ecdc_fail_memory(err, "compression");
        w->deflating = true;
    }
    unsigned char header[NIFTI1_BYTES];
    nifti_header_format(s, w->item_bytes, header);
    return put(w, header, sizeof header, Z_NO_FLUSH, err);
}

ecdc_status ecdc_nifti_writer_new(const char *path, const ecdc_nifti_settings *settings, ecdc_nifti_writer **writer, ecdc_error *err) {
    ecdc_status status = check_settings(path, settings, err);
    if (status != ECDC_OK)
        return status;
    ecdc_nifti_writer *w = ecdc_alloc_zeros(1, sizeof *w);
    if (!w)
        return ecdc_fail_memory(err, "a NIfTI writer");
    w->settings = *settings;
    status = start(w, path, err);
    if (status != ECDC_OK) {
        ecdc_nifti_writer_free(w);
        return status;
    }
    *writer = w;
    return ECDC_OK;
}

void ecdc_nifti_writer_free(ecdc_nifti_writer *w) {
    if (!w)
        return;
    if (w->deflating)
        deflateEnd(&w->z);
    output_discard(w->output);
    free(w->raw);
    free(w->volume);
    free(w);
}

static void put_item(unsigned char *raw, uint64_t bits, size_t n) {
    for (size_t i = 0; i < n; i++)
        raw[i] = (unsigned char)(bits >> 8 * i);
}

static void put_float(ecdc_nifti_writer *w, size_t i, float value) {
    uint32_t bits;
    uint64_t wide_bits;
    double wide = value;
    memcpy(&bits, &value, sizeof bits);
    memcpy(&wide_bits, &wide, sizeof wide_bits);
    put_item(w->raw + i * w->item_bytes, w->item_bytes == sizeof bits ? bits : wide_bits, w->item_bytes);
}

static ecdc_status fail_value(const ecdc_nifti_writer *w, size_t i, float value, ecdc_error *err) {
    const ecdc_nifti_space *space = &w->settings.space;
    size_t x = (size_t)space->x, y = (size_t)space->y;
    return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: volume %" PRId64 ": %g at voxel (%zu, %zu, %zu) does not fit %s", output_name(w->output),
                     w->n_written, (double)value, i % x, i / x % y, i / x / y, nifti_type_name(w->settings.type));
}

static ecdc_status pack(ecdc_nifti_writer *w, const float *volume, ecdc_error *err) {
    if (w->settings.type == ECDC_NIFTI_FLOAT32 || w->settings.type == ECDC_NIFTI_FLOAT64) {
        for (size_t i = 0; i < w->n_voxels; i++)
            put_float(w, i, volume[i]);
        return ECDC_OK;
    }
    float low = w->settings.type == ECDC_NIFTI_UINT8 ? 0 : INT16_MIN, high = w->settings.type == ECDC_NIFTI_UINT8 ? UINT8_MAX : INT16_MAX;
    for (size_t i = 0; i < w->n_voxels; i++) {
        float rounded = rintf(volume[i]);
        if (!(rounded >= low && rounded <= high))
            return fail_value(w, i, volume[i], err);
        put_item(w->raw + i * w->item_bytes, (uint64_t)(int)rounded, w->item_bytes);
    }
    return ECDC_OK;
}

static ecdc_status fail_finished(ecdc_error *err) {
    return ecdc_fail(err, ECDC_E_ARGUMENT, "the NIfTI file is finished already");
}

ecdc_status ecdc_nifti_write(ecdc_nifti_writer *w, const float *volume, ecdc_error *err) {
    if (!w->output)
        return fail_finished(err);
    if (w->n_written == w->n_volumes)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: more than the %" PRId64 " volumes announced", output_name(w->output), w->n_volumes);
    ecdc_status status = pack(w, volume, err);
    if (status == ECDC_OK)
        status = put(w, w->raw, w->n_voxels * w->item_bytes, Z_NO_FLUSH, err);
    w->n_written += status == ECDC_OK;
    return status;
}

ecdc_status ecdc_nifti_write_masked(ecdc_nifti_writer *w, const ecdc_mask *mask, const float *row, ecdc_error *err) {
    const ecdc_nifti_space *space = &w->settings.space;
    if (!w->output)
        return fail_finished(err);
    if (mask->space.x != space->x || mask->space.y != space->y || mask->space.z != space->z)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: the mask has another shape than the volume", output_name(w->output));
    if (!w->volume && !(w->volume = ecdc_alloc_zeros(w->n_voxels, sizeof *w->volume)))
        return ecdc_fail_memory(err, "a volume");
    memset(w->volume, 0, w->n_voxels * sizeof *w->volume); /* the mask may be another one than last time */
    for (size_t v = 0; v < mask->n; v++)
        w->volume[mask->places[v]] = row[v];
    return ecdc_nifti_write(w, w->volume, err);
}

ecdc_status ecdc_nifti_writer_finish(ecdc_nifti_writer *w, ecdc_error *err) {
    if (!w->output)
        return fail_finished(err);
    if (w->n_written != w->n_volumes)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: %" PRId64 " of %" PRId64 " volumes were written", output_name(w->output), w->n_written,
                         w->n_volumes);
    ecdc_status status = w->deflating ? put(w, (const unsigned char *)"", 0, Z_FINISH, err) : ECDC_OK;
    if (status != ECDC_OK)
        return status;
    struct output *output = w->output;
    w->output = NULL; /* output_commit frees it */
    return output_commit(output, err);
}
