/* Changes to one entry of a zip archive, which is then written anew: sizes and checksums hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "fuzz.h"

enum { MAX_ENTRIES = 8 };

struct entry {
    char name[64];
    uint8_t *bytes;
    size_t n;
};

static uint8_t room[MAX_ENTRIES][FUZZ_MAX_FILE];

/* The entries; 0 where libzip does not read it. */
static size_t unpack(const uint8_t *file, size_t n, struct entry *entries) {
    zip_error_t why;
    zip_error_init(&why);
    zip_source_t *source = zip_source_buffer_create(file, n, 0, &why);
    zip_t *zip = source && n > 0 ? zip_open_from_source(source, ZIP_RDONLY, &why) : NULL;
    zip_error_fini(&why);
    if (!zip) {
        zip_source_free(source);
        return 0;
    }
    zip_int64_t total = zip_get_num_entries(zip, 0);
    size_t found = 0;
    for (zip_int64_t i = 0; i < total && found < MAX_ENTRIES; i++) {
        struct entry *e = &entries[found];
        const char *name = zip_get_name(zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
        zip_file_t *f = zip_fopen_index(zip, (zip_uint64_t)i, 0);
        zip_int64_t got = f ? zip_fread(f, room[found], FUZZ_MAX_FILE) : -1;
        if (f)
            zip_fclose(f);
        if (got < 0 || !name)
            continue;
        snprintf(e->name, sizeof e->name, "%s", name);
        e->bytes = room[found++];
        e->n = (size_t)got;
    }
    zip_discard(zip);
    return found;
}

/* Returns the new length; 0 where it does not fit. */
static size_t pack(const struct entry *entries, size_t n_entries, uint8_t *file, size_t max, uint32_t *seed) {
    zip_error_t why;
    zip_error_init(&why);
    zip_source_t *target = zip_source_buffer_create(NULL, 0, 0, &why);
    zip_t *zip = target ? zip_open_from_source(target, ZIP_TRUNCATE, &why) : NULL;
    size_t n = 0;
    zip_error_fini(&why);
    if (!zip) {
        zip_source_free(target);
        return 0;
    }
    zip_source_keep(target);
    bool deflate = fuzz_random(seed) % 4 == 0;
    for (size_t i = 0; i < n_entries; i++) {
        zip_source_t *source = zip_source_buffer(zip, entries[i].bytes, entries[i].n, 0);
        zip_int64_t index = source ? zip_file_add(zip, entries[i].name, source, ZIP_FL_ENC_UTF_8) : -1;
        if (index < 0)
            zip_source_free(source);
        else
            zip_set_file_compression(zip, (zip_uint64_t)index, deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 1);
    }
    zip_stat_t st;
    if (zip_close(zip) != 0)
        zip_discard(zip);
    else if (zip_source_stat(target, &st) == 0 && st.size <= max && zip_source_open(target) == 0) {
        zip_int64_t got = zip_source_read(target, file, st.size);
        n = got > 0 ? (size_t)got : 0;
        zip_source_close(target);
    }
    zip_source_free(target);
    return n;
}

static size_t change_archive(uint8_t *file, size_t n, size_t max, uint32_t *seed, fuzz_structure *change_entry,
                             const char *const *names) {
    struct entry entries[MAX_ENTRIES];
    size_t n_entries = fuzz_random(seed) % 4 ? unpack(file, n, entries) : 0;
    if (n_entries == 0)
        return fuzz_mutate_part(file, n, max);
    struct entry *e = &entries[fuzz_random(seed) % n_entries];
    uint32_t what = fuzz_random(seed) % 16;
    if (what == 0)
        snprintf(e->name, sizeof e->name, "%s", names[fuzz_random(seed) % 4]);
    else if (what == 1)
        *e = entries[--n_entries];
    else
        e->n = change_entry(e->bytes, e->n, FUZZ_MAX_FILE, 0, seed);
    size_t packed = pack(entries, n_entries, file, max, seed);
    return packed ? packed : n;
}

size_t fuzz_structure_npz(uint8_t *file, size_t n, size_t max, unsigned choice, uint32_t *seed) {
    static const char *const names[] = {"codes.npy", "scales.npy", "audio_length.npy", "x/y.npy"};
    (void)choice;
    return change_archive(file, n, max, seed, fuzz_structure_npy, names);
}

/* A pickle by libFuzzer's dictionary; a storage grows or shrinks by its numbers. */
static size_t change_torch_entry(uint8_t *bytes, size_t n, size_t max, unsigned choice, uint32_t *seed) {
    (void)choice, (void)seed;
    return fuzz_mutate_part(bytes, n, max);
}

size_t fuzz_structure_th(uint8_t *file, size_t n, size_t max, unsigned choice, uint32_t *seed) {
    static const char *const names[] = {"archive/data.pkl", "archive/data/0", "archive/byteorder", "b/data.pkl"};
    return choice % 2 ? fuzz_mutate_part(file, n, max) : change_archive(file, n, max, seed, change_torch_entry, names);
}
