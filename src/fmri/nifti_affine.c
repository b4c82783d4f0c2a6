#include "fmri/nifti_affine.h"

#include <inttypes.h>
#include <math.h>

#include "base/status.h"
#include "fmri/nifti_header.h"

bool nifti_affine_from_qform(const struct nifti_qform *q, double affine[16]) {
    double b = q->quaternion[0], c = q->quaternion[1], d = q->quaternion[2], rest = 1 - (b * b + c * c + d * d);
    if (!(rest > -q->threshold))
        return false;
    double a = rest < q->threshold ? 0 : sqrt(rest);
    double s = 2 / (a * a + b * b + c * c + d * d);
    const double rotation[9] = {
        1 - s * (c * c + d * d), s * (b * c - a * d),     s * (b * d + a * c),
        s * (b * c + a * d),     1 - s * (b * b + d * d), s * (c * d - a * b),
        s * (b * d - a * c),     s * (c * d + a * b),     1 - s * (b * b + c * c),
    };
    for (int row = 0; row < 3; row++) {
        for (int column = 0; column < 3; column++)
            affine[4 * row + column] = rotation[3 * row + column] * q->size[column] * (column == 2 && q->flip ? -1 : 1);
        affine[4 * row + 3] = q->offset[row];
    }
    return true;
}

void nifti_affine_from_sizes(const double size[3], ecdc_nifti_space *space) {
    const int64_t dims[] = {space->x, space->y, space->z};
    for (int axis = 0; axis < 3; axis++) {
        double step = axis == 0 ? -size[axis] : size[axis];
        space->affine[5 * axis] = step;
        space->affine[4 * axis + 3] = -step * (double)(dims[axis] - 1) / 2;
    }
}

double nifti_voxel_size(const ecdc_nifti_space *space, int axis) {
    const double *a = space->affine + axis;
    return sqrt(a[0] * a[0] + a[4] * a[4] + a[8] * a[8]);
}

/* The place of the centre of a voxel. */
static void place_of(const ecdc_nifti_space *space, const double voxel[3], double place[3]) {
    for (int row = 0; row < 3; row++) {
        const double *a = space->affine + 4 * row;
        place[row] = a[0] * voxel[0] + a[1] * voxel[1] + a[2] * voxel[2] + a[3];
    }
}

ecdc_status nifti_space_compare(const char *path, const ecdc_nifti_space *space, const char *other_path,
                                const ecdc_nifti_space *other, ecdc_error *err) {
    if (space->x != other->x || space->y != other->y || space->z != other->z)
        return ecdc_fail(err, ECDC_E_FORMAT,
                         "%s: has %" PRId64 " x %" PRId64 " x %" PRId64 " voxels, %s has %" PRId64 " x %" PRId64 " x %" PRId64, path,
                         space->x, space->y, space->z, other_path, other->x, other->y, other->z);
    double smallest = nifti_voxel_size(other, 0);
    for (int axis = 1; axis < 3; axis++)
        smallest = fmin(smallest, nifti_voxel_size(other, axis));
    for (int corner = 0; corner < 8; corner++) { /* the difference of two affine maps is largest at one of them */
        const double voxel[] = {corner & 1 ? (double)(space->x - 1) : 0, corner & 2 ? (double)(space->y - 1) : 0,
                                corner & 4 ? (double)(space->z - 1) : 0};
        double a[3], b[3];
        place_of(space, voxel, a);
        place_of(other, voxel, b);
        double apart = sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) + (a[2] - b[2]) * (a[2] - b[2]));
        if (!(apart <= 0.01 * smallest))
            return ecdc_fail(err, ECDC_E_FORMAT, "%s: the affine differs from that of %s: voxel (%g, %g, %g) lies at (%g, %g, %g), "
                             "there at (%g, %g, %g); resample them to one space", path, other_path, voxel[0], voxel[1], voxel[2], a[0], a[1],
                             a[2], b[0], b[1], b[2]);
    }
    return ECDC_OK;
}
