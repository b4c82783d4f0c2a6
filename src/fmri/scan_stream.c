#include "fmri/scan_stream.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

enum {
    BLOCK_BYTES = 1 << 17,
    DEFLATE_RATIO = 1032, /* 258 bytes from 2 bits, the most that deflate can do */
    PIECE_BYTES = 1 << 30, /* zlib counts in unsigned int */
    GZIP_WINDOW = 15 + 16
};

static ecdc_status start_inflating(struct scan_stream *s, ecdc_error *err) {
    s->block = ecdc_alloc_array(BLOCK_BYTES, 1);
    if (!s->block || inflateInit2(&s->z, GZIP_WINDOW) != Z_OK)
        return ecdc_fail_memory(err, "decompression");
    s->inflating = true;
    return ECDC_OK;
}

ecdc_status scan_stream_open(struct scan_stream *s, const char *path, ecdc_error *err) {
    *s = (struct scan_stream){.between_members = false};
    unsigned char magic[2] = {0};
    ecdc_status status = input_open(&s->in, path, err);
    if (status == ECDC_OK && s->in.size == 0)
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: is empty", s->in.path);
    if (status == ECDC_OK && s->in.size >= sizeof magic) {
        status = input_read(&s->in, magic, sizeof magic, err);
        if (status == ECDC_OK)
            status = input_seek(&s->in, 0, err);
    }
    s->compressed = magic[0] == 0x1f && magic[1] == 0x8b;
    if (status == ECDC_OK && s->compressed)
        status = start_inflating(s, err);
    if (status != ECDC_OK)
        scan_stream_close(s);
    return status;
}

void scan_stream_close(struct scan_stream *s) {
    if (s->inflating)
        inflateEnd(&s->z);
    free(s->block);
    input_close(&s->in);
    *s = (struct scan_stream){.between_members = false};
}

uint64_t scan_stream_capacity(const struct scan_stream *s) {
    uint64_t bytes;
    if (!s->compressed)
        return s->in.size;
    return __builtin_mul_overflow(s->in.size, (uint64_t)DEFLATE_RATIO, &bytes) ? UINT64_MAX : bytes;
}

/* More of the compressed file, where zlib has none left. */
static ecdc_status refill(struct scan_stream *s, ecdc_error *err) {
    if (s->z.avail_in > 0)
        return ECDC_OK;
    uint64_t left = s->in.size - s->in.read;
    if (left == 0)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: the gzip data break off (after %" PRIu64 " bytes): the file is incomplete",
                         s->in.path, s->in.size);
    size_t n = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
    ecdc_status status = input_read(&s->in, s->block, n, err);
    s->z.next_in = s->block;
    s->z.avail_in = status == ECDC_OK ? (unsigned)n : 0;
    return status;
}

/* Fills z.next_out, or a part of it. */
static ecdc_status inflate_some(struct scan_stream *s, ecdc_error *err) {
    ecdc_status status = refill(s, err);
    if (status != ECDC_OK)
        return status;
    if (s->between_members && inflateReset(&s->z) != Z_OK)
        return ecdc_fail_memory(err, "decompression");
    s->between_members = false;
    int result = inflate(&s->z, Z_NO_FLUSH);
    if (result == Z_OK || result == Z_BUF_ERROR) /* the latter: it wants more of the file */
        return ECDC_OK;
    if (result == Z_STREAM_END) {
        s->between_members = true;
        return ECDC_OK;
    }
    if (result == Z_MEM_ERROR)
        return ecdc_fail_memory(err, "decompression");
    return ecdc_fail(err, ECDC_E_FORMAT, "%s: the gzip data are damaged (%s, about byte %" PRIu64 ")", s->in.path,
                     s->z.msg ? s->z.msg : "not gzip", s->in.read - s->z.avail_in);
}

ecdc_status scan_stream_read(struct scan_stream *s, void *bytes, size_t n, ecdc_error *err) {
    if (!s->compressed)
        return input_read(&s->in, bytes, n, err);
    unsigned char *to = bytes;
    while (n > 0) {
        unsigned piece = n < PIECE_BYTES ? (unsigned)n : PIECE_BYTES;
        s->z.next_out = to;
        s->z.avail_out = piece;
        ecdc_status status = inflate_some(s, err);
        if (status != ECDC_OK)
            return status;
        to += piece - s->z.avail_out;
        n -= piece - s->z.avail_out;
    }
    return ECDC_OK;
}

ecdc_status scan_stream_skip(struct scan_stream *s, uint64_t n, ecdc_error *err) {
    unsigned char skipped[4096];
    ecdc_status status = ECDC_OK;
    while (status == ECDC_OK && n > 0) {
        size_t piece = n < sizeof skipped ? (size_t)n : sizeof skipped;
        status = scan_stream_read(s, skipped, piece, err);
        n -= piece;
    }
    return status;
}

ecdc_status scan_stream_verify(struct scan_stream *s, ecdc_error *err) {
    unsigned char rest[4096];
    ecdc_status status = ECDC_OK;
    while (status == ECDC_OK && s->compressed && !s->between_members) {
        s->z.next_out = rest;
        s->z.avail_out = sizeof rest;
        status = inflate_some(s, err);
    }
    return status;
}
