/* What ecdc reconstruct does with each kind of features. */
#ifndef ECDC_CLI_RECONSTRUCT_MODES_H
#define ECDC_CLI_RECONSTRUCT_MODES_H

#include "media/npy.h"
#include "sidecar.h"

/* Writes the sound of o->arguments[0], which is open as `npy` and stays the caller's, into o->output and reports. */
ecdc_status reconstruct_codes(const struct options *o, const struct sidecar *sidecar, struct npy_reader *npy, ecdc_error *err);
ecdc_status reconstruct_mel(const struct options *o, const struct sidecar *sidecar, struct npy_reader *npy, ecdc_error *err);

#endif
