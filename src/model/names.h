/* The two ways in which EnCodec's tensors are named.
 *     transformers, the reference here         facebookresearch/encodec
 *     encoder.layers.0.conv.weight             encoder.model.0.conv.conv.weight
 *     encoder.layers.1.block.1.conv.weight_g   encoder.model.1.block.1.conv.conv.weight_g
 *     encoder.layers.0.norm.weight             encoder.model.0.conv.norm.weight
 *     encoder.layers.13.lstm.weight_ih_l0      encoder.model.13.lstm.weight_ih_l0
 *     decoder.layers.3.conv.bias               decoder.model.3.convtr.convtr.bias   (a transposed convolution)
 *     quantizer.layers.0.codebook.embed        quantizer.vq.layers.0._codebook.embed */
#ifndef ECDC_MODEL_NAMES_H
#define ECDC_MODEL_NAMES_H

#include <stdbool.h>

/* The reference name of either; any other name as it is. free() it; NULL: out of memory. */
char *names_to_reference(const char *name);

/* facebookresearch/encodec's name of a reference name. free() it; NULL: out of memory. */
char *names_to_original(const char *reference, bool transposed);

#endif
