/* Weights in memory, as far as their config; a model from files, as far as a hundred samples there and back. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"
#include "model/checkpoint.h"
#include "model/infer.h"

void fuzz_use_checkpoint(const struct fuzz_input *input, const char *name) {
    struct checkpoint *c;
    struct config config;
    ecdc_error err;
    uint64_t n_parameters;
    if (!fuzz_check(checkpoint_open(name, input->file, input->n, &c, &err), &err))
        return;
    fuzz_check(checkpoint_recognise(c, &err), &err);
    if (fuzz_check(infer_config(name, c, &config, &err), &err))
        fuzz_check(checkpoint_check(c, &config, &n_parameters, &err), &err);
    checkpoint_close(c);
}

/* Beside the weights lies the config of the tests' smallest model. */
static void save_config(void) {
    char bytes[4096], path[128];
    snprintf(path, sizeof path, "%s/config.json", fuzz_directory());
    FILE *f = fopen(ECDC_TEST_DATA "/torch/config.json", "rb");
    size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (n == 0)
        fuzz_broken("no config");
    fclose(f);
    fuzz_write(path, bytes, n);
}

static void use(const ecdc_model *model) {
    enum { SAMPLES = 100 };
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    ecdc_settings settings = ecdc_default_settings();
    settings.bandwidth_kbps = info.bandwidths_kbps[0];
    settings.n_threads = 1;
    int64_t frames = ecdc_model_frames(model, SAMPLES);
    int codebooks;
    ecdc_error err;
    if (info.chunked || !fuzz_check(ecdc_model_codebooks(model, settings.bandwidth_kbps, &codebooks, &err), &err))
        return;
    float *sound = calloc((size_t)frames * (size_t)info.hop + SAMPLES, (size_t)info.channels * sizeof *sound);
    int32_t *codes = calloc((size_t)frames * (size_t)codebooks, sizeof *codes);
    if (sound && codes && fuzz_check(ecdc_encode(model, &settings, sound, SAMPLES, codes, &err), &err))
        fuzz_check(ecdc_decode(model, &settings, codes, (size_t)frames, sound, &err), &err);
    free(sound);
    free(codes);
}

void fuzz_use_model(const char *path) {
    static bool prepared;
    ecdc_model *model;
    ecdc_error err;
    if (!prepared)
        save_config();
    prepared = true;
    if (!fuzz_check(ecdc_model_open(path, &model, &err), &err))
        return;
    use(model);
    ecdc_model_close(model);
}
