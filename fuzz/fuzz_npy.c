/* Arrays of numpy: all items in pieces, then from somewhere in the middle again. */
#include <string.h>

#include "fuzz.h"
#include "media/npy.h"

fuzz_structure *const fuzz_structure_of_target = fuzz_structure_npy;

enum { PIECE = 61 };

/* The items from `at` on; false where it fails. */
static bool read_from(struct npy_reader *r, int64_t at, int64_t n) {
    const struct npy_shape *shape = npy_shape_of(r);
    bool real = shape->dtype == NPY_F32 || shape->dtype == NPY_F64;
    int64_t items[PIECE];
    float numbers[PIECE];
    ecdc_error err;
    bool good = fuzz_check(npy_seek(r, at, &err), &err);
    while (good && at < n) {
        size_t piece = n - at < PIECE ? (size_t)(n - at) : PIECE;
        good = fuzz_check(real ? npy_read_float(r, numbers, piece, &err) : npy_read_int64(r, items, piece, &err), &err);
        at += (int64_t)piece;
    }
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct fuzz_input input;
    struct npy_reader *r;
    ecdc_error err;
    if (!fuzz_begin(bytes, n, &input))
        return 0;
    if (fuzz_check(npy_open(fuzz_path(&input), &r, &err), &err)) {
        const struct npy_shape *shape = npy_shape_of(r);
        int64_t items = 1;
        for (int i = 0; i < shape->n_dims; i++)
            items = shape->dims[i] ? items * shape->dims[i] : 0;
        if (items < 0 || (uint64_t)items * npy_dtype_size(shape->dtype) > input.n)
            fuzz_broken("more items than the file holds");
        if (read_from(r, 0, items) && items > 0)
            read_from(r, (int64_t)(input.choice % (uint64_t)items), items);
        float number;
        if (npy_read_float(r, &number, 1, &err) == ECDC_OK)
            fuzz_broken("an item behind the last one");
        if (npy_seek(r, items + 1, &err) == ECDC_OK)
            fuzz_broken("a place behind the end");
        npy_close(r);
    }
    fuzz_end();
    return 0;
}
