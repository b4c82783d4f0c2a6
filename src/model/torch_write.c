/* Writing of PyTorch's checkpoint files: the pickle that describes the tensors, and the archive around it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/archive.h"
#include "base/memory.h"
#include "model/torch_file.h"

struct text {
    char *bytes;
    size_t n, capacity;
    bool failed;
};

static void put(struct text *t, const void *bytes, size_t n) {
    if (t->capacity - t->n < n) {
        size_t capacity = 2 * t->capacity + n + 1024;
        char *grown = ecdc_realloc_array(t->bytes, capacity, 1);
        if (!grown) {
            t->failed = true;
            return;
        }
        t->bytes = grown;
        t->capacity = capacity;
    }
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
}

static void put_code(struct text *t, const char *code) {
    put(t, code, strlen(code));
}

static void put_number(struct text *t, uint64_t number, size_t n) {
    unsigned char bytes[8];
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(number >> (8 * i));
    put(t, bytes, n);
}

static void put_string(struct text *t, const char *s) {
    put_code(t, "X");
    put_number(t, strlen(s), 4);
    put(t, s, strlen(s));
}

static void put_integer(struct text *t, uint64_t number) {
    bool small = number <= INT32_MAX;
    put_code(t, small ? "J" : "\x8a\x08");
    put_number(t, number, small ? 4 : 8);
}

static const char *storage_type(enum dtype dtype) {
    switch (dtype) {
    case DTYPE_F64: return "ctorch\nDoubleStorage\n";
    case DTYPE_F32: return "ctorch\nFloatStorage\n";
    case DTYPE_F16: return "ctorch\nHalfStorage\n";
    case DTYPE_BF16: return "ctorch\nBFloat16Storage\n";
    case DTYPE_I64: return "ctorch\nLongStorage\n";
    case DTYPE_I32: return "ctorch\nIntStorage\n";
    case DTYPE_I16: return "ctorch\nShortStorage\n";
    case DTYPE_I8: return "ctorch\nCharStorage\n";
    case DTYPE_U8: return "ctorch\nByteStorage\n";
    case DTYPE_BOOL: return "ctorch\nBoolStorage\n";
    default: return NULL;
    }
}

/* _rebuild_tensor_v2(storage, 0, shape, stride, False, OrderedDict()) */
static void put_tensor(struct text *t, const struct tensor *tensor, const char *key) {
    uint64_t stride[TENSOR_MAX_RANK], n = 1;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        stride[i] = n;
        n *= tensor->shape[i];
    }
    put_string(t, tensor->name);
    put_code(t, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_string(t, "storage");
    put_code(t, storage_type(tensor->dtype));
    put_string(t, key);
    put_string(t, "cpu");
    put_integer(t, n);
    put_code(t, "tQ");
    put_integer(t, 0);
    for (int k = 0; k < 2; k++) {
        put_code(t, "(");
        for (int i = 0; i < tensor->rank; i++)
            put_integer(t, k ? stride[i] : tensor->shape[i]);
        put_code(t, "t");
    }
    put_code(t, "\x89" "ccollections\nOrderedDict\n)RtR");
}

ecdc_status torch_file_make(const struct tensor *tensors, size_t n, void **image, size_t *n_bytes, ecdc_error *err) {
    enum { BEFORE = 3, NAME = 40 };
    for (size_t i = 0; i < n; i++)
        if (!storage_type(tensors[i].dtype))
            return ecdc_fail(err, ECDC_E_ARGUMENT, "tensor %s: PyTorch has no storage for the dtype %s", tensors[i].name,
                             dtype_name(tensors[i].dtype));
    struct archive_item *items = ecdc_alloc_array(n + BEFORE, sizeof *items);
    char(*names)[NAME] = ecdc_alloc_array(n, sizeof *names);
    struct text pickle = {0};
    ecdc_status status = items && names ? ECDC_OK : ecdc_fail_memory(err, "the tensors");
    put_code(&pickle, "\x80\x02" "ccollections\nOrderedDict\n)R(");
    for (size_t i = 0; !status && i < n; i++) {
        snprintf(names[i], NAME, "checkpoint/data/%zu", i);
        put_tensor(&pickle, &tensors[i], strrchr(names[i], '/') + 1);
        items[BEFORE + i] = (struct archive_item){names[i], tensors[i].data, (size_t)tensors[i].n_bytes};
    }
    put_code(&pickle, "u.");
    if (!status && pickle.failed)
        status = ecdc_fail_memory(err, "the tensors");
    if (!status) {
        items[0] = (struct archive_item){"checkpoint/data.pkl", pickle.bytes, pickle.n};
        items[1] = (struct archive_item){"checkpoint/byteorder", "little", strlen("little")};
        items[2] = (struct archive_item){"checkpoint/version", "3\n", strlen("3\n")};
        status = archive_make(items, n + BEFORE, image, n_bytes, err);
    }
    free(pickle.bytes);
    free(names);
    free(items);
    return status;
}
