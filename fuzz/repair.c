/* Changes to one part of a file, after which its lengths fit again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "fuzz.h"

static uint64_t get(const uint8_t *at, size_t n, bool big_endian) {
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++)
        bits = bits << 8 | at[big_endian ? i : n - 1 - i];
    return bits;
}

static void put(uint8_t *at, uint64_t bits, size_t n, bool big_endian) {
    for (size_t i = 0; i < n; i++)
        at[big_endian ? n - 1 - i : i] = (uint8_t)(bits >> 8 * i);
}

/* The file from `at` on gets this length, with zeros where it grows. */
static size_t resize(uint8_t *file, size_t n, size_t max, size_t at, uint64_t length) {
    if (at > n || length > max - at)
        return n;
    if (at + length > n)
        memset(file + n, 0, at + (size_t)length - n);
    return at + (size_t)length;
}

/* A part in the middle, changed by libFuzzer; its new length in *n_part. */
static size_t mutate_inside(uint8_t *file, size_t n, size_t max, size_t at, size_t *n_part) {
    static uint8_t part[FUZZ_MAX_FILE];
    size_t n_old = *n_part, room = max - (n - n_old) < sizeof part ? max - (n - n_old) : sizeof part;
    if (n_old > room)
        return n;
    memcpy(part, file + at, n_old);
    size_t n_new = fuzz_mutate_part(part, n_old, room);
    *n_part = n_new;
    return fuzz_replace(file, n, max, at, n_old, part, n_new);
}

/* One of the decimal numbers in a text becomes another one. */
static size_t change_number(uint8_t *file, size_t n, size_t max, size_t at, size_t *n_part, uint32_t *seed) {
    size_t found = 0, begin = 0, end = 0;
    for (size_t i = at; i < at + *n_part; i++) {
        bool digit = file[i] >= '0' && file[i] <= '9';
        if (!digit || (i > at && file[i - 1] >= '0' && file[i - 1] <= '9'))
            continue;
        if (fuzz_random(seed) % ++found == 0)
            for (begin = end = i; end < at + *n_part && file[end] >= '0' && file[end] <= '9';)
                end++;
    }
    char text[24];
    size_t n_text = (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)fuzz_number(seed));
    if (found == 0 || n - (end - begin) + n_text > max)
        return n;
    *n_part += n_text - (end - begin);
    return fuzz_replace(file, n, max, begin, end - begin, text, n_text);
}

static size_t change_text(uint8_t *file, size_t n, size_t max, size_t at, size_t *n_part, uint32_t *seed) {
    return fuzz_random(seed) % 2 ? change_number(file, n, max, at, n_part, seed) : mutate_inside(file, n, max, at, n_part);
}

/* The number behind a word in a text of n bytes; -1: there is none. */
static int64_t number_behind(const uint8_t *text, size_t n, const char *word) {
    const uint8_t *at = memmem(text, n, word, strlen(word)), *end = text + n;
    if (!at)
        return -1;
    at += strlen(word);
    while (at < end && (*at == ' ' || *at == ':'))
        at++;
    int64_t number = at < end && *at >= '0' && *at <= '9' ? 0 : -1;
    for (; at < end && *at >= '0' && *at <= '9' && number < INT64_MAX / 16; at++)
        number = number * 10 + *at - '0';
    return number;
}

/* ----------------------------------------------------------------------------------------------- .ecdc --- */

struct fuzz_codes fuzz_codes_of(unsigned choice) {
    static const struct fuzz_codes known[] = {
        {10, 320, 0, 0, false}, {10, 320, 48000, 47520, true}, {1, 1, 0, 0, false}, {24, 7, 0, 0, false},
        {3, 2, 16, 12, true},   {10, 4, 16, 16, false},        {11, 3, 10, 1, true}, {7, 5, 1, 1, false},
    };
    return known[choice % 8];
}

/* As long as the header says, or 1 << 30. */
static uint64_t bytes_of_codes(const struct fuzz_codes *f, int64_t samples, int64_t codebooks) {
    const uint64_t too_long = 1 << 30;
    if (samples < 0 || codebooks < 1 || codebooks > 256 || samples > 1 << 22)
        return too_long;
    uint64_t bytes = 0;
    int64_t stride = f->stride ? f->stride : samples, whole = f->stride ? f->samples : samples;
    for (int64_t at = 0; at < samples && bytes < too_long; at += stride) {
        int64_t length = samples - at < whole ? samples - at : whole, frames = (length + f->hop - 1) / f->hop;
        bytes += (f->scales ? 4 : 0) + ((uint64_t)frames * (uint64_t)codebooks * (uint64_t)f->bits + 7) / 8;
    }
    return bytes;
}

size_t fuzz_structure_ecdc(uint8_t *file, size_t n, size_t max, unsigned choice, uint32_t *seed) {
    enum { PREFIX = 9 };
    size_t n_text = n >= PREFIX ? (size_t)get(file + 5, 4, true) : 0;
    if (n < PREFIX || n_text > n - PREFIX)
        return fuzz_mutate_part(file, n, max);
    if (fuzz_random(seed) % 4 != 0)
        n = change_text(file, n, max, PREFIX, &n_text, seed);
    put(file + 5, n_text, 4, true);
    size_t codes = PREFIX + n_text;
    struct fuzz_codes format = fuzz_codes_of(choice);
    if (fuzz_random(seed) % 4 != 0)
        n = resize(file, n, max, codes, bytes_of_codes(&format, number_behind(file + PREFIX, n_text, "\"al\""),
                                                       number_behind(file + PREFIX, n_text, "\"nc\"")));
    for (uint32_t i = fuzz_random(seed) % 4; i > 0 && n > codes; i--)
        file[codes + fuzz_random(seed) % (n - codes)] = (uint8_t)fuzz_random(seed);
    return n;
}

/* ------------------------------------------------------------------------------------------------ .npy --- */

static uint64_t bytes_of_array(const uint8_t *text, size_t n) {
    const uint64_t too_long = 1 << 30;
    const char *const types[] = {"<i2", "<i4", "<i8", "<f4", "<f8"};
    static const uint64_t sizes[] = {2, 4, 8, 4, 8};
    uint64_t bytes = 0;
    for (int i = 0; i < 5; i++)
        if (memmem(text, n, types[i], 3))
            bytes = sizes[i];
    const uint8_t *at = memmem(text, n, "(", 1), *end = text + n;
    while (at && at < end && *at != ')' && bytes < too_long) {
        uint64_t number = 0;
        bool some = false;
        for (; at < end && *at >= '0' && *at <= '9' && number < too_long; at++, some = true)
            number = number * 10 + *at - '0';
        if (some)
            bytes *= number;
        else
            at++;
    }
    return bytes < too_long ? bytes : too_long;
}

size_t fuzz_structure_npy(uint8_t *file, size_t n, size_t max, unsigned choice, uint32_t *seed) {
    (void)choice;
    size_t prefix = n > 6 && file[6] > 1 ? 12 : 10, n_text = n >= prefix ? (size_t)get(file + 8, prefix - 8, false) : 0;
    if (n < prefix || n_text > n - prefix)
        return fuzz_mutate_part(file, n, max);
    n = change_text(file, n, max, prefix, &n_text, seed);
    put(file + 8, n_text, prefix - 8, false);
    if (fuzz_random(seed) % 8 != 0)
        n = resize(file, n, max, prefix + n_text, bytes_of_array(file + prefix, n_text));
    return n;
}

/* ---------------------------------------------------------------------------------------- .safetensors --- */

/* A header of its own, in which all offsets are right. */
static size_t make_tensors(uint8_t *file, size_t max, uint32_t *seed) {
    static const char *const names[] = {"a", "encoder.layers.0.conv.weight_v", "encoder.layers.0.conv.bias", "head_bias",
                                        "quantizer.layers.0.codebook.embed", "decoder.layers.0.conv.weight_g", "embedding", "\xc3\xa9"};
    static const char *const types[] = {"F64", "F32", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3"};
    static const uint64_t sizes[] = {8, 4, 2, 2, 8, 1, 1, 1};
    char text[4096] = "{\"__metadata__\":{\"format\":\"pt\"}";
    size_t used = strlen(text);
    uint64_t begin = 0;
    for (uint32_t i = fuzz_random(seed) % 6, type; i > 0; i--) {
        type = fuzz_random(seed) % 8;
        uint64_t n_bytes = sizes[type];
        used += (size_t)snprintf(text + used, sizeof text - used, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[",
                                 names[fuzz_random(seed) % 8], types[type]);
        for (uint32_t k = 0, rank = fuzz_random(seed) % 5; k < rank; k++) {
            uint32_t extent = fuzz_random(seed) % 5;
            n_bytes *= extent;
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%u", k ? "," : "", (unsigned)extent);
        }
        used += (size_t)snprintf(text + used, sizeof text - used, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)begin,
                                 (unsigned long long)(begin + n_bytes));
        begin += n_bytes;
    }
    used += (size_t)snprintf(text + used, sizeof text - used, "}");
    if (8 + used + begin > max)
        return 0;
    put(file, used, 8, false);
    memcpy(file + 8, text, used);
    memset(file + 8 + used, 0x3c, (size_t)begin);
    return 8 + used + (size_t)begin;
}

size_t fuzz_structure_safetensors(uint8_t *file, size_t n, size_t max, unsigned choice, uint32_t *seed) {
    (void)choice;
    if (fuzz_random(seed) % 16 == 0)
        n = make_tensors(file, max, seed);
    size_t n_text = n >= 8 ? (size_t)get(file, 8, false) : 0;
    if (n < 8 || n_text > n - 8)
        return fuzz_mutate_part(file, n, max);
    n = change_text(file, n, max, 8, &n_text, seed);
    put(file, n_text, 8, false);
    return n;
}

/* ----------------------------------------------------------------------------------------------- NIfTI --- */

struct field {
    short at, size; /* size below 0: a real number */
};

static const struct field fields1[] = {
    {40, 2},   {42, 2},   {44, 2},   {46, 2},   {48, 2},   {50, 2},   {52, 2},   {54, 2},   {70, 2},   {72, 2},
    {76, -4},  {80, -4},  {84, -4},  {88, -4},  {92, -4},  {108, -4}, {112, -4}, {116, -4}, {123, 1},  {252, 2},
    {254, 2},  {256, -4}, {260, -4}, {264, -4}, {268, -4}, {272, -4}, {276, -4}, {280, -4}, {300, -4}, {316, -4}, {344, 4}, {348, 4},
};
static const struct field fields2[] = {
    {12, 2},   {14, 2},   {16, 8},   {24, 8},   {32, 8},   {40, 8},   {48, 8},   {56, 8},   {104, -8}, {112, -8},
    {120, -8}, {136, -8}, {168, 8},  {176, -8}, {184, -8}, {344, 4},  {348, 4},  {352, -8}, {360, -8}, {368, -8},
    {376, -8}, {400, -8}, {440, -8}, {480, -8}, {500, 4},
};

static void change_field(uint8_t *file, const struct field *f, bool big_endian, uint32_t *seed) {
    static const double reals[] = {0, 1, -1, 0.5, 1.5, 2, 352, 544, 1e-45, 1e38, -1e308, __builtin_inf(), __builtin_nan("")};
    static const uint16_t types[] = {2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 1792};
    size_t size = (size_t)abs(f->size);
    uint64_t bits = f->at == 70 || f->at == 12 ? types[fuzz_random(seed) % 14] : fuzz_number(seed);
    if (f->size < 0) {
        double real = reals[fuzz_random(seed) % 13];
        float single = (float)real;
        uint32_t bits32;
        memcpy(&bits32, &single, sizeof bits32);
        memcpy(&bits, &real, sizeof bits);
        bits = size == 4 ? bits32 : bits;
    }
    put(file + f->at, bits, size, big_endian);
}

/* Numbers of all volumes as the header claims, or 1 << 30. */
static uint64_t bytes_of_volumes(const uint8_t *file, bool second, bool big_endian) {
    const uint64_t too_long = 1 << 30;
    uint64_t bytes = get(file + (second ? 14 : 72), 2, big_endian) / 8;
    for (size_t i = 1; i <= 4; i++) {
        uint64_t extent = second ? get(file + 16 + 8 * i, 8, big_endian) : get(file + 40 + 2 * i, 2, big_endian);
        if (extent >= too_long || (bytes *= extent ? extent : 1) >= too_long)
            return too_long;
    }
    return bytes;
}

static size_t change_scan(uint8_t *file, size_t n, size_t max, uint32_t *seed) {
    enum { BYTES1 = 352, BYTES2 = 544 };
    bool big_endian = n > 1 && file[0] == 0, second = n >= BYTES2 && get(file, 4, big_endian) == 540;
    size_t header = second ? BYTES2 : BYTES1, n_fields = second ? sizeof fields2 / sizeof *fields2 : sizeof fields1 / sizeof *fields1;
    if (n < header || fuzz_random(seed) % 4 == 0)
        return fuzz_mutate_part(file, n, max);
    for (uint32_t i = fuzz_random(seed) % 3 + 1; i > 0; i--)
        change_field(file, &(second ? fields2 : fields1)[fuzz_random(seed) % n_fields], big_endian, seed);
    return fuzz_random(seed) % 4 ? resize(file, n, max, header, bytes_of_volumes(file, second, big_endian)) : n;
}

/* gzip is opened for the change and closed again, in one member or in two. */
size_t fuzz_structure_nifti(uint8_t *file, size_t n, size_t max, unsigned choice, uint32_t *seed) {
    (void)choice;
    static uint8_t plain[FUZZ_MAX_FILE];
    bool compressed = n > 2 && file[0] == 0x1f && file[1] == 0x8b;
    if (!compressed)
        return change_scan(file, n, max, seed);
    z_stream z = {.next_in = file, .avail_in = (unsigned)n, .next_out = plain, .avail_out = sizeof plain};
    if (fuzz_random(seed) % 4 == 0 || inflateInit2(&z, 15 + 16) != Z_OK)
        return fuzz_mutate_part(file, n, max);
    int result = inflate(&z, Z_FINISH);
    inflateEnd(&z);
    size_t n_plain = sizeof plain - z.avail_out, at = 0, n_new = 0;
    if (result != Z_STREAM_END || n_plain == 0)
        return fuzz_mutate_part(file, n, max);
    n_plain = change_scan(plain, n_plain, sizeof plain, seed);
    for (uint32_t members = 1 + fuzz_random(seed) % 2; members > 0; members--) {
        size_t piece = members == 1 ? n_plain - at : (n_plain - at) / 2;
        z = (z_stream){.next_in = plain + at, .avail_in = (unsigned)piece, .next_out = file + n_new, .avail_out = (unsigned)(max - n_new)};
        if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
            return n_new;
        deflate(&z, Z_FINISH);
        deflateEnd(&z);
        n_new = max - z.avail_out;
        at += piece;
    }
    return n_new;
}
