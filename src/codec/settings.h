/* What encoder and decoder check alike before they start. */
#ifndef ECDC_CODEC_SETTINGS_H
#define ECDC_CODEC_SETTINGS_H

#include "model/model.h"

/* The number of codebooks that the settings mean for this model, and whether its parts are ones that go together. */
ecdc_status settings_codebooks(const ecdc_model *model, const ecdc_settings *settings, int *n_codebooks,
                               ecdc_error *err);

#endif
