#include "model/torch_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/archive.h"
#include "base/memory.h"
#include "model/pickle.h"

enum {
    MAX_PICKLE = 4 << 20,   /* of the published models: 40 kB */
    MAX_BYTE_ORDER = 64,
    FREE_BYTES = 16 << 20,  /* a file may always hold so much */
    MAX_RATIO = 16,
    OLD_FORMAT = 4          /* bytes that give it away */
};
static const char PICKLE[] = "/data.pkl";

struct reader {
    const char *path;
    struct archive *archive;
    char *folder; /* "<name>" */
    uint64_t bytes_left;
    struct tensor_table *table;
    struct torch_storages *storages;
    ecdc_error *err;
};

/* -------------------------------------------------------------------------------------------- reading --- */

static ecdc_status find_folder(struct reader *r, size_t *pickle) {
    size_t n_found = 0;
    for (size_t i = 0; i < archive_count(r->archive); i++) {
        const char *name = archive_entry_at(r->archive, i).name, *slash = strchr(name, '/');
        if (slash && strcmp(slash, PICKLE) == 0) {
            *pickle = i;
            n_found++;
        }
    }
    if (n_found != 1)
        return ecdc_fail(r->err, ECDC_E_FORMAT,
                         "%s: a zip archive, but not a PyTorch checkpoint: it has %zu entries <name>/data.pkl instead of one",
                         r->path, n_found);
    const char *name = archive_entry_at(r->archive, *pickle).name;
    r->folder = ecdc_strfmt("%.*s", (int)(strlen(name) - strlen(PICKLE)), name);
    return r->folder ? ECDC_OK : ecdc_fail_memory(r->err, r->path);
}

static ecdc_status check_byte_order(struct reader *r) {
    char *name = ecdc_strfmt("%s/byteorder", r->folder);
    size_t index, n;
    if (!name)
        return ecdc_fail_memory(r->err, r->path);
    ecdc_status status = ECDC_OK;
    if (archive_find(r->archive, name, &index)) { /* absent before PyTorch 2: little */
        void *text;
        status = archive_read(r->archive, index, MAX_BYTE_ORDER, &text, &n, r->err);
        if (!status) {
            if (strcmp(text, "little") != 0)
                status = ecdc_fail(r->err, ECDC_E_UNSUPPORTED, "%s: byte order `%s`; only `little` can be read", r->path,
                                   (char *)text);
            free(text);
        }
    }
    free(name);
    return status;
}

/* A storage as it lies in the archive. */
static ecdc_status read_storage(struct reader *r, const struct pickle_tensor *t, void **block, ecdc_error *err) {
    char *name = ecdc_strfmt("%s/data/%s", r->folder, t->storage);
    size_t index, n;
    if (!name)
        return ecdc_fail_memory(err, r->path);
    ecdc_status status;
    uint64_t size = dtype_size(t->dtype), n_bytes = 0;
    if (!archive_find(r->archive, name, &index))
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: tensor %s is in %s, which is not there", r->path, t->name, name);
    else if (__builtin_mul_overflow(t->storage_count, size, &n_bytes) ||
             n_bytes != archive_entry_at(r->archive, index).size)
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: %s has %llu bytes, but tensor %s says that it has %llu numbers of dtype %s",
                           r->path, name, (unsigned long long)archive_entry_at(r->archive, index).size, t->name,
                           (unsigned long long)t->storage_count, dtype_name(t->dtype));
    else if (n_bytes > r->bytes_left)
        status = ecdc_fail(err, ECDC_E_FORMAT,
                           "%s: up to %s, its tensors are more than %d times as large as the file; that is no checkpoint",
                           r->path, name, MAX_RATIO);
    else
        status = archive_read(r->archive, index, n_bytes, block, &n, err);
    if (!status)
        r->bytes_left -= n_bytes;
    free(name);
    return status;
}

static bool is_contiguous(const struct pickle_tensor *t) {
    uint64_t stride = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->shape[i] != 1 && t->stride[i] != stride)
            return false;
        stride *= t->shape[i];
    }
    return true;
}

/* Numbers of `size` bytes in the order of the shape. */
static void gather(const struct pickle_tensor *t, const unsigned char *from, size_t size, uint64_t n, unsigned char *to) {
    uint64_t position[TENSOR_MAX_RANK] = {0}, at = t->offset;
    for (uint64_t i = 0; i < n; i++, to += size) {
        memcpy(to, from + at * size, size);
        for (int k = t->rank - 1; k >= 0; k--) {
            at += t->stride[k];
            if (++position[k] < t->shape[k])
                break;
            at -= t->stride[k] * t->shape[k];
            position[k] = 0;
        }
    }
}

/* A transposed or sliced view is copied into a block of its own. */
static ecdc_status add_tensor(struct reader *r, const struct pickle_tensor *p, const unsigned char *storage) {
    size_t size = dtype_size(p->dtype);
    struct tensor t = {.name = p->name, .dtype = p->dtype, .rank = p->rank};
    memcpy(t.shape, p->shape, sizeof t.shape);
    uint64_t n = 1;
    for (int i = 0; i < t.rank; i++) /* within the storage, or 0: overflow does no harm then */
        n = t.shape[i] == 0 || n == 0 ? 0 : n * t.shape[i];
    t.n_bytes = n * size;
    t.data = storage + (n ? p->offset * size : 0);
    if (n > 0 && !is_contiguous(p)) {
        unsigned char *copy = t.n_bytes <= r->bytes_left ? ecdc_alloc_array((size_t)n, size) : NULL;
        if (!copy)
            return ecdc_fail_memory(r->err, r->path);
        gather(p, storage, size, n, copy);
        r->bytes_left -= t.n_bytes;
        r->storages->blocks[r->storages->n++] = copy;
        t.data = copy;
    }
    return tensor_table_add(r->table, &t, r->err);
}

static int by_storage(const void *a, const void *b) {
    return strcmp(((const struct pickle_tensor *)a)->storage, ((const struct pickle_tensor *)b)->storage);
}

/* Tensors may share a storage, which is read once. */
static ecdc_status read_tensors(struct reader *r, struct pickle_tensors *p) {
    if (!(r->storages->blocks = ecdc_alloc_array(p->n, 2 * sizeof *r->storages->blocks)))
        return ecdc_fail_memory(r->err, r->path);
    if (p->n > 0)
        qsort(p->tensors, p->n, sizeof *p->tensors, by_storage);
    ecdc_status status = ECDC_OK;
    void *block = NULL;
    const struct pickle_tensor *first = NULL; /* of those with one storage */
    for (size_t i = 0; !status && i < p->n; i++) {
        const struct pickle_tensor *t = &p->tensors[i];
        if (!first || strcmp(t->storage, first->storage) != 0) {
            first = t;
            if (!(status = read_storage(r, t, &block, r->err)))
                r->storages->blocks[r->storages->n++] = block;
        } else if (t->dtype != first->dtype || t->storage_count != first->storage_count) {
            status = ecdc_fail(r->err, ECDC_E_FORMAT, "%s: the tensors %s and %s say different things about data/%s", r->path,
                               first->name, t->name, t->storage);
        }
        if (!status)
            status = add_tensor(r, t, block);
    }
    return status ? status : tensor_table_finish(r->table, r->path, r->err);
}

static ecdc_status read_archive(struct reader *r) {
    size_t index = 0, n;
    void *code;
    struct pickle_tensors tensors;
    ecdc_status status = find_folder(r, &index);
    if (status || (status = check_byte_order(r)) ||
        (status = archive_read(r->archive, index, MAX_PICKLE, &code, &n, r->err)))
        return status;
    status = pickle_read(r->path, code, n, &tensors, r->err);
    free(code);
    if (status)
        return status;
    status = read_tensors(r, &tensors);
    pickle_tensors_free(&tensors);
    return status;
}

/* What the first bytes of a file of n bytes say. */
static ecdc_status check_format(const char *path, const unsigned char *begin, uint64_t n, ecdc_error *err) {
    static const unsigned char old_format[OLD_FORMAT] = {0x80, 0x02, 0x8a, 0x0a}; /* a pickle that begins with a long magic number */
    if (n >= sizeof old_format && memcmp(begin, old_format, sizeof old_format) == 0)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: PyTorch's format from before 1.6, which is not a zip archive; load it with "
                         "torch.load and save it with torch.save", path);
    return ECDC_OK;
}

/* Closes r->archive. */
static ecdc_status read_opened(struct reader *r, uint64_t n) {
    if (__builtin_mul_overflow(n, MAX_RATIO, &r->bytes_left) || __builtin_add_overflow(r->bytes_left, FREE_BYTES, &r->bytes_left))
        r->bytes_left = UINT64_MAX;
    ecdc_status status = read_archive(r);
    archive_close(r->archive);
    free(r->folder);
    if (status) {
        tensor_table_free(r->table);
        torch_storages_free(r->storages);
    }
    return status;
}

ecdc_status torch_file_read(const char *path, const void *bytes, size_t n, struct tensor_table *table,
                            struct torch_storages *storages, ecdc_error *err) {
    struct reader r = {.path = path, .table = table, .storages = storages, .err = err};
    ecdc_status status = check_format(path, bytes, n, err);
    if (!status)
        status = archive_open_bytes(path, bytes, n, &r.archive, err);
    return status ? status : read_opened(&r, n);
}

ecdc_status torch_file_read_file(const struct weight_file *file, struct tensor_table *table, struct torch_storages *storages,
                                 ecdc_error *err) {
    struct reader r = {.path = weight_file_path(file), .table = table, .storages = storages, .err = err};
    unsigned char begin[OLD_FORMAT];
    uint64_t n = weight_file_size(file);
    int fd;
    ecdc_status status = weight_file_read(file, 0, begin, n < sizeof begin ? (size_t)n : sizeof begin, err);
    if (!status)
        status = check_format(r.path, begin, n, err);
    if (!status)
        status = weight_file_descriptor(file, &fd, err);
    if (!status)
        status = archive_open_descriptor(r.path, fd, n, &r.archive, err);
    return status ? status : read_opened(&r, n);
}

void torch_storages_free(struct torch_storages *storages) {
    for (size_t i = 0; i < storages->n; i++)
        free(storages->blocks[i]);
    free(storages->blocks);
    *storages = (struct torch_storages){0};
}
