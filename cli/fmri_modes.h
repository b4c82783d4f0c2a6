/* What ecdc fmri does, one file each beside cmd_fmri.c. */
#ifndef ECDC_CLI_FMRI_MODES_H
#define ECDC_CLI_FMRI_MODES_H

#include "progress.h"

/* Work on scans with a bar, until the user stops it. */
struct scan_work {
    struct progress progress;
    double n_bytes; /* of the scans' files, as far as they are read */
};

/* Settings that show the bar. @param n_trs  TRs from each scan's first that are read; 0: all */
ecdc_scan_settings scan_work_start(struct scan_work *w, const struct options *o, const char *what, char *const *paths, int n_paths,
                                   int64_t n_trs);
/* Wipes the bar; a stop becomes the command's own message. */
ecdc_status scan_work_end(struct scan_work *w, ecdc_status status, ecdc_error *err);

int fmri_extract(const struct options *o);
int fmri_restore(const struct options *o);

#endif
