/* Temporary files that a killed build left in a cache. */
#ifndef ECDC_STUDY_SWEEP_H
#define ECDC_STUDY_SWEEP_H

/* Removes what is left of making a part of this name. The caller holds the part's lock, so nobody makes it now.
 * @param final  where the part belongs: half of its description is removed, too; "" where that is not known */
void sweep_part(const char *cache, const char *part, const char *final);

#endif
