/* What a config means: the layers of the SEANet encoder and decoder, in order, with their names in the files.
 * The one place that knows the shape of the network; the checkpoint reader, the packer and the random model
 * all walk these lists.  Source: transformers modeling_encodec.py, EncodecEncoder and EncodecDecoder. */
#ifndef ECDC_MODEL_ARCHITECTURE_H
#define ECDC_MODEL_ARCHITECTURE_H

#include "model/config.h"

enum layer_kind { LAYER_CONV, LAYER_CONV_TRANSPOSE, LAYER_RESIDUAL, LAYER_LSTM };

/* One convolution and the prefix of its tensors' names, e.g. "encoder.layers.3.conv". */
struct conv_spec {
    char name[48];
    bool transposed; /* weight is (in, out, kernel), else (out, in, kernel) */
    int in, out, kernel, stride, dilation;
};

struct layer_spec {
    enum layer_kind kind;
    int index;             /* its number in the files; activations have numbers too, but no tensors */
    bool elu_before;       /* an ELU layer stands before this one */
    struct conv_spec conv; /* LAYER_CONV, LAYER_CONV_TRANSPOSE */
    struct {               /* LAYER_RESIDUAL: shortcut(x) + widen(elu(narrow(elu(x)))) */
        struct conv_spec narrow, widen;
        struct conv_spec shortcut; /* out == 0: the identity */
    } residual;
    struct {               /* LAYER_LSTM: n_layers of size -> size, plus the input */
        char name[48];     /* "encoder.layers.13.lstm" */
        int size, n_layers;
    } lstm;
};

/* ratios * (residual layers + 1) + first, LSTM, last; config_parse bounds the factors */
enum { ARCHITECTURE_MAX_LAYERS = CONFIG_MAX_RATIOS * 9 + 3 };

struct architecture {
    int n_layers;
    struct layer_spec layers[ARCHITECTURE_MAX_LAYERS];
};

void architecture_encoder(const struct config *config, struct architecture *a);
void architecture_decoder(const struct config *config, struct architecture *a);

/* Multiply-adds per second of sound of one layer whose rows come in at *rate_hz, which becomes the rate of what it yields; in
 * all, and in parts as codec/profile.h has them. */
double layer_multiply_adds(const struct layer_spec *layer, double *rate_hz, double parts[2]);

/* The same of all layers. */
double architecture_multiply_adds(const struct architecture *a, double rate_hz);

#endif
