#include "model/tensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensor_read copies little-endian numbers as they are");
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "IEEE 754 numbers");

/* --------------------------------------------------------------------------------------------- dtypes --- */

static const struct {
    const char *name;
    size_t size;
} DTYPES[] = {
    [DTYPE_F64] = {"F64", 8}, [DTYPE_F32] = {"F32", 4}, [DTYPE_F16] = {"F16", 2}, [DTYPE_BF16] = {"BF16", 2},
    [DTYPE_I64] = {"I64", 8}, [DTYPE_U64] = {"U64", 8}, [DTYPE_I32] = {"I32", 4}, [DTYPE_U32] = {"U32", 4},
    [DTYPE_I16] = {"I16", 2}, [DTYPE_U16] = {"U16", 2}, [DTYPE_I8] = {"I8", 1},   [DTYPE_U8] = {"U8", 1},
    [DTYPE_BOOL] = {"BOOL", 1}, [DTYPE_UNKNOWN] = {"(unknown)", 0},
};

const char *dtype_name(enum dtype dtype) {
    return DTYPES[dtype].name;
}

enum dtype dtype_from_name(const char *name) {
    int dtype = 0;
    while (dtype != DTYPE_UNKNOWN && strcmp(name, DTYPES[dtype].name) != 0)
        dtype++;
    return (enum dtype)dtype;
}

size_t dtype_size(enum dtype dtype) {
    return DTYPES[dtype].size;
}

bool dtype_is_float(enum dtype dtype) {
    return dtype == DTYPE_F64 || dtype == DTYPE_F32 || dtype == DTYPE_F16 || dtype == DTYPE_BF16;
}

/* ---------------------------------------------------------------------------------------------- table --- */

ecdc_status tensor_table_add(struct tensor_table *table, const struct tensor *t, ecdc_error *err) {
    if (table->n == table->capacity) {
        size_t capacity = table->capacity ? 2 * table->capacity : 256;
        struct tensor *grown = ecdc_realloc_array(table->tensors, capacity, sizeof *grown);
        if (!grown)
            return ecdc_fail_memory(err, "the list of tensors");
        table->tensors = grown;
        table->capacity = capacity;
    }
    char *name = ecdc_strdup(t->name);
    if (!name)
        return ecdc_fail_memory(err, "the list of tensors");
    table->tensors[table->n] = *t;
    table->tensors[table->n++].name = name;
    return ECDC_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

ecdc_status tensor_table_finish(struct tensor_table *table, const char *path, ecdc_error *err) {
    if (table->n > 0)
        qsort(table->tensors, table->n, sizeof *table->tensors, by_name);
    for (size_t i = 1; i < table->n; i++)
        if (strcmp(table->tensors[i - 1].name, table->tensors[i].name) == 0)
            return ecdc_fail(err, ECDC_E_FORMAT, "%s: the tensor %s is listed twice", path, table->tensors[i].name);
    return ECDC_OK;
}

static int name_against(const void *name, const void *t) {
    return strcmp(name, ((const struct tensor *)t)->name);
}

const struct tensor *tensor_table_find(const struct tensor_table *table, const char *name) {
    if (table->n == 0)
        return NULL;
    return bsearch(name, table->tensors, table->n, sizeof *table->tensors, name_against);
}

void tensor_table_free(struct tensor_table *table) {
    for (size_t i = 0; i < table->n; i++)
        free(table->tensors[i].name);
    free(table->tensors);
    memset(table, 0, sizeof *table);
}

/* -------------------------------------------------------------------------------------------- numbers --- */

uint64_t tensor_count(const struct tensor *t) {
    uint64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= t->shape[i];
    return n;
}

const char *tensor_shape_text(int rank, const uint64_t *shape, char *buffer, size_t size) {
    size_t used = 0;
    buffer[0] = '\0';
    for (int i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(buffer + used, size - used, "%s%llu", i ? ", " : "(", (unsigned long long)shape[i]);
    if (used < size)
        snprintf(buffer + used, size - used, rank ? ")" : "()");
    return buffer;
}

static float float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Half precision: 1 sign, 5 exponent, 10 mantissa bits. Only normal float32 numbers occur on the way, so the result
 * does not depend on the processor's flush-to-zero setting. */
static float float_from_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, magnitude = half & 0x7fff;
    if (magnitude >= 0x7c00) /* infinity, not a number */
        return float_from_bits(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
    if (magnitude >= 0x0400) /* rebias the exponent from 15 to 127 */
        return float_from_bits(sign | ((magnitude << 13) + ((uint32_t)(127 - 15) << 23)));
    float value = (float)magnitude * 0x1p-24f; /* subnormal: a multiple of 2^-24 */
    return sign ? -value : value;
}

static bool all_finite(const float *values, uint64_t n) {
    uint32_t bad = 0;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bad |= (bits & 0x7f800000) == 0x7f800000;
    }
    return !bad;
}

/* Bytes [at, at + n) of a tensor. */
static ecdc_status copy(const struct tensor *t, uint64_t at, void *out, size_t n, ecdc_error *err) {
    if (!t->data)
        return n > 0 ? weight_file_read(t->file, t->offset + at, out, n, err) : ECDC_OK;
    if (n > 0)
        memcpy(out, (const unsigned char *)t->data + at, n);
    return ECDC_OK;
}

ecdc_status tensor_copy(const struct tensor *t, void *out, ecdc_error *err) {
    return copy(t, 0, out, (size_t)t->n_bytes, err);
}

static void convert(enum dtype dtype, const unsigned char *from, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) {
        if (dtype == DTYPE_F64) {
            double value;
            memcpy(&value, from + 8 * i, sizeof value);
            out[i] = (float)value;
        } else {
            uint16_t bits;
            memcpy(&bits, from + 2 * i, sizeof bits);
            out[i] = dtype == DTYPE_BF16 ? float_from_bits((uint32_t)bits << 16) : float_from_half(bits);
        }
    }
}

static ecdc_status read_converted(const struct tensor *t, uint64_t n, float *out, ecdc_error *err) {
    unsigned char piece[1 << 14];
    size_t size = dtype_size(t->dtype);
    ecdc_status status = ECDC_OK;
    for (uint64_t i = 0; !status && i < n;) {
        size_t k = n - i < sizeof piece / size ? (size_t)(n - i) : sizeof piece / size;
        status = copy(t, i * size, piece, k * size, err);
        if (!status)
            convert(t->dtype, piece, k, out + i);
        i += k;
    }
    return status;
}

ecdc_status tensor_read(const struct tensor *t, const char *path, float *out, ecdc_error *err) {
    uint64_t n = tensor_count(t);
    ecdc_status status = t->dtype == DTYPE_F32 ? copy(t, 0, out, (size_t)n * sizeof *out, err) : read_converted(t, n, out, err);
    if (status || all_finite(out, n))
        return status;
    return ecdc_fail(err, ECDC_E_MODEL, "%s: tensor %s holds a number that is infinite or not a number in float32", path, t->name);
}

static uint16_t half_from_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude >= 0x47800000) /* 2^16 and more, infinity, not a number */
        return (uint16_t)(sign | 0x7c00);
    uint32_t mantissa, shift;
    if (magnitude >= 0x38800000) { /* 2^-14 and more: rebias the exponent from 127 to 15, drop 13 bits */
        mantissa = magnitude - ((uint32_t)(127 - 15) << 23);
        shift = 13;
    } else { /* a multiple of 2^-24, below half of which there is nothing */
        uint32_t exponent = magnitude >> 23;
        if (exponent < 102)
            return (uint16_t)sign;
        mantissa = (magnitude & 0x7fffff) | 0x800000;
        shift = 126 - exponent;
    }
    uint32_t kept = mantissa >> shift, rest = mantissa & ((1u << shift) - 1), half = 1u << (shift - 1);
    kept += rest > half || (rest == half && (kept & 1));
    return (uint16_t)(sign | kept); /* a carry into the exponent is right */
}

bool tensor_to_half(const float *values, size_t n, uint16_t *out) {
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        float value;
        memcpy(&value, (const char *)values + i * sizeof value, sizeof value);
        uint16_t half = half_from_float(value);
        memcpy((char *)out + i * sizeof half, &half, sizeof half);
        finite &= (half & 0x7c00) != 0x7c00;
    }
    return finite;
}
