/* What the fuzzers share. An input is four bytes of instructions, then the file that a reader gets:
 *     bytes 0, 1   which of the program's allocations fails, little-endian, counted from 1; 0: none
 *     bytes 2, 3   what the fuzzer does with the file (each fuzz_NAME.c says what), little-endian */
#ifndef ECDC_FUZZ_FUZZ_H
#define ECDC_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ecdc.h"

enum {
    FUZZ_INSTRUCTIONS = 4,
    FUZZ_MAX_FILE = 1 << 17, /* the longest that fuzz/run lets libFuzzer make */
};

struct fuzz_input {
    const uint8_t *file;
    size_t n;
    unsigned choice;
};

/* What libFuzzer calls. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Between these two an allocation fails, if the input asks for it. False: no input. */
bool fuzz_begin(const uint8_t *bytes, size_t n, struct fuzz_input *input);
void fuzz_end(void);

/* What a function returned: a failure has a sentence, and its status. True: it succeeded. */
bool fuzz_check(ecdc_status status, const ecdc_error *err);
/* Ends the process: something that must not be. */
_Noreturn void fuzz_broken(const char *what);

/* The file under a name: one without a directory (the next call writes over it), or one of an own, empty directory, which goes with
 * the process. */
const char *fuzz_path(const struct fuzz_input *input);
const char *fuzz_directory(void);
void fuzz_write(const char *path, const void *bytes, size_t n);
const char *fuzz_save(const struct fuzz_input *input, const char *name); /* in the directory; valid until the next call */

/* The file as a checkpoint of EnCodec, whose config is told from its tensors; the name decides the format. */
void fuzz_use_checkpoint(const struct fuzz_input *input, const char *name);
/* Opens weights, with the config of a small model beside them, and encodes and decodes with them. */
void fuzz_use_model(const char *path);

/* ---- mutate.c, repair.c, repair_archive.c: how an input becomes another one. */

/* Of each fuzz_NAME.c: changes a file so that what it says of itself holds again, most times: lengths, checksums. Returns its new
 * length, at most `max`. NULL: libFuzzer's own changes will do. */
typedef size_t fuzz_structure(uint8_t *file, size_t n, size_t max, unsigned choice, uint32_t *seed);
extern fuzz_structure *const fuzz_structure_of_target;

fuzz_structure fuzz_structure_ecdc, fuzz_structure_npy, fuzz_structure_safetensors, fuzz_structure_nifti, fuzz_structure_npz,
    fuzz_structure_th;

uint32_t fuzz_random(uint32_t *seed);                       /* xorshift */
uint64_t fuzz_number(uint32_t *seed);                       /* one that is likely to matter: 0, 1, 255, 2^31 - 1 ... */
size_t fuzz_mutate_part(uint8_t *part, size_t n, size_t max); /* libFuzzer's changes */
/* Puts another part in place of file[at ... at + n_old]; returns the file's new length, `n` where it would be longer than max. */
size_t fuzz_replace(uint8_t *file, size_t n, size_t max, size_t at, size_t n_old, const void *part, size_t n_part);

/* The shapes that fuzz_ecdc.c reads codes in, by the input's choice. */
struct fuzz_codes {
    int bits, hop;
    int64_t samples, stride; /* of a chunk; 0: none */
    bool scales;
};
struct fuzz_codes fuzz_codes_of(unsigned choice);

#endif
