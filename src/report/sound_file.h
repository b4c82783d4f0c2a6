/* Two sounds of one length as one file for a browser: stereo, the original on the left, what is compared with it on the right. So
 * a player can change from one to the other at the very same sample.
 *
 * AAC in MP4, because every browser plays it, seeks in it to the sample, and every libavcodec encodes it. Without joint coding
 * of the channels: nothing of one is heard in the other. */
#ifndef ECDC_REPORT_SOUND_FILE_H
#define ECDC_REPORT_SOUND_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

struct sound_file;

/* At a rate that AAC knows; else ECDC_E_UNSUPPORTED, as without an AAC encoder. The file waits in an unlinked temporary
 * file: 12 kB per second of sound. */
ecdc_status sound_file_new(int rate_hz, struct sound_file **out, ecdc_error *err);
void sound_file_free(struct sound_file *s);
/* Samples beyond full scale are clipped. */
ecdc_status sound_file_push(struct sound_file *s, const float *left, const float *right, size_t n, ecdc_error *err);
/* Completes the file; it is the sound file's, and stands at its beginning. */
ecdc_status sound_file_finish(struct sound_file *s, FILE **file, ecdc_error *err);

#endif
