#include "compute/simd/vector_avx2.h"
#define KERNELS_TABLE kernels_avx2
#define KERNELS_NAME "avx2"
#define KERNELS_CPU ECDC_CPU_AVX2
#include "compute/simd/kernels.inc.h"
