/* What a file's own bytes say about where it should end, where FFmpeg does not tell. All leave the position at 0; all need
 * an io that can seek. */
#ifndef ECDC_MEDIA_CLAIM_H
#define ECDC_MEDIA_CLAIM_H

#include <stdbool.h>

#include <libavformat/avio.h>

/* WAV and RF64: the seconds that the header promises, where that goes beyond the end of the file; else 0. */
double claim_of_wav(AVIOContext *io);
/* Ogg: whether the file lacks a whole last page, which is marked as such. */
bool claim_ogg_is_cut(AVIOContext *io);
/* MP4: whether the file has its index (moov) as a whole, without which nothing in it can be found. */
bool claim_mp4_has_index(AVIOContext *io);

#endif
