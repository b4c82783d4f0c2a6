#include "model/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"

enum {
    LENGTH_BYTES = 8,
    MAX_HEADER = 100 * 1000 * 1000, /* the format's own limit */
    DATA_ALIGNMENT = 64
};
static const char METADATA[] = "__metadata__";
static const double MAX_EXACT = 9007199254740992.0; /* 2^53: JSON numbers are read as doubles */

/* ------------------------------------------------------------------------------------------- reading --- */

struct image {
    const char *path;
    const unsigned char *bytes;     /* in memory, or: */
    const struct weight_file *file;
    uint64_t data;                  /* where in them the numbers begin, behind the header */
    uint64_t n_data;
    ecdc_error *err;
};

static ecdc_status read_shape(const struct image *image, const cJSON *entry, struct tensor *t) {
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(entry, "shape"), *item;
    if (!cJSON_IsArray(shape))
        return ecdc_fail(image->err, ECDC_E_FORMAT, "%s: tensor %s has no shape", image->path, t->name);
    cJSON_ArrayForEach(item, shape) {
        double extent;
        char shown[64];
        if (!json_integer(item, 0, MAX_EXACT, &extent))
            return ecdc_fail(image->err, ECDC_E_FORMAT, "%s: tensor %s has %s in its shape", image->path, t->name,
                             json_describe(item, shown, sizeof shown));
        if (t->rank == TENSOR_MAX_RANK)
            return ecdc_fail(image->err, ECDC_E_FORMAT, "%s: tensor %s has more than %d dimensions", image->path,
                             t->name, TENSOR_MAX_RANK);
        t->shape[t->rank++] = (uint64_t)extent;
    }
    return ECDC_OK;
}

static ecdc_status read_offsets(const struct image *image, const cJSON *entry, struct tensor *t) {
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(entry, "data_offsets");
    double begin, end;
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
        !json_integer(offsets->child, 0, MAX_EXACT, &begin) ||
        !json_integer(offsets->child->next, 0, MAX_EXACT, &end))
        return ecdc_fail(image->err, ECDC_E_FORMAT, "%s: data_offsets of tensor %s are not two whole numbers from 0 on",
                         image->path, t->name);
    if (begin > end || (uint64_t)end > image->n_data)
        return ecdc_fail(image->err, ECDC_E_FORMAT,
                         "%s: data_offsets of tensor %s are %.0f ... %.0f, but the file has %llu bytes of data",
                         image->path, t->name, begin, end, (unsigned long long)image->n_data);
    t->offset = image->data + (uint64_t)begin;
    t->data = image->bytes ? image->bytes + t->offset : NULL;
    t->file = image->file;
    t->n_bytes = (uint64_t)end - (uint64_t)begin;
    return ECDC_OK;
}

/* shape and dtype must give the number of bytes; a dtype of unknown size is left to whoever asks for the tensor. */
static ecdc_status check_size(const struct image *image, const struct tensor *t) {
    size_t size = dtype_size(t->dtype);
    uint64_t n = size;
    bool overflow = false, empty = false;
    for (int i = 0; i < t->rank; i++) {
        overflow |= __builtin_mul_overflow(n, t->shape[i], &n);
        empty |= t->shape[i] == 0;
    }
    if (size == 0 || (empty && t->n_bytes == 0) || (!overflow && n == t->n_bytes))
        return ECDC_OK;
    char shape[128];
    return ecdc_fail(image->err, ECDC_E_FORMAT, "%s: tensor %s is %s %s but has %llu bytes", image->path, t->name,
                     dtype_name(t->dtype), tensor_shape_text(t->rank, t->shape, shape, sizeof shape),
                     (unsigned long long)t->n_bytes);
}

static ecdc_status read_entry(const struct image *image, const cJSON *entry, struct tensor_table *table) {
    struct tensor t = {.name = entry->string};
    const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(entry, "dtype");
    if (!cJSON_IsString(dtype))
        return ecdc_fail(image->err, ECDC_E_FORMAT, "%s: tensor %s has no dtype", image->path, t.name);
    t.dtype = dtype_from_name(dtype->valuestring);
    ecdc_status status = read_shape(image, entry, &t);
    if (!status)
        status = read_offsets(image, entry, &t);
    if (!status)
        status = check_size(image, &t);
    return status ? status : tensor_table_add(table, &t, image->err);
}

static int by_offset(const void *a, const void *b) {
    const struct tensor *x = *(const struct tensor *const *)a, *y = *(const struct tensor *const *)b;
    /* an empty tensor may share its offset with the next one */
    return x->offset != y->offset ? (x->offset > y->offset) - (x->offset < y->offset)
                                  : (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes);
}

/* Two tensors in the same bytes are either a mistake or an attempt to make a small file look large. */
static ecdc_status check_overlap(const struct image *image, const struct tensor_table *table) {
    const struct tensor **order = ecdc_alloc_array(table->n, sizeof *order);
    if (!order)
        return ecdc_fail_memory(image->err, "the list of tensors");
    for (size_t i = 0; i < table->n; i++)
        order[i] = &table->tensors[i];
    qsort(order, table->n, sizeof *order, by_offset);
    ecdc_status status = ECDC_OK;
    for (size_t i = 1; !status && i < table->n; i++)
        if (order[i]->offset - order[i - 1]->offset < order[i - 1]->n_bytes)
            status = ecdc_fail(image->err, ECDC_E_FORMAT, "%s: the tensors %s and %s overlap", image->path,
                               order[i - 1]->name, order[i]->name);
    free(order);
    return status;
}

static ecdc_status read_entries(const struct image *image, const cJSON *header, struct tensor_table *table) {
    const cJSON *entry;
    cJSON_ArrayForEach(entry, header) {
        if (strcmp(entry->string, METADATA) == 0)
            continue;
        if (!cJSON_IsObject(entry))
            return ecdc_fail(image->err, ECDC_E_FORMAT, "%s: the header's entry for %s is not an object", image->path,
                             entry->string);
        ecdc_status status = read_entry(image, entry, table);
        if (status)
            return status;
    }
    ecdc_status status = tensor_table_finish(table, image->path, image->err);
    return status ? status : check_overlap(image, table);
}

/* n bytes of an image from `offset` on: where they are, or in a block, to be freed. */
static ecdc_status fetch(const struct image *image, uint64_t offset, size_t n, const void **bytes, void **block) {
    *block = NULL;
    if (image->bytes) {
        *bytes = image->bytes + offset;
        return ECDC_OK;
    }
    if (!(*block = ecdc_alloc_array(n > 0 ? n : 1, 1)))
        return ecdc_fail_memory(image->err, image->path);
    *bytes = *block;
    return weight_file_read(image->file, offset, *block, n, image->err);
}

static ecdc_status parse_text(const struct image *image, size_t n_header, cJSON **header) {
    const void *text = NULL;
    void *block;
    ecdc_status status = fetch(image, LENGTH_BYTES, n_header, &text, &block);
    char *what = ecdc_strfmt("%s: header", image->path);
    if (!status)
        status = what ? json_parse_object(what, text, n_header, header, image->err) : ecdc_fail_memory(image->err, image->path);
    free(what);
    free(block);
    return status;
}

/* The header of an image of n bytes, and where its data lie. */
static ecdc_status parse_header(struct image *image, uint64_t n, cJSON **header) {
    const void *bytes = NULL;
    void *block = NULL;
    if (n < LENGTH_BYTES)
        return ecdc_fail(image->err, ECDC_E_FORMAT, "%s: not a safetensors file: it has %llu bytes", image->path, (unsigned long long)n);
    ecdc_status status = fetch(image, 0, LENGTH_BYTES, &bytes, &block);
    uint64_t n_header = 0, n_rest = n - LENGTH_BYTES;
    for (int i = LENGTH_BYTES - 1; !status && i >= 0; i--)
        n_header = n_header << 8 | ((const unsigned char *)bytes)[i];
    free(block);
    if (status)
        return status;
    if (n_header > n_rest || n_header > MAX_HEADER)
        return ecdc_fail(image->err, ECDC_E_FORMAT,
                         "%s: not a safetensors file, or cut short: it claims a header of %llu bytes and has %llu in all",
                         image->path, (unsigned long long)n_header, (unsigned long long)n);
    image->data = LENGTH_BYTES + n_header;
    image->n_data = n_rest - n_header;
    return parse_text(image, (size_t)n_header, header);
}

/* *metadata, where it is asked for: what stands under __metadata__ and is an object, else NULL. */
static ecdc_status read_image(struct image *image, uint64_t n, struct tensor_table *table, cJSON **metadata) {
    cJSON *header;
    ecdc_status status = parse_header(image, n, &header);
    if (status)
        return status;
    status = read_entries(image, header, table);
    if (!status && metadata) {
        *metadata = cJSON_DetachItemFromObjectCaseSensitive(header, METADATA);
        if (*metadata && !cJSON_IsObject(*metadata)) {
            cJSON_Delete(*metadata);
            *metadata = NULL;
        }
    }
    cJSON_Delete(header);
    if (status)
        tensor_table_free(table);
    return status;
}

ecdc_status safetensors_read(const char *path, const void *bytes, size_t n, struct tensor_table *table,
                             ecdc_error *err) {
    struct image image = {.path = path, .bytes = bytes, .err = err};
    return read_image(&image, n, table, NULL);
}

ecdc_status safetensors_read_file(const struct weight_file *file, struct tensor_table *table, cJSON **metadata, ecdc_error *err) {
    struct image image = {.path = weight_file_path(file), .file = file, .err = err};
    return read_image(&image, weight_file_size(file), table, metadata);
}

/* ------------------------------------------------------------------------------------------- writing --- */

static ecdc_status check_item(const struct safetensors_item *item, size_t *n_bytes, ecdc_error *err) {
    const char *name = item->name;
    for (const char *c = name; *c; c++)
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            return ecdc_fail(err, ECDC_E_ARGUMENT, "tensor name with a character that is not plain: %s", name);
    size_t n = dtype_size(item->dtype);
    bool good = n > 0 && item->rank >= 0 && item->rank <= TENSOR_MAX_RANK && *name;
    for (int i = 0; good && i < item->rank; i++)
        good = item->shape[i] <= SIZE_MAX && ecdc_mul_size(n, (size_t)item->shape[i], &n);
    if (!good)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "tensor %s: a dtype, rank or size that cannot be written", name);
    *n_bytes = n;
    return ECDC_OK;
}

/* Writes the header's text; `text` NULL only measures it. Returns its length. */
static size_t write_header(const struct safetensors_item *items, size_t n_items, char *text, size_t size) {
    size_t used = 0, begin = 0;
#define PRINT(...) (used += (size_t)snprintf(text ? text + used : NULL, text ? size - used : 0, __VA_ARGS__))
    PRINT("{\"__metadata__\":{\"format\":\"pt\"}"); /* transformers insists on it */
    for (size_t i = 0; i < n_items; i++) {
        PRINT(",\"%s\":{\"dtype\":\"%s\",\"shape\":[", items[i].name, dtype_name(items[i].dtype));
        for (int k = 0; k < items[i].rank; k++)
            PRINT("%s%llu", k ? "," : "", (unsigned long long)items[i].shape[k]);
        PRINT("],\"data_offsets\":[%zu,%zu]}", begin, begin + items[i].n_bytes);
        begin += items[i].n_bytes;
    }
    PRINT("}");
#undef PRINT
    return used;
}

ecdc_status safetensors_layout(struct safetensors_item *items, size_t n_items, void **image, size_t *n_bytes,
                               ecdc_error *err) {
    size_t n_data = 0;
    for (size_t i = 0; i < n_items; i++) {
        ecdc_status status = check_item(&items[i], &items[i].n_bytes, err);
        if (status)
            return status;
        if (__builtin_add_overflow(n_data, items[i].n_bytes, &n_data))
            return ecdc_fail_memory(err, "the tensors");
    }
    /* Spaces behind the header, at least one, put the data on a boundary. */
    size_t n_text = write_header(items, n_items, NULL, 0);
    size_t data = (LENGTH_BYTES + n_text + DATA_ALIGNMENT) / DATA_ALIGNMENT * DATA_ALIGNMENT;
    size_t total;
    if (__builtin_add_overflow(data, n_data, &total) || total > SIZE_MAX - DATA_ALIGNMENT)
        return ecdc_fail_memory(err, "the tensors");
    char *bytes = aligned_alloc(DATA_ALIGNMENT, (total + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT);
    if (!bytes)
        return ecdc_fail_memory(err, "the tensors");

    uint64_t n_header = data - LENGTH_BYTES;
    for (int i = 0; i < LENGTH_BYTES; i++)
        bytes[i] = (char)(n_header >> (8 * i) & 0xff);
    write_header(items, n_items, bytes + LENGTH_BYTES, total - LENGTH_BYTES);
    memset(bytes + LENGTH_BYTES + n_text, ' ', (size_t)n_header - n_text);
    for (size_t i = 0, at = data; i < n_items; at += items[i++].n_bytes)
        items[i].offset = at;
    *image = bytes;
    *n_bytes = total;
    return ECDC_OK;
}
