/* The model that a file of codes was made with. */
#ifndef ECDC_CLI_MODEL_MATCH_H
#define ECDC_CLI_MODEL_MATCH_H

#include "cli.h"
#include "model/config.h"

/* Opens the model for codes that carry a model's name and SHA-256 (or its first digits; "" where the name is a
 * published one and says it all): the one given with -m, or the one of that name that is embedded or in the cache. Codes of
 * other weights are noise: a mismatch is ECDC_E_MODEL unless --force is given. */
ecdc_status model_open_matching(const struct options *o, const char *path, const char *name, const char *sha,
                                ecdc_model **model, ecdc_error *err);
/* The numbers of that model's network, where its name tells them or it lies here; else *known is false. ECDC_E_MEMORY. */
ecdc_status model_config_of(const char *name, const char *sha, struct config *config, bool *known, ecdc_error *err);

#endif
