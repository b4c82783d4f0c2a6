/* Products by fused multiply-adds: a tile of TILE_ROWS outputs x 2 vectors of columns stays in registers while k is walked: each
 * step loads two vectors of weights and, per row, broadcasts one input. Weights of a panel (2 vectors of columns) are contiguous in
 * the order in which they are read. The tile only decides which outputs are computed together: each output's sum runs over k in
 * order in its own lane. */
enum { DOT_MAX_COLUMNS = 2, DOT_ROWS = 8 };

static void matrix_layout(struct matrix *m, size_t k, size_t n, bool one_run, size_t *w_floats, size_t *bias_floats) {
    m->k = k;
    m->n = n;
    m->full = false;
    m->dot = one_run && n <= DOT_MAX_COLUMNS && k >= 2 * VL;
    m->panels = m->dot ? 1 : (n + PANEL - 1) / PANEL;
    *w_floats = m->dot ? n * ((k + VL - 1) / VL * VL) : (n + VL - 1) / VL * VL * k;
    *bias_floats = m->dot ? n : (n + VL - 1) / VL * VL;
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

/* What becomes of the sums of a vector of columns, from c on, in one row. */
INLINE void put(const struct product *p, ptrdiff_t row, size_t c, vf sum) {
    size_t n = p->m->n - c;
    vf y = vf_add(sum, vf_load(p->m->bias + c));
    if (p->add) {
        const float *a = p->add + row * p->ld_add + (ptrdiff_t)c;
        y = vf_add(y, n >= VL ? vf_load(a) : vf_load_part(a, n));
    }
    if (p->y)
        vf_store_upto(p->y + row * p->ld_y + (ptrdiff_t)c, y, n);
    if (p->elu)
        vf_store_upto(p->elu + row * p->ld_elu + (ptrdiff_t)c, vf_elu(y), n);
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

    UNROLL for (int j = 0; j < NV; j++)
        UNROLL for (int i = 0; i < M; i++)
            put(p, (ptrdiff_t)t + i, first + (size_t)j * VL, sum[i][j]);
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

static void product(const struct product *p, size_t rows, size_t panel0, size_t panel1, void *scratch) {
    (void)scratch;
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
