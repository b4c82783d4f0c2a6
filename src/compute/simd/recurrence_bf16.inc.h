/* The recurrent half of an LSTM layer with weights in bfloat16, its state in float32.
 *
 * Two columns share a 32-bit word: the one in the upper half is a float once the lower half is cleared, the other once it is
 * shifted up. A group's 8 vectors of columns are 4 vectors of words; words j hold vector 2 j above, 2 j + 1 below. */
enum { GATE_VECTORS = 8, WORD_VECTORS = GATE_VECTORS / 2, WORDS_PER_STEP = WORD_VECTORS * VL };

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

/* Adds to sum[s][first ...] a row of h for each of N sequences against NV of a group's vectors (recurrence.inc.h). */
INLINE void lstm_sums(const int N, const int NV, const struct recurrence *r, const struct lstm_sequence *s, size_t g, int first,
                      vf sum[][GATE_VECTORS]) {
    const int32_t *w = (const int32_t *)r->w + g * r->size * WORDS_PER_STEP + first / 2 * VL;
    const vi upper = _mm512_set1_epi32((int)0xffff0000);
    vf part[LSTM_SEQUENCES][GATE_VECTORS];
    UNROLL for (int i = 0; i < N; i++)
        UNROLL for (int j = 0; j < NV; j++)
            part[i][j] = vf_set1(0);
    for (size_t k = 0; k < r->size; k++, w += WORDS_PER_STEP)
        UNROLL for (int j = 0; j < NV; j += 2) {
            vi words = vi_load(w + j / 2 * VL);
            vf above = _mm512_castsi512_ps(_mm512_and_si512(words, upper)), below = _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
            UNROLL for (int i = 0; i < N; i++) {
                vf b = vf_set1(s[i].h_prev[k]);
                part[i][j] = vf_fma(b, above, part[i][j]);
                part[i][j + 1] = vf_fma(b, below, part[i][j + 1]);
            }
        }
    UNROLL for (int i = 0; i < N; i++)
        UNROLL for (int j = 0; j < NV; j++)
            sum[i][first + j] = part[i][j];
}

INLINE vf gate_of(const struct recurrence *r, vf sum, size_t column, const float *x_gates) {
    (void)r;
    return vf_add(sum, vf_load(x_gates + column));
}
