/* Products in bfloat16 on AMX: tiles of 16 rows x 32 numbers against 32 x 16, into sums of float32, sixteen times as many
 * multiply-adds per cycle as AVX-512 has.
 *
 * Inputs and weights are rounded as they are needed, into scratch that stays in the L2 cache: inputs for a block of rows, in place as
 * far as windows overlap (kernels.h); weights for a panel of columns and a slice of k. So the weights stay packed as for the vector
 * kernels. The sum of an output runs over k in steps of 32 that only the operand's shape decides: rows, columns, blocks and slices
 * do not. The unit takes numbers below 2^-126 for 0. */
#include <immintrin.h>
#include <stdint.h>

_Static_assert(VL == 16, "a row of a tile of sums is a vector");

enum {
    ROWS = 16, STEP = 32,             /* of a tile: rows; numbers along k */
    TILE = ROWS * STEP,               /* numbers of a tile of weights: 16 pairs along k x 16 columns x 2 */
    SLICE = 512,                      /* numbers along k that are worked on together */
    K_WORTH_TILES = 64,               /* with fewer summands the rounding costs more than the sums */
    A_NUMBERS = 160 << 10,            /* room for inputs */
    C_NUMBERS = 64 << 10,             /* room for sums */
    PRODUCT_ROWS = 2 * ROWS
};

struct scratch {
    float c[C_NUMBERS];                 /* [panel][row][32]: sums between slices */
    uint16_t b[SLICE / STEP][2][TILE];  /* a panel's weights */
    uint16_t a[A_NUMBERS];              /* inputs */
};
enum { SCRATCH_BYTES = sizeof(struct scratch) };

/* The nearest bfloat16 in the upper half of each number; of two equally near ones the even one. */
INLINE __m512i nearest(__m512 x) {
    __m512i bits = _mm512_castps_si512(x), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    return _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
}

INLINE vf load_upto(const float *x, ptrdiff_t n) {
    return n >= VL ? vf_load(x) : n > 0 ? vf_load_part(x, (size_t)n) : vf_set1(0);
}

/* n numbers, and zeros up to `padded`, a multiple of 32. */
static void take_run(const float *x, size_t n, size_t padded, uint16_t *a) {
    size_t i = 0;
    for (; i + STEP <= n; i += STEP)
        _mm512_storeu_si512(a + i, (__m512i)_mm512_cvtne2ps_pbh(vf_load(x + i + VL), vf_load(x + i)));
    for (; i < padded; i += STEP) {
        ptrdiff_t left = (ptrdiff_t)n - (ptrdiff_t)i;
        _mm512_storeu_si512(a + i, (__m512i)_mm512_cvtne2ps_pbh(load_upto(x + i + VL, left - VL), load_upto(x + i, left)));
    }
}

/* k rows of a panel of NV vectors of columns, from w on, as tiles in which two rows take turns; zeros up to a multiple of 32. */
INLINE void take_weights(const int NV, const float *w, size_t k, struct scratch *s) {
    for (size_t row = 0; row < (k + STEP - 1) / STEP * STEP; row += 2)
        UNROLL for (int j = 0; j < NV; j++) {
            const float *x = w + (row * NV + j) * VL;
            __m512i even = nearest(row < k ? vf_load(x) : vf_set1(0)), odd = nearest(row + 1 < k ? vf_load(x + NV * VL) : vf_set1(0));
            _mm512_store_si512(s->b[row / STEP][j] + row % STEP / 2 * STEP,
                               _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(even, 16), odd));
        }
}

/* ------------------------------------------------------------------------------------------- the tiles --- */

struct block {
    const uint16_t *a; /* inputs of the first row */
    size_t row;        /* numbers from row to row */
    float *c;          /* [row][32] */
    size_t steps;      /* along k */
    bool more;         /* c holds sums of slices before */
};

/* A tile has a number that the compiler must know. Sums are in tiles 0 to 3, inputs and weights come through the others. */
#define A_TILE(tile, i) _tile_loadd(tile, a + (i) * ROWS * b->row, b->row * sizeof *a)
#define B_TILE(tile, j) _tile_loadd(tile, s->b[step][j], 2 * STEP)
#define SUMS(i, j) (b->c + (i) * ROWS * PANEL + (j) * VL)
#define BEGIN(tile, i, j)                                      \
    if (b->more)                                               \
        _tile_loadd(tile, SUMS(i, j), PANEL * sizeof(float));  \
    else                                                       \
        _tile_zero(tile)
#define END(tile, i, j) _tile_stored(tile, SUMS(i, j), PANEL * sizeof(float))

/* 32 rows x 32 columns. */
__attribute__((noinline)) static void tiles_2_2(const struct block *b, const struct scratch *s) {
    const uint16_t *a = b->a;
    BEGIN(0, 0, 0); BEGIN(1, 0, 1); BEGIN(2, 1, 0); BEGIN(3, 1, 1);
    for (size_t step = 0; step < b->steps; step++, a += STEP) {
        A_TILE(4, 0); B_TILE(6, 0); _tile_dpbf16ps(0, 4, 6);
        B_TILE(7, 1); _tile_dpbf16ps(1, 4, 7);
        A_TILE(5, 1); _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7);
    }
    END(0, 0, 0); END(1, 0, 1); END(2, 1, 0); END(3, 1, 1);
}

/* 16 rows x 32 columns. */
__attribute__((noinline)) static void tiles_1_2(const struct block *b, const struct scratch *s) {
    const uint16_t *a = b->a;
    BEGIN(0, 0, 0); BEGIN(1, 0, 1);
    for (size_t step = 0; step < b->steps; step++, a += STEP) {
        A_TILE(4, 0); B_TILE(6, 0); _tile_dpbf16ps(0, 4, 6);
        B_TILE(7, 1); _tile_dpbf16ps(1, 4, 7);
    }
    END(0, 0, 0); END(1, 0, 1);
}

/* 48 rows x 16 columns. */
__attribute__((noinline)) static void tiles_3_1(const struct block *b, const struct scratch *s) {
    const uint16_t *a = b->a;
    BEGIN(0, 0, 0); BEGIN(1, 1, 0); BEGIN(2, 2, 0);
    for (size_t step = 0; step < b->steps; step++, a += STEP) {
        A_TILE(4, 0); B_TILE(7, 0); _tile_dpbf16ps(0, 4, 7);
        A_TILE(5, 1); _tile_dpbf16ps(1, 5, 7);
        A_TILE(6, 2); _tile_dpbf16ps(2, 6, 7);
    }
    END(0, 0, 0); END(1, 1, 0); END(2, 2, 0);
}

/* 16 rows x 16 columns. */
__attribute__((noinline)) static void tiles_1_1(const struct block *b, const struct scratch *s) {
    const uint16_t *a = b->a;
    BEGIN(0, 0, 0);
    for (size_t step = 0; step < b->steps; step++, a += STEP) {
        A_TILE(4, 0); B_TILE(6, 0); _tile_dpbf16ps(0, 4, 6);
    }
    END(0, 0, 0);
}

/* Adds the products of a slice to the sums of a panel, for whole tiles of rows. */
static void multiply(struct block b, size_t tiles, bool wide, const struct scratch *s) {
    while (tiles > 0) {
        size_t most = wide ? 2 : 3, n = tiles >= most ? most : 1;
        (wide ? n == 2 ? tiles_2_2 : tiles_1_2 : n == 3 ? tiles_3_1 : tiles_1_1)(&b, s);
        b.a += n * ROWS * b.row;
        b.c += n * ROWS * PANEL;
        tiles -= n;
    }
}

/* Every tile 16 rows of 64 bytes; each thread has to say so. */
static void tiles_configure(void) {
    struct { uint8_t palette, start_row, zero[14]; uint16_t row_bytes[16]; uint8_t rows[16]; } config = {.palette = 1};
    for (int tile = 0; tile < 8; tile++) {
        config.row_bytes[tile] = STEP * sizeof(uint16_t);
        config.rows[tile] = ROWS;
    }
    _tile_loadconfig(&config);
}

/* -------------------------------------------------------------------------------------- slices and blocks --- */

static size_t whole(size_t n, size_t unit) {
    return (n + unit - 1) / unit * unit;
}

static bool overlapping(const struct operand *in, size_t n) {
    return in->ld > 0 && (size_t)in->ld < n;
}

/* Numbers from row to row of a slice. Windows that overlap share the numbers as in the signal. Others are padded so that rows a
 * power of two apart do not fall on the same few lines of the L1 cache. */
static size_t row_of(const struct operand *in, size_t n) {
    return overlapping(in, n) ? (size_t)in->ld : whole(n, STEP) + STEP;
}

/* A slice of n numbers of each row. */
static void take_inputs(const struct operand *in, const float *x, size_t n, size_t rows, uint16_t *a) {
    if (overlapping(in, n)) {
        size_t all = (rows - 1) * (size_t)in->ld + n;
        take_run(x, all, whole(all, STEP) + STEP, a); /* the last window is read in whole steps */
    } else {
        for (size_t t = 0; t < rows; t++)
            take_run(x + (ptrdiff_t)t * in->ld, n, whole(n, STEP), a + t * row_of(in, n));
    }
}

/* Rows of a block: as many as inputs and sums have room for, in whole tiles. */
static size_t rows_of_block(const struct product *p, size_t rows) {
    size_t most = C_NUMBERS / PANEL;
    for (int o = 0; o < 2; o++)
        if (p->in[o].taps) {
            size_t n = p->in[o].length < SLICE ? p->in[o].length : SLICE, room = (A_NUMBERS - SLICE - 2 * STEP) / row_of(&p->in[o], n);
            most = room < most ? room : most;
        }
    most -= most % PRODUCT_ROWS;
    return rows < most ? rows : most;
}

/* The sums of a panel are complete. */
static void put_panel(const struct product *p, size_t row0, size_t rows, size_t panel, const float *c) {
    size_t first = panel * PANEL;
    for (size_t t = 0; t < rows; t++, c += PANEL) {
        put(p, (ptrdiff_t)(row0 + t), first, vf_load(c));
        if (p->m->n - first > VL)
            put(p, (ptrdiff_t)(row0 + t), first + VL, vf_load(c + VL));
    }
}

/* A block of rows against panels [panel0, panel1), whose sums have room. */
static void block_product(const struct product *p, size_t row0, size_t rows, size_t panel0, size_t panel1, struct scratch *s) {
    const struct matrix *m = p->m;
    size_t tiles = whole(rows, ROWS) / ROWS, k = 0;
    for (int o = 0; o < 2; o++) {
        const struct operand *in = &p->in[o];
        for (size_t tap = 0; tap < in->taps; tap++)
            for (size_t i = 0, n; i < in->length; i += n, k += n) {
                n = in->length - i < SLICE ? in->length - i : SLICE;
                take_inputs(in, in->x + (ptrdiff_t)row0 * in->ld + tap * in->tap_step + i, n, rows, s->a);
                struct block b = {s->a, row_of(in, n), s->c, whole(n, STEP) / STEP, k > 0};
                for (size_t panel = panel0; panel < panel1; panel++) {
                    bool wide = m->n - panel * PANEL > VL;
                    const float *w = m->w + panel * PANEL * m->k + k * (wide ? PANEL : VL);
                    if (wide)
                        take_weights(2, w, n, s);
                    else
                        take_weights(1, w, n, s);
                    multiply(b, tiles, wide, s);
                    if (k + n == m->k)
                        put_panel(p, row0, rows, panel, b.c);
                    if (n < m->k)
                        b.c += tiles * ROWS * PANEL;
                }
            }
    }
}

static void tiles_product(const struct product *p, size_t rows, size_t panel0, size_t panel1, void *scratch) {
    if (rows == 0)
        return;
    if (p->m->dot || p->m->full || p->m->k < K_WORTH_TILES) {
        product(p, rows, panel0, panel1, NULL);
        return;
    }
    size_t block = rows_of_block(p, rows);
    bool one_slice = !p->in[1].taps && p->in[0].taps == 1 && p->in[0].length <= SLICE; /* then a panel's sums are not kept */
    size_t panels = one_slice ? panel1 - panel0 : C_NUMBERS / PANEL / whole(block, ROWS);
    tiles_configure();
    for (size_t t = 0; t < rows; t += block)
        for (size_t panel = panel0; panel < panel1; panel += panels)
            block_product(p, t, rows - t < block ? rows - t : block, panel, panel1 - panel < panels ? panel1 : panel + panels, scratch);
    _tile_release();
}
