/* Vectors of 16 floats, AVX-512F. */
#ifndef __AVX512F__
#error "compile this unit with -mavx512f"
#endif
#include <immintrin.h>
#include <stdint.h>

enum { VL = 16, TILE_ROWS = 12, TILE_ROWS_NARROW = 24, TILE_STEPS = 2, LSTM_SEQUENCES = 4 }; /* 32 registers: 12 x 2 or 24 x 1 sums, weights, broadcast */
typedef __m512 vf;

static inline vf vf_set1(float x) { return _mm512_set1_ps(x); }
static inline vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void vf_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
static inline vf vf_load_part(const float *p, size_t n) { return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p); }
static inline void vf_store_part(float *p, vf v, size_t n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v); }
static inline vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); } /* a * b + c */
static inline vf vf_from_exponent(vf a) { /* the float whose exponent field is the lowest 8 bits of a */
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), 23));
}
static inline float vf_sum(vf a) { return _mm512_reduce_add_ps(a); }
static inline float vf_least(vf a) { return _mm512_reduce_min_ps(a); }

typedef __m512i vi; /* as many 32-bit integers */
static inline vi vi_load(const int32_t *p) { return _mm512_loadu_si512(p); }
static inline vf vf_of(vi a) { return _mm512_cvtepi32_ps(a); }
/* The lowest bytes of a, b and c as bytes 1, 2 and 3; byte 0 is 0. */
static inline vi vi_low_bytes(vi a, vi b, vi c) {
    enum { OR_AND = 0xf8 }; /* x | (y & z) */
    vi word = _mm512_ternarylogic_epi32(_mm512_slli_epi32(c, 24), _mm512_slli_epi32(b, 16), _mm512_set1_epi32(0xff0000), OR_AND);
    return _mm512_ternarylogic_epi32(word, _mm512_slli_epi32(a, 8), _mm512_set1_epi32(0xff00), OR_AND);
}

typedef __m512d vd; /* half as many doubles */
static inline vd vd_zero(void) { return _mm512_setzero_pd(); }
static inline vd vf_low(vf a) { return _mm512_cvtps_pd(_mm512_castps512_ps256(a)); }
static inline vd vf_high(vf a) {
    return _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a), 1)));
}
static inline vd vd_add(vd a, vd b) { return _mm512_add_pd(a, b); }
static inline vd vd_fma(vd a, vd b, vd c) { return _mm512_fmadd_pd(a, b, c); }
static inline double vd_sum(vd a) { return _mm512_reduce_add_pd(a); }
