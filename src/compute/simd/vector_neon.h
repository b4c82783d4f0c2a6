/* Vectors of 4 floats, aarch64's Advanced SIMD. */
#ifndef __aarch64__
#error "compile this unit for aarch64"
#endif
#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

enum { VL = 4, TILE_ROWS = 12, TILE_ROWS_NARROW = 24, TILE_STEPS = 1, LSTM_SEQUENCES = 4 }; /* 32 registers: 12 x 2 or 24 x 1 sums, weights, broadcast */
typedef float32x4_t vf;

static inline vf vf_set1(float x) { return vdupq_n_f32(x); }
static inline vf vf_load(const float *p) { return vld1q_f32(p); }
static inline void vf_store(float *p, vf v) { vst1q_f32(p, v); }
static inline vf vf_load_part(const float *p, size_t n) {
    float part[4] = {0};
    memcpy(part, p, n * sizeof *p);
    return vld1q_f32(part);
}
static inline void vf_store_part(float *p, vf v, size_t n) {
    float part[4];
    vst1q_f32(part, v);
    memcpy(p, part, n * sizeof *p);
}
static inline vf vf_add(vf a, vf b) { return vaddq_f32(a, b); }
static inline vf vf_sub(vf a, vf b) { return vsubq_f32(a, b); }
static inline vf vf_mul(vf a, vf b) { return vmulq_f32(a, b); }
static inline vf vf_div(vf a, vf b) { return vdivq_f32(a, b); }
static inline vf vf_min(vf a, vf b) { return vminq_f32(a, b); }
static inline vf vf_max(vf a, vf b) { return vmaxq_f32(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); } /* a * b + c */
static inline vf vf_from_exponent(vf a) { /* the float whose exponent field is the lowest 8 bits of a */
    return vreinterpretq_f32_s32(vshlq_n_s32(vreinterpretq_s32_f32(a), 23));
}
static inline float vf_sum(vf a) { return vaddvq_f32(a); }
static inline float vf_least(vf a) { return vminvq_f32(a); }

typedef int32x4_t vi; /* as many 32-bit integers */
static inline vi vi_load(const int32_t *p) { return vld1q_s32(p); }
static inline vf vf_of(vi a) { return vcvtq_f32_s32(a); }
/* The lowest bytes of a, b and c as bytes 1, 2 and 3; byte 0 is 0. */
static inline vi vi_low_bytes(vi a, vi b, vi c) {
    uint32x4_t word = vshlq_n_u32(vreinterpretq_u32_s32(a), 8); /* b and c overwrite what is above their place */
    word = vsliq_n_u32(word, vreinterpretq_u32_s32(b), 16);
    return vreinterpretq_s32_u32(vsliq_n_u32(word, vreinterpretq_u32_s32(c), 24));
}

typedef float64x2_t vd; /* half as many doubles */
static inline vd vd_zero(void) { return vdupq_n_f64(0); }
static inline vd vf_low(vf a) { return vcvt_f64_f32(vget_low_f32(a)); }
static inline vd vf_high(vf a) { return vcvt_high_f64_f32(a); }
static inline vd vd_add(vd a, vd b) { return vaddq_f64(a, b); }
static inline vd vd_fma(vd a, vd b, vd c) { return vfmaq_f64(c, a, b); } /* a * b + c */
static inline double vd_sum(vd a) { return vaddvq_f64(a); }
