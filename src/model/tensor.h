/* Named arrays of numbers, as checkpoint files hold them: what a reader of any file format fills, and what the rest
 * asks by name. */
#ifndef ECDC_MODEL_TENSOR_H
#define ECDC_MODEL_TENSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "ecdc.h"
#include "model/weight_file.h"

enum dtype {
    DTYPE_F64, DTYPE_F32, DTYPE_F16, DTYPE_BF16, /* these can be read as float32 */
    DTYPE_I64, DTYPE_U64, DTYPE_I32, DTYPE_U32, DTYPE_I16, DTYPE_U16, DTYPE_I8, DTYPE_U8, DTYPE_BOOL,
    DTYPE_UNKNOWN
};

enum { TENSOR_MAX_RANK = 8 };

struct tensor {
    char *name;
    enum dtype dtype;
    int rank;
    uint64_t shape[TENSOR_MAX_RANK];
    const void *data; /* little-endian, n_bytes of them, at any alignment; not the table's. NULL: in a file */
    const struct weight_file *file;
    uint64_t offset;  /* in the file */
    uint64_t n_bytes;
};

/* Start with zeros; fill with tensor_table_add, then tensor_table_finish once; ask with tensor_table_find. */
struct tensor_table {
    struct tensor *tensors; /* by name, once finished */
    size_t n, capacity;
};

/* Copies *t and its name; t->data or t->file must outlive the table. n_bytes must be what shape and dtype say, and fit a size_t
 * (checked by the reader of the file, who can say what is wrong with it). ECDC_E_MEMORY. */
ecdc_status tensor_table_add(struct tensor_table *table, const struct tensor *t, ecdc_error *err);
/* ECDC_E_FORMAT where a name stands twice; `path` is for the message. */
ecdc_status tensor_table_finish(struct tensor_table *table, const char *path, ecdc_error *err);
const struct tensor *tensor_table_find(const struct tensor_table *table, const char *name); /* NULL: none */
void tensor_table_free(struct tensor_table *table);

const char *dtype_name(enum dtype dtype);         /* as safetensors writes it: "F32"; "(unknown)" */
enum dtype dtype_from_name(const char *name);
size_t dtype_size(enum dtype dtype);              /* bytes per number; 0 for unknown */
bool dtype_is_float(enum dtype dtype);            /* F64, F32, F16 or BF16 */

uint64_t tensor_count(const struct tensor *t);    /* numbers: the product of the shape, 1 for rank 0 */
/* "(64, 16, 7)". Returns buffer. */
const char *tensor_shape_text(int rank, const uint64_t *shape, char *buffer, size_t size);

/* Converts to float32: exact from F32, F16 and BF16, rounded to nearest from F64. The dtype must be one of the four.
 * `path` is for messages. ECDC_E_MODEL where a result is infinite or not a number; ECDC_E_IO. */
ecdc_status tensor_read(const struct tensor *t, const char *path, float *out, ecdc_error *err);
/* Its n_bytes bytes as they are. ECDC_E_IO. */
ecdc_status tensor_copy(const struct tensor *t, void *out, ecdc_error *err);

/* Rounds to half precision, to nearest, ties to even. `out` may be the same memory. False where a result is beyond its range. */
bool tensor_to_half(const float *values, size_t n, uint16_t *out);

#endif
