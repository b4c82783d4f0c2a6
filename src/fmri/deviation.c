#include "fmri/deviation.h"

#include <math.h>
#include <stdlib.h>

double deviation_of(const struct deviation *d, double n) {
    double variance = (d->squares - d->sum * d->sum / n) / n;
    return variance < 0 ? 0 : sqrt(variance); /* NaN is not */
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double percentile(double *values, size_t n, double percent) {
    qsort(values, n, sizeof *values, compare);
    double place = (double)(n - 1) * (percent / 100), below = floor(place), t = place - below;
    size_t i = (size_t)below;
    if (i + 1 >= n)
        return values[n - 1];
    double step = values[i + 1] - values[i]; /* numpy's interpolation, from the nearer end */
    return t >= 0.5 ? values[i + 1] - step * (1 - t) : values[i] + step * t;
}
