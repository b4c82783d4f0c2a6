/* Writing a model as a directory that this library, transformers and facebookresearch/encodec load. */
#ifndef ECDC_MEDIA_MODEL_DIR_H
#define ECDC_MEDIA_MODEL_DIR_H

#include "model/export.h"

struct model_dir_written {
    const char *file; /* name of the weight file in the directory; constant */
    size_t n_bytes;   /* of the weight file */
    char sha256[65];  /* of the weight file */
};

/* Writes DIR/config.json and the model as export_model makes it, DIR/model.safetensors or DIR/checkpoint.th; DIR is made
 * where it does not exist (its parent must). Both files are complete on disk before either gets its name, the weights
 * first, so that a directory with a config.json is a whole model. DIR may be the directory that the model was read from.
 * Fails with ECDC_E_EXISTS where one of the files exists and overwrite is false; then neither is written; or where a .th
 * would lie beside a model.safetensors, which would be read in its place. ECDC_E_IO, and as export_model. */
ecdc_status model_dir_write(const ecdc_model *model, const char *dir, enum export_format format, enum dtype dtype,
                            bool overwrite, struct model_dir_written *written, ecdc_error *err);

#endif
