/* Sums over time of many numbers at once, for their means and standard deviations. */
#ifndef ECDC_FMRI_DEVIATION_H
#define ECDC_FMRI_DEVIATION_H

#include <stddef.h>

/* Everything is summed as difference from the first number, in double: for integers the sums are exact, a constant has
 * exactly 0, and no level, however high, takes digits from the variance. */
struct deviation {
    double first, sum, squares;
};

static inline void deviation_begin(struct deviation *d, double number) {
    *d = (struct deviation){.first = number};
}

static inline void deviation_add(struct deviation *d, double number) {
    double difference = number - d->first;
    d->sum += difference;
    d->squares += difference * difference;
}

/* The standard deviation (population) of n numbers; not finite where one of them was not. */
double deviation_of(const struct deviation *d, double n);

/* numpy.percentile(values, percent), linear; n is 1 or more. Sorts the values. */
double percentile(double *values, size_t n, double percent);

#endif
