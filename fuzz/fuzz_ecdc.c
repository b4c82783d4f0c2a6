/* Files of codes. The choice's low three bits pick bits per code, hop and chunks (fuzz_codes_of). */
#include "fuzz.h"
#include "media/container.h"

fuzz_structure *const fuzz_structure_of_target = fuzz_structure_ecdc;

enum { FRAMES = 160 }; /* a whole chunk of any choice, and more */

static ecdc_status begin(struct container_reader *r, const struct fuzz_codes *f, ecdc_error *err) {
    if (!f->stride)
        return container_begin(r, f->bits, f->hop, err);
    const struct container_chunks chunks = {f->bits, f->hop, f->samples, f->stride, f->scales};
    return container_begin_chunks(r, &chunks, err);
}

/* To the end; the number of frames, or -1. */
static int64_t read_all(struct container_reader *r, const struct fuzz_codes *f) {
    static int32_t codes[CONTAINER_MAX_CODEBOOKS * FRAMES];
    int codebooks = container_header_of(r)->codebooks;
    int64_t frames = 0;
    ecdc_error err;
    for (size_t n = 1; n > 0; frames += (int64_t)n) {
        float scale;
        if (!fuzz_check(f->stride ? container_read_chunk(r, codes, &n, &scale, &err) : container_read(r, codes, 7, &n, &err), &err))
            return -1;
        for (size_t i = 0; i < n * (size_t)codebooks; i++)
            if (codes[i] < 0 || codes[i] >> f->bits != 0)
                fuzz_broken("a code of more bits than it has");
    }
    return frames;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct fuzz_input input;
    struct container_reader *r;
    ecdc_error err;
    if (!fuzz_begin(bytes, n, &input))
        return 0;
    struct fuzz_codes format = fuzz_codes_of(input.choice);
    if (fuzz_check(container_open(fuzz_path(&input), &r, &err), &err)) {
        if (fuzz_check(begin(r, &format, &err), &err)) {
            int64_t frames = read_all(r, &format), samples = container_header_of(r)->samples;
            if (!format.stride && frames >= 0 && frames != (samples + format.hop - 1) / format.hop)
                fuzz_broken("not as many frames as the header says");
            if (fuzz_check(begin(r, &format, &err), &err) && read_all(r, &format) != frames)
                fuzz_broken("the second time has other frames than the first");
        }
        container_close(r);
    }
    fuzz_end();
    return 0;
}
