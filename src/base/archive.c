#include "base/archive.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zip.h>

#include "base/archive_source.h"
#include "base/file.h"
#include "base/memory.h"

/* Deflate makes at most 258 bytes of two bits. */
static const uint64_t MAX_DEFLATE_RATIO = 1032;
enum { MIN_ENTRY_BYTES = 30 + 46 }; /* the two headers of an entry without a name */

struct entry {
    const char *name;
    uint64_t size, packed_size;
    zip_uint64_t number; /* libzip's */
    int method, encryption;
};

struct archive {
    char *path;
    zip_t *zip;
    struct entry *entries; /* by name */
    size_t n;
    int read_error;        /* errno of a read of the file that failed */
};

/* ------------------------------------------------------------------------------------------- opening --- */

static ecdc_status fail_zip(const struct archive *a, zip_error_t *why, ecdc_error *err) {
    if (a->read_error)
        return ecdc_fail_errno(err, "read", a->path, a->read_error);
    switch (zip_error_code_zip(why)) {
    case ZIP_ER_MEMORY:
        return ecdc_fail_memory(err, a->path);
    case ZIP_ER_NOZIP:
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: not a zip archive, or cut short: it has no directory of entries", a->path);
    default:
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: a broken zip archive: %s", a->path, zip_error_strerror(why));
    }
}

/* What is wrong with an entry, in libzip's words. */
static ecdc_status fail_entry(const struct archive *a, const struct entry *e, const char *why, ecdc_error *err) {
    return a->read_error ? ecdc_fail_errno(err, "read", a->path, a->read_error)
                         : ecdc_fail(err, ECDC_E_FORMAT, "%s: the entry %s is damaged or cut short: %s", a->path, e->name, why);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static ecdc_status read_entry(const struct archive *a, zip_uint64_t number, struct entry *e, ecdc_error *err) {
    const zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD |
                                ZIP_STAT_ENCRYPTION_METHOD;
    zip_stat_t st;
    if (zip_stat_index(a->zip, number, ZIP_FL_ENC_RAW, &st) != 0)
        return fail_zip(a, zip_get_error(a->zip), err);
    if ((st.valid & needed) != needed)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: a broken zip archive: entry %llu has no name, size or method", a->path,
                         (unsigned long long)number);
    *e = (struct entry){st.name, st.size, st.comp_size, number, st.comp_method, st.encryption_method};
    return ECDC_OK;
}

/* Entries that share their bytes are how a small file can hold a large one many times. */
static ecdc_status read_entries(struct archive *a, uint64_t n_bytes, ecdc_error *err) {
    zip_int64_t n = zip_get_num_entries(a->zip, 0);
    uint64_t left = n_bytes;
    if (!(a->entries = ecdc_alloc_array((size_t)n, sizeof *a->entries)))
        return ecdc_fail_memory(err, a->path);
    for (zip_int64_t i = 0; i < n; i++) {
        struct entry *e = &a->entries[a->n];
        ecdc_status status = read_entry(a, (zip_uint64_t)i, e, err);
        if (status)
            return status;
        if (left < MIN_ENTRY_BYTES || e->packed_size > left - MIN_ENTRY_BYTES)
            return ecdc_fail(err, ECDC_E_FORMAT,
                             "%s: a broken zip archive: up to %s, its entries claim more bytes than the file's %llu",
                             a->path, e->name, (unsigned long long)n_bytes);
        left -= e->packed_size + MIN_ENTRY_BYTES;
        a->n++;
    }
    if (a->n > 0)
        qsort(a->entries, a->n, sizeof *a->entries, by_name);
    for (size_t i = 1; i < a->n; i++)
        if (strcmp(a->entries[i - 1].name, a->entries[i].name) == 0)
            return ecdc_fail(err, ECDC_E_FORMAT, "%s: the entry %s is there twice", a->path, a->entries[i].name);
    return ECDC_OK;
}

static struct archive *new_archive(const char *path) {
    struct archive *a = ecdc_alloc_zeros(1, sizeof *a);
    if (a && !(a->path = ecdc_strdup(path))) {
        free(a);
        return NULL;
    }
    return a;
}

/* Takes `source`, which has n_bytes, and `a`, in any case; no source: `why` says why there is none. */
static ecdc_status open_source(struct archive *a, zip_source_t *source, uint64_t n_bytes, zip_error_t *why,
                               struct archive **out, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    if (n_bytes == 0) { /* to libzip an archive without entries */
        zip_source_free(source);
        zip_error_set(why, ZIP_ER_NOZIP, 0);
        status = fail_zip(a, why, err);
    } else if (!source || !(a->zip = zip_open_from_source(source, ZIP_RDONLY, why))) {
        zip_source_free(source); /* zip_open_from_source takes it only when it succeeds */
        status = fail_zip(a, why, err);
    } else {
        status = read_entries(a, n_bytes, err);
    }
    if (status)
        archive_close(a);
    else
        *out = a;
    return status;
}

ecdc_status archive_open_bytes(const char *path, const void *bytes, size_t n, struct archive **out, ecdc_error *err) {
    struct archive *a = new_archive(path);
    if (!a)
        return ecdc_fail_memory(err, path);
    zip_error_t why;
    zip_error_init(&why);
    ecdc_status status = open_source(a, zip_source_buffer_create(bytes, n, 0, &why), n, &why, out, err);
    zip_error_fini(&why);
    return status;
}

ecdc_status archive_open(const char *path, struct archive **out, ecdc_error *err) {
    int fd = -1;
    struct stat st;
    ecdc_status status = file_open_regular(path, &fd, &st, err);
    return status ? status : archive_open_descriptor(path, fd, (uint64_t)st.st_size, out, err);
}

ecdc_status archive_open_descriptor(const char *path, int fd, uint64_t n_bytes, struct archive **out, ecdc_error *err) {
    struct archive *a = new_archive(path);
    if (!a) {
        close(fd);
        return ecdc_fail_memory(err, path);
    }
    zip_error_t why;
    zip_error_init(&why);
    zip_source_t *source = archive_source(fd, n_bytes, &a->read_error, &why);
    if (!source)
        close(fd);
    ecdc_status status = open_source(a, source, n_bytes, &why, out, err);
    zip_error_fini(&why);
    return status;
}

void archive_close(struct archive *a) {
    if (!a)
        return;
    if (a->zip)
        zip_discard(a->zip);
    free(a->entries);
    free(a->path);
    free(a);
}

/* ------------------------------------------------------------------------------------------- entries --- */

size_t archive_count(const struct archive *a) {
    return a->n;
}

struct archive_entry archive_entry_at(const struct archive *a, size_t index) {
    return (struct archive_entry){a->entries[index].name, a->entries[index].size};
}

bool archive_find(const struct archive *a, const char *name, size_t *index) {
    struct entry wanted = {.name = name};
    const struct entry *found = a->n ? bsearch(&wanted, a->entries, a->n, sizeof wanted, by_name) : NULL;
    if (found)
        *index = (size_t)(found - a->entries);
    return found != NULL;
}

/* What can be said before a byte is read. */
static ecdc_status check_entry(const struct archive *a, const struct entry *e, uint64_t max_bytes, ecdc_error *err) {
    if (e->encryption != ZIP_EM_NONE)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: the entry %s is encrypted", a->path, e->name);
    if (e->method != ZIP_CM_STORE && e->method != ZIP_CM_DEFLATE)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED,
                         "%s: the entry %s is compressed with method %d; stored (0) and deflated (8) can be read", a->path,
                         e->name, e->method);
    if (e->size > max_bytes)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: the entry %s has %llu bytes; at most %llu are expected", a->path,
                         e->name, (unsigned long long)e->size, (unsigned long long)max_bytes);
    bool stored = e->method == ZIP_CM_STORE;
    if (stored ? e->size != e->packed_size : e->size / MAX_DEFLATE_RATIO > e->packed_size)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: the entry %s claims %llu bytes, which its %llu %s bytes cannot be",
                         a->path, e->name, (unsigned long long)e->size, (unsigned long long)e->packed_size,
                         stored ? "stored" : "compressed");
    return ECDC_OK;
}

/* Exactly e->size bytes and, if they are the last, then the end, where libzip compares the checksum. */
static ecdc_status read_contents(const struct archive *a, const struct entry *e, zip_file_t *file, unsigned char *out,
                                 bool last, ecdc_error *err) {
    uint64_t done = 0;
    zip_int64_t got = 0;
    while (done < e->size && (got = zip_fread(file, out + done, e->size - done)) > 0)
        done += (uint64_t)got;
    if (got >= 0 && done == e->size && !last)
        return ECDC_OK;
    if (got >= 0 && done == e->size) {
        unsigned char more;
        if ((got = zip_fread(file, &more, 1)) == 0)
            return ECDC_OK;
    }
    if (got > 0)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: the entry %s holds more than the %llu bytes that it claims", a->path,
                         e->name, (unsigned long long)e->size);
    if (got == 0)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: the entry %s ends after %llu of %llu bytes", a->path, e->name,
                         (unsigned long long)done, (unsigned long long)e->size);
    return fail_entry(a, e, zip_file_strerror(file), err);
}

static ecdc_status open_entry(struct archive *a, const struct entry *e, zip_file_t **file, ecdc_error *err) {
    *file = zip_fopen_index(a->zip, e->number, 0);
    return *file ? ECDC_OK : fail_entry(a, e, zip_strerror(a->zip), err);
}

struct archive_stream {
    const struct archive *archive;
    const struct entry *entry;
    zip_file_t *file;
    uint64_t left;
};

ecdc_status archive_stream_open(struct archive *a, size_t index, struct archive_stream **out, ecdc_error *err) {
    const struct entry *e = &a->entries[index];
    ecdc_status status = check_entry(a, e, UINT64_MAX, err);
    if (status)
        return status;
    struct archive_stream *s = ecdc_alloc_zeros(1, sizeof *s);
    if (!s)
        return ecdc_fail_memory(err, a->path);
    *s = (struct archive_stream){a, e, NULL, e->size};
    status = open_entry(a, e, &s->file, err);
    if (status)
        archive_stream_close(s);
    else
        *out = s;
    return status;
}

ecdc_status archive_stream_read(struct archive_stream *s, void *bytes, size_t n, ecdc_error *err) {
    const struct entry part = {.name = s->entry->name, .size = n};
    if (n > s->left)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: the entry %s ends %llu bytes too soon", s->archive->path, s->entry->name,
                         (unsigned long long)(n - s->left));
    s->left -= n;
    return read_contents(s->archive, &part, s->file, bytes, s->left == 0, err);
}

void archive_stream_close(struct archive_stream *s) {
    if (!s)
        return;
    if (s->file)
        zip_fclose(s->file);
    free(s);
}

ecdc_status archive_read(struct archive *a, size_t index, uint64_t max_bytes, void **bytes, size_t *n, ecdc_error *err) {
    const struct entry *e = &a->entries[index];
    ecdc_status status = check_entry(a, e, max_bytes, err);
    if (status)
        return status;
    unsigned char *contents = e->size < SIZE_MAX / 2 ? malloc((size_t)e->size + 1) : NULL;
    if (!contents)
        return ecdc_fail_memory(err, a->path);
    zip_file_t *file;
    status = open_entry(a, e, &file, err);
    if (status == ECDC_OK) {
        status = read_contents(a, e, file, contents, true, err);
        zip_fclose(file);
    }
    if (status) {
        free(contents);
        return status;
    }
    contents[e->size] = '\0';
    *bytes = contents;
    *n = (size_t)e->size;
    return ECDC_OK;
}

/* -------------------------------------------------------------------------------------------- making --- */

static bool add_item(zip_t *zip, const struct archive_item *item) {
    zip_source_t *source = zip_source_buffer(zip, item->bytes, item->n, 0);
    zip_int64_t i = source ? zip_file_add(zip, item->name, source, ZIP_FL_ENC_UTF_8) : -1;
    if (i < 0) {
        zip_source_free(source);
        return false;
    }
    const zip_uint16_t day_one = 1 << 5 | 1; /* 1980-01-01: no clock, so that equal contents are equal files */
    return zip_set_file_compression(zip, (zip_uint64_t)i, ZIP_CM_STORE, 0) == 0 &&
           zip_file_set_dostime(zip, (zip_uint64_t)i, 0, day_one, 0) == 0;
}

static bool read_source(zip_source_t *source, void **image, size_t *n_bytes) {
    zip_stat_t st;
    if (zip_source_stat(source, &st) != 0 || !(st.valid & ZIP_STAT_SIZE) || zip_source_open(source) != 0)
        return false;
    void *bytes = malloc((size_t)st.size);
    bool read = bytes && zip_source_read(source, bytes, st.size) == (zip_int64_t)st.size;
    zip_source_close(source);
    if (!read) {
        free(bytes);
        return false;
    }
    *image = bytes;
    *n_bytes = (size_t)st.size;
    return true;
}

ecdc_status archive_make(const struct archive_item *items, size_t n_items, void **image, size_t *n_bytes, ecdc_error *err) {
    zip_source_t *source = zip_source_buffer_create(NULL, 0, 0, NULL);
    zip_t *zip = source ? zip_open_from_source(source, ZIP_TRUNCATE, NULL) : NULL;
    if (!zip) {
        zip_source_free(source);
        return ecdc_fail_memory(err, "an archive");
    }
    zip_source_keep(source); /* beyond zip_close, for reading what it wrote */
    bool made = true;
    for (size_t i = 0; made && i < n_items; i++)
        made = add_item(zip, &items[i]);
    if (made && zip_close(zip) == 0)
        made = read_source(source, image, n_bytes);
    else {
        zip_discard(zip);
        made = false;
    }
    zip_source_free(source);
    return made ? ECDC_OK : ecdc_fail_memory(err, "an archive");
}
