/* Which voxels of a space count. */
#ifndef ECDC_FMRI_MASK_H
#define ECDC_FMRI_MASK_H

#include "base/status.h"

struct ecdc_mask {
    ecdc_nifti_space space;
    size_t n;       /* voxels that count */
    size_t *places; /* of each its place in a file's volume, i + x * (j + y * k), in the order of the mask */
};

/* From an array in the file's order, volume[i + x * (j + y * k)]. `path` is for the message of an empty mask. */
ecdc_status mask_from_volume(const char *path, const ecdc_nifti_space *space, const uint8_t *volume, ecdc_mask **mask, ecdc_error *err);

#endif
