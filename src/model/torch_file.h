/* PyTorch's checkpoint files (.th, .pt): a zip archive with
 *     <name>/data.pkl       a pickle that describes the tensors, model/pickle.h
 *     <name>/data/<key>     their storages: numbers without a header
 *     <name>/byteorder      "little", in files of PyTorch 2 */
#ifndef ECDC_MODEL_TORCH_FILE_H
#define ECDC_MODEL_TORCH_FILE_H

#include "model/tensor.h"

/* The storages that a table's tensors point into. */
struct torch_storages {
    void **blocks;
    size_t n;
};

/* Fills an empty table with the tensors of a file in memory, each in the order of its shape; `storages` must live as long as
 * the table and be given back to torch_storages_free. Nothing of the file is executed. All storages together may have at most
 * 16 times the file's bytes, and 16 MiB: weights hardly compress, so what promises more is a bomb. `path` is for messages.
 * On failure both are empty. ECDC_E_FORMAT, ECDC_E_UNSUPPORTED, ECDC_E_MEMORY. */
ecdc_status torch_file_read(const char *path, const void *bytes, size_t n, struct tensor_table *table,
                            struct torch_storages *storages, ecdc_error *err);
/* The same of an open file, which is needed no more afterwards. */
ecdc_status torch_file_read_file(const struct weight_file *file, struct tensor_table *table, struct torch_storages *storages,
                                 ecdc_error *err);
void torch_storages_free(struct torch_storages *storages);

/* The image of a file with these tensors, which torch.load reads with weights_only=True: an OrderedDict in the order given, the
 * entries stored; free() it. Names must be plain: printable ASCII. ECDC_E_ARGUMENT, ECDC_E_MEMORY. */
ecdc_status torch_file_make(const struct tensor *tensors, size_t n, void **image, size_t *n_bytes, ecdc_error *err);

#endif
