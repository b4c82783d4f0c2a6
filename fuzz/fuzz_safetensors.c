/* Weights. Choice modulo 4: 0 the directory of tensors, in memory and of a file, and all numbers; 1 as a checkpoint of EnCodec without
 * config.json; 2 as a model that encodes and decodes; 3 as a code autoencoder. */
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "fuzz.h"
#include "model/safetensors.h"

fuzz_structure *const fuzz_structure_of_target = fuzz_structure_safetensors;

enum { MAX_CODES = 1 << 16 }; /* of a row */

/* All numbers, as they are and converted. */
static void read_table(const struct tensor_table *table, size_t n_file) {
    static float numbers[FUZZ_MAX_FILE * 2];
    static uint8_t bytes[FUZZ_MAX_FILE];
    ecdc_error err;
    for (size_t i = 0; i < table->n; i++) {
        const struct tensor *t = &table->tensors[i];
        if (tensor_table_find(table, t->name) != t)
            fuzz_broken("a tensor that is not found by its name");
        if (t->n_bytes > n_file)
            fuzz_broken("a tensor larger than its file");
        if (t->n_bytes <= sizeof bytes)
            fuzz_check(tensor_copy(t, bytes, &err), &err);
        if (dtype_is_float(t->dtype) && tensor_count(t) <= sizeof numbers / sizeof *numbers)
            fuzz_check(tensor_read(t, "x.safetensors", numbers, &err), &err);
    }
}

static void read_tensors(const struct fuzz_input *input) {
    struct tensor_table table = {0}, of_file = {0};
    struct weight_file *file;
    cJSON *metadata = NULL;
    ecdc_error err;
    if (fuzz_check(safetensors_read("x.safetensors", input->file, input->n, &table, &err), &err)) {
        read_table(&table, input->n);
        tensor_table_free(&table);
    }
    if (!fuzz_check(weight_file_open(fuzz_save(input, "x.safetensors"), &file, &err), &err))
        return;
    if (fuzz_check(safetensors_read_file(file, &of_file, &metadata, &err), &err)) {
        read_table(&of_file, input->n);
        tensor_table_free(&of_file);
        cJSON_Delete(metadata);
    }
    weight_file_close(file);
}

static void infer(const struct fuzz_input *input) {
    fuzz_use_checkpoint(input, "x.safetensors");
}

static void open_model(const struct fuzz_input *input) {
    fuzz_use_model(fuzz_save(input, "model.safetensors"));
}

static void open_autoencoder(const struct fuzz_input *input) {
    ecdc_autoencoder *a;
    ecdc_autoencoder_info info;
    ecdc_settings settings = ecdc_default_settings();
    ecdc_error err;
    settings.n_threads = 1;
    if (!fuzz_check(ecdc_autoencoder_open(fuzz_save(input, "autoencoder.safetensors"), &settings, &a, &err), &err))
        return;
    ecdc_autoencoder_get_info(a, &info);
    int64_t row = (int64_t)info.n_codebooks * info.frames_per_tr;
    int64_t *codes = row <= MAX_CODES ? calloc((size_t)row, sizeof *codes) : NULL;
    if (codes)
        fuzz_check(ecdc_autoencoder_run(a, codes, 1, codes, NULL, NULL, &err), &err);
    free(codes);
    ecdc_autoencoder_close(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static void (*const ways[])(const struct fuzz_input *) = {read_tensors, infer, open_model, open_autoencoder};
    struct fuzz_input input;
    if (!fuzz_begin(bytes, n, &input))
        return 0;
    ways[input.choice % 4](&input);
    fuzz_end();
    return 0;
}
