/* libFuzzer's call for another input: the instructions first, then the file by the target's own rules or by libFuzzer's. */
#include <string.h>

#include "fuzz.h"

/* The engine's, where there is one. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) __attribute__((weak));
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

uint32_t fuzz_random(uint32_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

uint64_t fuzz_number(uint32_t *seed) {
    static const uint64_t numbers[] = {0, 1, 2, 3, 4, 7, 8, 16, 63, 64, 127, 128, 255, 256, 320, 1000, 1024, 32767, 32768, 65535, 65536,
                                       0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, UINT64_C(1) << 53, INT64_MAX,
                                       UINT64_C(1) << 63, UINT64_MAX};
    uint32_t r = fuzz_random(seed);
    if (r % 3 == 0)
        return fuzz_random(seed) % 40;
    uint64_t number = numbers[r % (sizeof numbers / sizeof *numbers)];
    return r % 5 == 0 ? number - 1 : r % 7 == 0 ? number + 1 : number;
}

size_t fuzz_mutate_part(uint8_t *part, size_t n, size_t max) {
    return LLVMFuzzerMutate && max > 0 ? LLVMFuzzerMutate(part, n < max ? n : max, max) : n;
}

size_t fuzz_replace(uint8_t *file, size_t n, size_t max, size_t at, size_t n_old, const void *part, size_t n_part) {
    if (at > n || n_old > n - at || n - n_old > max || n_part > max - (n - n_old))
        return n;
    memmove(file + at + n_part, file + at + n_old, n - at - n_old);
    if (n_part > 0)
        memcpy(file + at, part, n_part);
    return n - n_old + n_part;
}

/* One input in sixteen has an allocation that fails, mostly an early one. */
static bool mutate_instructions(uint8_t *bytes, uint32_t *seed) {
    uint32_t r = fuzz_random(seed);
    if (r % 8 == 0)
        bytes[2 + r / 8 % 2] = (uint8_t)fuzz_random(seed);
    bytes[0] = bytes[1] = 0;
    if (r / 16 % 16 != 0)
        return false;
    uint32_t nth = 1 + fuzz_random(seed) % (UINT32_C(1) << (2 + r / 256 % 12));
    bytes[0] = (uint8_t)nth;
    bytes[1] = (uint8_t)(nth >> 8);
    return r / 4096 % 2; /* and the file stays as it is */
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
    uint32_t random = seed * 2654435761U + 1;
    if (max_size <= FUZZ_INSTRUCTIONS)
        return size;
    if (size < FUZZ_INSTRUCTIONS) {
        memset(data, 0, FUZZ_INSTRUCTIONS);
        size = FUZZ_INSTRUCTIONS;
    }
    if (random == 0)
        random = 1;
    for (int i = 0; i < 4; i++)
        fuzz_random(&random);
    if (mutate_instructions(data, &random))
        return size;
    uint8_t *file = data + FUZZ_INSTRUCTIONS;
    size_t n = size - FUZZ_INSTRUCTIONS, max = max_size - FUZZ_INSTRUCTIONS;
    unsigned choice = data[2] | (unsigned)data[3] << 8;
    if (fuzz_structure_of_target && fuzz_random(&random) % 4 != 0)
        n = fuzz_structure_of_target(file, n, max, choice, &random);
    else
        n = fuzz_mutate_part(file, n, max);
    return FUZZ_INSTRUCTIONS + n;
}
