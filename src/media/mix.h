/* Channels of a decoded frame -> interleaved float samples of one or two channels. */
#ifndef ECDC_MEDIA_MIX_H
#define ECDC_MEDIA_MIX_H

#include <stdbool.h>

#include <libavutil/frame.h>

enum { MIX_MAX_CHANNELS = 2 };

/* How n_in channels become n_out: out[o] = sum over c of in[c] * weights[o * n_in + c], / divisor. */
struct mix {
    int n_in, n_out;
    double *weights;
    double divisor;
};

/* n_out 1: the mean of the channels. n_out 2: stereo as it is; mono in both; of more channels, those on the left go left
 * and those on the right go right, front ones by 1, others by sqrt(1/2); centre channels and those without a place go to
 * both by sqrt(1/2); low-frequency effects to none (ITU-R BS.775); divided by the larger of the two sums of weights, so
 * that nothing exceeds full scale. False where memory runs out. */
bool mix_init(struct mix *m, const AVChannelLayout *layout, int n_out);
/* out[i * n_out + o] of all samples of a frame with n_in channels. False where the sample format is unknown. */
bool mix_frame(const struct mix *m, const AVFrame *frame, float *out);
/* Fine on a zeroed struct. */
void mix_free(struct mix *m);

#endif
