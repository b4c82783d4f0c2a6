#include "input.h"

static int stop(void *context) {
    (void)context;
    return interrupted();
}

ecdc_status open_input(const char *path, int rate_hz, int channels, ecdc_reader **reader, ecdc_error *err) {
    ecdc_reader_settings settings = ecdc_default_reader_settings();
    settings.rate_hz = rate_hz;
    settings.channels = channels;
    settings.stop = stop;
    ecdc_status status = ecdc_reader_open(path, &settings, reader, err);
    return status == ECDC_E_STOPPED ? fail_interrupted(err) : status;
}

ecdc_status read_input(ecdc_reader *reader, float *samples, size_t max_samples, size_t *n_read, ecdc_error *err) {
    if (interrupted())
        return fail_interrupted(err);
    ecdc_status status = ecdc_reader_read(reader, samples, max_samples, n_read, err);
    return status == ECDC_E_STOPPED ? fail_interrupted(err) : status;
}
