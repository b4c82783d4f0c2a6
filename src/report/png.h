/* PNG files, through libavcodec. */
#ifndef ECDC_REPORT_PNG_H
#define ECDC_REPORT_PNG_H

#include <stdint.h>

#include "media/output.h"

/* Writes rgb[(y * width + x) * 3 + channel]. */
ecdc_status png_write(struct output *o, const uint8_t *rgb, int width, int height, ecdc_error *err);

#endif
