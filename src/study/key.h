/* What a cached file was made from, as a JSON object. A member that stands for a file has its path, size and time of change, and
 * in a complete key its SHA-256. */
#ifndef ECDC_STUDY_KEY_H
#define ECDC_STUDY_KEY_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "ecdc.h"

/* Adds a file. ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status key_add_file(cJSON *key, const char *name, const char *path, ecdc_error *err);
/* Reads each file of the key and adds its SHA-256; ECDC_E_IO where it is no longer the one that was added. */
ecdc_status key_complete(cJSON *key, const ecdc_listener *listener, ecdc_error *err);
/* ECDC_E_IO where a file of the key has changed since it was added: what was made of it meanwhile is of no use. */
ecdc_status key_check_unchanged(const cJSON *key, ecdc_error *err);

/* How two keys compare. */
struct key_match {
    bool same;
    bool by_contents; /* a file's time differed, so that it had to be read */
    char why[400];    /* the first difference */
};

/* Whether a complete key that was stored is the wanted one. Files are equal that have the same size and time of change, or else the
 * same size and SHA-256. ECDC_E_IO, ECDC_E_STOPPED, ECDC_E_MEMORY. */
ecdc_status key_compare(const cJSON *wanted, const cJSON *stored, const ecdc_listener *listener, struct key_match *match,
                        ecdc_error *err);
/* Gives the files of a stored key, which matches, the times of the wanted one. False where memory ran out. */
bool key_renew_times(cJSON *stored, const cJSON *wanted);

#endif
