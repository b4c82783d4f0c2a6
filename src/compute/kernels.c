/* Choice of kernels at run time, and packing of weights for them. */
#include "compute/kernels.h"

#include <string.h>

#ifdef ECDC_HAVE_AMX
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Tiles of bfloat16 (AMX-BF16), and AVX512-BF16, which rounds for them. Their 8 kB of registers are no part of a process's state before
 * it asks for them; the kernel says no where it does not know them or where a stack for signals is too small for them. */
static bool has_tiles(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, AVX512_BF16 = 1 << 5,
           AVX512_BW = 1 << 30 };
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & AMX_BF16) || !(d & AMX_TILE) || !(b & AVX512_BW))
        return false;
    if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a & AVX512_BF16))
        return false;
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}
#endif

static bool cpu_has(ecdc_cpu cpu) {
#if defined(__x86_64__)
    /* The builtin also asks whether the operating system saves the wide registers (XGETBV). */
    if (cpu == ECDC_CPU_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx2");
    if (cpu == ECDC_CPU_AVX2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return cpu == ECDC_CPU_REFERENCE || cpu == ECDC_CPU_NEON; /* NEON is part of every aarch64 */
}

const struct kernels *kernels_for(ecdc_cpu cpu, ecdc_precision precision) {
    static const struct kernels *const best_first[] = {
#ifdef ECDC_HAVE_AVX512
        &kernels_avx512,
#endif
#ifdef ECDC_HAVE_AVX2
        &kernels_avx2,
#endif
#ifdef ECDC_HAVE_NEON
        &kernels_neon,
#endif
        &kernels_reference,
    };
#ifdef ECDC_HAVE_AMX
    if (precision == ECDC_PRECISION_BF16 && cpu == ECDC_CPU_AUTO && cpu_has(ECDC_CPU_AVX512) && has_tiles())
        return &kernels_amx_bf16;
#endif
    if (precision != ECDC_PRECISION_F32)
        return NULL;
    for (size_t i = 0; i < sizeof best_first / sizeof *best_first; i++)
        if ((cpu == ECDC_CPU_AUTO || best_first[i]->cpu == cpu) && cpu_has(best_first[i]->cpu))
            return best_first[i];
    return NULL;
}

const char *ecdc_precision_name(ecdc_precision precision) {
    return precision == ECDC_PRECISION_BF16 ? "bf16" : "f32";
}

const char *ecdc_cpu_name(ecdc_cpu cpu) {
    switch (cpu) {
    case ECDC_CPU_REFERENCE: return "reference";
    case ECDC_CPU_AVX2: return "avx2";
    case ECDC_CPU_AVX512: return "avx512";
    case ECDC_CPU_NEON: return "neon";
    case ECDC_CPU_AUTO: break;
    }
    return kernels_for(ECDC_CPU_AUTO, ECDC_PRECISION_F32)->name;
}

/* Panels are 2 vectors wide; where the columns end in at most one vector, the last panel is 1 vector wide. The reference
 * table has one "vector" per column and walks panels of any width. */
static size_t panel_width(const struct kernels *k, const struct matrix *m, size_t panel) {
    size_t first = panel * 2 * k->lanes, left = m->n - first;
    return left <= k->lanes ? k->lanes : 2 * k->lanes;
}

void matrix_pack(const struct kernels *k, struct matrix *m, size_t row0, const struct matrix_source *s) {
    for (size_t c = 0; c < s->columns; c++) {
        const float *column = s->w + (ptrdiff_t)(c / s->column_inner) * s->column_outer_step +
                              (ptrdiff_t)(c % s->column_inner) * s->column_inner_step;
        float *out;
        size_t step;
        if (m->dot) {
            out = m->w + c * ((m->k + k->lanes - 1) / k->lanes * k->lanes) + row0;
            step = 1;
        } else {
            size_t panel = c / (2 * k->lanes), width = panel_width(k, m, panel);
            out = m->w + panel * 2 * k->lanes * m->k + row0 * width + c % (2 * k->lanes);
            step = width;
        }
        size_t outer = s->rows / s->row_inner;
        for (size_t i = 0; i < s->row_inner; i++) /* inner rows outside: torch stores (out, in, kernel) */
            for (size_t o = 0; o < outer; o++)
                out[(o * s->row_inner + i) * step] =
                    column[(ptrdiff_t)o * s->row_outer_step + (ptrdiff_t)i * s->row_inner_step];
    }
}

size_t affine_period(const struct kernels *k, size_t width) {
    return width % k->lanes ? width * k->lanes : width;
}

void affine_repeat(float *values, size_t width, size_t period) {
    for (size_t i = width; i < period; i++)
        values[i] = values[i - width];
}
