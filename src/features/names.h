/* The words for modes, layouts, alignments and responses, in options, descriptions and file names. */
#ifndef ECDC_FEATURES_NAMES_H
#define ECDC_FEATURES_NAMES_H

#include "ecdc.h"

/* In the order of the enums; each list ends with NULL. */
extern const char *const mode_names[], *const layout_names[], *const alignment_names[], *const hrf_names[];

static inline const char *mode_name(int mode) {
    return mode_names[mode];
}
static inline const char *layout_name(int layout) {
    return layout_names[layout];
}
static inline const char *alignment_name(int alignment) {
    return alignment_names[alignment];
}
static inline const char *hrf_name(int hrf) {
    return hrf_names[hrf];
}

#endif
