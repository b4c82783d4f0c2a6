/* Vectors of 8 floats, AVX2 and FMA. */
#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile this unit with -mavx2 -mfma"
#endif
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

enum { VL = 8, TILE_ROWS = 6, TILE_ROWS_NARROW = 12, TILE_STEPS = 1, LSTM_SEQUENCES = 2 }; /* 16 registers: 6 x 2 or 12 x 1 sums, weights, broadcast */
typedef __m256 vf;

static inline vf vf_set1(float x) { return _mm256_set1_ps(x); }
static inline vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void vf_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
static inline vf vf_load_part(const float *p, size_t n) {
    float part[8] = {0};
    memcpy(part, p, n * sizeof *p);
    return _mm256_loadu_ps(part);
}
static inline void vf_store_part(float *p, vf v, size_t n) {
    float part[8];
    _mm256_storeu_ps(part, v);
    memcpy(p, part, n * sizeof *p);
}
static inline vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
static inline vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
static inline vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
static inline vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); } /* a * b + c */
static inline vf vf_from_exponent(vf a) { /* the float whose exponent field is the lowest 8 bits of a */
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(a), 23));
}
static inline float vf_sum(vf a) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
static inline float vf_least(vf a) {
    __m128 s = _mm_min_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_min_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_min_ss(s, _mm_shuffle_ps(s, s, 1)));
}

typedef __m256i vi; /* as many 32-bit integers */
static inline vi vi_load(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
static inline vf vf_of(vi a) { return _mm256_cvtepi32_ps(a); }
/* The lowest bytes of a, b and c as bytes 1, 2 and 3; byte 0 is 0. */
static inline vi vi_low_bytes(vi a, vi b, vi c) {
    vi low = _mm256_and_si256(_mm256_slli_epi32(a, 8), _mm256_set1_epi32(0xff00));
    vi middle = _mm256_and_si256(_mm256_slli_epi32(b, 16), _mm256_set1_epi32(0xff0000));
    return _mm256_or_si256(_mm256_or_si256(low, middle), _mm256_slli_epi32(c, 24));
}

typedef __m256d vd; /* half as many doubles */
static inline vd vd_zero(void) { return _mm256_setzero_pd(); }
static inline vd vf_low(vf a) { return _mm256_cvtps_pd(_mm256_castps256_ps128(a)); }
static inline vd vf_high(vf a) { return _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)); }
static inline vd vd_add(vd a, vd b) { return _mm256_add_pd(a, b); }
static inline vd vd_fma(vd a, vd b, vd c) { return _mm256_fmadd_pd(a, b, c); }
static inline double vd_sum(vd a) {
    __m128d s = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd(a, 1));
    return _mm_cvtsd_f64(_mm_add_sd(s, _mm_unpackhi_pd(s, s)));
}
