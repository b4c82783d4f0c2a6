/* NumPy's .npy files, version 1.0 to 3.0 read, 1.0 written, as streams.
 * Format: numpy.lib.format (NEP 1). */
#ifndef ECDC_MEDIA_NPY_H
#define ECDC_MEDIA_NPY_H

#include "media/input.h"
#include "media/output.h"

enum {
    NPY_MAX_DIMS = 8,
    NPY_HEADER_MAX = 512 /* bytes written: 8 dimensions of 19 digits and the fixed text */
};

enum npy_dtype { NPY_I16, NPY_I32, NPY_I64, NPY_F32, NPY_F64 };
size_t npy_dtype_size(enum npy_dtype t);
const char *npy_dtype_name(enum npy_dtype t); /* "int16" ... */

struct npy_shape {
    enum npy_dtype dtype;
    bool fortran_order;
    int n_dims;
    int64_t dims[NPY_MAX_DIMS];
};

/* Writing: one axis may be unknown until the end (the first in C order, the last in Fortran order) and be given as 0;
 * its header is padded so that the final number fits, and completed by npy_finish_header. The output must be empty and
 * `patched`. The bytes are those of numpy.save. */
ecdc_status npy_write_header(struct output *o, const struct npy_shape *shape, ecdc_error *err);
/* Overwrites the header at the start of the output with the final shape. ECDC_E_ARGUMENT where the output does not hold
 * as many items as the shape says. */
ecdc_status npy_finish_header(struct output *o, const struct npy_shape *shape, ecdc_error *err);

/* The header's bytes, magic included; returns how many, which does not depend on the axis that may be unknown. */
size_t npy_format_header(const struct npy_shape *shape, char header[NPY_HEADER_MAX]);

/* Reading a file in pieces; "-" is standard input (input.h). */
struct npy_reader;
/* Checks magic, version, header (a Python literal: parsed, not evaluated), dtype (little-endian int16, int32, int64,
 * float32, float64; others are ECDC_E_UNSUPPORTED and named), and that the file holds exactly what the shape claims
 * (ECDC_E_FORMAT says both numbers), so that the product of the dimensions times the item size fits int64_t. Allocation
 * does not depend on what the header claims. */
ecdc_status npy_open(const char *path, struct npy_reader **out, ecdc_error *err);
/* The same for an input that is open, at its start; takes it in any case. */
ecdc_status npy_open_input(struct input in, struct npy_reader **out, ecdc_error *err);
/* The same for an entry of an archive, which must stay open until npy_close. */
ecdc_status npy_open_entry(const char *archive_path, struct archive *archive, size_t entry, struct npy_reader **out,
                           ecdc_error *err);
const struct npy_shape *npy_shape_of(const struct npy_reader *r);
/* The next n items, in the file's own order. Integers of any width as int64; ECDC_E_ARGUMENT if the dtype is a float's
 * (and the reverse; float64 is rounded to float). Reading past the end is ECDC_E_FORMAT. After a failure `items` may
 * hold some of them. */
ecdc_status npy_read_int64(struct npy_reader *r, int64_t *items, size_t n, ecdc_error *err);
ecdc_status npy_read_float(struct npy_reader *r, float *items, size_t n, ecdc_error *err);
/* The next item to be read is number `item`, 0 ... the number of items. ECDC_E_ARGUMENT, ECDC_E_IO. */
ecdc_status npy_seek(struct npy_reader *r, int64_t item, ecdc_error *err);
void npy_close(struct npy_reader *r);

#endif
