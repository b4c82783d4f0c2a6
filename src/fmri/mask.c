#include "fmri/mask.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fmri/nifti.h"

/* Calls for every voxel in the order of the mask, C order over (x, y, z); `place` is where the file has it. */
#define FOR_EACH_VOXEL(space, i, j, k, place)                     \
    for (size_t i = 0; i < (size_t)(space)->x; i++)               \
        for (size_t j = 0; j < (size_t)(space)->y; j++)           \
            for (size_t k = 0, place = i + (size_t)(space)->x * j; k < (size_t)(space)->z; \
                 k++, place += (size_t)(space)->x * (size_t)(space)->y)

ecdc_status mask_from_volume(const char *path, const ecdc_nifti_space *space, const uint8_t *volume, ecdc_mask **mask, ecdc_error *err) {
    size_t n = 0, n_voxels = (size_t)space->x * (size_t)space->y * (size_t)space->z;
    for (size_t v = 0; v < n_voxels; v++)
        n += volume[v] != 0;
    if (n == 0)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: the mask is empty, no voxel of %zu counts", path, n_voxels);
    ecdc_mask *m = ecdc_alloc_zeros(1, sizeof *m);
    if (!m || !(m->places = ecdc_alloc_array(n, sizeof *m->places))) {
        free(m);
        return ecdc_fail_memory(err, "a mask");
    }
    m->space = *space;
    FOR_EACH_VOXEL(space, i, j, k, place)
        if (volume[place])
            m->places[m->n++] = place;
    *mask = m;
    return ECDC_OK;
}

static ecdc_status check_space(const ecdc_nifti_space *space, size_t *n_voxels, ecdc_error *err) {
    *n_voxels = 0;
    if (space->x < 1 || space->y < 1 || space->z < 1)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "a space of %" PRId64 " x %" PRId64 " x %" PRId64 " voxels, each is 1 or more",
                         space->x, space->y, space->z);
    if (!ecdc_mul_size((size_t)space->x, (size_t)space->y, n_voxels) || !ecdc_mul_size(*n_voxels, (size_t)space->z, n_voxels))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "a space of too many voxels");
    for (int i = 0; i < 12; i++)
        if (!isfinite(space->affine[i]))
            return ecdc_fail(err, ECDC_E_ARGUMENT, "affine[%d] is not finite", i);
    return ECDC_OK;
}

ecdc_status ecdc_mask_new(const ecdc_nifti_space *space, const uint8_t *voxels, ecdc_mask **mask, ecdc_error *err) {
    size_t n_voxels;
    ecdc_status status = check_space(space, &n_voxels, err);
    if (status != ECDC_OK)
        return status;
    uint8_t *volume = ecdc_alloc_array(n_voxels, 1);
    if (!volume)
        return ecdc_fail_memory(err, "a mask");
    FOR_EACH_VOXEL(space, i, j, k, place)
        volume[place] = *voxels++ != 0;
    status = mask_from_volume("array", space, volume, mask, err);
    free(volume);
    if (status == ECDC_E_FORMAT) { /* of an array, not of a file */
        status = ECDC_E_ARGUMENT;
        if (err)
            err->status = status;
    }
    return status;
}

static ecdc_status read_mask(ecdc_nifti *nifti, float *numbers, uint8_t *volume, ecdc_mask **mask, ecdc_error *err) {
    const ecdc_nifti_info *info = &nifti->header.info;
    int more;
    ecdc_status status = ecdc_nifti_read(nifti, numbers, &more, err);
    for (size_t v = 0; status == ECDC_OK && v < nifti->header.n_voxels; v++) {
        if (!isfinite(numbers[v]))
            status = ecdc_fail(err, ECDC_E_FORMAT, "%s: a mask is made of finite numbers, voxel %zu of the file has none", info->path, v);
        volume[v] = numbers[v] != 0;
    }
    return status == ECDC_OK ? mask_from_volume(info->path, &info->space, volume, mask, err) : status;
}

ecdc_status ecdc_mask_open(const char *path, ecdc_mask **mask, ecdc_error *err) {
    ecdc_nifti *nifti;
    ecdc_status status = ecdc_nifti_open(path, &nifti, err);
    if (status != ECDC_OK)
        return status;
    const struct nifti_header *h = &nifti->header;
    if (h->info.n_trs != 1) {
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: holds %" PRId64 " volumes, a mask is one", h->info.path, h->info.n_trs);
    } else {
        float *numbers = ecdc_alloc_array(h->n_voxels, sizeof *numbers);
        uint8_t *volume = ecdc_alloc_array(h->n_voxels, 1);
        status = numbers && volume ? read_mask(nifti, numbers, volume, mask, err) : ecdc_fail_memory(err, "a mask");
        free(numbers);
        free(volume);
    }
    ecdc_nifti_close(nifti);
    return status;
}

void ecdc_mask_free(ecdc_mask *mask) {
    if (!mask)
        return;
    free(mask->places);
    free(mask);
}

int64_t ecdc_mask_voxels(const ecdc_mask *mask) {
    return (int64_t)mask->n;
}

void ecdc_mask_get_space(const ecdc_mask *mask, ecdc_nifti_space *space) {
    *space = mask->space;
}

void ecdc_mask_coordinates(const ecdc_mask *mask, int64_t *coordinates) {
    size_t x = (size_t)mask->space.x, y = (size_t)mask->space.y;
    for (size_t v = 0; v < mask->n; v++, coordinates += 3) {
        size_t place = mask->places[v];
        coordinates[0] = (int64_t)(place % x);
        coordinates[1] = (int64_t)(place / x % y);
        coordinates[2] = (int64_t)(place / x / y);
    }
}

void ecdc_mask_array(const ecdc_mask *mask, uint8_t *voxels) {
    size_t v = 0;
    FOR_EACH_VOXEL(&mask->space, i, j, k, place) {
        bool counts = v < mask->n && mask->places[v] == place;
        *voxels++ = counts;
        v += counts;
    }
}

ecdc_status ecdc_mask_save(const ecdc_mask *mask, const char *path, int overwrite, ecdc_error *err) {
    ecdc_nifti_settings settings = ecdc_default_nifti_settings();
    settings.space = mask->space;
    settings.type = ECDC_NIFTI_UINT8;
    settings.overwrite = overwrite;
    float *ones = ecdc_alloc_array(mask->n, sizeof *ones);
    if (!ones)
        return ecdc_fail_memory(err, "a mask");
    for (size_t v = 0; v < mask->n; v++)
        ones[v] = 1;
    ecdc_nifti_writer *writer = NULL;
    ecdc_status status = ecdc_nifti_writer_new(path, &settings, &writer, err);
    if (status == ECDC_OK)
        status = ecdc_nifti_write_masked(writer, mask, ones, err);
    if (status == ECDC_OK)
        status = ecdc_nifti_writer_finish(writer, err);
    ecdc_nifti_writer_free(writer);
    free(ones);
    return status;
}
