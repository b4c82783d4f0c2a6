/* The pickle of a PyTorch state dict, read without being run. A pickle is a program for a stack machine that may call
 * anything; this reader knows the instructions (protocol 2) and the three callables that a state dict needs, and refuses
 * every other by name and offset:
 *     collections.OrderedDict, torch._utils._rebuild_tensor_v2, torch._utils._rebuild_parameter,
 * and the storage types torch.FloatStorage, HalfStorage, BFloat16Storage, DoubleStorage, LongStorage, IntStorage, ShortStorage,
 * CharStorage, ByteStorage, BoolStorage, which are not called. */
#ifndef ECDC_MODEL_PICKLE_H
#define ECDC_MODEL_PICKLE_H

#include "model/tensor.h"

/* A tensor as the pickle describes it: a view of a storage, which is another file of the archive. */
struct pickle_tensor {
    char *name;
    enum dtype dtype;
    char *storage;          /* its file's name below data/: "0", "1", ... */
    uint64_t storage_count; /* numbers in the storage */
    uint64_t offset;        /* of the first number; this and the strides in numbers, not bytes */
    int rank;
    uint64_t shape[TENSOR_MAX_RANK], stride[TENSOR_MAX_RANK];
};

struct pickle_tensors {
    struct pickle_tensor *tensors;
    size_t n;
};

/* The tensors of the dict that the pickle makes, or of the one that it holds under "state_dict", "best_state" or "model" (one
 * inside the other, too); other values are skipped. Memory is proportional to n. Views lie within what their storage claims to
 * hold and have no more numbers than it. `path` is for messages. On failure *out is empty.
 * ECDC_E_FORMAT (broken, or not a dict of tensors), ECDC_E_UNSUPPORTED (an instruction or a callable that is not known),
 * ECDC_E_MEMORY. */
ecdc_status pickle_read(const char *path, const void *bytes, size_t n, struct pickle_tensors *out, ecdc_error *err);
void pickle_tensors_free(struct pickle_tensors *tensors);

#endif
