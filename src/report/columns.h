/* A sound as a picture over time: for each column the range of its samples and the level of each frequency band.
 *
 * A column is 5 ms at first. Whenever there would be more than COLUMNS_MAX of them, neighbours become one: a picture, and the memory
 * for it, does not grow with the sound. */
#ifndef ECDC_REPORT_COLUMNS_H
#define ECDC_REPORT_COLUMNS_H

#include <stdint.h>

#include "base/status.h"

enum { COLUMNS_MAX = 40960, COLUMN_BANDS = 64 };

struct columns {
    double column_s;       /* length of a column */
    int64_t n;             /* columns */
    int8_t (*envelope)[2]; /* lowest and highest sample, full scale is 127 */
    uint8_t (*levels)[COLUMN_BANDS]; /* from the lowest band up; 0: -100 dB or less of a full-scale sine, 255: 0 dB */
};

struct columns_maker;

/* HTK's formula, which has no corner at 1 kHz. */
double columns_mel(double hz);

/* Bands are equally wide in mel from 0 Hz to half the rate. */
ecdc_status columns_new(int rate_hz, struct columns_maker **out, ecdc_error *err);
void columns_free(struct columns_maker *m);
ecdc_status columns_push(struct columns_maker *m, const float *samples, size_t n, ecdc_error *err);
/* The sound ends here. What is in the result is the maker's. */
void columns_finish(struct columns_maker *m, struct columns *result);

#endif
