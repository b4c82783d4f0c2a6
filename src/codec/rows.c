#include "codec/rows.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* A larger plane with the kept rows at its start; NULL when memory is short. */
static float *grown(const float *plane, const struct rows *r, size_t capacity) {
    size_t floats;
    float *larger = ecdc_mul_size(capacity, r->width, &floats) ? ecdc_alloc_floats(floats) : NULL;
    if (larger && r->n)
        memcpy(larger, plane + r->first * r->width, r->n * r->width * sizeof *larger);
    return larger;
}

ecdc_status rows_reserve(struct rows *r, size_t n, ecdc_error *err) {
    if (n > SIZE_MAX - r->n)
        return ecdc_fail_memory(err, "rows between layers");
    size_t need = r->n + n;
    if (need <= r->capacity - r->first)
        return ECDC_OK;
    if (need <= r->capacity) { /* what is kept is short: a convolution's history */
        size_t bytes = r->n * r->width * sizeof(float);
        if (r->has_raw)
            memmove(r->raw, r->raw + r->first * r->width, bytes);
        if (r->has_elu)
            memmove(r->elu, r->elu + r->first * r->width, bytes);
        r->first = 0;
        return ECDC_OK;
    }
    size_t capacity = need + need / 4;
    float *raw = r->has_raw ? grown(r->raw, r, capacity) : NULL, *elu = r->has_elu ? grown(r->elu, r, capacity) : NULL;
    if ((r->has_raw && !raw) || (r->has_elu && !elu)) {
        free(raw);
        free(elu);
        return ecdc_fail_memory(err, "rows between layers");
    }
    free(r->raw);
    free(r->elu);
    r->raw = raw;
    r->elu = elu;
    r->first = 0;
    r->capacity = capacity;
    return ECDC_OK;
}

void rows_drop(struct rows *r, size_t n) {
    r->first += n;
    r->n -= n;
    if (r->n == 0)
        r->first = 0;
}

void rows_free(struct rows *r) {
    free(r->raw);
    free(r->elu);
    r->raw = r->elu = NULL;
    r->first = r->n = r->capacity = 0;
}
