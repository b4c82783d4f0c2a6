/* What is common to both ways between frames and rows. */
#ifndef ECDC_FEATURES_ROW_SHAPE_H
#define ECDC_FEATURES_ROW_SHAPE_H

#include "ecdc.h"

static inline size_t row_length(const ecdc_row_shape *s) {
    return (size_t)s->row_codebooks * (size_t)s->grid.frames_per_tr;
}

/* ECDC_E_ARGUMENT where a field is out of range. */
ecdc_status row_shape_check(const ecdc_row_shape *shape, ecdc_error *err);

#endif
