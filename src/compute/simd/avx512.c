#include "compute/simd/vector_avx512.h"
#define KERNELS_TABLE kernels_avx512
#define KERNELS_NAME "avx512"
#define KERNELS_CPU ECDC_CPU_AVX512
#include "compute/simd/kernels.inc.h"
