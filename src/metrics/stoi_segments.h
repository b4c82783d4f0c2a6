/* STOI and ESTOI of band envelopes: correlations over segments of 30 frames. */
#ifndef ECDC_METRICS_STOI_SEGMENTS_H
#define ECDC_METRICS_STOI_SEGMENTS_H

#include <stdint.h>

enum { STOI_BANDS = 15, STOI_FRAMES = 30 };

/* Zeroed at the start. */
struct stoi_segments {
    double frames[2][STOI_BANDS][STOI_FRAMES]; /* reference, degraded: the last frames, as a ring over time */
    int64_t n_frames;
    double stoi_sum, estoi_sum; /* over the segments that ended so far */
};

/* The next frame: the magnitude of each band in the reference and in the degraded signal. */
void stoi_segments_push(struct stoi_segments *s, double bands[2][STOI_BANDS]);
/* The means over all segments; NaN where there is none, with fewer than 30 frames. */
void stoi_segments_result(const struct stoi_segments *s, double *stoi, double *estoi);

#endif
