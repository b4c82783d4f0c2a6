/* Where threads that run the same LSTM layer on different streams meet, so that one of them reads the weights for all.
 *
 * The recurrent weights (4 MB a layer at full size) are read anew for every step, and at 30 GB/s from beyond a core's cache that
 * costs as much as all convolutions of a frame. A stream alone can't avoid it; four streams in step share each reading. */
#ifndef ECDC_COMPUTE_GROUP_H
#define ECDC_COMPUTE_GROUP_H

#include "compute/kernels.h"

/* Consecutive time steps of one LSTM layer on one stream. */
struct lstm_run {
    const struct recurrence *r;
    const float *x_gates; /* steps rows of groups * group * 4 numbers */
    float *c, *h;         /* the state: groups * group numbers each, before and after */
    float *h_rows;        /* h after every step, rows of groups * group numbers */
    size_t steps;
};

/* One member more or less. A group counts them to know for how many it is worth waiting. */
void group_join(ecdc_group *group);
void group_leave(ecdc_group *group);

/* Does the run, together with others of the same layer if some come soon; returns when it is done. Every stream gets the bits
 * that it would have got alone. */
void group_lstm(ecdc_group *group, const struct kernels *kernels, struct lstm_run *run);

#endif
