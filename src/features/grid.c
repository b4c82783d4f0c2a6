/* The TR grid: which frames belong to which fMRI volume.
 *
 * exact: TR i holds frames b_i ... b_(i+1) - 1 with b_i = floor(i * frame_rate * TR), TR taken as a fraction and
 * everything computed in integers: each frame belongs to one TR and the grid never drifts.
 * giblet: the arithmetic of giblet.data.audio in doubles, frames int(start * 75) to int(end * 75), cut or padded to
 * int(75 * TR) of them: 112 of 112.5 at 1.5 s. */
#include <math.h>
#include <stdbool.h>

#include "base/status.h"

__extension__ typedef unsigned __int128 u128; /* i * frame_rate * num passes 64 bits for long decimals */

static int64_t gcd(int64_t a, int64_t b) {
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* A decimal number without exponent, at most 18 digits, as numerator and power of ten. Returns what follows it. */
static const char *parse_decimal(const char *s, int64_t *num, int64_t *den) {
    int digits = 0;
    bool point = false;
    *num = 0;
    *den = 1;
    for (; (*s >= '0' && *s <= '9') || (*s == '.' && !point); s++) {
        if (*s == '.') {
            point = true;
            continue;
        }
        if (++digits > 18)
            return NULL;
        *num = *num * 10 + (*s - '0');
        if (point)
            *den *= 10;
    }
    return digits ? s : NULL;
}

static bool parse_fraction(const char *s, int64_t *num, int64_t *den) {
    if (!s || !(s = parse_decimal(s, num, den)))
        return false;
    if (*s == '/') {
        int64_t num2, den2;
        if (!(s = parse_decimal(s + 1, &num2, &den2)) || num2 == 0 || __builtin_mul_overflow(*num, den2, num) ||
            __builtin_mul_overflow(*den, num2, den))
            return false;
    }
    if (*s || *num == 0)
        return false;
    int64_t common = gcd(*num, *den);
    *num /= common;
    *den /= common;
    return true;
}

ecdc_status ecdc_tr_grid_init(ecdc_tr_grid *grid, const char *tr, int frame_rate_hz, ecdc_alignment alignment,
                              ecdc_error *err) {
    int64_t num, den;
    if (alignment != ECDC_ALIGN_GIBLET && alignment != ECDC_ALIGN_EXACT)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "alignment is %d, neither giblet nor exact", (int)alignment);
    if (frame_rate_hz < 1 || frame_rate_hz > 1000000)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "frame_rate_hz is %d, allowed are 1 to 1000000", frame_rate_hz);
    if (!parse_fraction(tr, &num, &den))
        return ecdc_fail(err, ECDC_E_ARGUMENT,
                         "TR '%s' is not a positive number of seconds such as 1.5, 0.72 or 2/3", tr ? tr : "");
    /* Both terms fit the mantissa of a long double where that has 64 bits, so this is the double that a program would
     * have parsed, whatever the locale. */
    double tr_s = (double)((long double)num / (long double)den);
    if ((u128)num * (unsigned)frame_rate_hz < (u128)den || tr_s > 3600)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "TR '%s' is outside one frame (1/%d s) to 3600 s", tr, frame_rate_hz);
    ecdc_tr_grid made = {.tr_s = tr_s, .tr_num = num, .tr_den = den, .frame_rate_hz = frame_rate_hz, .alignment = alignment};
    u128 frames = (u128)num * (unsigned)frame_rate_hz;
    made.frames_per_tr = alignment == ECDC_ALIGN_GIBLET ? (int64_t)(frame_rate_hz * tr_s)
                                                         : (int64_t)((frames + (u128)den - 1) / (u128)den);
    if (made.frames_per_tr < 1) /* 1/49 s at 49 frames per second is a little less than a frame in doubles */
        return ecdc_fail(err, ECDC_E_ARGUMENT, "TR '%s' holds no frame at %d frames per second", tr, frame_rate_hz);
    *grid = made;
    return ECDC_OK;
}

int64_t ecdc_tr_grid_count(const ecdc_tr_grid *grid, int64_t n_samples, int sampling_rate_hz, int with_partial) {
    if (n_samples <= 0 || sampling_rate_hz <= 0)
        return 0;
    u128 whole = (u128)n_samples * (u128)grid->tr_den, one = (u128)grid->tr_num * (unsigned)sampling_rate_hz;
    int64_t count = (int64_t)(whole / one);
    if (grid->alignment == ECDC_ALIGN_GIBLET) {
        double duration_s = (double)n_samples / sampling_rate_hz;
        count = (int64_t)floor(duration_s / grid->tr_s);
        return count + (with_partial && (double)count * grid->tr_s < duration_s);
    }
    return count + (with_partial && whole % one != 0);
}

static int64_t exact_boundary(const ecdc_tr_grid *grid, int64_t i) {
    return (int64_t)((u128)i * (unsigned)grid->frame_rate_hz * (u128)grid->tr_num / (u128)grid->tr_den);
}

void ecdc_tr_grid_frames(const ecdc_tr_grid *grid, int64_t i, int64_t *first, int64_t *count) {
    if (grid->alignment == ECDC_ALIGN_EXACT) {
        *first = exact_boundary(grid, i);
        *count = exact_boundary(grid, i + 1) - *first;
        return;
    }
    double start_s = (double)i * grid->tr_s, end_s = start_s + grid->tr_s;
    *first = (int64_t)(start_s * grid->frame_rate_hz);
    *count = (int64_t)(end_s * grid->frame_rate_hz) - *first;
    if (*count > grid->frames_per_tr)
        *count = grid->frames_per_tr;
}

double ecdc_tr_grid_start_s(const ecdc_tr_grid *grid, int64_t i) {
    return grid->alignment == ECDC_ALIGN_GIBLET
               ? (double)i * grid->tr_s
               : (double)((long double)i * (long double)grid->tr_num / (long double)grid->tr_den);
}
