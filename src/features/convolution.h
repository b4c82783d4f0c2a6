/* Rows convolved over time with the haemodynamic response, as a stream. */
#ifndef ECDC_FEATURES_CONVOLUTION_H
#define ECDC_FEATURES_CONVOLUTION_H

#include <stdbool.h>

#include "ecdc.h"

/* Result i is the sum over k of weights[k] * row[i + lead - k]. */
struct convolver {
    double *weights;
    size_t n_weights, lead, width;
    float *rows;       /* the last n_weights, a ring: row j in place j % n_weights */
    double *result;    /* the row at hand */
    bool rounded;      /* it is, half to even */
    float outside;     /* what stands before the first row and behind the last */
    uint64_t n_rows;   /* taken, those behind the last included */
};

/* ECDC_E_ARGUMENT, ECDC_E_MEMORY. */
ecdc_status convolver_init(struct convolver *c, ecdc_hrf hrf, double tr_s, size_t width, double outside, ecdc_error *err);
void convolver_free(struct convolver *c);
/* Takes a row, or NULL: one that lies behind the last. Where a result is complete, true: it stands in c->result. After the
 * last row `lead` results are left. */
bool convolver_push(struct convolver *c, const float *row);

#endif
