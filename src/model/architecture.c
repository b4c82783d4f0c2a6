#include "model/architecture.h"

#include <stdio.h>
#include <string.h>

/* Appends layers as PyTorch's ModuleList does: an activation takes a number, too. */
struct builder {
    struct architecture *a;
    const struct config *config;
    const char *part; /* "encoder" or "decoder" */
    int index;        /* number of the next module */
    bool elu_pending; /* it follows an ELU */
};

static struct conv_spec conv(int in, int out, int kernel, int stride, int dilation) {
    return (struct conv_spec){.in = in, .out = out, .kernel = kernel, .stride = stride, .dilation = dilation};
}

/* Names count modules below 100 and parts have seven letters, so every name fits. */
static void name_conv(struct conv_spec *c, const struct builder *b, const char *module) {
    snprintf(c->name, sizeof c->name, "%s.layers.%d.%s", b->part, b->index, module);
}

static void add_elu(struct builder *b) {
    b->elu_pending = true;
    b->index++;
}

static struct layer_spec *add(struct builder *b, enum layer_kind kind) {
    struct layer_spec *layer = &b->a->layers[b->a->n_layers++];
    layer->kind = kind;
    layer->index = b->index;
    layer->elu_before = b->elu_pending;
    b->elu_pending = false;
    return layer;
}

static void add_conv(struct builder *b, struct conv_spec spec) {
    struct layer_spec *layer = add(b, spec.transposed ? LAYER_CONV_TRANSPOSE : LAYER_CONV);
    layer->conv = spec;
    name_conv(&layer->conv, b, "conv");
    b->index++;
}

static void add_conv_transpose(struct builder *b, struct conv_spec spec) {
    spec.transposed = true;
    add_conv(b, spec);
}

/* n residual blocks of one width, each reaching further than the one before. */
static void add_residual_blocks(struct builder *b, int width) {
    const struct config *c = b->config;
    int narrow = width / c->compress;
    for (int i = 0, dilation = 1; i < c->num_residual_layers; i++) {
        struct layer_spec *layer = add(b, LAYER_RESIDUAL);
        layer->residual.narrow = conv(width, narrow, c->residual_kernel_size, 1, dilation);
        layer->residual.widen = conv(narrow, width, 1, 1, 1);
        name_conv(&layer->residual.narrow, b, "block.1.conv"); /* 0 and 2 are the ELUs */
        name_conv(&layer->residual.widen, b, "block.3.conv");
        if (c->use_conv_shortcut) {
            layer->residual.shortcut = conv(width, width, 1, 1, 1);
            name_conv(&layer->residual.shortcut, b, "shortcut.conv");
        }
        b->index++;
        if (i + 1 < c->num_residual_layers)
            dilation *= c->dilation_growth_rate;
    }
}

static void add_lstm(struct builder *b, int size) {
    struct layer_spec *layer = add(b, LAYER_LSTM);
    snprintf(layer->lstm.name, sizeof layer->lstm.name, "%s.layers.%d.lstm", b->part, b->index);
    layer->lstm.size = size;
    layer->lstm.n_layers = b->config->num_lstm_layers;
    b->index++;
}

void architecture_encoder(const struct config *c, struct architecture *a) {
    struct builder b = {.a = a, .config = c, .part = "encoder"};
    memset(a, 0, sizeof *a);

    int width = c->num_filters;
    add_conv(&b, conv(c->audio_channels, width, c->kernel_size, 1, 1));
    for (int i = c->n_ratios - 1; i >= 0; i--) { /* the decoder's order, backwards */
        int ratio = c->upsampling_ratios[i];
        add_residual_blocks(&b, width);
        add_elu(&b);
        add_conv(&b, conv(width, 2 * width, 2 * ratio, ratio, 1));
        width *= 2;
    }
    add_lstm(&b, width);
    add_elu(&b);
    add_conv(&b, conv(width, c->hidden_size, c->last_kernel_size, 1, 1));
}

void architecture_decoder(const struct config *c, struct architecture *a) {
    struct builder b = {.a = a, .config = c, .part = "decoder"};
    memset(a, 0, sizeof *a);

    int width = c->num_filters << c->n_ratios;
    add_conv(&b, conv(c->hidden_size, width, c->kernel_size, 1, 1));
    add_lstm(&b, width);
    for (int i = 0; i < c->n_ratios; i++) {
        int ratio = c->upsampling_ratios[i];
        add_elu(&b);
        add_conv_transpose(&b, conv(width, width / 2, 2 * ratio, ratio, 1));
        width /= 2;
        add_residual_blocks(&b, width);
    }
    add_elu(&b);
    add_conv(&b, conv(width, c->audio_channels, c->last_kernel_size, 1, 1));
}

static double per_row(const struct conv_spec *c) {
    return (double)c->in * c->out * c->kernel;
}

double layer_multiply_adds(const struct layer_spec *l, double *rate_hz, double parts[2]) {
    parts[0] = parts[1] = 0;
    switch (l->kind) {
    case LAYER_CONV:
        *rate_hz /= l->conv.stride;
        parts[0] = *rate_hz * per_row(&l->conv);
        break;
    case LAYER_CONV_TRANSPOSE:
        parts[0] = *rate_hz * per_row(&l->conv);
        *rate_hz *= l->conv.stride;
        break;
    case LAYER_RESIDUAL:
        parts[0] = *rate_hz * per_row(&l->residual.narrow);
        parts[1] = *rate_hz * (per_row(&l->residual.widen) + per_row(&l->residual.shortcut));
        break;
    case LAYER_LSTM:
        parts[0] = parts[1] = *rate_hz * l->lstm.n_layers * 4.0 * l->lstm.size * l->lstm.size;
        break;
    }
    return parts[0] + parts[1];
}

double architecture_multiply_adds(const struct architecture *a, double rate_hz) {
    double sum = 0, parts[2];
    for (int i = 0; i < a->n_layers; i++)
        sum += layer_multiply_adds(&a->layers[i], &rate_hz, parts);
    return sum;
}
