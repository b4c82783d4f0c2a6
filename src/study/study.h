/* A study as it was found on disk. */
#ifndef ECDC_STUDY_STUDY_H
#define ECDC_STUDY_STUDY_H

#include <stdbool.h>

#include "ecdc.h"

struct study_subject {
    char *label, *scan;
    int64_t number; /* -1: the label is none */
    int64_t n_trs;
    double tr_s;    /* 0: nobody says */
};

struct study_subjects {
    struct study_subject *items;
    size_t n;
};

struct ecdc_study {
    ecdc_study_settings s; /* its strings are the study's, NULL where they were; film and cache are set */
    char *data, *cache, *film, *only_scans, *tr;
    const ecdc_model *model;
    bool bids;
    ecdc_tr_grid grid;     /* its TR is meant */
    int n_codebooks;       /* of the features; 0: mel */
    int64_t film_trs_hint;
    struct study_subjects subjects;
    char subjects_hex[9];  /* stands for the labels, in names */
};

/* What lies where. Labels and scans of all subjects, sorted by number, then by label. `pattern`: NULL for all scans.
 * ECDC_E_FORMAT (no subject, several scans of one), ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status find_subjects(const char *data, const char *pattern, bool *bids, struct study_subjects *found, ecdc_error *err);
/* Drops those that are not in a list such as "1,3,17"; NULL and "all" keep all. ECDC_E_ARGUMENT names one that is not there. */
ecdc_status choose_subjects(struct study_subjects *subjects, const char *list, ecdc_error *err);
void subjects_free(struct study_subjects *subjects);
/* The one film; free() it. */
ecdc_status find_film(const char *data, char **film, ecdc_error *err);

/* Reads the header of each scan, and the TR in its sidecar. ECDC_E_FORMAT where a TR is not `tr_s`, or shapes differ. */
ecdc_status read_scan_facts(const char *data, struct study_subjects *subjects, const ecdc_tr_grid *grid, ecdc_error *err);

#endif
