/* One layer of the network at work on a stream: its input rows, its padding, its state. */
#ifndef ECDC_CODEC_STAGE_H
#define ECDC_CODEC_STAGE_H

#include "codec/profile.h"
#include "codec/rows.h"
#include "compute/engine.h"
#include "model/network.h"

struct lstm_state {
    float *c, *h;  /* one value per unit, padded to whole groups */
    float *h_rows; /* h of every step of a piece */
};

struct stage {
    const struct network_layer *layer;
    struct rows in;      /* first its padding on the left, then what arrived and is still needed */
    size_t padding;      /* rows of reflected input on the left: (kernel - 1) * dilation + 1 - stride */
    bool started;        /* the padding is filled */
    float *scratch;      /* residual: the narrow rows; LSTM: the gates from the input */
    struct lstm_state *lstm;
    struct stage_profile *profile; /* NULL: nobody measures */
};

/* Prepares a stage at the start of a signal. ECDC_E_MEMORY; stage_free is needed in every case. */
ecdc_status stage_init(struct stage *s, const struct network_layer *layer, ecdc_error *err);
void stage_free(struct stage *s);
ecdc_status stage_reset(struct stage *s, ecdc_error *err);

/* Computes what is complete, at most max_steps steps (an output row each; of a transposed convolution: stride rows), and
 * appends it to `out`, the rows of the next stage. Input arrives in s->in in the same way. ECDC_E_MEMORY. */
ecdc_status stage_run(struct stage *s, const struct engine *engine, struct rows *out, size_t max_steps,
                      ecdc_error *err);

/* Appends what the end of the signal needs: the padding on the right. Then stage_run once more. */
ecdc_status stage_finish(struct stage *s, ecdc_error *err);

#endif
