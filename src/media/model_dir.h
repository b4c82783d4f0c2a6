/* Writing a model as a directory that this library and transformers load. */
#ifndef ECDC_MEDIA_MODEL_DIR_H
#define ECDC_MEDIA_MODEL_DIR_H

#include <stdbool.h>

#include "ecdc.h"

/* Writes DIR/config.json and DIR/model.safetensors, byte for byte the image that the model was read from; DIR is made
 * where it does not exist (its parent must). Both files are complete on disk before either gets its name, the weights
 * first, so that a directory with a config.json is a whole model. DIR may be the directory that the model was read from.
 * Fails with ECDC_E_EXISTS where one of the files exists and overwrite is false; then neither is written. ECDC_E_IO,
 * ECDC_E_MEMORY. */
ecdc_status model_dir_write(const ecdc_model *model, const char *dir, bool overwrite, ecdc_error *err);

#endif
