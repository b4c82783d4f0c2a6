#include "media/npy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "media/input.h"

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

enum {
    PREFIX_BYTES = 10,        /* of version 1: magic, version, 16-bit length */
    ALIGNMENT = 64,           /* data start at a multiple of this */
    GROWING_DIGITS = 21,      /* numpy leaves room for this many in the growing axis; so do we, and are equal to it */
    HEADER_MAX = 1 << 16,     /* a dictionary of three short entries needs no more */
    BLOCK_BYTES = 1 << 15
};

struct dtype_facts {
    const char *descr;
    const char *name;
    size_t size;
    bool is_float;
};

static const struct dtype_facts dtypes[] = {
    [NPY_I16] = {"<i2", "int16", 2, false},  [NPY_I32] = {"<i4", "int32", 4, false},
    [NPY_I64] = {"<i8", "int64", 8, false},  [NPY_F32] = {"<f4", "float32", 4, true},
    [NPY_F64] = {"<f8", "float64", 8, true},
};
enum { N_DTYPES = sizeof dtypes / sizeof *dtypes };

size_t npy_dtype_size(enum npy_dtype t) {
    return dtypes[t].size;
}

const char *npy_dtype_name(enum npy_dtype t) {
    return dtypes[t].name;
}

/* Bytes of the array in *bytes; false if they do not fit int64_t. Zeros are left out of the product while it is
 * checked, so that any product of some dimensions fits too. */
static bool array_bytes(const struct npy_shape *shape, int64_t *bytes) {
    int64_t product = (int64_t)dtypes[shape->dtype].size;
    bool empty = false;
    for (int i = 0; i < shape->n_dims; i++) {
        if (shape->dims[i] < 0)
            return false;
        if (shape->dims[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(product, shape->dims[i], &product))
            return false;
    }
    *bytes = empty ? 0 : product;
    return true;
}

/* --------------------------------------------------------------------------------------------- writing --- */

/* Data follow at a multiple of ALIGNMENT. */
size_t npy_format_header(const struct npy_shape *shape, char header[NPY_HEADER_MAX]) {
    size_t room = NPY_HEADER_MAX, n = PREFIX_BYTES;
    n += (size_t)snprintf(header + n, room - n, "{'descr': '%s', 'fortran_order': %s, 'shape': (",
                          dtypes[shape->dtype].descr, shape->fortran_order ? "True" : "False");
    int growing = shape->fortran_order ? shape->n_dims - 1 : 0, padding = 0;
    for (int i = 0; i < shape->n_dims; i++) {
        int digits = snprintf(header + n, room - n, "%" PRId64, shape->dims[i]);
        if (i == growing)
            padding = GROWING_DIGITS - digits;
        n += (size_t)digits;
        if (i + 1 < shape->n_dims)
            n += (size_t)snprintf(header + n, room - n, ", ");
        else if (i == 0)
            n += (size_t)snprintf(header + n, room - n, ","); /* (3,): a tuple of one */
    }
    n += (size_t)snprintf(header + n, room - n, "), }%*s", padding, "");
    while ((n + 1) % ALIGNMENT)
        header[n++] = ' ';
    header[n++] = '\n';
    memcpy(header, magic, sizeof magic);
    header[6] = 1;
    header[7] = 0;
    header[8] = (char)((n - PREFIX_BYTES) & 0xff);
    header[9] = (char)((n - PREFIX_BYTES) >> 8);
    return n;
}

static ecdc_status check_written_shape(const struct output *o, const struct npy_shape *shape, int64_t *bytes,
                                       ecdc_error *err) {
    if (shape->n_dims < 0 || shape->n_dims > NPY_MAX_DIMS || (unsigned)shape->dtype >= N_DTYPES)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: not an array's shape", output_name(o));
    if (!array_bytes(shape, bytes))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: the array's dimensions are negative or too large",
                         output_name(o));
    return ECDC_OK;
}

ecdc_status npy_write_header(struct output *o, const struct npy_shape *shape, ecdc_error *err) {
    char header[NPY_HEADER_MAX];
    int64_t bytes = 0;
    ecdc_status status = check_written_shape(o, shape, &bytes, err);
    return status == ECDC_OK ? output_write(o, header, npy_format_header(shape, header), err) : status;
}

ecdc_status npy_finish_header(struct output *o, const struct npy_shape *shape, ecdc_error *err) {
    char header[NPY_HEADER_MAX];
    int64_t bytes = 0;
    ecdc_status status = check_written_shape(o, shape, &bytes, err);
    if (status != ECDC_OK)
        return status;
    size_t n = npy_format_header(shape, header);
    uint64_t size = output_size(o);
    if (size < n || size - n != (uint64_t)bytes)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: the shape stands for %" PRId64 " bytes, %" PRId64 " were written",
                         output_name(o), bytes, (int64_t)size - (int64_t)n);
    return output_write_at(o, 0, header, n, err);
}

/* -------------------------------------------------------------------------------------- header literal --- */

/* The header is a Python dictionary literal. Only what numpy writes is understood: strings without escapes, True and
 * False, a tuple of decimal numbers. */
struct literal {
    const char *at, *end;
    const char *problem; /* what was found wrong, NULL while nothing is */
};

static void skip_spaces(struct literal *l) {
    while (l->at < l->end && (*l->at == ' ' || *l->at == '\t' || *l->at == '\n' || *l->at == '\r'))
        l->at++;
}

static bool next_is(struct literal *l, char c) {
    skip_spaces(l);
    if (l->at == l->end || *l->at != c)
        return false;
    l->at++;
    return true;
}

static bool fail_literal(struct literal *l, const char *problem) {
    if (!l->problem)
        l->problem = problem;
    return false;
}

/* A quoted string, as a range of the header. */
static bool read_string(struct literal *l, const char **start, size_t *n) {
    skip_spaces(l);
    if (l->at == l->end || (*l->at != '\'' && *l->at != '"'))
        return fail_literal(l, "a string is missing");
    char quote = *l->at++;
    *start = l->at;
    while (l->at < l->end && *l->at != quote) {
        if ((unsigned char)*l->at < ' ' || *l->at == '\\')
            return fail_literal(l, "a string has a control character or a backslash");
        l->at++;
    }
    if (l->at == l->end)
        return fail_literal(l, "a string does not end");
    *n = (size_t)(l->at++ - *start);
    return true;
}

static bool read_word(struct literal *l, const char *word) {
    size_t n = strlen(word);
    skip_spaces(l);
    if ((size_t)(l->end - l->at) < n || memcmp(l->at, word, n) != 0)
        return false;
    l->at += n;
    return true;
}

static bool read_number(struct literal *l, int64_t *number) {
    skip_spaces(l);
    const char *start = l->at;
    int64_t value = 0;
    for (; l->at < l->end && *l->at >= '0' && *l->at <= '9'; l->at++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *l->at - '0', &value))
            return fail_literal(l, "a dimension is too large");
    if (l->at == start)
        return fail_literal(l, "a dimension is not a number");
    *number = value;
    return true;
}

static bool read_tuple(struct literal *l, struct npy_shape *shape) {
    if (!next_is(l, '('))
        return fail_literal(l, "the shape is not a tuple");
    shape->n_dims = 0;
    bool comma = true;
    while (!next_is(l, ')')) {
        if (!comma)
            return fail_literal(l, "a comma is missing in the shape");
        if (shape->n_dims == NPY_MAX_DIMS)
            return fail_literal(l, "the shape has more than 8 dimensions");
        if (!read_number(l, &shape->dims[shape->n_dims]))
            return false;
        shape->n_dims++;
        comma = next_is(l, ',');
    }
    if (shape->n_dims == 1 && !comma)
        return fail_literal(l, "the shape is a number, not a tuple"); /* (3) */
    return true;
}

static bool equals(const char *start, size_t n, const char *word) {
    return strlen(word) == n && memcmp(start, word, n) == 0;
}

static bool read_entry(struct literal *l, struct npy_shape *shape, const char **descr, size_t *n_descr,
                       unsigned *seen) {
    enum { DESCR = 1, ORDER = 2, SHAPE = 4 };
    const char *key;
    size_t n;
    if (!read_string(l, &key, &n))
        return false;
    if (!next_is(l, ':'))
        return fail_literal(l, "a colon is missing");
    unsigned which = equals(key, n, "descr") ? DESCR : equals(key, n, "fortran_order") ? ORDER
                   : equals(key, n, "shape") ? SHAPE : 0;
    if (!which)
        return fail_literal(l, "there is a key beside descr, fortran_order and shape");
    if (*seen & which)
        return fail_literal(l, "a key occurs twice");
    *seen |= which;
    if (which == SHAPE)
        return read_tuple(l, shape);
    if (which == ORDER) {
        shape->fortran_order = read_word(l, "True");
        return shape->fortran_order || read_word(l, "False") ||
               fail_literal(l, "fortran_order is neither True nor False");
    }
    skip_spaces(l);
    if (l->at < l->end && *l->at == '[')
        return fail_literal(l, "the type is a structure, which is not supported");
    return read_string(l, descr, n_descr);
}

static bool read_dictionary(struct literal *l, struct npy_shape *shape, const char **descr, size_t *n_descr) {
    unsigned seen = 0;
    if (!next_is(l, '{'))
        return fail_literal(l, "it is not a dictionary");
    bool comma = true;
    while (!next_is(l, '}')) {
        if (!comma)
            return fail_literal(l, "a comma is missing");
        if (!read_entry(l, shape, descr, n_descr, &seen))
            return false;
        comma = next_is(l, ',');
    }
    skip_spaces(l);
    if (l->at != l->end)
        return fail_literal(l, "something follows the dictionary");
    if (seen != 7)
        return fail_literal(l, "descr, fortran_order or shape is missing");
    return true;
}

/* --------------------------------------------------------------------------------------------- reading --- */

struct npy_reader {
    struct input in;
    struct npy_shape shape;
    uint64_t data; /* where the items begin in the file */
    uint64_t n_items, left; /* left: not yet read */
};

static ecdc_status find_dtype(const char *path, const char *descr, size_t n, enum npy_dtype *dtype, ecdc_error *err) {
    for (int i = 0; i < N_DTYPES; i++)
        if (equals(descr, n, dtypes[i].descr)) {
            *dtype = (enum npy_dtype)i;
            return ECDC_OK;
        }
    const char *why = n > 0 && descr[0] == '>' ? " (big-endian)"
                    : n > 1 && descr[1] == 'O' ? " (Python objects)"
                    : n > 1 && descr[1] == 'U' ? " (text)" : "";
    return ecdc_fail(err, ECDC_E_UNSUPPORTED,
                     "%s: items of type '%.*s'%s are not supported, only little-endian int16, int32, int64, float32 "
                     "and float64", path, n < 40 ? (int)n : 40, descr, why);
}

/* Reads the length of the header and the header itself into *text (n bytes, the caller's). */
static ecdc_status read_header(struct input *in, char **text, size_t *n, ecdc_error *err) {
    unsigned char start[12];
    if (in->size < PREFIX_BYTES)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: not a .npy file (it has only %" PRIu64 " bytes)", in->path, in->size);
    ecdc_status status = input_read(in, start, PREFIX_BYTES, err);
    if (status != ECDC_OK)
        return status;
    if (memcmp(start, magic, sizeof magic) != 0)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: not a .npy file (it does not start with \\x93NUMPY)", in->path);
    int major = start[6], minor = start[7];
    if (major < 1 || major > 3 || minor != 0)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: version %d.%d of .npy is unknown, 1.0 to 3.0 are read", in->path,
                         major, minor);
    uint64_t length = (uint64_t)start[8] | (uint64_t)start[9] << 8;
    if (major > 1) { /* a 32-bit length */
        if ((status = input_read(in, start + 10, 2, err)) != ECDC_OK)
            return status;
        length |= (uint64_t)start[10] << 16 | (uint64_t)start[11] << 24;
    }
    if (length > in->size - in->read)
        return ecdc_fail(err, ECDC_E_FORMAT,
                         "%s: is cut off: the header claims %" PRIu64 " bytes, the file has %" PRIu64, in->path, length,
                         in->size - in->read);
    if (length > HEADER_MAX)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: a header of %" PRIu64 " bytes is too long", in->path, length);
    if (!(*text = ecdc_alloc_array((size_t)length, 1)))
        return ecdc_fail_memory(err, "a .npy header");
    *n = (size_t)length;
    return input_read(in, *text, *n, err);
}

static ecdc_status parse_header(struct npy_reader *r, const char *text, size_t n, ecdc_error *err) {
    struct literal l = {.at = text, .end = text + n};
    const char *descr = NULL, *path = r->in.path;
    size_t n_descr = 0;
    if (!read_dictionary(&l, &r->shape, &descr, &n_descr))
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: the .npy header is broken: %s (byte %td)", path, l.problem,
                         l.at - text);
    ecdc_status status = find_dtype(path, descr, n_descr, &r->shape.dtype, err);
    if (status != ECDC_OK)
        return status;
    int64_t claimed;
    if (!array_bytes(&r->shape, &claimed))
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: the shape is too large for any file", path);
    uint64_t present = r->in.size - r->in.read;
    if ((uint64_t)claimed != present)
        return ecdc_fail(err, ECDC_E_FORMAT,
                         "%s: %s: the shape claims %" PRId64 " bytes of data, the file has %" PRIu64, path,
                         (uint64_t)claimed > present ? "is cut off" : "has too many bytes", claimed, present);
    r->data = r->in.read;
    r->n_items = r->left = (uint64_t)claimed / dtypes[r->shape.dtype].size;
    return ECDC_OK;
}

ecdc_status npy_open_input(struct input in, struct npy_reader **out, ecdc_error *err) {
    struct npy_reader *r = ecdc_alloc_zeros(1, sizeof *r);
    if (!r) {
        input_close(&in);
        return ecdc_fail_memory(err, "a .npy reader");
    }
    char *text = NULL;
    size_t n = 0;
    r->in = in;
    ecdc_status status = read_header(&r->in, &text, &n, err);
    if (status == ECDC_OK)
        status = parse_header(r, text, n, err);
    free(text);
    if (status != ECDC_OK) {
        npy_close(r);
        return status;
    }
    *out = r;
    return ECDC_OK;
}

ecdc_status npy_open(const char *path, struct npy_reader **out, ecdc_error *err) {
    struct input in;
    ecdc_status status = input_open(&in, path, err);
    return status == ECDC_OK ? npy_open_input(in, out, err) : status;
}

ecdc_status npy_open_entry(const char *archive_path, struct archive *archive, size_t entry, struct npy_reader **out,
                           ecdc_error *err) {
    struct input in;
    ecdc_status status = input_open_entry(&in, archive_path, archive, entry, err);
    return status == ECDC_OK ? npy_open_input(in, out, err) : status;
}

const struct npy_shape *npy_shape_of(const struct npy_reader *r) {
    return &r->shape;
}

static uint64_t little_endian(const unsigned char *bytes, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static int64_t item_int64(const unsigned char *bytes, enum npy_dtype t) {
    if (t == NPY_I16)
        return (int16_t)little_endian(bytes, 2);
    if (t == NPY_I32)
        return (int32_t)little_endian(bytes, 4);
    return (int64_t)little_endian(bytes, 8);
}

static float item_float(const unsigned char *bytes, enum npy_dtype t) {
    if (t == NPY_F32) {
        uint32_t bits = (uint32_t)little_endian(bytes, 4);
        float value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    uint64_t bits = little_endian(bytes, 8);
    double value;
    memcpy(&value, &bits, sizeof value);
    return (float)value;
}

/* Exactly one of integers and floats is not NULL. */
static ecdc_status read_items(struct npy_reader *r, int64_t *integers, float *floats, size_t n, ecdc_error *err) {
    const struct dtype_facts *facts = &dtypes[r->shape.dtype];
    if (facts->is_float != (floats != NULL))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: the items are %s, not %s", r->in.path, facts->name,
                         floats ? "floating-point numbers" : "integers");
    if (n > r->left)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: %zu more items were expected, the file has %" PRIu64, r->in.path, n,
                         r->left);
    unsigned char block[BLOCK_BYTES];
    for (size_t done = 0; done < n;) {
        size_t piece = n - done < BLOCK_BYTES / facts->size ? n - done : BLOCK_BYTES / facts->size;
        ecdc_status status = input_read(&r->in, block, piece * facts->size, err);
        if (status != ECDC_OK)
            return status;
        for (size_t i = 0; i < piece; i++) {
            if (floats)
                floats[done + i] = item_float(block + i * facts->size, r->shape.dtype);
            else
                integers[done + i] = item_int64(block + i * facts->size, r->shape.dtype);
        }
        done += piece;
        r->left -= piece;
    }
    return ECDC_OK;
}

ecdc_status npy_read_int64(struct npy_reader *r, int64_t *items, size_t n, ecdc_error *err) {
    return read_items(r, items, NULL, n, err);
}

ecdc_status npy_read_float(struct npy_reader *r, float *items, size_t n, ecdc_error *err) {
    return read_items(r, NULL, items, n, err);
}

ecdc_status npy_seek(struct npy_reader *r, int64_t item, ecdc_error *err) {
    if (item < 0 || (uint64_t)item > r->n_items)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: there is no item %" PRId64, r->in.path, item);
    r->left = r->n_items - (uint64_t)item;
    return input_seek(&r->in, r->data + (uint64_t)item * dtypes[r->shape.dtype].size, err);
}

void npy_close(struct npy_reader *r) {
    if (!r)
        return;
    input_close(&r->in);
    free(r);
}
