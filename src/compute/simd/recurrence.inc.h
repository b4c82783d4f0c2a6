/* Recurrent weights in 24 bits: of each 4 of a group's 8 vectors of columns the first three have a word each, the fourth the words'
 * lowest bytes (kernels.h, struct recurrence). */
enum { UNPACKED = 4, WORDS = 3, WORDS_PER_STEP = GATE_VECTORS / UNPACKED * WORDS * VL };

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

/* The weights of UNPACKED vectors of columns; the scale is still to come (gate_of). */
INLINE void unpack(const int32_t *words, vf weight[UNPACKED]) {
    vi word[WORDS] = {vi_load(words), vi_load(words + VL), vi_load(words + 2 * VL)};
    UNROLL for (int j = 0; j < WORDS; j++)
        weight[j] = vf_of(word[j]);
    weight[WORDS] = vf_of(vi_low_bytes(word[0], word[1], word[2]));
}

INLINE vf gate_of(const struct recurrence *r, vf sum, size_t column, const float *x_gates) {
    return vf_fma(sum, vf_load(r->scale + column), vf_load(x_gates + column));
}
