/* PyTorch's checkpoints. Choice, bit 0: the pickle alone, else the archive; bit 1: as a checkpoint of EnCodec; bit 2: as a
 * model that encodes and decodes. */
#include <stdlib.h>

#include "fuzz.h"
#include "model/checkpoint.h"
#include "model/infer.h"
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

static void read_checkpoint(const struct fuzz_input *input) {
    struct checkpoint *c;
    struct config config;
    ecdc_error err;
    uint64_t n_parameters;
    if (!fuzz_check(checkpoint_open("x.th", input->file, input->n, &c, &err), &err))
        return;
    fuzz_check(checkpoint_recognise(c, &err), &err);
    if (fuzz_check(infer_config("x.th", c, &config, &err), &err))
        fuzz_check(checkpoint_check(c, &config, &n_parameters, &err), &err);
    checkpoint_close(c);
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
        read_checkpoint(&input);
    else
        read_archive(&input);
    fuzz_end();
    return 0;
}
