/* The config of a checkpoint that comes without config.json, as facebookresearch/encodec publishes its models.
 *
 * From the tensors:
 *     audio_channels, num_filters, kernel_size     encoder.layers.0.conv
 *     num_residual_layers                          how many modules lie before the first down-convolution
 *     residual_kernel_size, compress, use_conv_shortcut     the first residual block
 *     upsampling_ratios                            kernels of the down-convolutions, which are twice as long
 *     num_lstm_layers, hidden_size, last_kernel_size        encoder.layers.N.lstm, the encoder's last convolution
 *     codebook_size, codebook_dim, the number of codebooks  quantizer.layers.N.codebook.embed
 *     norm_type                                    time_group_norm where encoder.layers.0.norm is there
 * What no tensor tells follows from the two published models:
 *     weight norm, mono:     24 kHz, causal, one chunk, 1.5 3 6 12 24 kbps
 *     group norm, stereo:    48 kHz, not causal, normalised chunks of 1 s that overlap by 1 %, 3 6 12 24 kbps
 *     both:                  a hop of 320 samples, dilation_growth_rate 2
 * of the bandwidths those for which there are codebooks, and, where the last leaves some unused, one more for all of them.
 * Any other combination (another hop, group norm in mono ...) is refused: its sampling rate could only be guessed. */
#ifndef ECDC_MODEL_INFER_H
#define ECDC_MODEL_INFER_H

#include "model/checkpoint.h"

/* ECDC_E_MODEL (not EnCodec's tensors, or a shape that none of its networks has), ECDC_E_MEMORY. */
ecdc_status infer_config(const char *path, const struct checkpoint *c, struct config *config, ecdc_error *err);

#endif
