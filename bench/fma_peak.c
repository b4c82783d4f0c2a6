/* What one core can do: fused multiply-adds on registers alone, independent of ecdc's kernels.
 * Build: cc -O2 -march=native -ffp-contract=fast. Prints one JSON object: GFLOP/s in f32 and, where the processor multiplies
 * pairs of bf16, in bf16 (else null). */
#include <stdio.h>

#include "../src/base/clock.h"

#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { BYTES = 64 };
#elif defined(__AVX__)
enum { BYTES = 32 };
#else
enum { BYTES = 16 };
#endif
typedef float vector __attribute__((vector_size(BYTES)));
enum { LANES = BYTES / 4, CHAINS = 12, ROUNDS = 1 << 21, BURSTS = 12 };

/* Twelve chains hide the latency of two units; their sum is used, so that the loop stays. */
static double f32_burst(volatile float *sink) {
    vector sum[CHAINS], factor = (vector){0} + *sink, step = (vector){0} + 0.001f, all = {0};
    for (int i = 0; i < CHAINS; i++)
        sum[i] = (vector){0} + (float)i;
    double start = now_s();
    for (int r = 0; r < ROUNDS; r++)
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sum[i] = sum[i] * factor + step;
    double took = now_s() - start;
    for (int i = 0; i < CHAINS; i++)
        all += sum[i];
    sink[1] = all[0];
    return 2.0 * ROUNDS * CHAINS * LANES / took / 1e9;
}

#if defined(__AVX512BF16__)
static double bf16_burst(volatile float *sink) {
    __m512 sum[CHAINS], all = _mm512_setzero_ps();
    __m512bh factor = _mm512_cvtne2ps_pbh(_mm512_set1_ps(*sink), _mm512_set1_ps(*sink));
    for (int i = 0; i < CHAINS; i++)
        sum[i] = _mm512_set1_ps((float)i);
    double start = now_s();
    for (int r = 0; r < ROUNDS; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            sum[i] = _mm512_dpbf16_ps(sum[i], factor, factor);
    }
    double took = now_s() - start;
    for (int i = 0; i < CHAINS; i++)
        all = _mm512_add_ps(all, sum[i]);
    sink[1] = _mm512_reduce_add_ps(all);
    return 2.0 * ROUNDS * CHAINS * 32 / took / 1e9;
}
#endif

static double best_of(double (*burst)(volatile float *)) {
    volatile float sink[2] = {0.999f, 0};
    double best = 0;
    for (int i = 0; i < BURSTS; i++) {
        double speed = burst(sink);
        best = speed > best ? speed : best;
    }
    return best;
}

int main(void) {
    printf("{\"f32_gflops\": %.1f, \"bf16_gflops\": ", best_of(f32_burst));
#if defined(__AVX512BF16__)
    printf("%.1f}\n", best_of(bf16_burst));
#else
    printf("null}\n");
#endif
    return 0;
}
