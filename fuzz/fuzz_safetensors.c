/* Weights. Choice modulo 4: 0 the directory of tensors, all numbers converted; 1 as a checkpoint of EnCodec without config.json;
 * 2 as a model that encodes and decodes; 3 as a code autoencoder. */
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "fuzz.h"
#include "model/checkpoint.h"
#include "model/infer.h"
#include "model/safetensors.h"

fuzz_structure *const fuzz_structure_of_target = fuzz_structure_safetensors;

enum { MAX_CODES = 1 << 16 }; /* of a row */

static void read_tensors(const struct fuzz_input *input) {
    static float numbers[FUZZ_MAX_FILE * 2];
    struct tensor_table table = {0};
    cJSON *metadata = NULL;
    ecdc_error err;
    if (fuzz_check(safetensors_read("x.safetensors", input->file, input->n, &table, &err), &err)) {
        for (size_t i = 0; i < table.n; i++) {
            const struct tensor *t = &table.tensors[i];
            const uint8_t *data = t->data;
            volatile uint8_t touched = 0;
            for (uint64_t k = 0; k < t->n_bytes; k++)
                touched = (uint8_t)(touched ^ data[k]);
            if (tensor_table_find(&table, t->name) != t)
                fuzz_broken("a tensor that is not found by its name");
            if (dtype_is_float(t->dtype) && tensor_count(t) <= sizeof numbers / sizeof *numbers)
                tensor_read(t, numbers);
        }
        tensor_table_free(&table);
    }
    if (fuzz_check(safetensors_metadata("x.safetensors", input->file, input->n, &metadata, &err), &err))
        cJSON_Delete(metadata);
}

static void infer(const struct fuzz_input *input) {
    struct checkpoint *c;
    struct config config;
    ecdc_error err;
    uint64_t n_parameters;
    if (!fuzz_check(checkpoint_open("x.safetensors", input->file, input->n, &c, &err), &err))
        return;
    fuzz_check(checkpoint_recognise(c, &err), &err);
    if (fuzz_check(infer_config("x.safetensors", c, &config, &err), &err))
        fuzz_check(checkpoint_check(c, &config, &n_parameters, &err), &err);
    checkpoint_close(c);
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
