/* What all kernels over a vector type share: words of the compiler, sizes, and the functions of a network, vector by vector. */
#include <math.h>

#include "compute/kernels.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
#define INLINE static inline __attribute__((always_inline))

enum {
    PANEL = 2 * VL,
    GROUP = 2 * VL, GATE_VECTORS = 8, /* units of an LSTM; vectors of their columns, gate by gate */
    LINE = 64                         /* bytes of a cache line */
};

INLINE void vf_store_upto(float *p, vf v, size_t n) {
    if (n >= VL)
        vf_store(p, v);
    else
        vf_store_part(p, v, n);
}

/* exp(x) - 1 to about 1 ulp for -87 <= x <= 87: x = n ln 2 + r, exp(r) - 1 = r + r^2 s(r), then 2^n (exp(r) - 1) + (2^n - 1).
 * s is the polynomial of degree 4 with the least relative error (2^-25) of the result for |r| <= ln 2 / 2. */
INLINE vf vf_expm1(vf x) {
    const vf integral = vf_set1(12582912.0f + 127); /* 1.5 * 2^23: a sum with it is rounded to an integer, its lowest bits */
    vf shifted = vf_fma(x, vf_set1(1.44269504f), integral);
    vf n = vf_sub(shifted, integral), scale = vf_from_exponent(shifted);
    vf r = vf_fma(n, vf_set1(-0.693147182f), x);
    vf s = vf_set1(0.00138825050f);
    s = vf_fma(s, r, vf_set1(0.00836659595f));
    s = vf_fma(s, r, vf_set1(0.0416672006f));
    s = vf_fma(s, r, vf_set1(0.166665435f));
    s = vf_fma(s, r, vf_set1(0.5f));
    vf e = vf_fma(vf_mul(r, r), s, r);
    return vf_fma(scale, e, vf_sub(scale, vf_set1(1)));
}

/* x above 0, exp(x) - 1 below: one of the two summands is 0. */
INLINE vf vf_elu(vf x) {
    vf zero = vf_set1(0);
    return vf_add(vf_max(x, zero), vf_expm1(vf_min(vf_max(x, vf_set1(-87)), zero)));
}

INLINE vf vf_sigmoid(vf x) {
    vf one = vf_set1(1), minus_x = vf_min(vf_max(vf_sub(vf_set1(0), x), vf_set1(-87)), vf_set1(87));
    return vf_div(one, vf_add(one, vf_add(one, vf_expm1(minus_x))));
}

INLINE vf vf_tanh(vf x) {
    vf e = vf_expm1(vf_min(vf_max(vf_add(x, x), vf_set1(-40)), vf_set1(40)));
    return vf_div(e, vf_add(e, vf_set1(2)));
}
