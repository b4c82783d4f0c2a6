/* A sound file on its way in, with a caller who can be told of it and can end it. */
#ifndef ECDC_MEDIA_SOUND_IN_H
#define ECDC_MEDIA_SOUND_IN_H

#include <stdbool.h>

#include "ecdc.h"

struct sound_in {
    const char *path; /* "-": standard input */
    int track;        /* -1: the best */
    bool partial_input;
    const ecdc_listener *listener; /* never NULL, its functions may be */
};

/* ecdc_reader_open and ecdc_reader_read, which the listener can stop. What is damaged can be used up to the damage; the message
 * says so. */
ecdc_status sound_in_open(const struct sound_in *in, int rate_hz, int channels, ecdc_reader **reader, ecdc_error *err);
ecdc_status sound_in_read(const struct sound_in *in, ecdc_reader *reader, float *samples, size_t max_samples, size_t *n_read,
                          ecdc_error *err);
/* Notes what was mended: an input that broke off, a late start, gaps, overlaps. */
void sound_in_note_repairs(const struct sound_in *in, const ecdc_reader_info *info);

#endif
