#include "media/npz.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/fifo.h"
#include "base/memory.h"
#include "base/status.h"
#include "media/npy.h"

static const char CODES[] = "codes.npy", SCALES[] = "scales.npy", AUDIO_LENGTH[] = "audio_length.npy";

/* --------------------------------------------------------------------------------------------- writing --- */

/* Zip's records (PKWARE APPNOTE 4.3), stored entries only. */
enum {
    LOCAL_BYTES = 30,
    DIRECTORY_BYTES = 46,
    END_BYTES = 22,
    VERSION = 20,
    DATE = 0x21, /* 1980-01-01, as numpy gives it */
    N_ENTRIES = 3
};

struct stored_entry {
    const char *name;
    uint64_t offset; /* of its local header */
    uint64_t size;
    uint32_t crc;
};

struct npz_writer {
    struct output *o;
    size_t codebooks, chunk_frames;
    struct npy_shape codes;
    uint32_t data_crc; /* of the codes without the array's header, whose shape is still open */
    int64_t *chunk;    /* codebooks x chunk_frames */
    struct fifo scales;
    struct stored_entry entries[N_ENTRIES];
};

static unsigned char *put16(unsigned char *at, uint32_t value) {
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
    return at + 2;
}

static unsigned char *put32(unsigned char *at, uint64_t value) {
    return put16(put16(at, (uint32_t)value & 0xffff), (uint32_t)(value >> 16) & 0xffff);
}

/* What local header and directory have in common. */
static unsigned char *put_facts(unsigned char *at, const struct stored_entry *e) {
    at = put16(put16(put16(at, VERSION), 0), 0); /* needed; no flags; stored */
    at = put16(put16(at, 0), DATE);
    at = put32(put32(put32(at, e->crc), e->size), e->size);
    return put16(put16(at, (uint32_t)strlen(e->name)), 0); /* no extra field */
}

static size_t local_header(const struct stored_entry *e, unsigned char bytes[LOCAL_BYTES + 32]) {
    put_facts(put32(bytes, 0x04034b50), e);
    memcpy(bytes + LOCAL_BYTES, e->name, strlen(e->name));
    return LOCAL_BYTES + strlen(e->name);
}

ecdc_status npz_write_open(struct output *o, int codebooks, int chunk_frames, struct npz_writer **out, ecdc_error *err) {
    struct npz_writer *w = ecdc_alloc_zeros(1, sizeof *w);
    if (!w)
        return ecdc_fail_memory(err, "a .npz writer");
    w->o = o;
    w->codebooks = (size_t)codebooks;
    w->chunk_frames = (size_t)chunk_frames;
    w->codes = (struct npy_shape){.dtype = NPY_I64, .n_dims = 3, .dims = {0, codebooks, chunk_frames}};
    w->scales.item_size = sizeof(float);
    w->entries[0].name = CODES;
    w->chunk = ecdc_alloc_array(w->codebooks * w->chunk_frames, sizeof *w->chunk);
    unsigned char local[LOCAL_BYTES + 32];
    char header[NPY_HEADER_MAX];
    ecdc_status status = w->chunk ? output_write(o, local, local_header(&w->entries[0], local), err)
                                  : ecdc_fail_memory(err, "a .npz writer");
    if (status == ECDC_OK)
        status = output_write(o, header, npy_format_header(&w->codes, header), err);
    if (status != ECDC_OK)
        npz_writer_free(w);
    else
        *out = w;
    return status;
}

static ecdc_status check_size(const struct npz_writer *w, uint64_t more, ecdc_error *err) {
    if (output_size(w->o) + more > UINT32_MAX - 4096) /* room for headers and the directory */
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: a .npz cannot hold more than 4 GiB; write .ecdc instead, which is 50 times "
                         "smaller", output_name(w->o));
    return ECDC_OK;
}

ecdc_status npz_write_chunk(struct npz_writer *w, const int32_t *codes, size_t n_frames, float scale, ecdc_error *err) {
    size_t items = w->codebooks * w->chunk_frames, bytes = items * sizeof *w->chunk;
    float *room = fifo_reserve(&w->scales, 1);
    if (!room)
        return ecdc_fail_memory(err, "the scales");
    memset(w->chunk, 0, bytes);
    for (size_t q = 0; q < w->codebooks; q++)
        for (size_t t = 0; t < n_frames; t++)
            w->chunk[q * w->chunk_frames + t] = codes[t * w->codebooks + q];
    ecdc_status status = check_size(w, bytes + (w->scales.n + 1) * sizeof scale, err);
    if (status == ECDC_OK)
        status = output_write(w->o, w->chunk, bytes, err);
    if (status != ECDC_OK)
        return status;
    w->data_crc = (uint32_t)crc32_z(w->data_crc, (const unsigned char *)w->chunk, bytes);
    w->codes.dims[0]++;
    *room = scale;
    fifo_commit(&w->scales, 1);
    return ECDC_OK;
}

/* An array that is complete. */
static ecdc_status write_array(struct npz_writer *w, struct stored_entry *e, const struct npy_shape *shape, const void *items,
                               size_t n_bytes, ecdc_error *err) {
    unsigned char local[LOCAL_BYTES + 32];
    char header[NPY_HEADER_MAX];
    size_t n_header = npy_format_header(shape, header);
    e->offset = output_size(w->o);
    e->size = n_header + n_bytes;
    e->crc = (uint32_t)crc32_z(crc32_z(0, (const unsigned char *)header, n_header), items, n_bytes);
    ecdc_status status = output_write(w->o, local, local_header(e, local), err);
    if (status == ECDC_OK)
        status = output_write(w->o, header, n_header, err);
    return status == ECDC_OK ? output_write(w->o, items, n_bytes, err) : status;
}

/* The first entry's headers, now that its shape is known. */
static ecdc_status complete_codes(struct npz_writer *w, ecdc_error *err) {
    struct stored_entry *e = &w->entries[0];
    unsigned char local[LOCAL_BYTES + 32];
    char header[NPY_HEADER_MAX];
    size_t n_header = npy_format_header(&w->codes, header), n_local = LOCAL_BYTES + strlen(e->name);
    uint64_t n_data = output_size(w->o) - n_local - n_header;
    e->size = n_header + n_data;
    e->crc = (uint32_t)crc32_combine(crc32_z(0, (const unsigned char *)header, n_header), w->data_crc, (z_off_t)n_data);
    local_header(e, local);
    ecdc_status status = output_write_at(w->o, 0, local, n_local, err);
    return status == ECDC_OK ? output_write_at(w->o, n_local, header, n_header, err) : status;
}

static ecdc_status write_directory(struct npz_writer *w, ecdc_error *err) {
    unsigned char bytes[N_ENTRIES * (DIRECTORY_BYTES + 32) + END_BYTES], *at = bytes;
    uint64_t start = output_size(w->o);
    for (int i = 0; i < N_ENTRIES; i++) {
        const struct stored_entry *e = &w->entries[i];
        at = put_facts(put16(put32(at, 0x02014b50), VERSION), e);
        at = put16(put16(put16(at, 0), 0), 0); /* no comment; first disk; internal attributes */
        at = put32(put32(at, 0), e->offset);   /* external attributes */
        memcpy(at, e->name, strlen(e->name));
        at += strlen(e->name);
    }
    uint64_t size = (uint64_t)(at - bytes);
    at = put16(put16(put32(at, 0x06054b50), 0), 0);
    at = put16(put16(at, N_ENTRIES), N_ENTRIES);
    at = put16(put32(put32(at, size), start), 0);
    return output_write(w->o, bytes, (size_t)(at - bytes), err);
}

ecdc_status npz_finish(struct npz_writer *w, int64_t audio_length, ecdc_error *err) {
    struct npy_shape scales = {.dtype = NPY_F32, .n_dims = 1, .dims = {(int64_t)w->scales.n}}, length = {.dtype = NPY_I64};
    w->entries[1].name = SCALES;
    w->entries[2].name = AUDIO_LENGTH;
    ecdc_status status = complete_codes(w, err);
    if (status == ECDC_OK)
        status = write_array(w, &w->entries[1], &scales, w->scales.n ? fifo_items(&w->scales) : "",
                             w->scales.n * sizeof(float), err);
    if (status == ECDC_OK)
        status = write_array(w, &w->entries[2], &length, &audio_length, sizeof audio_length, err);
    return status == ECDC_OK ? write_directory(w, err) : status;
}

void npz_writer_free(struct npz_writer *w) {
    if (!w)
        return;
    free(w->chunk);
    fifo_free(&w->scales);
    free(w);
}

/* --------------------------------------------------------------------------------------------- reading --- */

struct npz_reader {
    const char *path;
    struct archive *archive;
    struct npy_reader *codes, *scales;
    struct npz_header header;
};

static ecdc_status open_array(struct npz_reader *r, const char *name, struct npy_reader **out, ecdc_error *err) {
    size_t entry;
    if (!archive_find(r->archive, name, &entry))
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: there is no array %.*s in it; codes of a model with chunks are the arrays codes, "
                         "scales and audio_length", r->path, (int)(strlen(name) - strlen(".npy")), name);
    return npy_open_entry(r->path, r->archive, entry, out, err);
}

static bool is_integer(const struct npy_shape *shape) {
    return shape->dtype != NPY_F32 && shape->dtype != NPY_F64;
}

static int64_t items_of(const struct npy_shape *shape) {
    int64_t n = 1;
    for (int i = 0; i < shape->n_dims; i++)
        n *= shape->dims[i]; /* npy_open has seen to it that this fits */
    return n;
}

static ecdc_status check_codes(struct npz_reader *r, ecdc_error *err) {
    const struct npy_shape *shape = npy_shape_of(r->codes);
    int last = shape->n_dims - 1;
    if (!is_integer(shape))
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: codes are integers, this array is %s", r->path, npy_dtype_name(shape->dtype));
    if (shape->n_dims < 3 || shape->n_dims > 4 || (shape->n_dims == 4 && shape->dims[1] != 1))
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: codes have the shape (chunks, codebooks, frames), these have %d dimensions%s",
                         r->path, shape->n_dims, shape->n_dims == 4 ? ", the second larger than 1" : "");
    if (shape->fortran_order)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: codes in Fortran order are not read: save them with "
                         "numpy.ascontiguousarray", r->path);
    int64_t codebooks = shape->dims[last - 1], frames = shape->dims[last];
    if (codebooks < 1 || codebooks > 256 || frames < 1 || frames > 1 << 24)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: codes of the shape (%" PRId64 ", %" PRId64 ", %" PRId64 ") are of no model",
                         r->path, shape->dims[0], codebooks, frames);
    r->header.chunks = shape->dims[0];
    r->header.codebooks = (int)codebooks;
    r->header.frames = (int)frames;
    return ECDC_OK;
}

static ecdc_status read_length(struct npz_reader *r, ecdc_error *err) {
    struct npy_reader *reader;
    ecdc_status status = open_array(r, AUDIO_LENGTH, &reader, err);
    if (status != ECDC_OK)
        return status;
    const struct npy_shape *shape = npy_shape_of(reader);
    if (!is_integer(shape) || items_of(shape) != 1)
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: audio_length is not one integer", r->path);
    else
        status = npy_read_int64(reader, &r->header.audio_length, 1, err);
    npy_close(reader);
    return status;
}

static ecdc_status read_arrays(struct npz_reader *r, ecdc_error *err) {
    ecdc_status status = open_array(r, CODES, &r->codes, err);
    if (status == ECDC_OK)
        status = open_array(r, SCALES, &r->scales, err);
    if (status == ECDC_OK)
        status = check_codes(r, err);
    if (status == ECDC_OK)
        status = read_length(r, err);
    if (status != ECDC_OK)
        return status;
    const struct npy_shape *scales = npy_shape_of(r->scales);
    if (is_integer(scales) || items_of(scales) != r->header.chunks)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: scales are %" PRId64 " of type %s; one floating-point number for each of the %"
                         PRId64 " chunks is needed", r->path, items_of(scales), npy_dtype_name(scales->dtype), r->header.chunks);
    return ECDC_OK;
}

ecdc_status npz_open(const char *path, struct npz_reader **out, ecdc_error *err) {
    struct npz_reader *r = ecdc_alloc_zeros(1, sizeof *r);
    if (!r)
        return ecdc_fail_memory(err, "a .npz reader");
    r->path = path;
    ecdc_status status = archive_open(path, &r->archive, err);
    if (status == ECDC_OK)
        status = read_arrays(r, err);
    if (status != ECDC_OK)
        npz_close(r);
    else
        *out = r;
    return status;
}

const struct npz_header *npz_header_of(const struct npz_reader *r) {
    return &r->header;
}

ecdc_status npz_read_chunk(struct npz_reader *r, int64_t *codes, float *scale, ecdc_error *err) {
    ecdc_status status = npy_read_int64(r->codes, codes, (size_t)r->header.codebooks * (size_t)r->header.frames, err);
    return status == ECDC_OK ? npy_read_float(r->scales, scale, 1, err) : status;
}

ecdc_status npz_rewind(struct npz_reader *r, ecdc_error *err) {
    ecdc_status status = npy_seek(r->codes, 0, err);
    return status == ECDC_OK ? npy_seek(r->scales, 0, err) : status;
}

void npz_close(struct npz_reader *r) {
    if (!r)
        return;
    npy_close(r->codes);
    npy_close(r->scales);
    archive_close(r->archive);
    free(r);
}
