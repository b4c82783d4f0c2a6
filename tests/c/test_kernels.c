/* Every table of kernels against the plain C one, on random input of every shape that a tile can meet; and each against
 * itself: the rows and columns that a call covers change no bit. */
#include "compute/kernels.h"
#include "golden.h"

enum { MAX_ROWS = 61 };

struct shape {
    size_t k, n; /* k per tap */
    size_t taps, row_step; /* row_step: floats between rows of x */
    bool second, add;
};

/* Widths around one and two vectors of every instruction set, single columns, long sums, dilated taps. */
static const struct shape shapes[] = {
    {7, 32, 1, 1, false, false},     {96, 16, 1, 32, false, false},  {16, 32, 1, 16, true, false},
    {224, 1, 1, 32, false, false},   {30, 2, 1, 4, false, true},     {5, 1, 1, 1, false, false},
    {33, 3, 1, 11, false, true},     {64, 8, 1, 64, true, true},     {12, 9, 3, 24, false, false},
    {128, 48, 1, 64, false, false},  {40, 33, 1, 40, false, true},   {512, 128, 1, 512, false, false},
    {128, 1024, 1, 128, false, false}, {24, 17, 5, 120, true, false}, {1, 40, 1, 1, false, false},
    {1100, 24, 1, 500, false, true}, {600, 70, 2, 700, true, false}, {96, 16, 1, 1, false, false},
    {64, 2, 3, 64, false, false},    {48, 1, 1, 48, true, false},    {100, 1, 2, 100, true, true},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

/* Every table that this processor has, in every precision. */
enum { N_TABLES = N_CPUS + 1 };
static const struct kernels *table(int i) {
    return i < N_CPUS ? kernels_for(all_cpus[i], ECDC_PRECISION_F32) : kernels_for(ECDC_CPU_AUTO, ECDC_PRECISION_BF16);
}

struct problem {
    struct shape s;
    float *x, *x2, *w, *bias, *add;
    size_t k_total, tap_step;
};

static float *random_array(size_t n, uint32_t *seed) {
    float *values = malloc((n + 1) * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = random_float(seed);
    return values;
}

static struct problem make_problem(const struct shape *s, uint32_t *seed) {
    struct problem p = {.s = *s, .tap_step = 2 * s->k + 3};
    p.k_total = s->k * s->taps + (s->second ? 10 : 0);
    p.x = random_array(MAX_ROWS * s->row_step + s->taps * p.tap_step + s->k, seed);
    p.x2 = random_array(MAX_ROWS * 10, seed);
    p.w = random_array(p.k_total * s->n, seed); /* [k][n] */
    p.bias = random_array(s->n, seed);
    p.add = random_array(MAX_ROWS * s->n, seed);
    return p;
}

static void free_problem(struct problem *p) {
    free(p->x);
    free(p->x2);
    free(p->w);
    free(p->bias);
    free(p->add);
}

static struct matrix pack(const struct kernels *k, const struct problem *p) {
    struct matrix m;
    size_t w_floats, bias_floats;
    k->matrix_layout(&m, p->k_total, p->s.n, p->s.taps == 1 && !p->s.second, &w_floats, &bias_floats);
    m.w = aligned_alloc(64, (w_floats * sizeof(float) + 63) / 64 * 64);
    m.bias = calloc(bias_floats, sizeof(float));
    memset(m.w, 0, w_floats * sizeof(float));
    memcpy(m.bias, p->bias, p->s.n * sizeof(float));
    struct matrix_source source = {.w = p->w, .rows = p->k_total, .row_inner = p->k_total, .row_inner_step = (ptrdiff_t)p->s.n,
                                   .columns = p->s.n, .column_inner = p->s.n, .column_inner_step = 1};
    matrix_pack(k, &m, 0, &source);
    return m;
}

static struct product make_product(const struct problem *p, const struct matrix *m, float *y, float *elu) {
    struct product product = {.m = m, .y = y, .elu = elu, .ld_y = (ptrdiff_t)p->s.n, .ld_elu = (ptrdiff_t)p->s.n};
    product.in[0] = (struct operand){p->x, (ptrdiff_t)p->s.row_step, p->s.taps, p->tap_step, p->s.k};
    if (p->s.second)
        product.in[1] = (struct operand){p->x2, 10, 1, 0, 10};
    if (p->s.add) {
        product.add = p->add;
        product.ld_add = (ptrdiff_t)p->s.n;
    }
    return product;
}

/* The nearest number with 8 significant bits. */
static double bf16(float x) {
    int exponent;
    double significand = frexp((double)x, &exponent);
    return ldexp(nearbyint(significand * 256), exponent - 8);
}

/* The definition in double; of rounded factors where a table computes in bfloat16. */
static double expected(const struct problem *p, size_t t, size_t c, bool rounded) {
    double sum = p->bias[c];
    size_t k = 0;
    for (size_t tap = 0; tap < p->s.taps; tap++)
        for (size_t i = 0; i < p->s.k; i++, k++) {
            float x = p->x[t * p->s.row_step + tap * p->tap_step + i], w = p->w[k * p->s.n + c];
            sum += rounded ? bf16(x) * bf16(w) : (double)x * (double)w;
        }
    for (size_t i = 0; p->s.second && i < 10; i++, k++) {
        float x = p->x2[t * 10 + i], w = p->w[k * p->s.n + c];
        sum += rounded ? bf16(x) * bf16(w) : (double)x * (double)w;
    }
    return p->s.add ? sum + (double)p->add[t * p->s.n + c] : sum;
}

static void assert_close(double got, double want, double tolerance, const char *what, size_t t, size_t c) {
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%s: row %zu, column %zu: %.9g, expected %.9g", what, t, c, got, want);
}

static void test_product(void **state) {
    (void)state;
    for (int i_table = 0; i_table < N_TABLES; i_table++) {
        const struct kernels *k = table(i_table);
        uint32_t seed = 1;
        void *scratch = k ? aligned_alloc(64, (k->scratch_bytes + 64) / 64 * 64) : NULL;
        for (int i = 0; k && i < N_SHAPES; i++) {
            struct problem p = make_problem(&shapes[i], &seed);
            struct matrix m = pack(k, &p);
            size_t n = MAX_ROWS * p.s.n;
            float *y = malloc(n * sizeof *y), *elu = malloc(n * sizeof *elu), *y2 = malloc(n * sizeof *y2);
            bool rounded = k->precision == ECDC_PRECISION_BF16 && !m.dot && m.k >= 64; /* few summands: not worth a tile */
            for (size_t rows = 1; rows <= MAX_ROWS; rows += rows < 30 ? 1 : 31) {
                struct product product = make_product(&p, &m, y, elu);
                for (size_t j = 0; j < n; j++)
                    y[j] = elu[j] = 77; /* what is not to be written */
                k->product(&product, rows, 0, m.panels, scratch);
                for (size_t t = 0; t < MAX_ROWS; t++)
                    for (size_t c = 0; c < p.s.n; c++) {
                        double want = t < rows ? expected(&p, t, c, rounded) : 77, got = y[t * p.s.n + c];
                        assert_close(got, want, 1e-6 * sqrt((double)p.k_total) * 8, k->name, t, c);
                        want = t < rows ? (got > 0 ? got : expm1(got)) : 77;
                        assert_close(elu[t * p.s.n + c], want, 2e-7, k->name, t, c);
                    }
                /* in other pieces: row by row, panel by panel */
                for (size_t t = 0; t < rows; t++)
                    for (size_t panel = 0; panel < m.panels; panel++) {
                        struct product one = make_product(&p, &m, y2 + t * p.s.n, NULL);
                        one.in[0].x += t * p.s.row_step;
                        one.in[1].x += p.s.second ? t * 10 : 0;
                        one.add += p.s.add ? t * p.s.n : 0;
                        k->product(&one, 1, panel, panel + 1, scratch);
                    }
                assert_memory_equal(y, y2, rows * p.s.n * sizeof *y);
            }
            free(y);
            free(elu);
            free(y2);
            free(m.w);
            free(m.bias);
            free_problem(&p);
        }
        free(scratch);
    }
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

/* A weight that the table's precision can hold. */
static float weight_of(const struct kernels *k, float w) {
    return k->precision == ECDC_PRECISION_BF16 ? (float)bf16(w) : w;
}

/* Recurrent weights as a table packs them; freed by free_recurrence. */
static struct recurrence pack_recurrence(const struct kernels *k, size_t size, const float *w_hh) {
    struct recurrence r = {0};
    size_t w_floats, scale_floats;
    k->recurrence_layout(&r, size, &w_floats, &scale_floats);
    r.w = calloc(w_floats, sizeof(float));
    r.scale = scale_floats ? calloc(scale_floats, sizeof(float)) : NULL;
    k->recurrence_pack(&r, w_hh);
    return r;
}

static void free_recurrence(struct recurrence *r) {
    free(r->w);
    free(r->scale);
}

/* A gate's sum in double, and how far the kernel may be off: what k->recurrence_pack may do to the weights and what
 * summing in float may, both of kernels.h; the worst case, and the gate's own rounding. */
static double gate_sum(const float *w, const float *h, size_t size, double x, double *tolerance) {
    double sum = x, magnitude = fabs(x), h_sum = 0, largest = 0;
    for (size_t i = 0; i < size; i++) {
        sum += (double)w[i] * (double)h[i];
        magnitude += fabs((double)w[i] * (double)h[i]);
        h_sum += fabs((double)h[i]);
        largest = fmax(largest, fabs((double)w[i]));
    }
    *tolerance = ldexp(3 * largest * h_sum + (double)(size < 16 ? size + 2 : 16) * magnitude, -24);
    return sum;
}

static void test_lstm_step(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 5, 16, 33, 64, 512};
    for (int i_table = 0; i_table < N_TABLES; i_table++) {
        const struct kernels *k = table(i_table);
        uint32_t seed = 7;
        for (size_t s = 0; k && s < sizeof sizes / sizeof *sizes; s++) {
            size_t size = sizes[s];
            float *w = random_array(4 * size * size, &seed), *x = random_array(4 * size, &seed);
            float *h = random_array(size, &seed), *c0 = random_array(size, &seed);
            for (size_t i = 0; i < 4 * size * size; i++)
                w[i] = weight_of(k, w[i] * 4 / (float)size);
            struct recurrence r = pack_recurrence(k, size, w);
            size_t groups = r.groups, units = groups * k->group;
            float *gates = calloc(4 * units, sizeof *gates), *c = calloc(units, sizeof *c), *out = calloc(units, sizeof *out);
            float *c_parts = calloc(units, sizeof *c), *out_parts = calloc(units, sizeof *out);
            for (size_t gate = 0; gate < 4; gate++)
                for (size_t u = 0; u < size; u++)
                    gates[gate_column(k, gate, u)] = x[gate * size + u] * 3;
            memcpy(c, c0, size * sizeof *c);
            k->lstm_step(&r, &(struct lstm_sequence){gates, h, c, out}, 1, 0, groups, false);
            for (int backwards = 0; backwards < 2; backwards++) { /* in two parts, in either order */
                memcpy(c_parts, c0, size * sizeof *c);
                struct lstm_sequence parts = {gates, h, c_parts, out_parts};
                k->lstm_step(&r, &parts, 1, groups / 2, groups, backwards);
                k->lstm_step(&r, &parts, 1, 0, groups / 2, backwards);
                assert_memory_equal(c, c_parts, units * sizeof *c);
                assert_memory_equal(out, out_parts, units * sizeof *c);
            }
            for (size_t u = 0; u < size; u++) {
                double a[4], tolerance = 0, one;
                for (size_t gate = 0; gate < 4; gate++) {
                    a[gate] = gate_sum(w + (gate * size + u) * size, h, size, (double)(x[gate * size + u] * 3), &one);
                    tolerance = fmax(tolerance, one);
                }
                double state_c = sigmoid(a[1]) * (double)c0[u] + sigmoid(a[0]) * tanh(a[2]);
                tolerance = 1.5 * tolerance + 5e-7; /* slopes of at most 1/4, 1/4 and 1; the functions' own rounding */
                assert_close(c[u], state_c, tolerance, k->name, u, 0);
                assert_close(out[u], sigmoid(a[3]) * tanh(state_c), 1.25 * tolerance + 5e-7, k->name, u, 1);
            }
            for (size_t u = size; u < units; u++)
                assert_true(out[u] == 0); /* padding stays 0 */
            free(w); free(x); free(h); free(c0); free(gates); free(c); free(out); free(c_parts); free(out_parts);
            free_recurrence(&r);
        }
    }
}

/* Sequences side by side, as many as it likes, each with the bits that it has alone. */
static void test_lstm_sequences(void **state) {
    (void)state;
    enum { SIZE = 70, MOST = 9 };
    for (int i_table = 0; i_table < N_TABLES; i_table++) {
        const struct kernels *k = table(i_table);
        if (!k)
            continue;
        uint32_t seed = 13;
        float *w = random_array(4 * SIZE * SIZE, &seed);
        struct recurrence r = pack_recurrence(k, SIZE, w);
        size_t units = r.groups * k->group;
        float *gates = random_array(MOST * 4 * units, &seed), *h = random_array(MOST * units, &seed);
        float *c0 = random_array(MOST * units, &seed), *c = calloc(MOST * units, sizeof *c), *out = calloc(MOST * units, sizeof *out);
        float *c_alone = calloc(units, sizeof *c), *out_alone = calloc(units, sizeof *out);
        for (size_t n = 1; n <= MOST; n++) {
            struct lstm_sequence sequences[MOST];
            memcpy(c, c0, MOST * units * sizeof *c);
            for (size_t i = 0; i < n; i++)
                sequences[i] = (struct lstm_sequence){gates + i * 4 * units, h + i * units, c + i * units, out + i * units};
            k->lstm_step(&r, sequences, n, 0, r.groups, n % 2);
            for (size_t i = 0; i < n; i++) {
                memcpy(c_alone, c0 + i * units, units * sizeof *c);
                k->lstm_step(&r, &(struct lstm_sequence){gates + i * 4 * units, h + i * units, c_alone, out_alone}, 1, 0, r.groups, false);
                assert_memory_equal(c + i * units, c_alone, units * sizeof *c);
                assert_memory_equal(out + i * units, out_alone, units * sizeof *c);
            }
        }
        free(w); free(gates); free(h); free(c0); free(c); free(out); free(c_alone); free(out_alone);
        free_recurrence(&r);
    }
}

/* Single weights, seen through gates of which only one moves: random ones, columns of zeros, of powers of two and of the
 * largest and smallest floats, next to each other. */
static void test_recurrent_weights(void **state) {
    (void)state;
    enum { SIZE = 72 };
    for (int i_table = 0; i_table < N_TABLES; i_table++) {
        const struct kernels *k = table(i_table);
        if (!k)
            continue;
        uint32_t seed = 11;
        float *w = random_array(4 * SIZE * SIZE, &seed);
        for (size_t row = 0; row < 4 * SIZE; row++)
            for (size_t i = 0; i < SIZE; i++) {
                float *value = &w[row * SIZE + i];
                switch (row % 7) {
                case 0: *value = 0; break;
                case 1: *value = i % 2 ? -1 : 1; break;
                case 2: *value = i ? *value * 1e-6f : 1; break;
                case 3: *value *= 1e-42f; break;
                case 4: *value = i ? *value * 1e38f : k->precision == ECDC_PRECISION_BF16 ? -3.3895314e38f : -3.4028234e38f; break;
                case 5: *value = i % 2 ? 0.99999994f : -0.99999994f; break;
                }
                *value = weight_of(k, *value);
            }
        struct recurrence r = pack_recurrence(k, SIZE, w);
        size_t units = r.groups * k->group;
        float *gates = calloc(4 * units, sizeof *gates), *c = calloc(units, sizeof *c), *out = calloc(units, sizeof *out);
        for (size_t gate = 0; gate < 4; gate++)
            for (size_t i = 0; i < SIZE; i++) {
                float h[SIZE] = {0};
                h[i] = 1;
                for (size_t u = 0; u < units; u++) {
                    c[u] = gate == 1 ? 1 : 0; /* the state seen through the forget gate, the input through the others */
                    gates[gate_column(k, 0, u)] = gate == 1 ? -90 : gate == 0 ? 0 : 90;
                    gates[gate_column(k, 1, u)] = gate == 1 ? 0 : -90;
                    gates[gate_column(k, 2, u)] = gate == 2 ? 0 : 90;
                    gates[gate_column(k, 3, u)] = gate == 3 ? 0 : 90;
                }
                k->lstm_step(&r, &(struct lstm_sequence){gates, h, c, out}, 1, 0, r.groups, false);
                for (size_t u = 0; u < SIZE; u++) {
                    bool others_small = true;
                    for (size_t g = 0; g < 4; g++)
                        others_small &= g == gate || fabsf(w[(g * SIZE + u) * SIZE + i]) <= 1;
                    if (!others_small)
                        continue;
                    double tolerance, a = gate_sum(w + (gate * SIZE + u) * SIZE, h, SIZE, 0, &tolerance);
                    double got = gate == 3 ? out[u] / tanh(1) : c[u], want = gate == 2 ? tanh(a) : sigmoid(a);
                    assert_close(got, want, (gate == 2 ? 1 : 0.25) * tolerance + 2.5e-7, k->name, u, i);
                }
            }
        free(w); free(gates); free(c); free(out);
        free_recurrence(&r);
    }
}

/* ELU over its whole range, through the addition kernel. */
static void test_elu(void **state) {
    (void)state;
    for (int i_table = 0; i_table < N_TABLES; i_table++) {
        const struct kernels *k = table(i_table);
        enum { N = 20003 };
        static float x[N], zero[N], y[N], elu[N];
        for (int i = 0; i < N; i++)
            x[i] = (float)(i < 10000 ? -110 + 0.012 * i : 0.001 * (i - 12000));
        x[0] = -1e30f;
        x[1] = 1e30f;
        x[2] = -1e-30f;
        if (!k)
            continue;
        k->add(x, zero, y, elu, N);
        for (int i = 0; i < N; i++) {
            double want = x[i] > 0 ? (double)x[i] : expm1((double)x[i]);
            assert_true(y[i] == x[i]);
            assert_close(elu[i], want, fabs(want) * 2.4e-7, k->name, (size_t)i, 0);
        }
    }
}

static void test_argmin(void **state) {
    (void)state;
    for (int i_table = 0; i_table < N_TABLES; i_table++) {
        const struct kernels *k = table(i_table);
        uint32_t seed = 3;
        for (size_t n = 1; k && n < 70; n++) {
            float x[70];
            for (size_t i = 0; i < n; i++)
                x[i] = (float)(random_bits(&seed) % 7); /* many ties */
            size_t want = 0;
            for (size_t i = 1; i < n; i++)
                want = x[i] < x[want] ? i : want;
            assert_int_equal(k->argmin(x, n), want);
            for (size_t i = 0; i < n; i++)
                x[i] = NAN;
            assert_true(k->argmin(x, n) < n);
        }
    }
}

/* The norm's two halves, on rows of every width that fills vectors or does not. */
static void test_norm(void **state) {
    (void)state;
    enum { ROWS = 37 };
    static const size_t widths[] = {1, 2, 3, 4, 7, 8, 16, 17, 32, 40};
    uint32_t seed = 5;
    for (int i_table = 0; i_table < N_TABLES; i_table++) {
        const struct kernels *k = table(i_table);
        for (size_t i = 0; k && i < sizeof widths / sizeof *widths; i++) {
            size_t width = widths[i], n = ROWS * width, period = affine_period(k, width);
            float *x = random_array(n, &seed), *add = random_array(n, &seed), *y = random_array(n, &seed);
            float *scale = random_array(period, &seed), *shift = random_array(period, &seed);
            affine_repeat(scale, width, period);
            affine_repeat(shift, width, period);
            const struct affine norm = {scale, shift, period}, none = {NULL, NULL, 0};
            for (int with = 0; with < 8; with++) { /* norm, add, ELU: each or not */
                k->affine(with & 1 ? &norm : &none, x, with & 2 ? add : NULL, with & 4, y, n);
                for (size_t j = 0; j < n; j++) {
                    double want = with & 1 ? (double)x[j] * (double)scale[j % width] + (double)shift[j % width] : (double)x[j];
                    want += with & 2 ? (double)add[j] : 0;
                    want = with & 4 && want < 0 ? expm1(want) : want;
                    assert_close((double)y[j], want, 1e-6, k->name, j / width, j % width);
                }
            }
            double sums[2] = {1, 2}, want[2] = {1, 2};
            k->moments(x, n, sums);
            for (size_t j = 0; j < n; j++) {
                want[0] += (double)x[j];
                want[1] += (double)x[j] * (double)x[j];
            }
            assert_close(sums[0], want[0], 1e-9, k->name, width, 0);
            assert_close(sums[1], want[1], 1e-9, k->name, width, 1);
            free(x);
            free(add);
            free(y);
            free(scale);
            free(shift);
        }
    }
}

static void test_choice(void **state) {
    (void)state;
    const struct kernels *best = kernels_for(ECDC_CPU_AUTO, ECDC_PRECISION_F32);
    assert_non_null(best);
    assert_string_equal(best->name, ecdc_cpu_name(ECDC_CPU_AUTO));
    assert_ptr_equal(kernels_for(best->cpu, ECDC_PRECISION_F32), best);
    assert_string_equal(kernels_for(ECDC_CPU_REFERENCE, ECDC_PRECISION_F32)->name, "reference");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product), cmocka_unit_test(test_lstm_step), cmocka_unit_test(test_lstm_sequences), cmocka_unit_test(test_recurrent_weights), cmocka_unit_test(test_elu),
        cmocka_unit_test(test_argmin),  cmocka_unit_test(test_choice),
        cmocka_unit_test(test_norm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
