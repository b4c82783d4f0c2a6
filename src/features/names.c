#include "features/names.h"

#include <stddef.h>

const char *const mode_names[] = {"encodec", "mel", "latent", NULL};
const char *const layout_names[] = {"codes", "flat", "giblet", NULL};
const char *const alignment_names[] = {"giblet", "exact", NULL};
const char *const hrf_names[] = {"none", "causal", "giblet", "giblet-doc", NULL};
