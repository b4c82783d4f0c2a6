#include "input.h"

#include <stdio.h>
#include <string.h>

static void note(void *context, const char *text) {
    struct input_listener *l = context;
    input_listener_end(l);
    report_note(l->options, "%s", text);
}

static void show(void *context, const char *what, double done, double total) {
    struct input_listener *l = context;
    if (strcmp(what, l->what) != 0) {
        input_listener_end(l);
        snprintf(l->what, sizeof l->what, "%s", what);
        if (l->share)
            progress_start_share(&l->progress, l->options, l->what);
        else
            progress_start(&l->progress, l->options, l->what, total);
    }
    progress_show(&l->progress, done);
}

void input_listener_init(struct input_listener *l, const struct options *o) {
    *l = (struct input_listener){.options = o, .listener = {.note = note, .progress = show, .stop = stop_on_signal, .context = l}};
}

void input_listener_end(struct input_listener *l) {
    if (*l->what)
        progress_end(&l->progress);
    *l->what = 0;
}

struct sound_in input_of(const struct options *o, int argument, const ecdc_listener *l) {
    return (struct sound_in){.path = o->arguments[argument], .track = argument == 0 ? o->track : -1,
                             .partial_input = o->partial_input, .listener = l};
}

static const ecdc_listener signals_only = {.stop = stop_on_signal};

ecdc_status open_input(const struct options *o, int argument, int rate_hz, int channels, ecdc_reader **reader,
                       ecdc_error *err) {
    struct sound_in in = input_of(o, argument, &signals_only);
    return sound_in_open(&in, rate_hz, channels, reader, err);
}

ecdc_status read_input(const struct options *o, ecdc_reader *reader, float *samples, size_t max_samples, size_t *n_read,
                       ecdc_error *err) {
    struct sound_in in = input_of(o, 0, &signals_only);
    return sound_in_read(&in, reader, samples, max_samples, n_read, err);
}

void note_broken_off(const struct options *o, const ecdc_reader_info *input) {
    if (input->broken_off)
        report_note(o, "%s; what comes before is used (--partial-input)", input->broken_off);
}
