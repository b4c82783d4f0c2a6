#include "features/row_shape.h"

#include "base/status.h"

enum { MAX_CODEBOOKS = 1 << 20 }; /* times 3600 s of frames at 1 MHz is far from an overflow */

int ecdc_giblet_codebooks(double bandwidth_kbps) {
    static const struct { double kbps; int codebooks; } table[] = {{1.5, 2}, {3, 8}, {6, 16}, {12, 32}, {24, 32}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].kbps == bandwidth_kbps)
            return table[i].codebooks;
    return 0;
}

ecdc_status row_shape_check(const ecdc_row_shape *shape, ecdc_error *err) {
    if (shape->grid.frames_per_tr < 1)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "the grid is empty; fill it with ecdc_tr_grid_init");
    if (shape->n_codebooks < 1 || shape->row_codebooks < shape->n_codebooks || shape->row_codebooks > MAX_CODEBOOKS)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%d codebooks per frame in rows of %d: allowed are 1 or more, in rows of as many "
                         "or more", shape->n_codebooks, shape->row_codebooks);
    return ECDC_OK;
}
