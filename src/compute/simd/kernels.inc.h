/* The fast kernels, written once over a vector type and compiled per instruction set. The including unit has defined vf, VL,
 * TILE_ROWS and the vf_ operations (vector_*.h), the table's name, and KERNELS_BF16 for one that computes in bfloat16. */
#include <string.h>

#include "compute/simd/functions.inc.h"
#include "compute/simd/product.inc.h"
#ifdef KERNELS_BF16
#include "compute/simd/recurrence_bf16.inc.h"
#include "compute/simd/tiles.inc.h"
#define PRECISION ECDC_PRECISION_BF16
#define PRODUCT tiles_product
#else
#include "compute/simd/recurrence.inc.h"
enum { PRODUCT_ROWS = TILE_ROWS, SCRATCH_BYTES = 0 };
#define PRECISION ECDC_PRECISION_F32
#define PRODUCT product
#endif
#include "compute/simd/lstm.inc.h"

static void add(const float *a, const float *b, float *y, float *elu, size_t n) {
    for (size_t i = 0; i < n; i += VL) {
        size_t part = n - i;
        vf sum = part >= VL ? vf_add(vf_load(a + i), vf_load(b + i))
                            : vf_add(vf_load_part(a + i, part), vf_load_part(b + i, part));
        if (y)
            vf_store_upto(y + i, sum, part);
        if (elu)
            vf_store_upto(elu + i, vf_elu(sum), part);
    }
}

/* Doubles, lane by lane, then the lanes: in float the mean of a chunk's million numbers would be off by more than one of its
 * own units. */
static void moments(const float *x, size_t n, double sums[2]) {
    vd sum[2] = {vd_zero(), vd_zero()}, square[2] = {vd_zero(), vd_zero()};
    for (size_t i = 0; i < n; i += VL) {
        vf v = n - i >= VL ? vf_load(x + i) : vf_load_part(x + i, n - i);
        vd half[2] = {vf_low(v), vf_high(v)};
        UNROLL for (int h = 0; h < 2; h++) {
            sum[h] = vd_add(sum[h], half[h]);
            square[h] = vd_fma(half[h], half[h], square[h]);
        }
    }
    sums[0] += vd_sum(vd_add(sum[0], sum[1]));
    sums[1] += vd_sum(vd_add(square[0], square[1]));
}

INLINE vf affine_of(const struct affine *a, size_t j, vf x, const float *add_to, size_t n, const bool with_elu) {
    if (a->scale)
        x = vf_fma(x, vf_load(a->scale + j), vf_load(a->shift + j));
    if (add_to)
        x = vf_add(x, n >= VL ? vf_load(add_to) : vf_load_part(add_to, n));
    return with_elu ? vf_elu(x) : x;
}

static void affine(const struct affine *a, const float *x, const float *add_to, bool with_elu, float *y, size_t n) {
    size_t period = a->scale ? a->period : VL;
    for (size_t i = 0, j = 0; i < n; i += VL) {
        size_t left = n - i;
        vf v = left >= VL ? vf_load(x + i) : vf_load_part(x + i, left);
        v = affine_of(a, j, v, add_to ? add_to + i : NULL, left, with_elu);
        vf_store_upto(y + i, v, left);
        j = j + VL == period ? 0 : j + VL;
    }
}

static double fma_burst(size_t n, float *sink) {
    enum { CHAINS = 12 };
    vf sum[CHAINS], a = vf_set1(sink[0]), b = vf_set1(sink[1]);
    UNROLL for (int i = 0; i < CHAINS; i++)
        sum[i] = vf_set1((float)i);
    for (size_t r = 0; r < n; r++) {
        UNROLL for (int i = 0; i < CHAINS; i++)
            sum[i] = vf_fma(sum[i], a, b);
    }
    UNROLL for (int i = 1; i < CHAINS; i++)
        sum[0] = vf_add(sum[0], sum[i]);
    sink[2] = vf_sum(sum[0]);
    return (double)n * CHAINS * VL;
}

static size_t argmin(const float *x, size_t n) {
    float least = x[0];
    size_t i = 0;
    if (n >= VL) {
        vf v = vf_load(x);
        for (i = VL; i + VL <= n; i += VL)
            v = vf_min(v, vf_load(x + i));
        least = vf_least(v);
    }
    for (; i < n; i++)
        least = x[i] < least ? x[i] : least;
    for (i = 0; i < n; i++)
        if (x[i] == least)
            return i;
    return 0;
}

const struct kernels KERNELS_TABLE = {
    .name = KERNELS_NAME,
    .cpu = KERNELS_CPU,
    .precision = PRECISION,
    .lanes = VL,
    .group = GROUP,
    .tile_rows = PRODUCT_ROWS,
    .matrix_layout = matrix_layout,
    .scratch_bytes = SCRATCH_BYTES,
    .product = PRODUCT,
    .recurrence_layout = recurrence_layout,
    .recurrence_pack = recurrence_pack,
    .lstm_step = lstm_step,
    .add = add,
    .moments = moments,
    .affine = affine,
    .fma_burst = fma_burst,
    .argmin = argmin,
};
