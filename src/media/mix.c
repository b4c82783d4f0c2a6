#include "media/mix.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include <libavutil/channel_layout.h>
#include <libavutil/samplefmt.h>

#include "base/memory.h"

/* --------------------------------------------------------------------------------------------- weights --- */

/* What a channel gives to the left and to the right. */
static void place(enum AVChannel channel, double *left, double *right) {
    switch (channel) {
    case AV_CHAN_FRONT_LEFT:
    case AV_CHAN_STEREO_LEFT: *left = 1, *right = 0; break;
    case AV_CHAN_FRONT_RIGHT:
    case AV_CHAN_STEREO_RIGHT: *left = 0, *right = 1; break;
    case AV_CHAN_BACK_LEFT:
    case AV_CHAN_SIDE_LEFT:
    case AV_CHAN_FRONT_LEFT_OF_CENTER:
    case AV_CHAN_WIDE_LEFT:
    case AV_CHAN_SURROUND_DIRECT_LEFT:
    case AV_CHAN_TOP_FRONT_LEFT:
    case AV_CHAN_TOP_SIDE_LEFT:
    case AV_CHAN_TOP_BACK_LEFT:
    case AV_CHAN_BOTTOM_FRONT_LEFT: *left = M_SQRT1_2, *right = 0; break;
    case AV_CHAN_BACK_RIGHT:
    case AV_CHAN_SIDE_RIGHT:
    case AV_CHAN_FRONT_RIGHT_OF_CENTER:
    case AV_CHAN_WIDE_RIGHT:
    case AV_CHAN_SURROUND_DIRECT_RIGHT:
    case AV_CHAN_TOP_FRONT_RIGHT:
    case AV_CHAN_TOP_SIDE_RIGHT:
    case AV_CHAN_TOP_BACK_RIGHT:
    case AV_CHAN_BOTTOM_FRONT_RIGHT: *left = 0, *right = M_SQRT1_2; break;
    case AV_CHAN_LOW_FREQUENCY:
    case AV_CHAN_LOW_FREQUENCY_2: *left = *right = 0; break;
    default: *left = *right = M_SQRT1_2; break;
    }
}

static void mean(struct mix *m) {
    for (int i = 0; i < m->n_in * m->n_out; i++)
        m->weights[i] = 1;
    m->divisor = m->n_in;
}

static void downmix(struct mix *m, const AVChannelLayout *layout) {
    AVChannelLayout usual = {0};
    if (layout->order == AV_CHANNEL_ORDER_UNSPEC) /* a number of channels without places */
        av_channel_layout_default(&usual, m->n_in);
    double left_sum = 0, right_sum = 0, *left = m->weights, *right = m->weights + m->n_in;
    for (int c = 0; c < m->n_in; c++) {
        place(av_channel_layout_channel_from_index(usual.nb_channels ? &usual : layout, (unsigned)c), &left[c], &right[c]);
        left_sum += left[c];
        right_sum += right[c];
    }
    av_channel_layout_uninit(&usual);
    m->divisor = fmax(left_sum, right_sum);
    if (m->divisor == 0) /* nothing but low frequencies */
        mean(m);
}

bool mix_init(struct mix *m, const AVChannelLayout *layout, int n_out) {
    *m = (struct mix){.n_in = layout->nb_channels, .n_out = n_out, .divisor = 1};
    m->weights = ecdc_alloc_zeros((size_t)m->n_in, (size_t)n_out * sizeof *m->weights);
    if (!m->weights)
        return false;
    if (n_out == 1 || m->n_in == 1)
        mean(m);
    else if (m->n_in == 2)
        m->weights[0] = m->weights[3] = 1;
    else
        downmix(m, layout);
    return true;
}

void mix_free(struct mix *m) {
    free(m->weights);
    *m = (struct mix){0};
}

/* --------------------------------------------------------------------------------------------- samples --- */

/* Sums are doubles, so that the mean of 16- and 24-bit samples and of powers of two of channels is exact; the only
 * rounding is that to float. */
#define MIX(type, zero)                                                                                                \
    for (int i = 0; i < frame->nb_samples; i++)                                                                        \
        for (int o = 0; o < m->n_out; o++) {                                                                           \
            double sum = 0;                                                                                            \
            for (int c = 0; c < n_in; c++)                                                                             \
                sum += m->weights[o * n_in + c] *                                                                      \
                       ((double)(planar ? ((const type *)planes[c])[i] : ((const type *)planes[0])[i * n_in + c]) -    \
                        (zero));                                                                                       \
            *out++ = (float)(sum * scale / m->divisor);                                                                \
        }

bool mix_frame(const struct mix *m, const AVFrame *frame, float *out) {
    const int n_in = m->n_in;
    const bool planar = av_sample_fmt_is_planar(frame->format);
    uint8_t *const *planes = frame->extended_data;
    double scale = 1;
    switch (av_get_packed_sample_fmt(frame->format)) {
    case AV_SAMPLE_FMT_U8: scale = 0x1p-7; MIX(uint8_t, 128) break;
    case AV_SAMPLE_FMT_S16: scale = 0x1p-15; MIX(int16_t, 0) break;
    case AV_SAMPLE_FMT_S32: scale = 0x1p-31; MIX(int32_t, 0) break;
    case AV_SAMPLE_FMT_S64: scale = 0x1p-63; MIX(int64_t, 0) break;
    case AV_SAMPLE_FMT_FLT: MIX(float, 0) break;
    case AV_SAMPLE_FMT_DBL: MIX(double, 0) break;
    default: return false;
    }
    return true;
}

#undef MIX
