#include "fmri/nifti.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

enum { PIECE = 4096 };

ecdc_status ecdc_nifti_open(const char *path, ecdc_nifti **nifti, ecdc_error *err) {
    ecdc_nifti *n = ecdc_alloc_zeros(1, sizeof *n);
    if (!n)
        return ecdc_fail_memory(err, "a NIfTI file");
    ecdc_status status = scan_stream_open(&n->stream, path, err);
    if (status == ECDC_OK)
        status = nifti_header_read(&n->stream, &n->header, err);
    if (status != ECDC_OK) {
        ecdc_nifti_close(n);
        return status;
    }
    *nifti = n;
    return ECDC_OK;
}

void ecdc_nifti_close(ecdc_nifti *nifti) {
    if (!nifti)
        return;
    scan_stream_close(&nifti->stream);
    free(nifti->raw);
    free(nifti);
}

void ecdc_nifti_get_info(const ecdc_nifti *nifti, ecdc_nifti_info *info) {
    *info = nifti->header.info;
}

ecdc_status nifti_require_series(const ecdc_nifti *nifti, ecdc_error *err) {
    const ecdc_nifti_info *info = &nifti->header.info;
    if (info->n_dims == 4)
        return ECDC_OK;
    return ecdc_fail(err, ECDC_E_FORMAT, "%s: holds one volume (3 dimensions); a series of volumes (4 dimensions) is needed", info->path);
}

/* Bytes of each number turned round. */
static void swap_bytes(unsigned char *raw, size_t n, size_t item_bytes) {
    for (size_t i = 0; item_bytes > 1 && i < n; i++, raw += item_bytes)
        for (size_t a = 0, b = item_bytes - 1; a < b; a++, b--) {
            unsigned char byte = raw[a];
            raw[a] = raw[b];
            raw[b] = byte;
        }
}

ecdc_status nifti_read_raw(ecdc_nifti *nifti, ecdc_error *err) {
    const struct nifti_header *h = &nifti->header;
    ecdc_status status = ECDC_OK;
    if (!nifti->raw) {
        nifti->raw = ecdc_alloc_array(h->n_voxels, h->item_bytes);
        if (!nifti->raw)
            return ecdc_fail_memory(err, "a volume");
        status = scan_stream_skip(&nifti->stream, h->data_offset - h->n_read, err);
    }
    if (status == ECDC_OK)
        status = scan_stream_read(&nifti->stream, nifti->raw, h->n_voxels * h->item_bytes, err);
    if (status != ECDC_OK)
        return status;
    if (h->info.big_endian != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__))
        swap_bytes(nifti->raw, h->n_voxels, h->item_bytes);
    nifti->n_read++;
    return nifti->n_read == h->info.n_trs ? scan_stream_verify(&nifti->stream, err) : ECDC_OK;
}

#define CONVERT(type)                                          \
    do {                                                       \
        for (size_t i = 0; i < n; i++) {                       \
            type number;                                       \
            memcpy(&number, raw + i * sizeof number, sizeof number); \
            numbers[i] = (double)number;                       \
        }                                                      \
    } while (0)

void nifti_to_double(const ecdc_nifti *nifti, const unsigned char *raw, double *numbers, size_t n) {
    const ecdc_nifti_info *info = &nifti->header.info;
    switch (info->type) {
    case ECDC_NIFTI_UINT8: CONVERT(uint8_t); break;
    case ECDC_NIFTI_INT8: CONVERT(int8_t); break;
    case ECDC_NIFTI_INT16: CONVERT(int16_t); break;
    case ECDC_NIFTI_UINT16: CONVERT(uint16_t); break;
    case ECDC_NIFTI_INT32: CONVERT(int32_t); break;
    case ECDC_NIFTI_UINT32: CONVERT(uint32_t); break;
    case ECDC_NIFTI_INT64: CONVERT(int64_t); break;
    case ECDC_NIFTI_UINT64: CONVERT(uint64_t); break;
    case ECDC_NIFTI_FLOAT32: CONVERT(float); break;
    case ECDC_NIFTI_FLOAT64: CONVERT(double); break;
    }
    if (info->slope != 1 || info->intercept != 0)
        for (size_t i = 0; i < n; i++)
            numbers[i] = numbers[i] * info->slope + info->intercept;
}

#define GATHER(bytes)                                                        \
    do {                                                                     \
        for (size_t i = 0; i < n; i++)                                       \
            memcpy(packed + i * (bytes), nifti->raw + places[i] * (bytes), bytes); \
    } while (0)

void nifti_gather(const ecdc_nifti *nifti, const size_t *places, unsigned char *packed, size_t n) {
    switch (nifti->header.item_bytes) {
    case 1: GATHER(1); break;
    case 2: GATHER(2); break;
    case 4: GATHER(4); break;
    case 8: GATHER(8); break;
    }
}

ecdc_status ecdc_nifti_read(ecdc_nifti *nifti, float *volume, int *more, ecdc_error *err) {
    const struct nifti_header *h = &nifti->header;
    if (nifti->n_read == h->info.n_trs) {
        *more = 0;
        return ECDC_OK;
    }
    ecdc_status status = nifti_read_raw(nifti, err);
    if (status != ECDC_OK)
        return status;
    double numbers[PIECE];
    for (size_t at = 0; at < h->n_voxels; at += PIECE) {
        size_t n = h->n_voxels - at < PIECE ? h->n_voxels - at : PIECE;
        nifti_to_double(nifti, nifti->raw + at * h->item_bytes, numbers, n);
        for (size_t i = 0; i < n; i++)
            volume[at + i] = (float)numbers[i];
    }
    *more = 1;
    return ECDC_OK;
}
