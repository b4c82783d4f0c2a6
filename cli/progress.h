/* A bar on stderr with speed and time left: only on a terminal, only if the user did not ask for quiet. */
#ifndef ECDC_CLI_PROGRESS_H
#define ECDC_CLI_PROGRESS_H

#include "cli.h"

struct progress {
    const char *what;
    double start_s, last_s; /* on the wall clock */
    double total;           /* to come: seconds of sound, bytes, or 1; 0: unknown */
    double begun_at;        /* what was done when it started, in the same unit */
    enum { PROGRESS_SECONDS, PROGRESS_BYTES, PROGRESS_SHARE } unit;
    bool on;
};

void progress_start(struct progress *p, const struct options *o, const char *what, double total_s);
/* Of work whose whole is 1. */
void progress_start_share(struct progress *p, const struct options *o, const char *what);
/* For a download, of which `done` bytes are here. */
void progress_start_bytes(struct progress *p, const struct options *o, const char *what, double total, double done);
void progress_show(struct progress *p, double done);
void progress_end(struct progress *p); /* wipes the bar */

#endif
