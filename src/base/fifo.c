#include "base/fifo.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void *fifo_reserve(struct fifo *f, size_t n) {
    if (n > SIZE_MAX - f->n)
        return NULL;
    size_t need = f->n + n;
    if (need > f->capacity - f->first && f->first > 0) {
        memmove(f->items, f->items + f->first * f->item_size, f->n * f->item_size);
        f->first = 0;
    }
    if (need > f->capacity || !f->items) {
        size_t capacity = need > f->capacity * 2 ? need : f->capacity * 2;
        capacity = capacity ? capacity : 1; /* NULL means: no memory */
        void *grown = ecdc_realloc_array(f->items, capacity, f->item_size);
        if (!grown)
            return NULL;
        f->items = grown;
        f->capacity = capacity;
    }
    return f->items + (f->first + f->n) * f->item_size;
}

void fifo_commit(struct fifo *f, size_t n) {
    f->n += n;
}

size_t fifo_take(struct fifo *f, void *out, size_t max) {
    size_t n = f->n < max ? f->n : max;
    if (n == 0)
        return 0;
    memcpy(out, fifo_items(f), n * f->item_size);
    fifo_drop(f, n);
    return n;
}

void fifo_drop(struct fifo *f, size_t n) {
    f->first += n;
    f->n -= n;
    if (f->n == 0)
        f->first = 0;
}

void fifo_clear(struct fifo *f) {
    f->first = f->n = 0;
}

void fifo_free(struct fifo *f) {
    free(f->items);
    f->items = NULL;
    f->first = f->n = f->capacity = 0;
}
