#include "input.h"

#include <stdio.h>
#include <string.h>

static int stop(void *context) {
    (void)context;
    return interrupted();
}

ecdc_status explain_input(const struct options *o, ecdc_status status, ecdc_error *err) {
    if (status == ECDC_E_STOPPED)
        return fail_interrupted(err);
    size_t n = strlen(err->message);
    if (status == ECDC_E_FORMAT && !o->partial_input)
        snprintf(err->message + n, sizeof err->message - n, "; --partial-input takes what comes before");
    return status;
}

ecdc_status open_input(const struct options *o, int argument, int rate_hz, int channels, ecdc_reader **reader,
                       ecdc_error *err) {
    ecdc_reader_settings settings = ecdc_default_reader_settings();
    settings.rate_hz = rate_hz;
    settings.channels = channels;
    settings.stop = stop;
    settings.choose_track = argument == 0 && o->track >= 0;
    settings.track = o->track;
    settings.partial_input = o->partial_input;
    ecdc_status status = ecdc_reader_open(o->arguments[argument], &settings, reader, err);
    return status == ECDC_E_STOPPED ? fail_interrupted(err) : status;
}

ecdc_status read_input(const struct options *o, ecdc_reader *reader, float *samples, size_t max_samples, size_t *n_read,
                       ecdc_error *err) {
    if (interrupted())
        return fail_interrupted(err);
    ecdc_status status = ecdc_reader_read(reader, samples, max_samples, n_read, err);
    return status == ECDC_OK ? status : explain_input(o, status, err);
}

void note_broken_off(const struct options *o, const ecdc_reader_info *input) {
    if (input->broken_off)
        report_note(o, "%s; what comes before is used (--partial-input)", input->broken_off);
}
