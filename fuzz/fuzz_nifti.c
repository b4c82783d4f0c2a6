/* Scans. Choice, bits 0 and 1: 0 all volumes, scaled; 1 as a mask, which is saved and opened again; 2 the mask that it shares with
 * itself, and the series of its voxels (bit 2: z-scored). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

fuzz_structure *const fuzz_structure_of_target = fuzz_structure_nifti;

enum { MAX_NUMBERS = 1 << 22 }; /* of a volume, and of all: a small file of gzip may hold a thousand times its size */

static void read_volumes(const char *path) {
    ecdc_nifti *nifti;
    ecdc_nifti_info info;
    ecdc_error err;
    if (!fuzz_check(ecdc_nifti_open(path, &nifti, &err), &err))
        return;
    ecdc_nifti_get_info(nifti, &info);
    uint64_t n = (uint64_t)info.space.x * (uint64_t)info.space.y * (uint64_t)info.space.z, done = 0;
    float *volume = n <= MAX_NUMBERS ? malloc(n * sizeof *volume) : NULL;
    for (int more = 1; volume && more && done < MAX_NUMBERS; done += n)
        if (!fuzz_check(ecdc_nifti_read(nifti, volume, &more, &err), &err))
            break;
    free(volume);
    ecdc_nifti_close(nifti);
}

static void open_mask(const char *path) {
    static char again[128];
    ecdc_mask *mask, *second;
    ecdc_error err;
    if (!fuzz_check(ecdc_mask_open(path, &mask, &err), &err))
        return;
    snprintf(again, sizeof again, "%s/mask.nii.gz", fuzz_directory());
    if (fuzz_check(ecdc_mask_save(mask, again, 1, &err), &err) && fuzz_check(ecdc_mask_open(again, &second, &err), &err)) {
        if (ecdc_mask_voxels(mask) != ecdc_mask_voxels(second))
            fuzz_broken("a mask that changes when it is saved");
        ecdc_mask_free(second);
    }
    ecdc_mask_free(mask);
}

static void extract(const char *path, const ecdc_mask *mask, const ecdc_scan_settings *settings) {
    ecdc_nifti *nifti;
    ecdc_nifti_info info;
    ecdc_extraction report;
    ecdc_error err;
    if (!fuzz_check(ecdc_nifti_open(path, &nifti, &err), &err))
        return;
    ecdc_nifti_get_info(nifti, &info);
    uint64_t n = (uint64_t)info.n_trs * (uint64_t)ecdc_mask_voxels(mask);
    float *series = n <= MAX_NUMBERS ? malloc(n * sizeof *series) : NULL;
    if (series)
        fuzz_check(ecdc_nifti_extract(nifti, mask, settings, series, &report, &err), &err);
    free(series);
    ecdc_nifti_close(nifti);
}

static void share_mask(const char *path, bool zscore) {
    const char *paths[] = {path, path};
    ecdc_scan_settings settings = ecdc_default_scan_settings();
    ecdc_mask *mask;
    ecdc_error err;
    settings.n_threads = 1;
    settings.zscore = zscore;
    if (!fuzz_check(ecdc_mask_share(paths, 2, &settings, &mask, NULL, &err), &err))
        return;
    extract(path, mask, &settings);
    ecdc_mask_free(mask);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct fuzz_input input;
    if (!fuzz_begin(bytes, n, &input))
        return 0;
    const char *path = fuzz_path(&input);
    if (input.choice % 4 == 1)
        open_mask(path);
    else if (input.choice % 4 == 2)
        share_mask(path, input.choice & 4);
    else
        read_volumes(path);
    fuzz_end();
    return 0;
}
