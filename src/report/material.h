/* What a report shows, gathered while the sound goes by once: read, encoded, decoded at each bandwidth, measured. */
#ifndef ECDC_REPORT_MATERIAL_H
#define ECDC_REPORT_MATERIAL_H

#include <stdbool.h>
#include <stdio.h>

#include "report/columns.h"
#include "report/sound_file.h"
#include "report/tr_levels.h"

/* The reconstruction at a bandwidth. */
struct report_track {
    double bandwidth_kbps;
    int n_codebooks;
    ecdc_metrics metrics;
    struct columns columns;
    FILE *sound; /* of sound_file.h; NULL where no sound was asked for */
};

struct report_material {
    const char *title;
    ecdc_model_info model;
    const char *model_sha256;
    ecdc_tr_grid grid;
    ecdc_reader_info input; /* without broken_off */
    char broken_off[sizeof((ecdc_error *)0)->message];
    int64_t n_samples, n_frames, n_trs;
    struct columns original;
    int n_tracks;
    struct report_track tracks[ECDC_MAX_BANDWIDTHS];
    int n_codebooks;       /* of the highest bandwidth */
    const uint16_t *codes; /* codes[frame * n_codebooks + codebook]; with fewer codebooks it is the first ones */
    struct tr_levels levels;
};

struct gatherer;

/* Gathers all of it. `material` points into the gatherer, which the caller frees, also after a failure. */
ecdc_status gather(const ecdc_model *model, const char *input, const ecdc_report_settings *settings, bool with_sound,
                   struct gatherer **gatherer, struct report_material *material, ecdc_error *err);
void gatherer_free(struct gatherer *g);

#endif
