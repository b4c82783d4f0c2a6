/* Archives of numpy. Choice, bit 0: the archive by itself, entry by entry, else as codes with scales. */
#include <stdlib.h>

#include "base/archive.h"
#include "fuzz.h"
#include "media/npz.h"

fuzz_structure *const fuzz_structure_of_target = fuzz_structure_npz;

enum { MAX_CHUNK = 1 << 20, MAX_ENTRY = 1 << 22 };

static void read_codes(const char *path) {
    struct npz_reader *r;
    ecdc_error err;
    if (!fuzz_check(npz_open(path, &r, &err), &err))
        return;
    const struct npz_header *h = npz_header_of(r);
    size_t items = (size_t)h->codebooks * (size_t)h->frames;
    int64_t *codes = items <= MAX_CHUNK ? malloc(items * sizeof *codes) : NULL;
    for (int time = 0; codes && time < 2; time++) {
        float scale;
        bool good = true;
        for (int64_t i = 0; good && i < h->chunks && i < 64; i++)
            good = fuzz_check(npz_read_chunk(r, codes, &scale, &err), &err);
        if (good && h->chunks < 64 && npz_read_chunk(r, codes, &scale, &err) == ECDC_OK)
            fuzz_broken("a chunk behind the last one");
        if (!fuzz_check(npz_rewind(r, &err), &err))
            break;
    }
    free(codes);
    npz_close(r);
}

static void read_archive(const struct fuzz_input *input) {
    struct archive *a;
    ecdc_error err;
    if (!fuzz_check(input->choice & 2 ? archive_open(fuzz_path(input), &a, &err)
                                      : archive_open_bytes("x.npz", input->file, input->n, &a, &err), &err))
        return;
    for (size_t i = 0; i < archive_count(a); i++) {
        void *bytes;
        size_t n, found;
        const struct archive_entry e = archive_entry_at(a, i);
        if (!archive_find(a, e.name, &found) || found != i)
            fuzz_broken("an entry that is not found by its name");
        if (fuzz_check(archive_read(a, i, MAX_ENTRY, &bytes, &n, &err), &err)) {
            if (n != e.size)
                fuzz_broken("an entry of another size");
            free(bytes);
        }
    }
    archive_close(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct fuzz_input input;
    if (!fuzz_begin(bytes, n, &input))
        return 0;
    if (input.choice & 1)
        read_archive(&input);
    else
        read_codes(fuzz_path(&input));
    fuzz_end();
    return 0;
}
