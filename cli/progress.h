/* A bar on stderr with speed and time left: only on a terminal, only if the user did not ask for quiet. */
#ifndef ECDC_CLI_PROGRESS_H
#define ECDC_CLI_PROGRESS_H

#include "cli.h"

struct progress {
    const char *what;
    double start_s, last_s; /* on the wall clock */
    double total_s;         /* seconds of sound to come; 0: unknown */
    bool on;
};

void progress_start(struct progress *p, const struct options *o, const char *what, double total_s);
void progress_show(struct progress *p, double done_s);
void progress_end(struct progress *p); /* wipes the bar */

#endif
