#include "model/infer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

enum {
    PUBLISHED_HOP = 320,
    MAX_EXTENT = 1 << 16, /* of what becomes an int here; the config has narrower bounds */
    MAX_MODULES = 100,
    MAX_NAME = 128
};

struct shapes {
    const char *path;
    const struct checkpoint *c;
    ecdc_error *err;
};

/* The tensor that has the shape of a convolution's weight, in one of the forms that checkpoint.c knows. */
static const struct tensor *find_weight(const struct shapes *s, const char *part, int module, const char *layer) {
    static const char *const suffixes[] = {".parametrizations.weight.original1", ".weight_v", ".weight"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[MAX_NAME];
        snprintf(name, sizeof name, "%s.layers.%d.%s%s", part, module, layer, suffixes[i]);
        const struct tensor *t = tensor_table_find(checkpoint_tensors(s->c), name);
        if (t)
            return t;
    }
    return NULL;
}

static ecdc_status check_extents(const struct shapes *s, const struct tensor *t, int rank) {
    bool good = t->rank == rank;
    for (int i = 0; i < t->rank; i++)
        good &= t->shape[i] >= 1 && t->shape[i] <= MAX_EXTENT;
    char text[128];
    return good ? ECDC_OK
                : ecdc_fail(s->err, ECDC_E_MODEL, "%s: tensor %s has the shape %s, which tells no architecture; a config.json "
                            "beside the file would", s->path, t->name, tensor_shape_text(t->rank, t->shape, text, sizeof text));
}

/* Shape of a convolution of the encoder, (out, in, kernel). */
static ecdc_status need_conv(const struct shapes *s, int module, const char *layer, int shape[3]) {
    const struct tensor *t = find_weight(s, "encoder", module, layer);
    if (!t)
        return ecdc_fail(s->err, ECDC_E_MODEL, "%s: no tensor encoder.layers.%d.%s.weight (nor weight_v, nor "
                         "parametrizations.weight.original1), so that the architecture cannot be told", s->path, module, layer);
    ecdc_status status = check_extents(s, t, 3);
    for (int i = 0; !status && i < 3; i++)
        shape[i] = (int)t->shape[i];
    return status;
}

static bool has_lstm(const struct shapes *s, int module, int layer) {
    char name[MAX_NAME];
    snprintf(name, sizeof name, "encoder.layers.%d.lstm.weight_ih_l%d", module, layer);
    return tensor_table_find(checkpoint_tensors(s->c), name) != NULL;
}

static ecdc_status infer_block(const struct shapes *s, struct config *config) {
    int shape[3];
    config->compress = 2; /* where there is no block, these say nothing */
    config->residual_kernel_size = 3;
    if (config->num_residual_layers < 1)
        return ECDC_OK;
    ecdc_status status = need_conv(s, 1, "block.1.conv", shape);
    if (status)
        return status;
    config->compress = shape[1] / shape[0];
    config->residual_kernel_size = shape[2];
    config->use_conv_shortcut = find_weight(s, "encoder", 1, "shortcut.conv") != NULL;
    return ECDC_OK;
}

/* A down-convolution of stride r has a kernel of 2r. The encoder's order is the config's, backwards. */
static ecdc_status infer_ratios(const struct shapes *s, struct config *config, int *lstm) {
    int ratios[CONFIG_MAX_RATIOS], n = 0, module = 1;
    while (module < MAX_MODULES && !find_weight(s, "encoder", module, "conv"))
        module++;
    config->num_residual_layers = module - 2; /* the blocks and one ELU lie between */
    while (n < CONFIG_MAX_RATIOS && !has_lstm(s, module - config->num_residual_layers - 1, 0)) {
        int shape[3];
        ecdc_status status = need_conv(s, module, "conv", shape);
        if (status)
            return status;
        ratios[n++] = shape[2] / 2;
        module += config->num_residual_layers + 2;
    }
    *lstm = module - config->num_residual_layers - 1;
    config->n_ratios = n;
    for (int i = 0; i < n; i++)
        config->upsampling_ratios[i] = ratios[n - 1 - i];
    while (config->num_lstm_layers < MAX_MODULES && has_lstm(s, *lstm, config->num_lstm_layers))
        config->num_lstm_layers++;
    return ECDC_OK;
}

static ecdc_status infer_codebooks(const struct shapes *s, struct config *config, int *n_codebooks) {
    char name[MAX_NAME] = "quantizer.layers.0.codebook.embed";
    const struct tensor *t = tensor_table_find(checkpoint_tensors(s->c), name);
    if (!t)
        return ecdc_fail(s->err, ECDC_E_MODEL, "%s: no tensor %s, so that the architecture cannot be told", s->path, name);
    ecdc_status status = check_extents(s, t, 2);
    if (status)
        return status;
    if (t->shape[0] < 2) /* codes without bits: no bandwidth would have a number of codebooks */
        return ecdc_fail(s->err, ECDC_E_MODEL, "%s: tensor %s has 1 entry; a codebook has 2 or more", s->path, name);
    config->codebook_size = (int)t->shape[0];
    config->codebook_dim = (int)t->shape[1];
    for (*n_codebooks = 1; *n_codebooks < CONFIG_MAX_CODEBOOKS; ++*n_codebooks) {
        snprintf(name, sizeof name, "quantizer.layers.%d.codebook.embed", *n_codebooks);
        if (!tensor_table_find(checkpoint_tensors(s->c), name))
            break;
    }
    return ECDC_OK;
}

static void infer_bandwidths(struct config *config, int n_codebooks) {
    static const double published[] = {1.5, 3, 6, 12, 24};
    for (size_t i = config->group_norm ? 1 : 0; i < sizeof published / sizeof *published; i++)
        if (published[i] * 1000 >= config_frame_rate(config) * config_code_bits(config) &&
            config_n_codebooks(config, published[i]) <= n_codebooks)
            config->target_bandwidths[config->n_bandwidths++] = published[i];
    int n = config->n_bandwidths;
    if (n > 0 && config_n_codebooks(config, config->target_bandwidths[n - 1]) == n_codebooks)
        return;
    double all = (double)n_codebooks * config_frame_rate(config) * config_code_bits(config) / 1000;
    while (config_n_codebooks(config, all) < n_codebooks) /* the division may have rounded down */
        all = nextafter(all, INFINITY);
    config->target_bandwidths[config->n_bandwidths++] = all;
}

static ecdc_status infer_published(const struct shapes *s, struct config *config) {
    int hop = 1;
    for (int i = 0; i < config->n_ratios; i++)
        hop = hop > PUBLISHED_HOP ? hop : hop * config->upsampling_ratios[i];
    if (hop != PUBLISHED_HOP || config->audio_channels != (config->group_norm ? 2 : 1))
        return ecdc_fail(s->err, ECDC_E_MODEL, "%s: %s norm, %d channel%s and a hop of %s%d samples are those of neither published "
                         "model, so that the sampling rate cannot be told from the tensors: a config.json beside the file is "
                         "needed", s->path, config->group_norm ? "group" : "weight", config->audio_channels,
                         config->audio_channels == 1 ? "" : "s", hop > PUBLISHED_HOP ? "at least " : "", hop);
    config->sampling_rate = config->group_norm ? 48000 : 24000;
    config->use_causal_conv = !config->group_norm;
    config->normalize = config->group_norm;
    config->chunk_length_s = config->group_norm ? 1 : 0;
    config->overlap = config->group_norm ? 0.01 : 0;
    config->dilation_growth_rate = 2;
    config->trim_right_ratio = 1;
    return ECDC_OK;
}

/* The same bounds as for a config that is read. */
static ecdc_status check_bounds(const struct shapes *s, const struct config *found, struct config *config) {
    char *text = config_text(found);
    if (!text)
        return ecdc_fail_memory(s->err, s->path);
    ecdc_error why;
    ecdc_status status = config_parse("shapes", text, strlen(text), config, &why);
    free(text);
    return status ? ecdc_fail(s->err, status, "%s: the architecture that its tensors tell is none: %s", s->path, why.message)
                  : ECDC_OK;
}

ecdc_status infer_config(const char *path, const struct checkpoint *c, struct config *config, ecdc_error *err) {
    struct shapes s = {path, c, err};
    struct config found = {0};
    int shape[3], lstm = 0, n_codebooks = 0;
    ecdc_status status = checkpoint_recognise(c, err);
    if (status || (status = need_conv(&s, 0, "conv", shape)))
        return status;
    found.num_filters = shape[0];
    found.audio_channels = shape[1];
    found.kernel_size = shape[2];
    found.group_norm = tensor_table_find(checkpoint_tensors(c), "encoder.layers.0.norm.weight") != NULL;
    if ((status = infer_ratios(&s, &found, &lstm)) || (status = infer_block(&s, &found)) ||
        (status = need_conv(&s, lstm + 2, "conv", shape)))
        return status;
    found.hidden_size = shape[0];
    found.last_kernel_size = shape[2];
    if ((status = infer_codebooks(&s, &found, &n_codebooks)) || (status = infer_published(&s, &found)))
        return status;
    infer_bandwidths(&found, n_codebooks);
    return check_bounds(&s, &found, config);
}
