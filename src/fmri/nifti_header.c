#include "fmri/nifti_header.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "fmri/nifti_affine.h"

enum {
    HEADER1_BYTES = 348, HEADER2_BYTES = 540, EXTENSION_BYTES = 4,
    MAGIC1 = 344, MAGIC2 = 4,
    UNITS_SPACE = 7, UNITS_TIME = 56, TIME_NONE = 0, TIME_S = 8, TIME_MS = 16, TIME_US = 24, UNIT_MM = 2,
    MAX_DIMS = 7, MAX_CODE = 5
};

/* ------------------------------------------------------------------------------------------------ types --- */

static const struct type_facts {
    int type;
    size_t bytes; /* 0: known, not read */
    const char *name;
} types[] = {
    {ECDC_NIFTI_UINT8, 1, "uint8"},     {ECDC_NIFTI_INT16, 2, "int16"},     {ECDC_NIFTI_INT32, 4, "int32"},
    {ECDC_NIFTI_FLOAT32, 4, "float32"}, {ECDC_NIFTI_FLOAT64, 8, "float64"}, {ECDC_NIFTI_INT8, 1, "int8"},
    {ECDC_NIFTI_UINT16, 2, "uint16"},   {ECDC_NIFTI_UINT32, 4, "uint32"},   {ECDC_NIFTI_INT64, 8, "int64"},
    {ECDC_NIFTI_UINT64, 8, "uint64"},   {1, 0, "binary"},                   {32, 0, "complex64"},
    {128, 0, "RGB24"},                  {1536, 0, "float128"},              {1792, 0, "complex128"},
    {2048, 0, "complex256"},            {2304, 0, "RGBA32"},
};

static const struct type_facts *find_type(int type) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].type == type)
            return &types[i];
    return NULL;
}

size_t nifti_type_bytes(int type) {
    const struct type_facts *facts = find_type(type);
    return facts ? facts->bytes : 0;
}

const char *nifti_type_name(int type) {
    const struct type_facts *facts = find_type(type);
    return facts ? facts->name : NULL;
}

/* --------------------------------------------------------------------------------------------- reading --- */

/* Where the fields of a version are, and how many bytes its integers and reals have. */
static const struct layout {
    size_t dim, dim_bytes, datatype, pixdim, real_bytes, vox_offset, slope, units, units_bytes, qform_code, code_bytes,
        quaternion, srow;
} layouts[] = {
    {40, 2, 70, 76, 4, 108, 112, 123, 1, 252, 2, 256, 280},
    {16, 8, 12, 104, 8, 168, 176, 500, 4, 344, 4, 352, 400},
};

struct fields {
    const unsigned char *bytes;
    const struct layout *layout;
    bool big_endian;
};

static uint64_t bits_at(const struct fields *f, size_t at, size_t n) {
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++)
        bits = bits << 8 | f->bytes[f->big_endian ? at + i : at + n - 1 - i];
    return bits;
}

static int64_t integer_at(const struct fields *f, size_t at, size_t n) {
    uint64_t bits = bits_at(f, at, n), sign = UINT64_C(1) << (8 * n - 1);
    return (int64_t)((bits ^ sign) - sign);
}

static double real_at(const struct fields *f, size_t at) {
    float single;
    double number;
    uint64_t bits = bits_at(f, at, f->layout->real_bytes);
    if (f->layout->real_bytes == sizeof number) {
        memcpy(&number, &bits, sizeof number);
        return number;
    }
    uint32_t half = (uint32_t)bits;
    memcpy(&single, &half, sizeof single);
    return single;
}

/* Element i of an array of reals. */
static double real_of(const struct fields *f, size_t at, int i) {
    return real_at(f, at + (size_t)i * f->layout->real_bytes);
}

/* 0.72 for the float32 next to it: people wrote the decimal. */
static double as_written(const struct fields *f, double number) {
    char text[32];
    if (f->layout->real_bytes == sizeof(double))
        return number;
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtof(text, NULL) == (float)number)
            break;
    }
    return strtod(text, NULL);
}

static ecdc_status read_shape(const char *path, const struct fields *f, ecdc_nifti_info *info, ecdc_error *err) {
    const struct layout *l = f->layout;
    int64_t dims[MAX_DIMS + 1];
    for (int i = 0; i <= MAX_DIMS; i++)
        dims[i] = integer_at(f, l->dim + (size_t)i * l->dim_bytes, l->dim_bytes);
    int64_t n = dims[0];
    if (n < 1 || n > MAX_DIMS)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: has %" PRId64 " dimensions (dim[0]), 1 to 7 are possible", path, n);
    for (int64_t i = 1; i <= n; i++)
        if (dims[i] < 1)
            return ecdc_fail(err, ECDC_E_FORMAT, "%s: dim[%" PRId64 "] is %" PRId64 ", a dimension is 1 or more", path, i, dims[i]);
    while (n > 4 && dims[n] == 1)
        n--;
    if (n < 3 || n > 4)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: has %" PRId64 " dimensions; scans have 3 (one volume) or 4 (a series)", path, n);
    info->n_dims = (int)n;
    info->space.x = dims[1];
    info->space.y = dims[2];
    info->space.z = dims[3];
    info->n_trs = n == 4 ? dims[4] : 1;
    return ECDC_OK;
}

static double read_tr(const struct fields *f, const ecdc_nifti_info *info) {
    const struct layout *l = f->layout;
    double tr = real_of(f, l->pixdim, 4);
    int unit = (int)bits_at(f, l->units, l->units_bytes) & UNITS_TIME;
    double per_second = unit == TIME_NONE || unit == TIME_S ? 1 : unit == TIME_MS ? 1e3 : unit == TIME_US ? 1e6 : 0;
    if (info->n_dims < 4 || !isfinite(tr) || tr <= 0 || per_second == 0)
        return 0;
    return as_written(f, tr) / per_second;
}

static ecdc_status read_scaling(const char *path, const struct fields *f, ecdc_nifti_info *info, ecdc_error *err) {
    double slope = real_of(f, f->layout->slope, 0), intercept = real_of(f, f->layout->slope, 1);
    info->slope = 1;
    info->intercept = 0;
    if (slope == 0 || !isfinite(slope))
        return ECDC_OK;
    if (!isfinite(intercept))
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: scl_inter is not finite, scl_slope is %g", path, slope);
    info->slope = slope;
    info->intercept = intercept;
    return ECDC_OK;
}

static ecdc_status read_affine(const char *path, const struct fields *f, ecdc_nifti_space *space, ecdc_error *err) {
    const struct layout *l = f->layout;
    int64_t qform = integer_at(f, l->qform_code, l->code_bytes), sform = integer_at(f, l->qform_code + l->code_bytes, l->code_bytes);
    bool has_sform = sform > 0 && sform <= MAX_CODE, has_qform = qform > 0 && qform <= MAX_CODE;
    struct nifti_qform q = {.flip = real_of(f, l->pixdim, 0) == -1, .threshold = 3 * (l->real_bytes == 4 ? 0x1p-23 : 0x1p-52)};
    for (int i = 0; i < 3; i++) {
        q.size[i] = fabs(real_of(f, l->pixdim, i + 1));
        q.size[i] = q.size[i] == 0 ? 1 : q.size[i];
        q.quaternion[i] = real_of(f, l->quaternion, i);
        q.offset[i] = real_of(f, l->quaternion, 3 + i);
    }
    space->code = (int)(has_sform ? sform : has_qform ? qform : 0);
    const double last[] = {0, 0, 0, 1};
    for (int i = 0; i < 16; i++)
        space->affine[i] = i < 12 && has_sform ? real_of(f, l->srow, i) : last[i % 4] * (i == 15);
    bool right = true;
    if (!has_sform && has_qform)
        right = nifti_affine_from_qform(&q, space->affine);
    else if (!has_sform)
        nifti_affine_from_sizes(q.size, space);
    for (int i = 0; i < 12; i++)
        right = right && isfinite(space->affine[i]);
    return right ? ECDC_OK : ecdc_fail(err, ECDC_E_FORMAT, "%s: the %s is not an affine of finite numbers", path,
                                       has_sform ? "sform" : has_qform ? "qform" : "size of its voxels");
}

static ecdc_status read_type(const char *path, const struct fields *f, struct nifti_header *h, ecdc_error *err) {
    int type = (int)integer_at(f, f->layout->datatype, 2);
    const char *name = nifti_type_name(type);
    h->item_bytes = nifti_type_bytes(type);
    if (h->item_bytes == 0)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: numbers of type %d (%s) are not read, only integers of 8 to 64 bits, float32 "
                         "and float64", path, type, name ? name : "unknown");
    h->info.type = (ecdc_nifti_type)type;
    h->info.type_name = name;
    return ECDC_OK;
}

/* The header against the file: nothing is allocated for what it cannot hold. */
static ecdc_status check_size(const struct scan_stream *s, const struct fields *f, struct nifti_header *h, ecdc_error *err) {
    const struct layout *l = f->layout;
    const ecdc_nifti_space *space = &h->info.space;
    uint64_t least = h->n_read + EXTENSION_BYTES, claimed, volume, items, doubles;
    double offset = l->dim_bytes == 2 ? real_at(f, l->vox_offset) : (double)integer_at(f, l->vox_offset, 8);
    if (offset == 0)
        offset = (double)least; /* as niftiio has it */
    if (!(offset >= (double)least && offset < 0x1p53) || offset != floor(offset))
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: vox_offset is %g, the numbers cannot begin before byte %" PRIu64, s->in.path, offset,
                         least);
    h->data_offset = (uint64_t)offset;
    bool overflow = __builtin_mul_overflow((uint64_t)space->x, (uint64_t)space->y, &items) ||
                    __builtin_mul_overflow(items, (uint64_t)space->z, &items) ||
                    __builtin_mul_overflow(items, (uint64_t)sizeof(double), &doubles) || doubles > SIZE_MAX ||
                    __builtin_mul_overflow(items, (uint64_t)h->item_bytes, &volume) ||
                    __builtin_mul_overflow(volume, (uint64_t)h->info.n_trs, &claimed) ||
                    __builtin_add_overflow(claimed, h->data_offset, &claimed);
    if (overflow || claimed > scan_stream_capacity(s))
        return ecdc_fail(err, ECDC_E_FORMAT,
                         "%s: is cut off: %" PRId64 " x %" PRId64 " x %" PRId64 " voxels x %" PRId64 " volumes of %s are more than "
                         "%s%" PRIu64 " bytes can hold", s->in.path, space->x, space->y, space->z, h->info.n_trs, h->info.type_name,
                         s->compressed ? "gzip of " : "", s->in.size);
    h->n_voxels = (size_t)items;
    return ECDC_OK;
}

static ecdc_status parse(const struct scan_stream *s, const struct fields *f, struct nifti_header *h, ecdc_error *err) {
    const char *path = s->in.path;
    ecdc_status status = read_shape(path, f, &h->info, err);
    if (status == ECDC_OK)
        status = read_type(path, f, h, err);
    if (status == ECDC_OK)
        status = read_scaling(path, f, &h->info, err);
    if (status == ECDC_OK)
        status = read_affine(path, f, &h->info.space, err);
    h->info.tr_s = status == ECDC_OK ? read_tr(f, &h->info) : 0;
    return status == ECDC_OK ? check_size(s, f, h, err) : status;
}

/* What the first 348 bytes are. */
static ecdc_status find_version(const char *path, const unsigned char *bytes, int *version, bool *big_endian, ecdc_error *err) {
    const struct fields little = {bytes, layouts, false}, big = {bytes, layouts, true};
    uint64_t as_little = bits_at(&little, 0, 4), as_big = bits_at(&big, 0, 4);
    *big_endian = as_big == HEADER1_BYTES || as_big == HEADER2_BYTES;
    uint64_t size = *big_endian ? as_big : as_little;
    if (size != HEADER1_BYTES && size != HEADER2_BYTES)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: not a NIfTI file (it does not begin with 348 or 540)", path);
    *version = size == HEADER1_BYTES ? 1 : 2;
    const char *magic = (const char *)bytes + (*version == 1 ? MAGIC1 : MAGIC2);
    if (!memcmp(magic, *version == 1 ? "n+1" : "n+2", 4))
        return ECDC_OK;
    if (!memcmp(magic, *version == 1 ? "ni1" : "ni2", 4))
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: is the header of a pair (.hdr and .img); convert it to one .nii file", path);
    return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: has no mark of NIfTI (is it Analyze 7.5?); convert it to .nii", path);
}

ecdc_status nifti_header_read(struct scan_stream *s, struct nifti_header *h, ecdc_error *err) {
    unsigned char bytes[HEADER2_BYTES];
    *h = (struct nifti_header){.n_read = HEADER1_BYTES};
    if (scan_stream_capacity(s) < HEADER1_BYTES)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: not a NIfTI file (it has only %" PRIu64 " bytes)", s->in.path, s->in.size);
    ecdc_status status = scan_stream_read(s, bytes, HEADER1_BYTES, err);
    if (status != ECDC_OK)
        return status;
    bool big_endian;
    int version = 0;
    status = find_version(s->in.path, bytes, &version, &big_endian, err);
    if (status != ECDC_OK)
        return status;
    if (version == 2) {
        status = scan_stream_read(s, bytes + HEADER1_BYTES, HEADER2_BYTES - HEADER1_BYTES, err);
        h->n_read = HEADER2_BYTES;
    }
    h->info.path = s->in.path;
    h->info.big_endian = big_endian;
    h->info.compressed = s->compressed;
    h->info.version = version;
    const struct fields fields = {bytes, &layouts[version - 1], big_endian};
    return status == ECDC_OK ? parse(s, &fields, h, err) : status;
}

/* --------------------------------------------------------------------------------------------- writing --- */

static void put_bits(unsigned char *bytes, size_t at, uint64_t bits, size_t n) {
    for (size_t i = 0; i < n; i++)
        bytes[at + i] = (unsigned char)(bits >> 8 * i);
}

static void put_real(unsigned char *bytes, size_t at, double number) {
    float single = (float)number;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    put_bits(bytes, at, bits, sizeof bits);
}

void nifti_header_format(const ecdc_nifti_settings *settings, size_t item_bytes, unsigned char bytes[NIFTI1_BYTES]) {
    const struct layout *l = &layouts[0];
    const ecdc_nifti_space *space = &settings->space;
    int64_t dims[] = {settings->n_trs ? 4 : 3, space->x, space->y, space->z, settings->n_trs ? settings->n_trs : 1, 1, 1, 1};
    memset(bytes, 0, NIFTI1_BYTES);
    put_bits(bytes, 0, HEADER1_BYTES, 4);
    for (size_t i = 0; i <= MAX_DIMS; i++)
        put_bits(bytes, l->dim + 2 * i, (uint64_t)dims[i], 2);
    put_bits(bytes, l->datatype, (uint64_t)settings->type, 2);
    put_bits(bytes, l->datatype + 2, 8 * item_bytes, 2);
    put_real(bytes, l->pixdim, 1);
    for (int axis = 0; axis < 3; axis++)
        put_real(bytes, l->pixdim + 4 + 4 * (size_t)axis, nifti_voxel_size(space, axis));
    for (size_t i = 4; i <= MAX_DIMS; i++)
        put_real(bytes, l->pixdim + 4 * i, i == 4 ? settings->tr_s : 1);
    put_real(bytes, l->vox_offset, NIFTI1_BYTES);
    put_real(bytes, l->slope, 1);
    put_bits(bytes, l->units, UNIT_MM | (settings->n_trs ? TIME_S : 0), 1);
    put_bits(bytes, l->qform_code + 2, (uint64_t)(space->code ? space->code : 2), 2);
    for (size_t i = 0; i < 12; i++)
        put_real(bytes, l->srow + 4 * i, space->affine[i]);
    memcpy(bytes + MAGIC1, "n+1", 4);
}
