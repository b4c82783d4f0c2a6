/* The rows that wait between two layers: time steps of `width` channels, as they are and after ELU. A layer writes into
 * the next one's rows, so that the history which a convolution needs simply stays where it is. */
#ifndef ECDC_CODEC_ROWS_H
#define ECDC_CODEC_ROWS_H

#include <stdbool.h>

#include "base/status.h"

struct rows {
    float *raw, *elu; /* planes of the same rows; one may be absent (NULL) */
    bool has_raw, has_elu;
    size_t width;
    size_t first, n, capacity; /* rows */
};

ecdc_status rows_reserve(struct rows *r, size_t n, ecdc_error *err); /* room for n more rows behind the last */
void rows_drop(struct rows *r, size_t n);                            /* forgets the first n rows */
void rows_free(struct rows *r);

/* Row i of a plane, counted from the first that is kept; i == n is where the next one goes. */
static inline float *rows_raw(const struct rows *r, size_t i) {
    return r->has_raw ? r->raw + (r->first + i) * r->width : NULL;
}
static inline float *rows_elu(const struct rows *r, size_t i) {
    return r->has_elu ? r->elu + (r->first + i) * r->width : NULL;
}

#endif
