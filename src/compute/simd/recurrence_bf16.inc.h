/* Recurrent weights in bfloat16; the LSTM's state stays in float32.
 *
 * Two columns share a 32-bit word: the one in the upper half is a float once the lower half is cleared, the other once it is
 * shifted up. A group's 8 vectors of columns are 4 vectors of words; words j hold vector 2 j above, 2 j + 1 below. */
enum { UNPACKED = 2, WORDS = 1, WORDS_PER_STEP = GATE_VECTORS / UNPACKED * WORDS * VL };

static void recurrence_layout(struct recurrence *r, size_t size, size_t *w_floats, size_t *scale_floats) {
    r->size = size;
    r->groups = (size + GROUP - 1) / GROUP;
    *w_floats = r->groups * size * WORDS_PER_STEP;
    *scale_floats = 0;
}

/* The nearest bfloat16, in the lower half; of two equally near ones the even one. */
static uint32_t bf16_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

static void recurrence_pack(struct recurrence *r, const float *w_hh) {
    uint32_t *w = r->w;
    for (size_t gate = 0; gate < 4; gate++)
        for (size_t unit = 0; unit < r->size; unit++) {
            size_t vector = 2 * gate + unit % GROUP / VL, shift = vector % 2 ? 0 : 16;
            uint32_t *column = w + unit / GROUP * r->size * WORDS_PER_STEP + vector / 2 * VL + unit % VL;
            for (size_t k = 0; k < r->size; k++)
                column[k * WORDS_PER_STEP] |= bf16_of(w_hh[(gate * r->size + unit) * r->size + k]) << shift;
        }
}

INLINE void unpack(const int32_t *words, vf weight[UNPACKED]) {
    vi both = vi_load(words);
    weight[0] = _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32((int)0xffff0000)));
    weight[1] = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
}

INLINE vf gate_of(const struct recurrence *r, vf sum, size_t column, const float *x_gates) {
    (void)r;
    return vf_add(sum, vf_load(x_gates + column));
}
