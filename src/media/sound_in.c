#include "media/sound_in.h"

#include <stdio.h>
#include <string.h>

#include "base/listener.h"

ecdc_status sound_in_open(const struct sound_in *in, int rate_hz, int channels, ecdc_reader **reader, ecdc_error *err) {
    ecdc_reader_settings settings = ecdc_default_reader_settings();
    settings.rate_hz = rate_hz;
    settings.channels = channels;
    settings.stop = in->listener->stop;
    settings.stop_context = in->listener->context;
    settings.choose_track = in->track >= 0;
    settings.track = in->track;
    settings.partial_input = in->partial_input;
    ecdc_status status = ecdc_reader_open(in->path, &settings, reader, err);
    return status == ECDC_E_STOPPED ? listener_fail(err) : status;
}

ecdc_status sound_in_read(const struct sound_in *in, ecdc_reader *reader, float *samples, size_t max_samples, size_t *n_read,
                          ecdc_error *err) {
    if (listener_stops(in->listener))
        return listener_fail(err);
    ecdc_error why;
    ecdc_status status = ecdc_reader_read(reader, samples, max_samples, n_read, &why);
    if (status == ECDC_OK)
        return status;
    if (status == ECDC_E_STOPPED)
        return listener_fail(err);
    bool usable = status == ECDC_E_FORMAT && !in->partial_input;
    return ecdc_fail(err, status, "%s%s", why.message, usable ? "; --partial-input takes what comes before" : "");
}

void sound_in_note_repairs(const struct sound_in *in, const ecdc_reader_info *info) {
    if (info->broken_off)
        listener_note(in->listener, "%s; what comes before is used (--partial-input)", info->broken_off);
    if (info->audio_start_s > 0.001)
        listener_note(in->listener, "%s: the sound starts at %.3f s; silence stands before it", in->path, info->audio_start_s);
    if (info->n_gaps)
        listener_note(in->listener, "%s: %lld %s in the sound, %.3f s in all, filled with silence", in->path,
                      (long long)info->n_gaps, info->n_gaps == 1 ? "gap" : "gaps", info->gap_s);
    if (info->n_overlaps)
        listener_note(in->listener, "%s: %lld %s in the sound, %.3f s in all, cut", in->path,
                      (long long)info->n_overlaps, info->n_overlaps == 1 ? "overlap" : "overlaps", info->overlap_s);
}
