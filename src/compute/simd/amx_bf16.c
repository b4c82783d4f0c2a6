/* bfloat16: AVX-512's kernels, with products on tiles and recurrent weights of 16 bits. */
#include "compute/simd/vector_avx512.h"
#define KERNELS_TABLE kernels_amx_bf16
#define KERNELS_NAME "amx"
#define KERNELS_CPU ECDC_CPU_AUTO
#define KERNELS_BF16
#include "compute/simd/kernels.inc.h"
