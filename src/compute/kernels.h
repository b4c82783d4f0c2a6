/* The operations that a SEANet needs, behind one small table of functions.
 *
 * Activations are time-major: row t holds the channels of one time step, so that the receptive field of a
 * convolution's output t is one contiguous run of kernel * channels floats that begins at row t * stride. Every
 * convolution is then a matrix product whose left operand is read in place, with a row stride ("ld", in floats) that
 * has nothing to do with the row's length; nothing is copied or reordered (im2col without the copy).
 *
 * Order of summation. Each output is the sum over its products in plain order, one accumulator from 0, the bias added
 * last (the `dot` form below: VL accumulators, then a fixed tree). No kernel lets the order depend on how many rows or
 * columns a call covers, so results do not depend, by a single bit, on how a signal is cut or on threads. The SIMD
 * tables use fused multiply-adds, the reference table does not: tables agree to rounding, not to the bit.
 */
#ifndef ECDC_COMPUTE_KERNELS_H
#define ECDC_COMPUTE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "ecdc.h"

/* A weight matrix of k rows (summed over) and n columns (outputs), packed for one table of kernels. */
struct matrix {
    size_t k, n;
    bool dot;       /* few columns: packed column by column, each output a dot product along k */
    bool full;      /* in float32 whatever the table's precision: set after matrix_layout */
    size_t panels;  /* the unit in which columns are split between threads */
    float *w;       /* packed; columns are padded with zeros to whole panels */
    float *bias;    /* padded likewise */
};

/* Where pack finds its source: element (row, column) is at
 *     w[(row / row_inner) * row_outer_step + (row % row_inner) * row_inner_step
 *       + (column / column_inner) * column_outer_step + (column % column_inner) * column_inner_step]. */
struct matrix_source {
    const float *w;
    size_t rows, row_inner, columns, column_inner;
    ptrdiff_t row_outer_step, row_inner_step, column_outer_step, column_inner_step;
};

/* One left operand: for row t, `taps` runs of `length` floats, x[t * ld + tap * tap_step + i]. A convolution without
 * dilation is one run of kernel * channels. */
struct operand {
    const float *x;
    ptrdiff_t ld;
    size_t taps, tap_step, length;
};

/* y[t][c] = bias[c] + sum over operands, taps and i of x * w (+ add[t][c]);  elu[t][c] = ELU(y[t][c]). */
struct product {
    const struct matrix *m;
    struct operand in[2]; /* concatenated along k; the second one may be empty (taps 0) */
    const float *add;     /* NULL, or what is added at the end */
    float *y, *elu;       /* either may be NULL */
    ptrdiff_t ld_add, ld_y, ld_elu;
};

/* One LSTM layer's recurrent half. Columns are ordered in groups of `group` units: for group g the input gates of its
 * units, then forget, cell and output gates, so that a group's new state follows from its own columns. Sizes that are no
 * multiple of `group` are padded with units that stay 0.
 *
 * A step is one row against the whole matrix, 4 MB at full size: what limits it is the stream of weights from beyond the
 * core's cache. The SIMD tables therefore keep 4 weights in 3 words, as 24-bit fixed point: column c holds integers n with
 * w = n * 2^-31 * scale[c], the scale the power of two above the column's largest weight. Of 4 vectors of columns, three
 * have words of their own whose lowest byte is not theirs: it belongs to the fourth, and the upper bytes are chosen such that
 * the whole word is as near to its weight as can be. All words are exact in float32 or rounded to it when they are read,
 * the sum runs over integers times h, and the scale (and the 2^-31) is applied to it once, exactly.
 *     What it costs: a word is off by at most 128, its conversion by at most 64 more, so a weight by at most 1.5 * 2^-24 of
 * the scale, that is 3 * 2^-24 of the column's largest weight. A sum of 512 products in float32 may be off by
 * 512 * 2^-24 * sum |w h|; the words by 3 * 2^-24 * max |w| * sum |h|. As long as the weights (weighed by |h|) are not below
 * max |w| / 170 on average, the promise about the sum's rounding covers that of the words. */
struct recurrence {
    size_t size;   /* units */
    size_t groups; /* ceil(size / group) */
    void *w;       /* [group][size][4 * group columns]: floats, or words as above */
    float *scale;  /* a column's, times 2^-31; 0 for a column of zeros. NULL: w holds floats */
};

/* One sequence's part in a time step of an LSTM layer. h is not h_prev. */
struct lstm_sequence {
    const float *x_gates, *h_prev; /* groups * group * 4 numbers in the order of the columns; `size` numbers */
    float *c, *h;                  /* groups * group numbers each */
};

/* What a norm does to rows: x * scale + shift, each channel with its own two numbers. */
struct affine {
    const float *scale, *shift; /* NULL: nothing is done. `period` floats each: the channels of a row, as often as it takes to
                                   fill whole vectors */
    size_t period;
};

struct kernels {
    const char *name;
    ecdc_cpu cpu;
    ecdc_precision precision;
    size_t lanes;      /* floats per vector */
    size_t group;      /* units per LSTM group */
    size_t tile_rows;  /* rows that the product kernel likes to get at once */
    size_t scratch_bytes; /* that the product kernel needs for itself */

    /* Sizes m for k rows and n columns: fills everything but the pointers; *w_floats and *bias_floats are what they need.
     * @param one_run  the matrix will only meet a single operand with one tap: its k inputs are contiguous */
    void (*matrix_layout)(struct matrix *m, size_t k, size_t n, bool one_run, size_t *w_floats, size_t *bias_floats);
    /* Rows [0, rows) of the product on columns of panels [panel0, panel1).
     * @param scratch  scratch_bytes on a 64-byte boundary, for this call alone; NULL where that is 0 */
    void (*product)(const struct product *p, size_t rows, size_t panel0, size_t panel1, void *scratch);
    /* Sizes r: fills everything but the pointers; *w_floats and *scale_floats are what they need. */
    void (*recurrence_layout)(struct recurrence *r, size_t size, size_t *w_floats, size_t *scale_floats);
    /* Packs recurrent weights, (4 * size, size) in PyTorch's gate order i, f, g, o, into r->w and r->scale (zeroed before). */
    void (*recurrence_pack)(struct recurrence *r, const float *w_hh);
    /* One time step of groups [g0, g1) for each of n sequences: gates = x_gates + W h_prev (columns in group order), then
     *     c = sigmoid(f) * c + sigmoid(i) * tanh(g),  h = sigmoid(o) * tanh(c).
     * The weights are larger than a core's cache: who goes through the groups `backwards` every other step finds those that
     * the step before used last still there. Groups do not depend on each other, so their order changes nothing; nor does
     * a sequence on its neighbours, which only spare it the reading of the weights. */
    void (*lstm_step)(const struct recurrence *r, const struct lstm_sequence *sequences, size_t n, size_t g0, size_t g1,
                      bool backwards);
    /* y = a + b, and elu = ELU(y); y or elu may be NULL. */
    void (*add)(const float *a, const float *b, float *y, float *elu, size_t n);
    /* The sum and the sum of squares of n numbers, added to sums[0] and sums[1]. */
    void (*moments)(const float *x, size_t n, double sums[2]);
    /* y = a(x), plus `add` unless that is NULL, then ELU if asked for. x begins with a row's first channel; n counts floats.
     * y may be `add`. */
    void (*affine)(const struct affine *a, const float *x, const float *add, bool elu, float *y, size_t n);
    /* n rounds of fused multiply-adds on registers alone, as many as the processor can overlap: what the speed of the others
     * is held against. Returns the number of multiply-adds; *sink keeps the compiler from dropping them. */
    double (*fma_burst)(size_t n, float *sink);
    /* The lowest index of the smallest value; n > 0. 0 where no value is comparable (all NaN). */
    size_t (*argmin)(const float *x, size_t n);
};

/* The table for a choice, NULL where this build or this processor lacks it. ECDC_CPU_AUTO with ECDC_PRECISION_F32 never gives
 * NULL. */
const struct kernels *kernels_for(ecdc_cpu cpu, ecdc_precision precision);

/* Writes rows [row0, row0 + source->rows) of the packed matrix; every element of m->w must have been zeroed or written. */
void matrix_pack(const struct kernels *k, struct matrix *m, size_t row0, const struct matrix_source *source);

/* The period of an affine on rows of `width` channels, and its two arrays made from the numbers of one row. */
size_t affine_period(const struct kernels *k, size_t width);
void affine_repeat(float *values, size_t width, size_t period);

/* Column of unit u's gate (0 i, 1 f, 2 g, 3 o) in the group order. */
static inline size_t gate_column(const struct kernels *k, size_t gate, size_t unit) {
    return (unit / k->group * 4 + gate) * k->group + unit % k->group;
}

extern const struct kernels kernels_reference;
#ifdef ECDC_HAVE_AVX2
extern const struct kernels kernels_avx2;
#endif
#ifdef ECDC_HAVE_AVX512
extern const struct kernels kernels_avx512;
#endif
#ifdef ECDC_HAVE_AMX
extern const struct kernels kernels_amx_bf16;
#endif
#ifdef ECDC_HAVE_NEON
extern const struct kernels kernels_neon;
#endif

#endif
