/* Locks between processes that make the same file. */
#ifndef ECDC_STUDY_LOCK_H
#define ECDC_STUDY_LOCK_H

#include "ecdc.h"

/* Waits for the lock of `name` in a directory (a hidden file, which stays). *lock is -1 where the file system has none: files are put
 * in place whole all the same, only perhaps made twice. ECDC_E_IO, ECDC_E_STOPPED, ECDC_E_MEMORY. */
ecdc_status lock_take(const char *directory, const char *name, const ecdc_listener *listener, int *lock, ecdc_error *err);
void lock_give_back(int lock);

#endif
