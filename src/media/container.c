#include "media/container.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"

enum {
    PREFIX_BYTES = 9,     /* magic, version, length of the JSON */
    JSON_MAX = 1 << 16,   /* our own are below 1 KiB; the length field could claim 4 GiB */
    HEADER_MAX = 2048,    /* written: a model name of 127 bytes escaped to 6 characters each, and the rest */
    BLOCK_BYTES = 1 << 14
};

static const int64_t samples_max = INT64_C(1) << 53; /* JSON numbers are doubles: exact up to here */

/* -------------------------------------------------------------------------------------- header, written --- */

/* Escapes as Python's json.dumps does (ensure_ascii). cJSON_Print would leave UTF-8 as it is, and the bytes would
 * differ from the reference's. Returns false for invalid UTF-8. */
static bool json_escape(const char *s, char *out, size_t room) {
    size_t n = 0;
    while (*s) {
        uint32_t c;
        int length = utf8_next(s, &c);
        if (length == 0)
            return false;
        s += length;
        const char *brief = c == '"' ? "\\\"" : c == '\\' ? "\\\\" : c == '\n' ? "\\n" : c == '\r' ? "\\r"
                          : c == '\t' ? "\\t" : c == '\b' ? "\\b" : c == '\f' ? "\\f" : NULL;
        int printed;
        if (brief)
            printed = snprintf(out + n, room - n, "%s", brief);
        else if (c >= ' ' && c <= '~')
            printed = snprintf(out + n, room - n, "%c", (int)c);
        else if (c < 0x10000)
            printed = snprintf(out + n, room - n, "\\u%04x", (unsigned)c);
        else
            printed = snprintf(out + n, room - n, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
                               (unsigned)(0xdc00 + ((c - 0x10000) & 0x3ff)));
        n += (size_t)printed;
        if (n >= room)
            return false;
    }
    out[n] = '\0';
    return true;
}

static bool is_sha(const char *s) {
    return strlen(s) == 16 && strspn(s, "0123456789abcdefABCDEF") == 16;
}

/* Checks the header and prints it, prefix and JSON, into bytes. */
static ecdc_status format_header(const char *path, const struct container_header *h, unsigned char bytes[HEADER_MAX],
                                 size_t *n, ecdc_error *err) {
    char model[6 * sizeof h->model + 1], sha[40] = "";
    if (!memchr(h->model, '\0', sizeof h->model) || h->model[0] == '\0' || !json_escape(h->model, model, sizeof model))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: the model's name is empty, too long or not UTF-8", path);
    if (h->sha[0] != '\0') {
        if (!memchr(h->sha, '\0', sizeof h->sha) || !is_sha(h->sha))
            return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: the model's digest is not 16 hexadecimal digits", path);
        snprintf(sha, sizeof sha, ", \"sha\": \"%s\"", h->sha);
    }
    if (h->samples < 0 || h->samples > samples_max)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: %" PRId64 " samples cannot be stored", path, h->samples);
    if (h->codebooks < 1 || h->codebooks > CONTAINER_MAX_CODEBOOKS)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: %d codebooks cannot be stored", path, h->codebooks);
    if (h->lm)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: entropy coding with a language model is not supported", path);
    int length = snprintf((char *)bytes + PREFIX_BYTES, HEADER_MAX - PREFIX_BYTES,
                          "{\"m\": \"%s\", \"al\": %" PRId64 ", \"nc\": %d, \"lm\": false%s}", model, h->samples,
                          h->codebooks, sha);
    memcpy(bytes, "ECDC", 5); /* and the version, 0 */
    for (int i = 0; i < 4; i++)
        bytes[5 + i] = (unsigned char)((uint32_t)length >> (24 - 8 * i));
    *n = PREFIX_BYTES + (size_t)length;
    return ECDC_OK;
}

/* --------------------------------------------------------------------------------------------- writing --- */

struct container_writer {
    struct output *o;
    struct container_header header;
    size_t header_bytes;
    int bits;
    int64_t n_frames;   /* written so far, for messages */
    uint64_t pending;   /* bits that do not fill a byte yet, the first in the lowest place */
    int n_pending;
};

ecdc_status container_write_open(struct output *o, const struct container_header *header, int bits_per_code,
                                 struct container_writer **out, ecdc_error *err) {
    if (bits_per_code < 1 || bits_per_code > CONTAINER_MAX_BITS)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: codes of %d bits cannot be stored", output_name(o), bits_per_code);
    unsigned char bytes[HEADER_MAX];
    size_t n;
    ecdc_status status = format_header(output_name(o), header, bytes, &n, err);
    if (status != ECDC_OK)
        return status;
    struct container_writer *w = ecdc_alloc_zeros(1, sizeof *w);
    if (!w)
        return ecdc_fail_memory(err, "an .ecdc writer");
    w->o = o;
    w->header = *header;
    w->header_bytes = n;
    w->bits = bits_per_code;
    status = output_write(o, bytes, n, err);
    if (status != ECDC_OK) {
        container_writer_free(w);
        return status;
    }
    *out = w;
    return ECDC_OK;
}

static ecdc_status check_codes(const struct container_writer *w, const int32_t *codes, size_t n_frames,
                               ecdc_error *err) {
    size_t nc = (size_t)w->header.codebooks;
    for (size_t frame = 0; frame < n_frames; frame++)
        for (size_t k = 0; k < nc; k++) {
            int32_t code = codes[frame * nc + k];
            if (code < 0 || code >> w->bits != 0)
                return ecdc_fail(err, ECDC_E_ARGUMENT,
                                 "%s: code %" PRId32 " of frame %" PRId64 ", codebook %zu is not in 0 ... %d",
                                 output_name(w->o), code, w->n_frames + (int64_t)frame, k, (1 << w->bits) - 1);
        }
    return ECDC_OK;
}

ecdc_status container_write(struct container_writer *w, const int32_t *codes, size_t n_frames, ecdc_error *err) {
    ecdc_status status = check_codes(w, codes, n_frames, err);
    if (status != ECDC_OK)
        return status;
    unsigned char block[BLOCK_BYTES];
    size_t n = 0, n_codes = n_frames * (size_t)w->header.codebooks; /* an array of this length exists: no overflow */
    for (size_t i = 0; i < n_codes; i++) {
        w->pending |= (uint64_t)(uint32_t)codes[i] << w->n_pending; /* at most 7 + 24 bits */
        for (w->n_pending += w->bits; w->n_pending >= 8; w->n_pending -= 8) {
            block[n++] = (unsigned char)w->pending;
            w->pending >>= 8;
            if (n == BLOCK_BYTES) {
                if ((status = output_write(w->o, block, n, err)) != ECDC_OK)
                    return status;
                n = 0;
            }
        }
    }
    w->n_frames += (int64_t)n_frames;
    return output_write(w->o, block, n, err);
}

/* Fills the last byte with zeros. */
static ecdc_status flush_bits(struct container_writer *w, ecdc_error *err) {
    if (w->n_pending == 0)
        return ECDC_OK;
    unsigned char last = (unsigned char)w->pending;
    w->pending = 0;
    w->n_pending = 0;
    return output_write(w->o, &last, 1, err);
}

ecdc_status container_write_chunk(struct container_writer *w, const int32_t *codes, size_t n_frames, const float *scale,
                                  ecdc_error *err) {
    ecdc_status status = check_codes(w, codes, n_frames, err); /* before a byte of the chunk is written */
    if (status == ECDC_OK && scale) {
        uint32_t bits;
        memcpy(&bits, scale, sizeof bits);
        const unsigned char bytes[4] = {(unsigned char)(bits >> 24), (unsigned char)(bits >> 16), (unsigned char)(bits >> 8),
                                        (unsigned char)bits};
        status = output_write(w->o, bytes, sizeof bytes, err);
    }
    if (status == ECDC_OK)
        status = container_write(w, codes, n_frames, err);
    return status == ECDC_OK ? flush_bits(w, err) : status;
}

ecdc_status container_finish(struct container_writer *w, int64_t samples, ecdc_error *err) {
    unsigned char bytes[HEADER_MAX];
    size_t n;
    w->header.samples = samples;
    ecdc_status status = format_header(output_name(w->o), &w->header, bytes, &n, err);
    if (status == ECDC_OK)
        status = flush_bits(w, err);
    if (status == ECDC_OK && n != w->header_bytes)
        status = output_shift(w->o, w->header_bytes, (int64_t)n - (int64_t)w->header_bytes, err);
    if (status == ECDC_OK)
        status = output_write_at(w->o, 0, bytes, n, err);
    w->header_bytes = n;
    return status;
}

void container_writer_free(struct container_writer *w) {
    free(w);
}

/* ----------------------------------------------------------------------------------------- header, read --- */

struct container_reader {
    struct input in;
    struct container_header header;
    uint64_t codes;     /* where they begin in the file */
    int bits;           /* 0 until container_begin */
    int64_t frames, n_read;
    struct container_chunks chunks; /* samples 0: there are none */
    int64_t n_chunks_read;
    uint64_t pending;
    int n_pending;
    size_t n_block, block_at;
    uint64_t bytes_left; /* of the codes, not yet in the block */
    int64_t surplus;     /* bytes behind the codes; below 0: what they lack */
    unsigned char block[BLOCK_BYTES];
};

/* The only value with this key. Duplicates are refused because cJSON would take the first and Python the last. */
static ecdc_status find_field(const char *path, const cJSON *json, const char *key, const cJSON **found,
                              ecdc_error *err) {
    *found = NULL;
    for (const cJSON *item = json->child; item; item = item->next) {
        if (!item->string || strcmp(item->string, key) != 0)
            continue;
        if (*found)
            return ecdc_fail(err, ECDC_E_FORMAT, "%s: \"%s\" occurs twice in the header", path, key);
        *found = item;
    }
    return ECDC_OK;
}

static ecdc_status read_integer(const char *path, const cJSON *json, const char *key, int64_t low, int64_t high,
                                int64_t *value, ecdc_error *err) {
    const cJSON *item;
    ecdc_status status = find_field(path, json, key, &item, err);
    if (status != ECDC_OK)
        return status;
    if (!cJSON_IsNumber(item))
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: \"%s\" in the header is missing or not a number", path, key);
    double number = item->valuedouble;
    /* The range first: converting a double outside int64_t is undefined. */
    if (!(number >= (double)low && number <= (double)high) || (double)(int64_t)number != number)
        return ecdc_fail(err, ECDC_E_FORMAT,
                         "%s: \"%s\" in the header is %.17g, not an integer in %" PRId64 " ... %" PRId64, path, key,
                         number, low, high);
    *value = (int64_t)number;
    return ECDC_OK;
}

static ecdc_status read_fields(const char *path, const cJSON *json, struct container_header *h, ecdc_error *err) {
    const cJSON *model, *sha, *lm;
    int64_t codebooks = 0;
    ecdc_status status;
    if ((status = find_field(path, json, "m", &model, err)) != ECDC_OK ||
        (status = find_field(path, json, "sha", &sha, err)) != ECDC_OK ||
        (status = find_field(path, json, "lm", &lm, err)) != ECDC_OK)
        return status;
    if (!cJSON_IsString(model) || model->valuestring[0] == '\0' || strlen(model->valuestring) >= sizeof h->model)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: \"m\" in the header is not a model's name", path);
    if (sha && (!cJSON_IsString(sha) || !is_sha(sha->valuestring)))
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: \"sha\" in the header is not 16 hexadecimal digits", path);
    if (!cJSON_IsBool(lm))
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: \"lm\" in the header is missing or not true or false", path);
    if ((status = read_integer(path, json, "al", 0, samples_max, &h->samples, err)) != ECDC_OK ||
        (status = read_integer(path, json, "nc", 1, CONTAINER_MAX_CODEBOOKS, &codebooks, err)) != ECDC_OK)
        return status;
    strcpy(h->model, model->valuestring);
    strcpy(h->sha, sha ? sha->valuestring : "");
    h->codebooks = (int)codebooks;
    h->lm = cJSON_IsTrue(lm);
    if (h->lm)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED,
                         "%s: was entropy coded with a language model (\"lm\": true), which only the reference tool "
                         "decodes; encode the sound again without its --lm option", path);
    return ECDC_OK;
}

static ecdc_status parse_json(struct container_reader *r, const char *text, size_t n, ecdc_error *err) {
    const char *path = r->in.path;
    /* An escaped NUL would end a C string early and hide the rest of a name. */
    if (memchr(text, '\0', n) || memmem(text, n, "\\u0000", 6))
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: the header has a NUL character", path);
    const char *end = NULL;
    errno = 0;
    cJSON *json = cJSON_ParseWithLengthOpts(text, n, &end, false);
    size_t rest = json ? n - (size_t)(end - text) : 0;
    ecdc_status status;
    if (!json && errno == ENOMEM) /* cJSON does not say why there is none, malloc does */
        status = ecdc_fail_memory(err, path);
    else if (!cJSON_IsObject(json) || strspn(end, " \t\r\n") < rest) /* text[n] is 0 */
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: the header is not a JSON object", path);
    else
        status = read_fields(path, json, &r->header, err);
    cJSON_Delete(json);
    return status;
}

static ecdc_status read_header(struct container_reader *r, ecdc_error *err) {
    const char *path = r->in.path;
    unsigned char start[PREFIX_BYTES];
    if (r->in.size < PREFIX_BYTES)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: not an .ecdc file (it has only %" PRIu64 " bytes)", path, r->in.size);
    ecdc_status status = input_read(&r->in, start, sizeof start, err);
    if (status != ECDC_OK)
        return status;
    if (memcmp(start, "ECDC", 4) != 0)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: not an .ecdc file (it does not start with ECDC)", path);
    if (start[4] != 0)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: version %d of .ecdc is unknown, only version 0 is read", path,
                         start[4]);
    uint32_t n = (uint32_t)start[5] << 24 | (uint32_t)start[6] << 16 | (uint32_t)start[7] << 8 | start[8];
    if (n > r->in.size - r->in.read)
        return ecdc_fail(err, ECDC_E_FORMAT,
                         "%s: is cut off: the header claims %" PRIu32 " bytes, the file has %" PRIu64, path, n,
                         r->in.size - r->in.read);
    if (n > JSON_MAX)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: a header of %" PRIu32 " bytes is too long", path, n);
    char *text = ecdc_alloc_zeros((size_t)n + 1, 1);
    if (!text)
        return ecdc_fail_memory(err, "an .ecdc header");
    status = input_read(&r->in, text, n, err);
    if (status == ECDC_OK)
        status = parse_json(r, text, n, err);
    free(text);
    return status;
}

ecdc_status container_open(const char *path, struct container_reader **out, ecdc_error *err) {
    struct input in;
    ecdc_status status = input_open(&in, path, err);
    return status == ECDC_OK ? container_open_input(in, out, err) : status;
}

ecdc_status container_open_input(struct input in, struct container_reader **out, ecdc_error *err) {
    struct container_reader *r = ecdc_alloc_zeros(1, sizeof *r);
    if (!r) {
        input_close(&in);
        return ecdc_fail_memory(err, "an .ecdc reader");
    }
    r->in = in;
    ecdc_status status = read_header(r, err);
    r->codes = r->in.read;
    if (status != ECDC_OK) {
        container_close(r);
        return status;
    }
    *out = r;
    return ECDC_OK;
}

const struct container_header *container_header_of(const struct container_reader *r) {
    return &r->header;
}

/* --------------------------------------------------------------------------------------------- reading --- */

/* Back to the first byte of the codes. */
static ecdc_status begin(struct container_reader *r, int bits_per_code, uint64_t bytes, ecdc_error *err) {
    r->bits = bits_per_code;
    r->bytes_left = bytes;
    r->n_read = 0;
    r->n_block = r->block_at = 0;
    r->pending = 0;
    r->n_pending = 0;
    return input_seek(&r->in, r->codes, err);
}

/* A file has less than 2^63 bytes; the claim may be anything. */
static int64_t surplus_of(uint64_t claimed, uint64_t present) {
    if (claimed > present)
        return claimed - present > INT64_MAX ? INT64_MIN : -(int64_t)(claimed - present);
    return (int64_t)(present - claimed);
}

int64_t container_surplus(const struct container_reader *r) {
    return r->surplus;
}

ecdc_status container_begin(struct container_reader *r, int bits_per_code, int hop, ecdc_error *err) {
    if (bits_per_code < 1 || bits_per_code > CONTAINER_MAX_BITS || hop < 1)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: codes of %d bits for %d samples", r->in.path, bits_per_code, hop);
    int64_t frames = r->header.samples / hop + (r->header.samples % hop != 0);
    int64_t bits_per_frame = (int64_t)r->header.codebooks * bits_per_code, bits;
    uint64_t present = r->in.size - r->codes;
    bool overflow = __builtin_mul_overflow(frames, bits_per_frame, &bits);
    uint64_t claimed = overflow ? UINT64_MAX : ((uint64_t)bits + 7) / 8;
    r->surplus = surplus_of(claimed, present);
    if (claimed > present) {
        /* present * 8 / bits_per_frame, in parts that cannot overflow */
        uint64_t per_frame = (uint64_t)bits_per_frame;
        uint64_t whole = present / per_frame * 8 + present % per_frame * 8 / per_frame;
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: is cut off after %" PRIu64 " of %" PRId64 " frames", r->in.path,
                         whole, frames);
    }
    if (claimed < present)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: %" PRIu64 " bytes too many follow the %" PRId64 " frames", r->in.path,
                         present - claimed, frames);
    r->frames = frames;
    r->chunks.samples = 0;
    return begin(r, bits_per_code, claimed, err);
}

/* Frames of a chunk of n samples. */
static int64_t frames_of(const struct container_chunks *chunks, int64_t n) {
    n = n < chunks->samples ? n : chunks->samples;
    return n / chunks->hop + (n % chunks->hop != 0);
}

static uint64_t chunk_bytes(const struct container_reader *r, const struct container_chunks *chunks, int64_t n) {
    uint64_t bits = (uint64_t)frames_of(chunks, n) * (uint64_t)r->header.codebooks * (uint64_t)chunks->bits_per_code;
    return (chunks->scales ? 4 : 0) + (bits + 7) / 8;
}

ecdc_status container_begin_chunks(struct container_reader *r, const struct container_chunks *chunks, ecdc_error *err) {
    if (chunks->bits_per_code < 1 || chunks->bits_per_code > CONTAINER_MAX_BITS || chunks->hop < 1 || chunks->stride < 1 ||
        chunks->samples < chunks->stride || chunks->samples > INT32_MAX)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: codes of %d bits for %d samples in such chunks", r->in.path,
                         chunks->bits_per_code, chunks->hop);
    int64_t samples = r->header.samples, n = samples / chunks->stride + (samples % chunks->stride != 0);
    int64_t whole = samples < chunks->samples ? 0 : (samples - chunks->samples) / chunks->stride + 1;
    uint64_t claimed, present = r->in.size - r->codes;
    bool overflow = __builtin_mul_overflow((uint64_t)whole, chunk_bytes(r, chunks, chunks->samples), &claimed);
    for (int64_t k = whole; k < n; k++) /* those that the signal's end cuts */
        overflow = overflow || __builtin_add_overflow(claimed, chunk_bytes(r, chunks, samples - k * chunks->stride), &claimed);
    r->surplus = surplus_of(overflow ? UINT64_MAX : claimed, present);
    if (overflow || claimed > present)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: is cut off: %" PRId64 " chunks take %" PRIu64 " bytes, the file has %" PRIu64,
                         r->in.path, n, overflow ? UINT64_MAX : claimed, present);
    if (claimed < present)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: %" PRIu64 " bytes too many follow the %" PRId64 " chunks", r->in.path,
                         present - claimed, n);
    r->chunks = *chunks;
    r->n_chunks_read = 0;
    return begin(r, chunks->bits_per_code, claimed, err);
}

static ecdc_status next_byte(struct container_reader *r, unsigned char *byte, ecdc_error *err) {
    if (r->block_at == r->n_block) {
        r->n_block = r->bytes_left < BLOCK_BYTES ? (size_t)r->bytes_left : BLOCK_BYTES;
        r->block_at = 0;
        ecdc_status status = input_read(&r->in, r->block, r->n_block, err);
        if (status != ECDC_OK) {
            r->n_block = 0;
            return status;
        }
        r->bytes_left -= r->n_block;
    }
    *byte = r->block[r->block_at++];
    return ECDC_OK;
}

static ecdc_status next_code(struct container_reader *r, int32_t *code, ecdc_error *err) {
    while (r->n_pending < r->bits) {
        unsigned char byte;
        ecdc_status status = next_byte(r, &byte, err);
        if (status != ECDC_OK)
            return status;
        r->pending |= (uint64_t)byte << r->n_pending;
        r->n_pending += 8;
    }
    *code = (int32_t)(r->pending & ((UINT64_C(1) << r->bits) - 1));
    r->pending >>= r->bits;
    r->n_pending -= r->bits;
    return ECDC_OK;
}

ecdc_status container_read(struct container_reader *r, int32_t *codes, size_t max_frames, size_t *n_read,
                           ecdc_error *err) {
    if (r->bits == 0 || r->chunks.samples > 0)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: container_begin comes first", r->in.path);
    size_t n = (uint64_t)(r->frames - r->n_read) < max_frames ? (size_t)(r->frames - r->n_read) : max_frames;
    size_t n_codes = n * (size_t)r->header.codebooks;
    for (size_t i = 0; i < n_codes; i++) {
        ecdc_status status = next_code(r, &codes[i], err);
        if (status != ECDC_OK)
            return status;
    }
    r->n_read += (int64_t)n;
    *n_read = n;
    return ECDC_OK;
}

ecdc_status container_read_chunk(struct container_reader *r, int32_t *codes, size_t *n_frames, float *scale, ecdc_error *err) {
    const struct container_chunks *chunks = &r->chunks;
    if (r->bits == 0 || chunks->samples == 0)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: container_begin_chunks comes first", r->in.path);
    int64_t left = r->header.samples - r->n_chunks_read * chunks->stride;
    size_t n = left > 0 ? (size_t)frames_of(chunks, left) : 0;
    float found = 1;
    ecdc_status status = ECDC_OK;
    if (n > 0 && chunks->scales) {
        uint32_t bits = 0;
        unsigned char byte = 0;
        for (int i = 0; status == ECDC_OK && i < 4; i++) {
            status = next_byte(r, &byte, err);
            bits = bits << 8 | byte;
        }
        memcpy(&found, &bits, sizeof found);
    }
    for (size_t i = 0; status == ECDC_OK && i < n * (size_t)r->header.codebooks; i++)
        status = next_code(r, &codes[i], err);
    if (status != ECDC_OK)
        return status;
    r->pending = 0; /* the chunk's last byte is filled up */
    r->n_pending = 0;
    r->n_chunks_read += n > 0;
    *n_frames = n;
    *scale = found;
    return ECDC_OK;
}

void container_close(struct container_reader *r) {
    if (!r)
        return;
    input_close(&r->in);
    free(r);
}
