/* JSON from files: choice modulo 6. 0 a config, which is written and read again; 1 the description of features, for the way back;
 * 2 BIDS' sidecar of a scan; 3 the description of a file in a study's cache; 4 the settings of a batch; 5 any object. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "batch.h"
#include "failing_allocations.h"
#include "fuzz.h"
#include "model/config.h"
#include "sidecar.h"
#include "study/cache.h"

fuzz_structure *const fuzz_structure_of_target = NULL;

static void read_config(const struct fuzz_input *input) {
    struct config config, again;
    ecdc_error err;
    if (!fuzz_check(config_parse("config.json", (const char *)input->file, input->n, &config, &err), &err))
        return;
    if (config_hop(&config) < 1 || config_frame_rate(&config) < 1)
        fuzz_broken("a config without a hop or a frame rate");
    for (int i = 0; i < config.n_bandwidths; i++)
        if (config_n_codebooks(&config, config.target_bandwidths[i]) < 1)
            fuzz_broken("a bandwidth without a codebook");
    char *text = config_text(&config);
    if (text && fuzz_check(config_parse("config.json", text, strlen(text), &again, &err), &err)) {
        if (config_hop(&again) != config_hop(&config) || again.sampling_rate != config.sampling_rate)
            fuzz_broken("a config that changes when it is written");
    } else if (text && !allocations_failed()) {
        fuzz_broken("a config that is written as one that is refused");
    }
    free(text);
}

static void read_sidecar(const struct fuzz_input *input) {
    struct sidecar s;
    ecdc_error err;
    char path[128];
    fuzz_save(input, "rows.json");
    snprintf(path, sizeof path, "%s/rows.npy", fuzz_directory());
    if (fuzz_check(sidecar_read(path, &s, &err), &err) && !s.found)
        fuzz_broken("a description that is not found");
}

/* A scan of two volumes of one voxel. */
static void write_scan(const char *path) {
    uint8_t bytes[356] = {0x5c, 1, [40] = 4, [42] = 1, [44] = 1, [46] = 1, [48] = 2, [50] = 1, [52] = 1, [54] = 1, [70] = 4, [72] = 16,
                          [94] = 0xc0, [95] = 0x3f, [110] = 0xb0, [111] = 0x43, [123] = 8, [344] = 'n', [345] = '+', [346] = '1'};
    fuzz_write(path, bytes, sizeof bytes);
}

static void read_scan_sidecar(const struct fuzz_input *input) {
    static char scan[128], data[96];
    struct study_subject subject = {.label = "1", .scan = scan};
    struct study_subjects subjects = {&subject, 1};
    ecdc_tr_grid grid;
    ecdc_error err;
    if (!scan[0]) {
        snprintf(data, sizeof data, "%s", fuzz_directory());
        snprintf(scan, sizeof scan, "%s/sub-1_task-x_bold.nii", data);
        write_scan(scan);
    }
    char *name = input->choice / 6 % 2 ? "task-x_bold.json" : "sub-1_task-x_bold.json";
    const char *path = fuzz_save(input, name);
    if (fuzz_check(ecdc_tr_grid_init(&grid, "1.5", 75, ECDC_ALIGN_EXACT, &err), &err))
        fuzz_check(read_scan_facts(data, &subjects, &grid, &err), &err);
    unlink(path);
}

static void read_cache(const struct fuzz_input *input) {
    char path[128], hex[65];
    cJSON *json;
    ecdc_error err;
    fuzz_save(input, "mask.json");
    snprintf(path, sizeof path, "%s/mask.nii.gz", fuzz_directory());
    if (fuzz_check(read_description(path, &json, &err), &err))
        cJSON_Delete(json);
    if (fuzz_check(mask_sha256_of(path, hex, &err), &err) && strlen(hex) > 64)
        fuzz_broken("a digest that is too long");
}

static void read_batch(const struct fuzz_input *input) {
    const struct options o = {.output = fuzz_directory(), .tr = "1.5", .max_trs = -1, .track = -1, .bandwidth_kbps = 3};
    const struct batch b = {.o = &o, .task = &command_features, .format = "npy"};
    struct timespec since;
    ecdc_error err;
    fuzz_save(input, "ecdc-batch.json");
    fuzz_check(batch_claim(&b, &since, &err), &err);
}

static void read_object(const struct fuzz_input *input) {
    cJSON *root, *item;
    ecdc_error err;
    if (!fuzz_check(json_parse_object("x.json", (const char *)input->file, input->n, &root, &err), &err))
        return;
    cJSON_ArrayForEach(item, root) {
        char shown[32];
        double number;
        if (strlen(json_describe(item, shown, sizeof shown)) >= sizeof shown)
            fuzz_broken("a value that does not fit where it is shown");
        if (json_integer(item, -9e15, 9e15, &number) && (double)(int64_t)number != number)
            fuzz_broken("an integer that is none");
    }
    cJSON_Delete(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    static void (*const ways[])(const struct fuzz_input *) = {read_config, read_sidecar, read_scan_sidecar, read_cache, read_batch,
                                                              read_object};
    struct fuzz_input input;
    if (!fuzz_begin(bytes, n, &input))
        return 0;
    ways[input.choice % 6](&input);
    fuzz_end();
    return 0;
}
