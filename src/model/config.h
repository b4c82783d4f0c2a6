/* config.json: the numbers that fix an EnCodec network. */
#ifndef ECDC_MODEL_CONFIG_H
#define ECDC_MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "ecdc.h"

enum { CONFIG_MAX_RATIOS = 8, CONFIG_MAX_CODEBOOKS = 256 };

/* Field names are those of transformers' EncodecConfig, which documents them. */
struct config {
    int sampling_rate, audio_channels;
    int num_filters, hidden_size, codebook_size, codebook_dim;
    int kernel_size, last_kernel_size, residual_kernel_size;
    int num_residual_layers, dilation_growth_rate, compress, num_lstm_layers;
    int upsampling_ratios[CONFIG_MAX_RATIOS], n_ratios; /* decoder's order: 8 5 4 2 */
    double target_bandwidths[ECDC_MAX_BANDWIDTHS];      /* kbps, ascending */
    int n_bandwidths;
    double trim_right_ratio;
    bool use_causal_conv, use_conv_shortcut, normalize;
    bool group_norm;               /* norm_type "time_group_norm"; else "weight_norm" */
    double chunk_length_s, overlap; /* 0 where null: the whole signal is one chunk */
};

/* Parses the text of a config.json (not terminated). Every field is optional and defaults as in transformers;
 * every value is checked against what can be computed and what memory allows, so that later code may multiply without
 * fear: no tensor of the network has more than 2^30 numbers. `path` is for messages.
 * ECDC_E_FORMAT (not JSON), ECDC_E_MODEL (a value), ECDC_E_UNSUPPORTED, ECDC_E_MEMORY. */
ecdc_status config_parse(const char *path, const char *text, size_t n, struct config *config, ecdc_error *err);

/* The config.json text of a config, as transformers would write and read it; free() it. NULL: out of memory. */
char *config_text(const struct config *config);

int config_hop(const struct config *config);        /* product of the ratios: 320 */
int config_frame_rate(const struct config *config); /* ceil(sampling_rate / hop): 75 */
/* floor(kbps * 1000 / (frame_rate * log2 size)), at least 1; at the last bandwidth: all that the model has */
int config_n_codebooks(const struct config *config, double bandwidth_kbps);
/* Models with chunks (chunk_length_s above 0): samples of a chunk, samples from one chunk's start to the next, frames that a
 * whole chunk becomes: 48000, 47520, 150. 0 for models without. */
int config_chunk_samples(const struct config *config);
int config_chunk_stride(const struct config *config);
int config_chunk_frames(const struct config *config);
int config_code_bits(const struct config *config); /* log2 of the codebook size: 10 */

#endif
