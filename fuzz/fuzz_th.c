/* PyTorch's checkpoints. Choice, bit 0: the pickle alone, else the archive; bit 1: as a checkpoint of EnCodec; bit 2: as a
 * model that encodes and decodes. */
#include <stdlib.h>

#include "fuzz.h"
#include "model/pickle.h"
#include "model/torch_file.h"

fuzz_structure *const fuzz_structure_of_target = fuzz_structure_th;

static void read_pickle(const struct fuzz_input *input) {
    struct pickle_tensors tensors;
    ecdc_error err;
    if (!fuzz_check(pickle_read("x.th", input->file, input->n, &tensors, &err), &err))
        return;
    for (size_t i = 0; i < tensors.n; i++) { /* the last number of a view lies in its storage */
        const struct pickle_tensor *t = &tensors.tensors[i];
        uint64_t last = t->offset;
        bool empty = false;
        for (int k = 0; k < t->rank; k++) {
            empty |= t->shape[k] == 0;
            last += t->shape[k] ? (t->shape[k] - 1) * t->stride[k] : 0;
        }
        if (!empty && last >= t->storage_count)
            fuzz_broken("a tensor beyond its storage");
    }
    pickle_tensors_free(&tensors);
}

static void read_archive(const struct fuzz_input *input) {
    struct tensor_table table = {0};
    struct torch_storages storages = {0};
    ecdc_error err;
    if (!fuzz_check(torch_file_read("x.th", input->file, input->n, &table, &storages, &err), &err))
        return;
    for (size_t i = 0; i < table.n; i++) {
        const uint8_t *data = table.tensors[i].data;
        volatile uint8_t touched = 0;
        for (uint64_t k = 0; k < table.tensors[i].n_bytes; k++)
            touched = (uint8_t)(touched ^ data[k]);
    }
    tensor_table_free(&table);
    torch_storages_free(&storages);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct fuzz_input input;
    if (!fuzz_begin(bytes, n, &input))
        return 0;
    if (input.choice & 1)
        read_pickle(&input);
    else if (input.choice & 4)
        fuzz_use_model(fuzz_save(&input, "checkpoint.th"));
    else if (input.choice & 2)
        fuzz_use_checkpoint(&input, "x.th");
    else
        read_archive(&input);
    fuzz_end();
    return 0;
}
