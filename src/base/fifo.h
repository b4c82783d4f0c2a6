/* A first-in first-out queue of fixed-size items in one growing array. */
#ifndef ECDC_BASE_FIFO_H
#define ECDC_BASE_FIFO_H

#include "base/status.h"

struct fifo {
    size_t item_size; /* set by the owner; everything else starts as 0 */
    unsigned char *items;
    size_t first, n, capacity;
};

/* Room for n more items at the tail, to be filled and then counted with fifo_commit. NULL: out of memory. */
void *fifo_reserve(struct fifo *f, size_t n);
void fifo_commit(struct fifo *f, size_t n);
/* Moves up to max items from the head to `out`; the number moved. */
size_t fifo_take(struct fifo *f, void *out, size_t max);
/* Forgets the first n items; n is at most f->n. */
void fifo_drop(struct fifo *f, size_t n);
static inline void *fifo_items(const struct fifo *f) { /* the first item */
    return f->items + f->first * f->item_size;
}
void fifo_clear(struct fifo *f);
void fifo_free(struct fifo *f);

#endif
