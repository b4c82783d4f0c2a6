/* The files of a study's cache: their names, their keys, and how they are. */
#ifndef ECDC_STUDY_CACHE_H
#define ECDC_STUDY_CACHE_H

#include "study/key.h"
#include "study/study.h"

/* Names without a directory. The film's has its number of TRs between head and tail. */
void film_name_head(const struct ecdc_study *study, char *head, size_t size);
void film_name_tail(const struct ecdc_study *study, char *tail, size_t size);
/* Paths; free() them. NULL: out of memory. */
char *mask_path(const struct ecdc_study *study);
char *scan_path(const struct ecdc_study *study, size_t subject);

/* What a part is made from today, without checksums; cJSON_Delete it. That of a scan needs a fresh mask: *mask_sha256 of its file.
 * ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status film_key(const struct ecdc_study *study, cJSON **key, ecdc_error *err);
ecdc_status mask_key(const struct ecdc_study *study, cJSON **key, ecdc_error *err);
ecdc_status scan_key(const struct ecdc_study *study, size_t subject, const char *mask_sha256, cJSON **key, ecdc_error *err);

/* The features' settings, as ecdc_write_features takes them. */
ecdc_features_settings film_settings(const struct ecdc_study *study);

/* The SHA-256 of a fresh mask's file, from its description; "" where it has none. */
ecdc_status mask_sha256_of(const char *path, char hex[65], ecdc_error *err);

/* ecdc_study_look, and whether a file of the part's key had another time, so that its contents had to tell. */
ecdc_status look_at_part(const struct ecdc_study *study, ecdc_part part, int64_t subject, ecdc_part_info *info, bool *by_contents,
                         ecdc_error *err);

/* The description beside a cached file; NULL in *json where there is none. ECDC_E_FORMAT, ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status read_description(const char *path, cJSON **json, ecdc_error *err);
/* The name of that description; free() it. */
char *description_path(const char *path);

#endif
