#include "model/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "model/architecture.h"
#include "model/safetensors.h"

static const char PREFIX[] = "random:";
const char *const RANDOM_MODEL_NAMES[] = {"random:encodec_24khz", "random:encodec_48khz", NULL};

/* ------------------------------------------------------------------------------------------- scales --- */

/* The gain of a convolution is the norm of one output channel's weights: the weights being independent, the power of the
 * output is gain^2 times the mean power of the input channels. An ELU takes a third of the power of an input of order 1,
 * hence 1.2 behind an ELU; the two branches of a residual block share the power. Where group norms set the level, the
 * gain is the norm's weight.
 * `first`, `latent`, `last` and the codebooks' scales were set by measuring with transformers on 11 s of speech with a
 * peak of 0.1, until every layer's root mean square lay within 0.4 ... 0.75, the decoder's peak below 1, and each
 * codebook took about 7 % of the power of what the ones before it left, as 1024 random vectors in 128 dimensions can.
 * Codes of this model in float32 and float64 are then the same. */
static const struct {
    float first, shortcut, narrow, widen, down, latent; /* encoder */
    float expand, up, last;                             /* decoder */
    float latent_norm, last_norm;                       /* with group norm instead of latent and last */
    float lstm_in, lstm_state, bias;
} GAINS = {
    .first = 24.0f, .shortcut = 0.8f, .narrow = 1.2f, .widen = 0.8f, .down = 1.2f, .latent = 1.5f,
    .expand = 1.0f, .up = 1.2f, .last = 0.2f,
    .latent_norm = 0.55f, .last_norm = 0.6f,
    .lstm_in = 2.0f, .lstm_state = 1.0f, .bias = 0.02f,
};

/* Root mean square of codebook 0's numbers, and the factor from one codebook to the next. */
static const float CODEBOOK_FIRST = 0.2f, CODEBOOK_STEP = 0.96f;

/* -------------------------------------------------------------------------------------------- numbers --- */

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_bits(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* FNV-1a: every tensor has its own stream, whatever stands before it. */
static uint64_t seed_of(const char *name) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return hash;
}

/* The sum of four uniform 16-bit numbers, centred: nearly a bell curve, within +-131070. */
static int32_t next_bell(uint64_t *state) {
    uint64_t bits = next_bits(state);
    return (int32_t)((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48)) - 131070;
}
static const float BELL_UNIT = 1.0f / 37837.0f; /* its standard deviation is sqrt((2^32 - 1) / 3) */

/* How a tensor's numbers are made. Each is an integer below 2^24, thus exact in a float, times one float. */
enum fill_kind {
    FILL_CONSTANT,  /* scale */
    FILL_BELL,      /* independent, with the standard deviation scale */
    FILL_DIFFERENCE /* the same, less the mean along the last dimension: a filter that a constant input leaves at 0 */
};

struct fill {
    enum fill_kind kind;
    float scale;
};

static void fill_tensor(const struct safetensors_item *item, const struct fill *fill, float *out) {
    uint64_t state = seed_of(item->name);
    size_t n = item->n_bytes / sizeof *out, taps = (size_t)item->shape[item->rank - 1];
    float scale = fill->scale * BELL_UNIT;
    switch (fill->kind) {
    case FILL_CONSTANT:
        for (size_t i = 0; i < n; i++)
            out[i] = fill->scale;
        break;
    case FILL_BELL:
        for (size_t i = 0; i < n; i++)
            out[i] = (float)next_bell(&state) * scale;
        break;
    case FILL_DIFFERENCE:
        scale = scale / (float)taps;
        for (size_t i = 0; i < n; i += taps) {
            int32_t values[64], sum = 0;
            for (size_t k = 0; k < taps; k++)
                sum += values[k] = next_bell(&state);
            for (size_t k = 0; k < taps; k++)
                out[i + k] = (float)((int32_t)taps * values[k] - sum) * scale;
        }
        break;
    }
}

/* ------------------------------------------------------------------------------------------- tensors --- */

enum { MAX_NAME = 96 };

/* The list of tensors to be made. */
struct plan {
    const struct config *config;
    size_t n, capacity;
    struct safetensors_item *items;
    struct fill *fills;
    char (*names)[MAX_NAME]; /* items[i].name points here once the list is complete */
    bool failed;             /* out of memory */
};

static void add(struct plan *p, const char *prefix, const char *suffix, int rank, const int *shape, struct fill fill) {
    if (p->n == p->capacity) {
        size_t capacity = p->capacity ? 2 * p->capacity : 512;
        void *items = ecdc_realloc_array(p->items, capacity, sizeof *p->items);
        p->items = items ? items : p->items;
        void *fills = ecdc_realloc_array(p->fills, capacity, sizeof *p->fills);
        p->fills = fills ? fills : p->fills;
        void *names = ecdc_realloc_array(p->names, capacity, sizeof *p->names);
        p->names = names ? names : p->names;
        p->failed = p->failed || !items || !fills || !names;
        if (p->failed)
            return;
        p->capacity = capacity;
    }
    snprintf(p->names[p->n], MAX_NAME, "%s%s", prefix, suffix);
    struct safetensors_item *item = &p->items[p->n];
    memset(item, 0, sizeof *item);
    item->dtype = DTYPE_F32;
    item->rank = rank;
    for (int i = 0; i < rank; i++)
        item->shape[i] = (uint64_t)shape[i];
    p->fills[p->n++] = fill;
}

static void add_conv(struct plan *p, const struct conv_spec *c, enum fill_kind kind, float gain) {
    int first = c->transposed ? c->in : c->out, second = c->transposed ? c->out : c->in;
    const int weight[] = {first, second, c->kernel}, norm[] = {first, 1, 1}, out[] = {c->out};
    add(p, c->name, ".bias", 1, out, (struct fill){FILL_BELL, GAINS.bias});
    if (p->config->group_norm) {
        char name[MAX_NAME]; /* ".conv" becomes ".norm" */
        snprintf(name, sizeof name, "%.*snorm", (int)strlen(c->name) - 4, c->name);
        add(p, c->name, ".weight", 3, weight, (struct fill){kind, 1 / sqrtf((float)(c->in * c->kernel))});
        add(p, name, ".bias", 1, out, (struct fill){FILL_BELL, GAINS.bias});
        add(p, name, ".weight", 1, out, (struct fill){FILL_CONSTANT, gain});
        return;
    }
    /* A transposed convolution's norm is that of one input channel, whose weights go to out * kernel places, while one
     * output sees in * kernel / stride of them: the same power for gain * sqrt(out * stride / in). */
    if (c->transposed)
        gain *= sqrtf((float)(c->out * c->stride) / (float)c->in);
    add(p, c->name, ".parametrizations.weight.original0", 3, norm, (struct fill){FILL_CONSTANT, gain});
    add(p, c->name, ".parametrizations.weight.original1", 3, weight, (struct fill){kind, 1});
}

static void add_residual(struct plan *p, const struct layer_spec *layer) {
    add_conv(p, &layer->residual.narrow, FILL_BELL, GAINS.narrow);
    add_conv(p, &layer->residual.widen, FILL_BELL, GAINS.widen);
    if (layer->residual.shortcut.out > 0)
        add_conv(p, &layer->residual.shortcut, FILL_BELL, GAINS.shortcut);
}

static void add_lstm(struct plan *p, const struct layer_spec *layer) {
    int size = layer->lstm.size;
    const int matrix[] = {4 * size, size}, vector[] = {4 * size};
    float unit = 1 / sqrtf((float)size);
    for (int i = 0; i < layer->lstm.n_layers; i++) {
        char suffix[32];
        snprintf(suffix, sizeof suffix, ".weight_ih_l%d", i);
        add(p, layer->lstm.name, suffix, 2, matrix, (struct fill){FILL_BELL, GAINS.lstm_in * unit});
        snprintf(suffix, sizeof suffix, ".weight_hh_l%d", i);
        add(p, layer->lstm.name, suffix, 2, matrix, (struct fill){FILL_BELL, GAINS.lstm_state * unit});
        snprintf(suffix, sizeof suffix, ".bias_ih_l%d", i);
        add(p, layer->lstm.name, suffix, 1, vector, (struct fill){FILL_BELL, GAINS.bias});
        snprintf(suffix, sizeof suffix, ".bias_hh_l%d", i);
        add(p, layer->lstm.name, suffix, 1, vector, (struct fill){FILL_BELL, GAINS.bias});
    }
}

static void add_encoder(struct plan *p) {
    struct architecture a;
    architecture_encoder(p->config, &a);
    for (int i = 0; i < a.n_layers; i++) {
        const struct layer_spec *layer = &a.layers[i];
        if (layer->kind == LAYER_RESIDUAL)
            add_residual(p, layer);
        else if (layer->kind == LAYER_LSTM)
            add_lstm(p, layer);
        else if (i == a.n_layers - 1)
            /* Vectors without a constant part: else the first codebook would say the same in every frame. */
            add_conv(p, &layer->conv, FILL_DIFFERENCE, p->config->group_norm ? GAINS.latent_norm : GAINS.latent);
        else
            add_conv(p, &layer->conv, FILL_BELL, i == 0 ? GAINS.first : GAINS.down);
    }
}

static void add_decoder(struct plan *p) {
    struct architecture a;
    architecture_decoder(p->config, &a);
    float last = p->config->group_norm ? GAINS.last_norm : GAINS.last;
    for (int i = 0; i < a.n_layers; i++) {
        const struct layer_spec *layer = &a.layers[i];
        if (layer->kind == LAYER_RESIDUAL)
            add_residual(p, layer);
        else if (layer->kind == LAYER_LSTM)
            add_lstm(p, layer);
        else
            add_conv(p, &layer->conv, FILL_BELL,
                     layer->kind == LAYER_CONV_TRANSPOSE ? GAINS.up : i == 0 ? GAINS.expand : last);
    }
}

static void add_codebooks(struct plan *p) {
    const struct config *c = p->config;
    const int shape[] = {c->codebook_size, c->codebook_dim};
    int n = config_n_codebooks(c, c->target_bandwidths[c->n_bandwidths - 1]);
    float scale = CODEBOOK_FIRST;
    for (int q = 0; q < n; q++, scale *= CODEBOOK_STEP) {
        char name[MAX_NAME];
        snprintf(name, sizeof name, "quantizer.layers.%d.codebook", q);
        add(p, name, ".embed", 2, shape, (struct fill){FILL_BELL, scale});
    }
}

static ecdc_status make_image(const struct plan *p, void **image, size_t *n_bytes, ecdc_error *err) {
    for (size_t i = 0; i < p->n; i++)
        p->items[i].name = p->names[i];
    ecdc_status status = safetensors_layout(p->items, p->n, image, n_bytes, err);
    for (size_t i = 0; !status && i < p->n; i++)
        fill_tensor(&p->items[i], &p->fills[i], (float *)((char *)*image + p->items[i].offset));
    return status;
}

/* -------------------------------------------------------------------------------------------- models --- */

static const char CONFIG_24KHZ[] = "{}"; /* the defaults are this model */
static const char CONFIG_48KHZ[] =
    "{\"sampling_rate\": 48000, \"audio_channels\": 2, \"normalize\": true, \"chunk_length_s\": 1.0, \"overlap\": 0.01,"
    " \"use_causal_conv\": false, \"norm_type\": \"time_group_norm\", \"target_bandwidths\": [3.0, 6.0, 12.0, 24.0]}";

bool random_model_is_name(const char *name) {
    return strncmp(name, PREFIX, sizeof PREFIX - 1) == 0;
}

ecdc_status random_model_config(const char *name, struct config *config, ecdc_error *err) {
    const char *text;
    if (strcmp(name, RANDOM_MODEL_NAMES[0]) == 0)
        text = CONFIG_24KHZ;
    else if (strcmp(name, RANDOM_MODEL_NAMES[1]) == 0)
        text = CONFIG_48KHZ;
    else
        return ecdc_fail(err, ECDC_E_MODEL, "no model `%s`: %s and %s can be generated", name, RANDOM_MODEL_NAMES[0],
                         RANDOM_MODEL_NAMES[1]);
    return config_parse(name, text, strlen(text), config, err);
}

ecdc_status random_model_make(const char *name, struct config *config, void **image, size_t *n_bytes,
                              ecdc_error *err) {
    struct config c;
    ecdc_status status = random_model_config(name, &c, err);
    if (status)
        return status;
    struct plan plan = {.config = &c};
    add_encoder(&plan);
    add_decoder(&plan);
    add_codebooks(&plan);
    status = plan.failed ? ecdc_fail_memory(err, name) : make_image(&plan, image, n_bytes, err);
    free(plan.items);
    free(plan.fills);
    free(plan.names);
    if (!status)
        *config = c;
    return status;
}
