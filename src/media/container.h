/* The .ecdc file of facebookresearch/encodec (compress.py, binary.py), version 0, without language model:
 * big-endian "4s B I": "ECDC", 0, length of a JSON text; the JSON; then the codes of every frame, 10 bits each (log2 of
 * the codebook size), least significant bit first, the codebooks of one frame together, padded to a byte at the end.
 * Models with chunks: for each chunk its scale as a big-endian float32, where the model normalises, and its codes, padded to
 * a byte. */
#ifndef ECDC_MEDIA_CONTAINER_H
#define ECDC_MEDIA_CONTAINER_H

#include "media/input.h"
#include "media/output.h"

enum { CONTAINER_MAX_CODEBOOKS = 256, CONTAINER_MAX_BITS = 24 };

struct container_header {
    char model[128];    /* "m", UTF-8 */
    char sha[17];       /* "sha": 16 hex digits of the weights' SHA-256; "" for the published models */
    int64_t samples;    /* "al": audio length in samples, 0 ... 2^53 */
    int codebooks;      /* "nc": 1 ... CONTAINER_MAX_CODEBOOKS */
    bool lm;            /* "lm": entropy coded with a language model: neither read nor written */
};

struct container_writer;
/* The header is written with `samples` as given (a guess will do); container_finish writes the final number and, where
 * that has more or fewer digits, shifts the codes (output_shift): the bytes are always those that the reference's tool
 * writes. The output must be empty and `patched`, and stays the caller's, who commits it after container_finish. */
ecdc_status container_write_open(struct output *o, const struct container_header *header, int bits_per_code,
                                 struct container_writer **out, ecdc_error *err);
/* ECDC_E_ARGUMENT where a code does not fit its bits (named with frame and codebook): then nothing was written. */
ecdc_status container_write(struct container_writer *w, const int32_t *codes, size_t n_frames, ecdc_error *err);
/* One chunk: the scale, unless it is NULL, and all its frames. */
ecdc_status container_write_chunk(struct container_writer *w, const int32_t *codes, size_t n_frames, const float *scale,
                                  ecdc_error *err);
/* Writes the last bits and the final sample count. */
ecdc_status container_finish(struct container_writer *w, int64_t samples, ecdc_error *err);
void container_writer_free(struct container_writer *w);

struct container_reader;
/* Reads and checks the header: magic, version (others named), JSON (bounded), fields and their ranges; keys beside the
 * five are ignored, as the reference does. Does not look for the model. `lm: true` is ECDC_E_UNSUPPORTED with a message
 * that says what to do. The path is a file, or "-", standard input (input.h). */
ecdc_status container_open(const char *path, struct container_reader **out, ecdc_error *err);
/* The same for an input that is open, at its start; takes it in any case. */
ecdc_status container_open_input(struct input in, struct container_reader **out, ecdc_error *err);
const struct container_header *container_header_of(const struct container_reader *r);
/* Once the model is known: bits per code and samples per frame. Checks that the file is exactly as long as the header's
 * claim (ECDC_E_FORMAT: cut after N of M frames / N bytes too many). Before the first read; again to
 * begin anew. */
ecdc_status container_begin(struct container_reader *r, int bits_per_code, int hop, ecdc_error *err);
/* By how many bytes the file is longer than the header's claim, as the last call that began found it; below 0: shorter. */
int64_t container_surplus(const struct container_reader *r);
/* Up to max_frames frames, codes[frame * codebooks + codebook]; *n_read 0 at the end. */
ecdc_status container_read(struct container_reader *r, int32_t *codes, size_t max_frames, size_t *n_read,
                           ecdc_error *err);

/* The same for a model with chunks. */
struct container_chunks {
    int bits_per_code, hop;
    int64_t samples, stride; /* of a chunk; from one to the next, at most `samples` */
    bool scales;
};
ecdc_status container_begin_chunks(struct container_reader *r, const struct container_chunks *chunks, ecdc_error *err);
/* The next chunk, room for a whole one; *n_frames 0 at the end. The scale is 1 where the file has none. */
ecdc_status container_read_chunk(struct container_reader *r, int32_t *codes, size_t *n_frames, float *scale, ecdc_error *err);
void container_close(struct container_reader *r);

#endif
