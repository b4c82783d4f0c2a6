/* The fast kernels, written once over a vector type and compiled per instruction set. The including unit has defined
 * vf, VL, TILE_ROWS and the vf_ operations (vector_*.h), and the table's name.
 *
 * The product kernel holds a tile of TILE_ROWS outputs x 2 vectors of columns in registers and walks k: each step
 * loads two vectors of weights and, per row, broadcasts one input. Weights of a panel (2 vectors of columns) are
 * contiguous in the order in which they are read. The tile only decides which outputs are computed together: each
 * output's sum runs over k in order in its own lane. */
#include <math.h>

#include "compute/kernels.h"

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
#define INLINE static inline __attribute__((always_inline))

enum { PANEL = 2 * VL, GROUP = 2 * VL, DOT_MAX_COLUMNS = 2, DOT_ROWS = 8, LINE = 64 /* bytes of a cache line */ };

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

static void matrix_layout(struct matrix *m, size_t k, size_t n, bool one_run, size_t *w_floats, size_t *bias_floats) {
    m->k = k;
    m->n = n;
    m->dot = one_run && n <= DOT_MAX_COLUMNS && k >= 2 * VL;
    m->panels = m->dot ? 1 : (n + PANEL - 1) / PANEL;
    *w_floats = m->dot ? n * ((k + VL - 1) / VL * VL) : (n + VL - 1) / VL * VL * k;
    *bias_floats = m->dot ? n : (n + VL - 1) / VL * VL;
}

INLINE void vf_store_upto(float *p, vf v, size_t n) {
    if (n >= VL)
        vf_store(p, v);
    else
        vf_store_part(p, v, n);
}

/* One step along k for M rows x NV vectors. */
INLINE void tile_step(const int M, const int NV, vf sum[][2], const float *w, const float *x, ptrdiff_t ld) {
    vf column[2];
    UNROLL for (int j = 0; j < NV; j++)
        column[j] = vf_load(w + j * VL);
    UNROLL for (int i = 0; i < M; i++) {
        vf b = vf_set1(x[i * ld]);
        UNROLL for (int j = 0; j < NV; j++)
            sum[i][j] = vf_fma(b, column[j], sum[i][j]);
    }
}

/* M rows x NV vectors of one panel, from row t. Meanwhile fetches `ahead`, if not NULL, into the L2 cache: a line per step. */
INLINE void tile(const int M, const int NV, const struct product *p, size_t t, size_t first, const char *ahead) {
    vf sum[TILE_ROWS_NARROW][2];
    UNROLL for (int i = 0; i < M; i++)
        UNROLL for (int j = 0; j < NV; j++)
            sum[i][j] = vf_set1(0);

    const float *w = p->m->w + first * p->m->k;
    for (int o = 0; o < 2; o++) {
        const struct operand *in = &p->in[o];
        const ptrdiff_t ld = in->ld;
        for (size_t tap = 0; tap < in->taps; tap++) {
            const float *x = in->x + (ptrdiff_t)t * ld + tap * in->tap_step;
            const float *end = x + in->length;
            for (; end - x >= TILE_STEPS; x += TILE_STEPS) {
                UNROLL for (int i = 0; i < TILE_STEPS; i++, w += NV * VL) {
                    if (ahead) {
                        __builtin_prefetch(ahead, 0, 2);
                        ahead += LINE;
                    }
                    tile_step(M, NV, sum, w, x + i, ld);
                }
            }
            for (; x < end; x++, w += NV * VL)
                tile_step(M, NV, sum, w, x, ld);
        }
    }

    UNROLL for (int j = 0; j < NV; j++) {
        size_t c = first + (size_t)j * VL, n = p->m->n - c;
        vf bias = vf_load(p->m->bias + c);
        UNROLL for (int i = 0; i < M; i++) {
            ptrdiff_t row = (ptrdiff_t)t + i;
            vf y = vf_add(sum[i][j], bias);
            if (p->add) {
                const float *a = p->add + row * p->ld_add + (ptrdiff_t)c;
                y = vf_add(y, n >= VL ? vf_load(a) : vf_load_part(a, n));
            }
            if (p->y)
                vf_store_upto(p->y + row * p->ld_y + (ptrdiff_t)c, y, n);
            if (p->elu)
                vf_store_upto(p->elu + row * p->ld_elu + (ptrdiff_t)c, vf_elu(y), n);
        }
    }
}

/* Functions of their own: each has all registers to itself. */
#define DEFINE_TILE(NAME, M, NV)                                                                         \
    __attribute__((noinline)) static void NAME(const struct product *p, size_t t, size_t first) {        \
        tile(M, NV, p, t, first, NULL);                                                                  \
    }
DEFINE_TILE(tile_wide, TILE_ROWS, 2)
DEFINE_TILE(tile_half, TILE_ROWS / 2, 2)
DEFINE_TILE(tile_2_2, 2, 2)
DEFINE_TILE(tile_1_2, 1, 2)
DEFINE_TILE(tile_narrow, TILE_ROWS_NARROW, 1)
DEFINE_TILE(tile_6_1, 6, 1)
DEFINE_TILE(tile_2_1, 2, 1)
DEFINE_TILE(tile_1_1, 1, 1)
__attribute__((noinline)) static void tile_wide_ahead(const struct product *p, size_t t, size_t first, const char *ahead) {
    tile(TILE_ROWS, 2, p, t, first, ahead);
}

/* The last wide tiles of a panel, as many as it takes, fetch the next panel's weights: they come from beyond the L2 cache
 * and would hold up its first tile. */
static void panel_rows(const struct product *p, size_t rows, size_t first) {
    enum { TILES_AHEAD = PANEL * sizeof(float) / LINE };
    size_t t = 0, next = first + PANEL;
    if (p->m->n - first > VL) {
        const char *ahead = next < p->m->n ? (const char *)(p->m->w + next * p->m->k) : NULL;
        for (; t + TILE_ROWS <= rows; t += TILE_ROWS)
            if (ahead && t + (TILES_AHEAD + 1) * TILE_ROWS > rows) {
                tile_wide_ahead(p, t, first, ahead);
                ahead += LINE * p->m->k;
            } else {
                tile_wide(p, t, first);
            }
        for (; t + TILE_ROWS / 2 <= rows; t += TILE_ROWS / 2)
            tile_half(p, t, first);
        for (; t + 2 <= rows; t += 2)
            tile_2_2(p, t, first);
        for (; t < rows; t++)
            tile_1_2(p, t, first);
    } else {
        for (; t + TILE_ROWS_NARROW <= rows; t += TILE_ROWS_NARROW)
            tile_narrow(p, t, first);
        for (; t + 6 <= rows; t += 6)
            tile_6_1(p, t, first);
        for (; t + 2 <= rows; t += 2)
            tile_2_1(p, t, first);
        for (; t < rows; t++)
            tile_1_1(p, t, first);
    }
}

/* Few columns and one run of input: a vector along k per output, DOT_ROWS outputs at a time so that their sums overlap. */
INLINE void dot_rows(const int M, const struct product *p, size_t t) {
    const struct matrix *m = p->m;
    const struct operand *in = &p->in[0];
    const size_t padded = (m->k + VL - 1) / VL * VL;
    for (size_t c = 0; c < m->n; c++) {
        const float *w = m->w + c * padded, *x = in->x + (ptrdiff_t)t * in->ld;
        vf sum[DOT_ROWS];
        UNROLL for (int i = 0; i < M; i++)
            sum[i] = vf_set1(0);
        size_t k = 0;
        for (; k + VL <= m->k; k += VL) {
            vf row = vf_load(w + k);
            UNROLL for (int i = 0; i < M; i++)
                sum[i] = vf_fma(vf_load(x + i * in->ld + (ptrdiff_t)k), row, sum[i]);
        }
        if (k < m->k) {
            vf row = vf_load(w + k); /* padded with zeros */
            UNROLL for (int i = 0; i < M; i++)
                sum[i] = vf_fma(vf_load_part(x + i * in->ld + (ptrdiff_t)k, m->k - k), row, sum[i]);
        }
        UNROLL for (int i = 0; i < M; i++) {
            ptrdiff_t row = (ptrdiff_t)t + i;
            float y = vf_sum(sum[i]) + m->bias[c];
            if (p->add)
                y += p->add[row * p->ld_add + (ptrdiff_t)c];
            if (p->y)
                p->y[row * p->ld_y + (ptrdiff_t)c] = y;
            if (p->elu) {
                vf e = vf_elu(vf_set1(y));
                vf_store_part(p->elu + row * p->ld_elu + (ptrdiff_t)c, e, 1);
            }
        }
    }
}

static void product(const struct product *p, size_t rows, size_t panel0, size_t panel1) {
    if (p->m->dot) {
        size_t t = 0;
        for (; t + DOT_ROWS <= rows; t += DOT_ROWS)
            dot_rows(DOT_ROWS, p, t);
        for (; t < rows; t++)
            dot_rows(1, p, t);
        return;
    }
    for (size_t panel = panel0; panel < panel1; panel++)
        panel_rows(p, rows, panel * PANEL);
}

/* A group's columns are 8 vectors, gate by gate; of each 4, the first three have a word each, the fourth the words' lowest
 * bytes (kernels.h, struct recurrence). */
enum { GATE_VECTORS = 8, WORDS_PER_STEP = GATE_VECTORS / 4 * 3 * VL };

static void recurrence_layout(struct recurrence *r, size_t size, size_t *w_floats, size_t *scale_floats) {
    r->size = size;
    r->groups = (size + GROUP - 1) / GROUP;
    *w_floats = r->groups * size * WORDS_PER_STEP;
    *scale_floats = r->groups * 4 * GROUP;
}

/* The weights of one column, and the exact factor that brings them into (-2^31, 2^31). */
struct column {
    const float *w;
    double factor;
};

static struct column column_of(const struct recurrence *r, const float *w_hh, size_t gate, size_t unit, float *scale) {
    const float *w = w_hh + (gate * r->size + unit) * r->size;
    float largest = 0;
    int exponent = 0;
    for (size_t k = 0; k < r->size; k++)
        largest = fabsf(w[k]) > largest ? fabsf(w[k]) : largest;
    frexpf(largest, &exponent);
    exponent = exponent < -90 ? -90 : exponent; /* the scale stays a normal number */
    *scale = largest > 0 ? ldexpf(1, exponent - 31) : 0;
    return (struct column){w, ldexp(1, 31 - exponent)};
}

/* The 32-bit word nearest to a weight whose lowest byte is given. No column (w is NULL): 0. */
static inline uint32_t word_with(const struct column *c, size_t k, uint32_t low_byte) {
    if (!c->w)
        return 0;
    int64_t exact = (int64_t)((double)c->w[k] * c->factor), word = ((exact - low_byte + 128) & ~(int64_t)0xff) + low_byte;
    return (uint32_t)(word > INT32_MAX ? word - 256 : word < INT32_MIN ? word + 256 : word);
}

/* Columns c[0] to c[3], which share words. */
static void pack_column_words(const struct column c[4], size_t size, int32_t *w) {
    for (size_t k = 0; k < size; k++, w += WORDS_PER_STEP) {
        uint32_t fourth = word_with(&c[3], k, 0);
        for (int j = 0; j < 3; j++)
            w[j * VL] = (int32_t)word_with(&c[j], k, fourth >> (8 + 8 * j) & 0xff);
    }
}

/* Of four columns that share words the second and the fourth are of the same unit: where it is none, all its words are 0. */
static void recurrence_pack(struct recurrence *r, const float *w_hh) {
    for (size_t g = 0; g < r->groups; g++)
        for (size_t part = 0; part < 2; part++)
            for (size_t lane = 0; lane < VL && g * GROUP + lane < r->size; lane++) {
                struct column c[4] = {{0}};
                for (size_t j = 0; j < 4; j++) {
                    size_t gate = 2 * part + j / 2, unit = g * GROUP + j % 2 * VL + lane;
                    float *scale = r->scale + (g * 4 + gate) * GROUP + j % 2 * VL + lane;
                    if (unit < r->size)
                        c[j] = column_of(r, w_hh, gate, unit, scale);
                }
                pack_column_words(c, r->size, (int32_t *)r->w + g * r->size * WORDS_PER_STEP + part * 3 * VL + lane);
            }
}

/* Adds to sum[s][first ...] a row of h for each of N sequences against NV of a group's vectors. NV is 8, or 4 to have as many
 * sequences as there are registers for. */
INLINE void lstm_sums(const int N, const int NV, const struct recurrence *r, const struct lstm_sequence *s, size_t g, int first,
                      vf sum[][GATE_VECTORS]) {
    const int32_t *w = (const int32_t *)r->w + g * r->size * WORDS_PER_STEP + first / 4 * 3 * VL;
    vf part[LSTM_SEQUENCES][GATE_VECTORS];
    UNROLL for (int i = 0; i < N; i++)
        UNROLL for (int j = 0; j < NV; j++)
            part[i][j] = vf_set1(0);
    for (size_t k = 0; k < r->size; k++, w += WORDS_PER_STEP) {
        UNROLL for (int j = 0; j < NV; j += 4) {
            const int32_t *words = w + j / 4 * 3 * VL;
            vi word[3] = {vi_load(words), vi_load(words + VL), vi_load(words + 2 * VL)};
            vf weight[4] = {vf_of(word[0]), vf_of(word[1]), vf_of(word[2]), vf_of(vi_low_bytes(word[0], word[1], word[2]))};
            UNROLL for (int i = 0; i < N; i++) {
                vf b = vf_set1(s[i].h_prev[k]);
                UNROLL for (int v = 0; v < 4; v++)
                    part[i][j + v] = vf_fma(b, weight[v], part[i][j + v]);
            }
        }
    }
    UNROLL for (int i = 0; i < N; i++)
        UNROLL for (int j = 0; j < NV; j++)
            sum[i][first + j] = part[i][j];
}

/* The new state of a group's units from the sums of its 8 vectors. */
INLINE void lstm_update(const struct recurrence *r, const struct lstm_sequence *s, size_t g, vf sum[GATE_VECTORS]) {
    UNROLL for (int j = 0; j < GATE_VECTORS; j++) {
        size_t column = g * 4 * GROUP + (size_t)j * VL;
        sum[j] = vf_fma(sum[j], vf_load(r->scale + column), vf_load(s->x_gates + column));
    }
    UNROLL for (int j = 0; j < 2; j++) {
        size_t unit = g * GROUP + (size_t)j * VL;
        vf in = vf_sigmoid(sum[j]), forget = vf_sigmoid(sum[2 + j]);
        vf cell = vf_tanh(sum[4 + j]), out = vf_sigmoid(sum[6 + j]);
        vf state = vf_fma(forget, vf_load(s->c + unit), vf_mul(in, cell));
        vf_store(s->c + unit, state);
        vf_store(s->h + unit, vf_mul(out, vf_tanh(state)));
    }
}

/* One sequence: 8 independent sums hide the latency of the FMA; what limits it is the stream of weights, which no two time
 * steps can share. */
__attribute__((noinline)) static void lstm_group_alone(const struct recurrence *r, const struct lstm_sequence *s, size_t g) {
    vf sum[1][GATE_VECTORS];
    lstm_sums(1, GATE_VECTORS, r, s, g, 0, sum);
    lstm_update(r, s, g, sum[0]);
}

/* Several sequences share what a weight costs to read and to unpack. The second half of a group comes from the L2 cache. */
INLINE void lstm_group(const int N, const struct recurrence *r, const struct lstm_sequence *s, size_t g) {
    vf sum[LSTM_SEQUENCES][GATE_VECTORS];
    lstm_sums(N, GATE_VECTORS / 2, r, s, g, 0, sum);
    lstm_sums(N, GATE_VECTORS / 2, r, s, g, GATE_VECTORS / 2, sum);
    for (int i = 0; i < N; i++)
        lstm_update(r, &s[i], g, sum[i]);
}
__attribute__((noinline)) static void lstm_group_many(const struct recurrence *r, const struct lstm_sequence *s, size_t g) {
    lstm_group(LSTM_SEQUENCES, r, s, g);
}
__attribute__((noinline)) static void lstm_group_two(const struct recurrence *r, const struct lstm_sequence *s, size_t g) {
    lstm_group(2, r, s, g);
}

static void lstm_step(const struct recurrence *r, const struct lstm_sequence *sequences, size_t n, size_t g0, size_t g1,
                      bool backwards) {
    for (size_t i = g0; i < g1; i++) {
        size_t g = backwards ? g1 - 1 - (i - g0) : i, s = 0;
        for (; s + LSTM_SEQUENCES <= n; s += LSTM_SEQUENCES)
            lstm_group_many(r, sequences + s, g);
        for (; s + 2 <= n; s += 2)
            lstm_group_two(r, sequences + s, g);
        if (s < n)
            lstm_group_alone(r, sequences + s, g);
    }
}

static void add(const float *a, const float *b, float *y, float *elu, size_t n) {
    for (size_t i = 0; i < n; i += VL) {
        size_t part = n - i;
        vf sum = part >= VL ? vf_add(vf_load(a + i), vf_load(b + i))
                            : vf_add(vf_load_part(a + i, part), vf_load_part(b + i, part));
        if (y)
            vf_store_upto(y + i, sum, part);
        if (elu)
            vf_store_upto(elu + i, vf_elu(sum), part);
    }
}

/* Doubles, lane by lane, then the lanes: in float the mean of a chunk's million numbers would be off by more than one of its
 * own units. */
static void moments(const float *x, size_t n, double sums[2]) {
    vd sum[2] = {vd_zero(), vd_zero()}, square[2] = {vd_zero(), vd_zero()};
    for (size_t i = 0; i < n; i += VL) {
        vf v = n - i >= VL ? vf_load(x + i) : vf_load_part(x + i, n - i);
        vd half[2] = {vf_low(v), vf_high(v)};
        UNROLL for (int h = 0; h < 2; h++) {
            sum[h] = vd_add(sum[h], half[h]);
            square[h] = vd_fma(half[h], half[h], square[h]);
        }
    }
    sums[0] += vd_sum(vd_add(sum[0], sum[1]));
    sums[1] += vd_sum(vd_add(square[0], square[1]));
}

INLINE vf affine_of(const struct affine *a, size_t j, vf x, const float *add_to, size_t n, const bool with_elu) {
    if (a->scale)
        x = vf_fma(x, vf_load(a->scale + j), vf_load(a->shift + j));
    if (add_to)
        x = vf_add(x, n >= VL ? vf_load(add_to) : vf_load_part(add_to, n));
    return with_elu ? vf_elu(x) : x;
}

static void affine(const struct affine *a, const float *x, const float *add_to, bool with_elu, float *y, size_t n) {
    size_t period = a->scale ? a->period : VL;
    for (size_t i = 0, j = 0; i < n; i += VL) {
        size_t left = n - i;
        vf v = left >= VL ? vf_load(x + i) : vf_load_part(x + i, left);
        v = affine_of(a, j, v, add_to ? add_to + i : NULL, left, with_elu);
        vf_store_upto(y + i, v, left);
        j = j + VL == period ? 0 : j + VL;
    }
}

static double fma_burst(size_t n, float *sink) {
    enum { CHAINS = 12 };
    vf sum[CHAINS], a = vf_set1(sink[0]), b = vf_set1(sink[1]);
    UNROLL for (int i = 0; i < CHAINS; i++)
        sum[i] = vf_set1((float)i);
    for (size_t r = 0; r < n; r++) {
        UNROLL for (int i = 0; i < CHAINS; i++)
            sum[i] = vf_fma(sum[i], a, b);
    }
    UNROLL for (int i = 1; i < CHAINS; i++)
        sum[0] = vf_add(sum[0], sum[i]);
    sink[2] = vf_sum(sum[0]);
    return (double)n * CHAINS * VL;
}

static size_t argmin(const float *x, size_t n) {
    float least = x[0];
    size_t i = 0;
    if (n >= VL) {
        vf v = vf_load(x);
        for (i = VL; i + VL <= n; i += VL)
            v = vf_min(v, vf_load(x + i));
        least = vf_least(v);
    }
    for (; i < n; i++)
        least = x[i] < least ? x[i] : least;
    for (i = 0; i < n; i++)
        if (x[i] == least)
            return i;
    return 0;
}

const struct kernels KERNELS_TABLE = {
    .name = KERNELS_NAME,
    .cpu = KERNELS_CPU,
    .lanes = VL,
    .group = GROUP,
    .tile_rows = TILE_ROWS,
    .matrix_layout = matrix_layout,
    .product = product,
    .recurrence_layout = recurrence_layout,
    .recurrence_pack = recurrence_pack,
    .lstm_step = lstm_step,
    .add = add,
    .moments = moments,
    .affine = affine,
    .fma_burst = fma_burst,
    .argmin = argmin,
};
