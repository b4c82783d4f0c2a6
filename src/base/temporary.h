/* Files without a name, for what has to wait on disk. */
#ifndef ECDC_BASE_TEMPORARY_H
#define ECDC_BASE_TEMPORARY_H

/* Where they lie: $TMPDIR, or /tmp. */
const char *ecdc_temporary_directory(void);
/* A new one, empty and already unlinked: it is gone when it is closed. -1 with errno set. */
int ecdc_temporary_file(void);

#endif
