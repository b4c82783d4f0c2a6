/* The tensors of a checkpoint by their reference names, as float32 with the weight norm folded. The reference's names are those
 * that transformers writes; those of facebookresearch/encodec are translated when a checkpoint is opened (model/names.h). */
#ifndef ECDC_MODEL_CHECKPOINT_H
#define ECDC_MODEL_CHECKPOINT_H

#include <stdint.h>

#include "model/architecture.h"
#include "model/tensor.h"

/* Immutable after opening; may be read by many threads. */
struct checkpoint;

/* Reads the directory of a weight file in memory: PyTorch's format where the path ends in .th, else safetensors. `bytes` must
 * stay valid and unchanged until checkpoint_close. `path` is for messages (copied). Every offset, dtype and shape is checked
 * here; of a safetensors image no tensor is touched, of a .th all are read. ECDC_E_FORMAT, ECDC_E_UNSUPPORTED, ECDC_E_MEMORY. */
ecdc_status checkpoint_open(const char *path, const void *bytes, size_t n, struct checkpoint **out, ecdc_error *err);
/* The same of an open file, which must outlive it; of a safetensors file only the header is read. Also fails with ECDC_E_IO. */
ecdc_status checkpoint_open_file(const struct weight_file *file, struct checkpoint **out, ecdc_error *err);
void checkpoint_close(struct checkpoint *c);

bool checkpoint_is_torch(const char *path); /* by its name */

/* All tensors, by their reference names. */
const struct tensor_table *checkpoint_tensors(const struct checkpoint *c);
/* Whether the file itself has the reference's names, all of them. */
bool checkpoint_has_reference_names(const struct checkpoint *c);
/* Where no tensor is one of EnCodec's: fails, and says what was expected and what is there. */
ecdc_status checkpoint_recognise(const struct checkpoint *c, ecdc_error *err);

/* Every tensor that the config asks for is there, with the right shape, in one of the known namings; the error names
 * the first that is not, with both shapes. *n_parameters counts numbers with the norm folded. */
ecdc_status checkpoint_check(const struct checkpoint *c, const struct config *config, uint64_t *n_parameters,
                             ecdc_error *err);

/* The readers below convert from F64, F32, F16 or BF16. They fail as checkpoint_check does, where a number is
 * infinite or not a number, and with ECDC_E_IO; then the output holds anything. */

/* weight: in PyTorch's order, (out, in, kernel) or, transposed, (in, out, kernel); bias: out values. */
ecdc_status checkpoint_conv(const struct checkpoint *c, const struct conv_spec *spec, float *weight, float *bias,
                            ecdc_error *err);
/* GroupNorm behind a convolution (group_norm models only): spec->out values each. */
ecdc_status checkpoint_norm(const struct checkpoint *c, const struct conv_spec *spec, float *weight, float *bias,
                            ecdc_error *err);
/* Layer l of an LSTM: w_ih and w_hh (4 * size, size), b_ih and b_hh (4 * size), gates in the order i, f, g, o. */
ecdc_status checkpoint_lstm(const struct checkpoint *c, const char *name, int size, int layer, float *w_ih, float *w_hh,
                            float *b_ih, float *b_hh, ecdc_error *err);
/* Codebook q: (entries, dimension). */
ecdc_status checkpoint_codebook(const struct checkpoint *c, int q, int entries, int dimension, float *embed,
                                ecdc_error *err);

#endif
