/* Time steps of an LSTM layer, over UNPACKED, WORDS, unpack and gate_of, which know how the recurrent weights are packed. */

/* Adds to sum[s][first ...] a row of h for each of N sequences against NV of a group's vectors. NV is 8, or 4 to have as many
 * sequences as there are registers for. */
INLINE void lstm_sums(const int N, const int NV, const struct recurrence *r, const struct lstm_sequence *s, size_t g, int first,
                      vf sum[][GATE_VECTORS]) {
    const int32_t *w = (const int32_t *)r->w + g * r->size * WORDS_PER_STEP + first / UNPACKED * WORDS * VL;
    vf part[LSTM_SEQUENCES][GATE_VECTORS];
    UNROLL for (int i = 0; i < N; i++)
        UNROLL for (int j = 0; j < NV; j++)
            part[i][j] = vf_set1(0);
    for (size_t k = 0; k < r->size; k++, w += WORDS_PER_STEP) {
        UNROLL for (int j = 0; j < NV; j += UNPACKED) {
            vf weight[UNPACKED];
            unpack(w + j / UNPACKED * WORDS * VL, weight);
            UNROLL for (int i = 0; i < N; i++) {
                vf b = vf_set1(s[i].h_prev[k]);
                UNROLL for (int v = 0; v < UNPACKED; v++)
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
    UNROLL for (int j = 0; j < GATE_VECTORS; j++)
        sum[j] = gate_of(r, sum[j], g * 4 * GROUP + (size_t)j * VL, s->x_gates);
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
