/* The .npz file of a model with chunks, as numpy.savez would write it (stored entries): codes int64 (chunks, codebooks, frames),
 * a shorter chunk filled up with zeros; scales float32 (chunks,); audio_length int64 (), samples per channel. */
#ifndef ECDC_MEDIA_NPZ_H
#define ECDC_MEDIA_NPZ_H

#include "media/output.h"

struct npz_writer;
/* Writes as chunks come; the output must be empty and `patched`, and stays the caller's, who commits it after npz_finish.
 * Memory grows by the scales alone, 4 bytes per chunk. ECDC_E_MEMORY, ECDC_E_IO. */
ecdc_status npz_write_open(struct output *o, int codebooks, int chunk_frames, struct npz_writer **out, ecdc_error *err);
/* codes[frame * codebooks + codebook], 1 ... chunk_frames frames. ECDC_E_UNSUPPORTED beyond 4 GiB, zip's limit. */
ecdc_status npz_write_chunk(struct npz_writer *w, const int32_t *codes, size_t n_frames, float scale, ecdc_error *err);
/* The other arrays and the archive's directory. */
ecdc_status npz_finish(struct npz_writer *w, int64_t audio_length, ecdc_error *err);
void npz_writer_free(struct npz_writer *w);

struct npz_header {
    int64_t chunks;
    int codebooks, frames; /* of the array */
    int64_t audio_length;
};

struct npz_reader;
/* Any integers and floats, compressed or not; codes may have PyTorch's axis for the batch, (chunks, 1, codebooks, frames), and
 * the scales more axes than one. Checks that the arrays are there and fit together; what they claim allocates nothing.
 * ECDC_E_FORMAT, ECDC_E_UNSUPPORTED, ECDC_E_IO, ECDC_E_MEMORY. */
ecdc_status npz_open(const char *path, struct npz_reader **out, ecdc_error *err);
const struct npz_header *npz_header_of(const struct npz_reader *r);
/* The next chunk: codes[codebook * frames + frame], of which the caller knows how many frames are real; chunks in order,
 * ECDC_E_FORMAT after the last one. */
ecdc_status npz_read_chunk(struct npz_reader *r, int64_t *codes, float *scale, ecdc_error *err);
/* Back to the first chunk. */
ecdc_status npz_rewind(struct npz_reader *r, ecdc_error *err);
void npz_close(struct npz_reader *r);

#endif
