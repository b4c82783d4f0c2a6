/* Sound on its way into a WAV file, for the commands that decode: loudness, rescaling, clipping, progress, report. */
#ifndef ECDC_CLI_SOUND_OUT_H
#define ECDC_CLI_SOUND_OUT_H

#include "cli.h"
#include "media/wav.h"
#include "progress.h"

struct sound_out {
    const struct options *o;
    int rate, channels;
    int64_t n_samples; /* per channel, of the whole sound: what comes beyond it is cut off */
    int64_t written;   /* per channel, in this pass */
    float peak, gain;
    double start_s;
    struct progress progress;
    struct output *output;
    struct wav_writer *wav;
};

/* Opens o->output; the clock of the report begins. */
ecdc_status sound_out_open(struct sound_out *s, const struct options *o, int rate, int channels, int64_t n_samples,
                           ecdc_error *err);
/* Takes the next samples, samples[i * channels + channel], n per channel; scales them in place. */
ecdc_status sound_out_write(struct sound_out *s, float *samples, size_t n, ecdc_error *err);

/* Gives the sound from its start to its end to sound_out_write; looks for interrupts. */
typedef ecdc_status sound_pass(void *context, struct sound_out *s, ecdc_error *err);
/* Goes over the sound, twice where it is to be rescaled, completes the file and reports: clipping, speed; prints the JSON if
 * it is asked for. */
ecdc_status sound_out_make(struct sound_out *s, sound_pass *pass, void *context, ecdc_error *err);
/* Discards what is not complete. */
void sound_out_free(struct sound_out *s);

#endif
