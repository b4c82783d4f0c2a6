/* The safetensors format: 8 bytes of header length (little-endian), the header, which is JSON
 *     {"name": {"dtype": "F32", "shape": [64, 16, 7], "data_offsets": [begin, end]}, ..., "__metadata__": {...}}
 * with offsets that count from the header's end, then the numbers. */
#ifndef ECDC_MODEL_SAFETENSORS_H
#define ECDC_MODEL_SAFETENSORS_H

#include <cjson/cJSON.h>

#include "model/tensor.h"

/* Fills an empty table with the directory of an image; the tensors point into `bytes`. Everything that the header says
 * is checked against the image's size; the numbers themselves are not touched. `path` is for messages.
 * On failure the table is empty. ECDC_E_FORMAT, ECDC_E_MEMORY. */
ecdc_status safetensors_read(const char *path, const void *bytes, size_t n, struct tensor_table *table,
                             ecdc_error *err);

/* The same of an open file, which must outlive the table; only the header is read. *metadata, unless `metadata` is NULL: what stands
 * under __metadata__, where there is such an object, else NULL; cJSON_Delete it. Its values are whatever the file says. Also fails with
 * ECDC_E_IO. */
ecdc_status safetensors_read_file(const struct weight_file *file, struct tensor_table *table, cJSON **metadata, ecdc_error *err);

/* One tensor of an image to be made. */
struct safetensors_item {
    const char *name; /* printable ASCII without quotes and backslashes */
    enum dtype dtype;
    int rank;
    uint64_t shape[TENSOR_MAX_RANK];
    size_t offset;  /* set by safetensors_layout: where in the image its numbers go */
    size_t n_bytes; /* set by safetensors_layout */
};

/* Makes an image with a complete header and room for the numbers, which the caller sets: the tensors one after the
 * other as given, the first on a 64-byte boundary. free() it. ECDC_E_ARGUMENT (a name, dtype or shape), ECDC_E_MEMORY. */
ecdc_status safetensors_layout(struct safetensors_item *items, size_t n_items, void **image, size_t *n_bytes,
                               ecdc_error *err);

#endif
