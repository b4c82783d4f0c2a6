#include "progress.h"

#include <stdio.h>
#include <unistd.h>

enum { WIDTH = 30 };

void progress_start(struct progress *p, const struct options *o, const char *what, double total_s) {
    *p = (struct progress){.what = what, .start_s = now_s(), .total = total_s, .on = !o->quiet && isatty(STDERR_FILENO)};
}

void progress_start_bytes(struct progress *p, const struct options *o, const char *what, double total, double done) {
    progress_start(p, o, what, total);
    p->begun_at = done;
    p->unit = PROGRESS_BYTES;
}

void progress_start_share(struct progress *p, const struct options *o, const char *what) {
    progress_start(p, o, what, 1);
    p->unit = PROGRESS_SHARE;
}

static void print_clock(double s) {
    long whole = (long)(s + 0.5);
    if (whole >= 3600)
        fprintf(stderr, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        fprintf(stderr, "%ld:%02ld", whole / 60, whole % 60);
}

void progress_show(struct progress *p, double done) {
    double now = now_s();
    if (!p->on || now - p->last_s < 0.15) /* six times a second */
        return;
    p->last_s = now;
    double elapsed = now - p->start_s, speed = elapsed > 0 ? (done - p->begun_at) / elapsed : 0;
    fprintf(stderr, "\r%s ", p->what);
    if (p->total > 0) {
        double share = done < p->total ? done / p->total : 1;
        fputc('[', stderr);
        for (int i = 0; i < WIDTH; i++)
            fputc(i < (int)(share * WIDTH) ? '#' : '.', stderr);
        fprintf(stderr, "] %3.0f %%  ", 100 * share);
    }
    if (p->unit == PROGRESS_BYTES) {
        fprintf(stderr, "%.1f MB at %.1f MB/s", done / 1e6, speed / 1e6);
    } else if (p->unit == PROGRESS_SHARE) {
        print_clock(elapsed);
    } else {
        print_clock(done);
        fprintf(stderr, " at %.0f x realtime", speed);
    }
    if (p->total > done && speed > 0) {
        fputs(", ", stderr);
        print_clock((p->total - done) / speed);
        fputs(" left", stderr);
    }
    fputs("\033[K", stderr);
    fflush(stderr);
}

void progress_end(struct progress *p) {
    if (p->on)
        fputs("\r\033[K", stderr);
}
