/* Rows on their way into the array: convolved with the haemodynamic response where that is asked for. */
#ifndef ECDC_FEATURES_ROW_WRITER_H
#define ECDC_FEATURES_ROW_WRITER_H

#include "features/convolution.h"
#include "features/file_out.h"

struct row_writer {
    struct features_out *out;
    size_t width;      /* numbers in a row */
    bool convolved;
    struct convolver convolver;
    int max_code;      /* codes that are convolved are rounded to 0 ... this */
    int64_t n_waiting; /* rows that wait for those behind them */
    float *floats;     /* a row */
    int16_t *shorts;
};

/* For rows of `width` numbers of out's dtype. @param outside  what a series is before its first row. */
ecdc_status row_writer_init(struct row_writer *w, struct features_out *out, size_t width, const ecdc_tr_grid *grid,
                            double outside, int max_code, ecdc_error *err);
void row_writer_free(struct row_writer *w);
/* One or the other, as the dtype is. */
ecdc_status row_writer_codes(struct row_writer *w, int64_t *row, ecdc_error *err);
ecdc_status row_writer_floats(struct row_writer *w, const float *row, ecdc_error *err);
/* The rows that wait. */
ecdc_status row_writer_finish(struct row_writer *w, ecdc_error *err);

#endif
