#include "compute/simd/vector_neon.h"
#define KERNELS_TABLE kernels_neon
#define KERNELS_NAME "neon"
#define KERNELS_CPU ECDC_CPU_NEON
#include "compute/simd/kernels.inc.h"
