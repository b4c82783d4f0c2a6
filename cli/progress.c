#include "progress.h"

#include <stdio.h>
#include <unistd.h>

enum { WIDTH = 30 };

void progress_start(struct progress *p, const struct options *o, const char *what, double total_s) {
    *p = (struct progress){.what = what, .start_s = now_s(), .total_s = total_s, .on = !o->quiet && isatty(STDERR_FILENO)};
}

static void print_clock(double s) {
    long whole = (long)(s + 0.5);
    if (whole >= 3600)
        fprintf(stderr, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        fprintf(stderr, "%ld:%02ld", whole / 60, whole % 60);
}

void progress_show(struct progress *p, double done_s) {
    double now = now_s();
    if (!p->on || now - p->last_s < 0.15) /* six times a second */
        return;
    p->last_s = now;
    double elapsed = now - p->start_s, speed = elapsed > 0 ? done_s / elapsed : 0;
    fprintf(stderr, "\r%s ", p->what);
    if (p->total_s > 0) {
        double share = done_s < p->total_s ? done_s / p->total_s : 1;
        fputc('[', stderr);
        for (int i = 0; i < WIDTH; i++)
            fputc(i < (int)(share * WIDTH) ? '#' : '.', stderr);
        fprintf(stderr, "] %3.0f %%  ", 100 * share);
    }
    print_clock(done_s);
    fprintf(stderr, " at %.0f x realtime", speed);
    if (p->total_s > done_s && speed > 0) {
        fputs(", ", stderr);
        print_clock((p->total_s - done_s) / speed);
        fputs(" left", stderr);
    }
    fputs("\033[K", stderr);
    fflush(stderr);
}

void progress_end(struct progress *p) {
    if (p->on)
        fputs("\r\033[K", stderr);
}
