/* Where the time goes, for `ecdc bench --profile`: seconds in the parts of each layer and in the quantizer. Encoder and
 * decoder reach it through pointers that are NULL unless somebody measures; then it costs a comparison per layer and block. */
#ifndef ECDC_CODEC_PROFILE_H
#define ECDC_CODEC_PROFILE_H

#include "base/clock.h"
#include "ecdc.h"

/* Seconds of a layer's arithmetic: narrow and widening half of a residual block; input's and recurrent half of an LSTM; else
 * all of it in the first. */
struct stage_profile {
    double part_s[2];
};

struct profile {
    struct stage_profile *stages; /* one for each layer of the network */
    double quantizer_s;
};

static inline double profile_start(const void *profile) {
    return profile ? now_s() : 0;
}

/* Adds to `profile`, which must outlive this, what the encoder or decoder does from now on; NULL: no more. */
void encoder_set_profile(ecdc_encoder *e, struct profile *profile);
void decoder_set_profile(ecdc_decoder *d, struct profile *profile);

#endif
