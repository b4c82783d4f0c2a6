/* Where voxels lie. */
#ifndef ECDC_FMRI_NIFTI_AFFINE_H
#define ECDC_FMRI_NIFTI_AFFINE_H

#include <stdbool.h>

#include "ecdc.h"

/* A rotation with sizes, as the qform describes it. */
struct nifti_qform {
    double quaternion[3]; /* its b, c, d; a is what completes them to length 1 */
    double offset[3], size[3];
    bool flip;            /* of the third axis (qfac -1) */
    double threshold;     /* below which 1 - b² - c² - d² is rounding */
};

/* false where b, c, d are longer than 1. The last row stays. */
bool nifti_affine_from_qform(const struct nifti_qform *q, double affine[16]);
/* The volume's centre is the origin, x runs to the left. */
void nifti_affine_from_sizes(const double size[3], ecdc_nifti_space *space);

/* The length of a step along an axis. */
double nifti_voxel_size(const ecdc_nifti_space *space, int axis);

#endif
