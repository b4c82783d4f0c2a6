#include "model/pickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

/* ------------------------------------------------------------------------------------------- values --- */

enum kind {
    VALUE_MARK, VALUE_NONE, VALUE_BOOL, VALUE_INT, VALUE_OTHER, VALUE_STRING, VALUE_TUPLE, VALUE_LIST, VALUE_DICT, VALUE_PAIR,
    VALUE_GLOBAL, VALUE_STORAGE, VALUE_TENSOR
};

static const char *const KIND_NAMES[] = {"a mark", "None", "a bool", "a whole number", "a number", "a string", "a tuple",
                                         "a list", "a dict", "a pair", "a callable", "a storage", "a tensor"};

/* Values refer to each other by index. The first is the mark, of which there is one; in links it stands for "none". */
enum { MARK = 0 };

struct value {
    enum kind kind;
    union {
        int64_t integer;
        struct { const char *text; size_t n; } string; /* in the pickle */
        struct { size_t first, n; } tuple;             /* in items */
        struct { size_t first, last; } dict;           /* pairs */
        struct { size_t key, value, next; } pair;
        int global;                                    /* index in GLOBALS */
        struct { size_t key; uint64_t count; enum dtype dtype; } storage;
        struct { size_t storage, shape, stride; uint64_t offset; } tensor;
    } as;
};

enum callable { CALL_ORDERED_DICT, CALL_TENSOR, CALL_PARAMETER, CALL_NOTHING };

static const struct {
    const char *module, *name;
    enum callable callable;
    enum dtype dtype; /* of a storage */
} GLOBALS[] = {
    {"collections", "OrderedDict", CALL_ORDERED_DICT, DTYPE_UNKNOWN},
    {"torch._utils", "_rebuild_tensor_v2", CALL_TENSOR, DTYPE_UNKNOWN},
    {"torch._utils", "_rebuild_parameter", CALL_PARAMETER, DTYPE_UNKNOWN},
    {"torch", "FloatStorage", CALL_NOTHING, DTYPE_F32},
    {"torch", "HalfStorage", CALL_NOTHING, DTYPE_F16},
    {"torch", "BFloat16Storage", CALL_NOTHING, DTYPE_BF16},
    {"torch", "DoubleStorage", CALL_NOTHING, DTYPE_F64},
    {"torch", "LongStorage", CALL_NOTHING, DTYPE_I64},
    {"torch", "IntStorage", CALL_NOTHING, DTYPE_I32},
    {"torch", "ShortStorage", CALL_NOTHING, DTYPE_I16},
    {"torch", "CharStorage", CALL_NOTHING, DTYPE_I8},
    {"torch", "ByteStorage", CALL_NOTHING, DTYPE_U8},
    {"torch", "BoolStorage", CALL_NOTHING, DTYPE_BOOL},
};
enum { N_GLOBALS = sizeof GLOBALS / sizeof *GLOBALS };

/* A growing array of indices or values. */
struct array {
    size_t n, capacity;
};

struct machine {
    const char *path;
    const unsigned char *code;
    size_t n_code, at; /* at: the instruction being run */
    size_t next;       /* the byte to be read */
    struct value *values;
    size_t *stack, *memo, *items;
    struct array n_values, n_stack, n_memo, n_items;
    ecdc_error *err;
};

/* The status stands beside the call, so that compilers see that it is none of success. */
#define FAIL(m, status, format, ...) \
    (ecdc_fail((m)->err, status, "%s: data.pkl, byte %zu: " format, (m)->path, (m)->at, __VA_ARGS__), (status))

static ecdc_status fail_memory(const struct machine *m) {
    ecdc_fail_memory(m->err, m->path);
    return ECDC_E_MEMORY;
}

/* Room for one more; every instruction makes a bounded number of them per byte, so memory follows the pickle's size. */
static bool grow(void *array, struct array *a, size_t size) {
    void **items = array;
    if (a->n < a->capacity)
        return true;
    size_t capacity = a->capacity ? 2 * a->capacity : 64;
    void *grown = ecdc_realloc_array(*items, capacity, size);
    if (!grown)
        return false;
    *items = grown;
    a->capacity = capacity;
    return true;
}

static ecdc_status push(struct machine *m, size_t value) {
    if (!grow(&m->stack, &m->n_stack, sizeof *m->stack))
        return fail_memory(m);
    m->stack[m->n_stack.n++] = value;
    return ECDC_OK;
}

static ecdc_status make(struct machine *m, struct value value, size_t *index) {
    if (!grow(&m->values, &m->n_values, sizeof *m->values))
        return fail_memory(m);
    *index = m->n_values.n;
    m->values[m->n_values.n++] = value;
    return ECDC_OK;
}

static ecdc_status push_new(struct machine *m, struct value value) {
    size_t index;
    ecdc_status status = make(m, value, &index);
    return status ? status : push(m, index);
}

/* The topmost n values, none of them a mark; *first is the index on the stack. */
static ecdc_status need(struct machine *m, size_t n, size_t *first) {
    if (n > m->n_stack.n)
        return FAIL(m, ECDC_E_FORMAT, "%s", "the pickle takes more from its stack than there is");
    *first = m->n_stack.n - n;
    for (size_t i = *first; i < m->n_stack.n; i++)
        if (m->stack[i] == MARK)
            return FAIL(m, ECDC_E_FORMAT, "%s", "the pickle takes more from its stack than there is");
    return ECDC_OK;
}

/* What lies above the topmost mark, *n values from the index *first on. */
static ecdc_status above_mark(struct machine *m, size_t *first, size_t *n) {
    size_t i = m->n_stack.n;
    while (i > 0 && m->stack[i - 1] != MARK)
        i--;
    if (i == 0)
        return FAIL(m, ECDC_E_FORMAT, "%s", "the pickle closes what it has not opened");
    *first = i;
    *n = m->n_stack.n - i;
    return ECDC_OK;
}

/* The action on what lies above the topmost mark. */
static ecdc_status above_mark_do(struct machine *m, ecdc_status (*action)(struct machine *m, size_t n, size_t marks)) {
    size_t first, n;
    ecdc_status status = above_mark(m, &first, &n);
    return status ? status : action(m, n, 1);
}

static const struct value *value_at(const struct machine *m, size_t index) {
    return &m->values[index];
}

/* ------------------------------------------------------------------------------------------ operands --- */

static ecdc_status take(struct machine *m, size_t n, const unsigned char **bytes) {
    if (n > m->n_code - m->next)
        return FAIL(m, ECDC_E_FORMAT, "%s", "the pickle is cut short");
    *bytes = m->code + m->next;
    m->next += n;
    return ECDC_OK;
}

static ecdc_status take_number(struct machine *m, size_t n, uint64_t *number) {
    const unsigned char *bytes;
    ecdc_status status = take(m, n, &bytes);
    *number = 0;
    for (size_t i = n; !status && i > 0; i--)
        *number = *number << 8 | bytes[i - 1];
    return status;
}

static ecdc_status take_line(struct machine *m, const char **line, size_t *n) {
    const unsigned char *begin = m->code + m->next, *end = memchr(begin, '\n', m->n_code - m->next);
    if (!end)
        return FAIL(m, ECDC_E_FORMAT, "%s", "the pickle is cut short");
    *line = (const char *)begin;
    *n = (size_t)(end - begin);
    m->next += *n + 1;
    return ECDC_OK;
}

/* ---------------------------------------------------------------------------------- simple instructions --- */

static ecdc_status run_string(struct machine *m, size_t length_bytes) {
    uint64_t n;
    const unsigned char *text;
    ecdc_status status = take_number(m, length_bytes, &n);
    if (status || (status = take(m, (size_t)n, &text)))
        return status;
    return push_new(m, (struct value){.kind = VALUE_STRING, .as.string = {(const char *)text, (size_t)n}});
}

/* Two's complement in n bytes. */
static ecdc_status run_integer(struct machine *m, size_t n, bool is_signed) {
    uint64_t number;
    ecdc_status status = take_number(m, n, &number);
    if (!status && is_signed && n > 0 && n < 8 && number >> (8 * n - 1))
        number |= UINT64_MAX << (8 * n);
    return status ? status : push_new(m, (struct value){.kind = VALUE_INT, .as.integer = (int64_t)number});
}

static ecdc_status run_long(struct machine *m) {
    uint64_t n;
    ecdc_status status = take_number(m, 1, &n);
    if (!status && n > 8)
        return FAIL(m, ECDC_E_FORMAT, "a whole number of %llu bytes", (unsigned long long)n);
    return status ? status : run_integer(m, (size_t)n, true);
}

static ecdc_status run_float(struct machine *m) {
    const unsigned char *bytes;
    ecdc_status status = take(m, 8, &bytes);
    return status ? status : push_new(m, (struct value){.kind = VALUE_OTHER});
}

static bool equals(const char *text, size_t n, const char *wanted) {
    return n == strlen(wanted) && memcmp(text, wanted, n) == 0;
}

static ecdc_status run_global(struct machine *m) {
    const char *module, *name;
    size_t n_module, n_name;
    ecdc_status status = take_line(m, &module, &n_module);
    if (status || (status = take_line(m, &name, &n_name)))
        return status;
    for (int i = 0; i < N_GLOBALS; i++)
        if (equals(module, n_module, GLOBALS[i].module) && equals(name, n_name, GLOBALS[i].name))
            return push_new(m, (struct value){.kind = VALUE_GLOBAL, .as.global = i});
    return FAIL(m, ECDC_E_UNSUPPORTED,
                "the pickle refers to %.*s.%.*s, which no state dict of tensors needs; it was not run",
                (int)(n_module < 200 ? n_module : 200), module, (int)(n_name < 200 ? n_name : 200), name);
}

static ecdc_status run_put(struct machine *m, size_t length_bytes) {
    uint64_t slot;
    size_t top;
    ecdc_status status = take_number(m, length_bytes, &slot);
    if (status || (status = need(m, 1, &top)))
        return status;
    /* Python numbers memos one after the other */
    if (slot > m->n_memo.n)
        return FAIL(m, ECDC_E_FORMAT, "memo %llu is set before memo %zu", (unsigned long long)slot, m->n_memo.n);
    if (slot == m->n_memo.n) {
        if (!grow(&m->memo, &m->n_memo, sizeof *m->memo))
            return fail_memory(m);
        m->n_memo.n++;
    }
    m->memo[slot] = m->stack[top];
    return ECDC_OK;
}

static ecdc_status run_get(struct machine *m, size_t length_bytes) {
    uint64_t slot;
    ecdc_status status = take_number(m, length_bytes, &slot);
    if (!status && slot >= m->n_memo.n)
        return FAIL(m, ECDC_E_FORMAT, "memo %llu is read but not set", (unsigned long long)slot);
    return status ? status : push(m, m->memo[slot]);
}

/* The topmost n values become a tuple; under them, `marks` marks go, too. */
static ecdc_status make_tuple(struct machine *m, size_t n, size_t marks) {
    size_t first, index, begin = m->n_items.n;
    ecdc_status status = need(m, n, &first);
    for (size_t i = 0; !status && i < n; i++) {
        if (!grow(&m->items, &m->n_items, sizeof *m->items))
            return fail_memory(m);
        m->items[m->n_items.n++] = m->stack[first + i];
    }
    if (status || (status = make(m, (struct value){.kind = VALUE_TUPLE, .as.tuple = {begin, n}}, &index)))
        return status;
    m->n_stack.n = first - marks;
    return push(m, index);
}

static ecdc_status set_item(struct machine *m, size_t dict, size_t key, size_t value) {
    size_t pair;
    ecdc_status status = make(m, (struct value){.kind = VALUE_PAIR, .as.pair = {key, value, 0}}, &pair);
    if (status)
        return status;
    struct value *d = &m->values[dict];
    if (d->as.dict.last)
        m->values[d->as.dict.last].as.pair.next = pair;
    else
        d->as.dict.first = pair;
    d->as.dict.last = pair;
    return ECDC_OK;
}

/* Keys and values, n of them together, go into the dict under them. */
static ecdc_status set_items(struct machine *m, size_t n, size_t marks) {
    size_t first, dict_at;
    ecdc_status status = need(m, n, &first);
    if (!status && first < marks + 1)
        status = FAIL(m, ECDC_E_FORMAT, "%s", "the pickle takes more from its stack than there is");
    if (status)
        return status;
    dict_at = first - marks - 1;
    size_t dict = m->stack[dict_at];
    if (value_at(m, dict)->kind != VALUE_DICT || n % 2)
        return FAIL(m, ECDC_E_FORMAT, "%zu keys and values for %s", n, KIND_NAMES[value_at(m, dict)->kind]);
    for (size_t i = 0; !status && i < n; i += 2)
        status = set_item(m, dict, m->stack[first + i], m->stack[first + i + 1]);
    m->n_stack.n = dict_at + 1;
    return status;
}

/* Lists hold nothing that is looked at: what is appended is dropped. */
static ecdc_status append(struct machine *m, size_t n, size_t marks) {
    size_t first;
    ecdc_status status = need(m, n, &first);
    if (!status && (first < marks + 1 || value_at(m, m->stack[first - marks - 1])->kind != VALUE_LIST))
        status = FAIL(m, ECDC_E_FORMAT, "%s", "the pickle appends to what is not a list");
    if (!status)
        m->n_stack.n = first - marks;
    return status;
}

/* ------------------------------------------------------------------------------------------- objects --- */

/* The value of a tuple's item, or the mark where it has none. */
static const struct value *item(const struct machine *m, const struct value *tuple, size_t i) {
    return value_at(m, i < tuple->as.tuple.n ? m->items[tuple->as.tuple.first + i] : MARK);
}

/* ('storage', TYPE, key, location, count) */
static ecdc_status run_persistent_id(struct machine *m) {
    size_t top;
    ecdc_status status = need(m, 1, &top);
    if (status)
        return status;
    const struct value *id = value_at(m, m->stack[top]);
    bool good = id->kind == VALUE_TUPLE && id->as.tuple.n == 5;
    if (good) {
        const struct value *word = item(m, id, 0), *type = item(m, id, 1), *key = item(m, id, 2), *count = item(m, id, 4);
        good = word->kind == VALUE_STRING && equals(word->as.string.text, word->as.string.n, "storage") &&
               type->kind == VALUE_GLOBAL && GLOBALS[type->as.global].dtype != DTYPE_UNKNOWN &&
               key->kind == VALUE_STRING && count->kind == VALUE_INT;
        if (good && count->as.integer < 0)
            return FAIL(m, ECDC_E_FORMAT, "a storage of %lld numbers", (long long)count->as.integer);
    }
    if (!good)
        return FAIL(m, ECDC_E_FORMAT, "%s", "a reference to a storage that is not (\"storage\", type, key, location, count)");
    m->n_stack.n = top;
    return push_new(m, (struct value){.kind = VALUE_STORAGE,
                                      .as.storage = {m->items[id->as.tuple.first + 2], (uint64_t)item(m, id, 4)->as.integer,
                                                     GLOBALS[item(m, id, 1)->as.global].dtype}});
}

static bool whole_numbers(const struct machine *m, const struct value *tuple) {
    if (tuple->kind != VALUE_TUPLE)
        return false;
    for (size_t i = 0; i < tuple->as.tuple.n; i++)
        if (item(m, tuple, i)->kind != VALUE_INT)
            return false;
    return true;
}

/* (storage, offset, shape, stride, requires_grad, hooks[, metadata]) */
static ecdc_status make_tensor(struct machine *m, const struct value *a, struct value *made) {
    const struct value *storage = item(m, a, 0), *offset = item(m, a, 1), *shape = item(m, a, 2), *stride = item(m, a, 3);
    if (a->as.tuple.n < 6 || a->as.tuple.n > 7 || storage->kind != VALUE_STORAGE || offset->kind != VALUE_INT ||
        !whole_numbers(m, shape) || !whole_numbers(m, stride) || shape->as.tuple.n != stride->as.tuple.n)
        return FAIL(m, ECDC_E_FORMAT, "%s", "a tensor that is not (storage, offset, shape, stride, ...)");
    if (offset->as.integer < 0)
        return FAIL(m, ECDC_E_FORMAT, "a tensor that begins at number %lld of its storage", (long long)offset->as.integer);
    const size_t *items = m->items + a->as.tuple.first;
    *made = (struct value){.kind = VALUE_TENSOR, .as.tensor = {items[0], items[2], items[3], (uint64_t)offset->as.integer}};
    return ECDC_OK;
}

static ecdc_status run_reduce(struct machine *m) {
    size_t first;
    ecdc_status status = need(m, 2, &first);
    if (status)
        return status;
    const struct value *callable = value_at(m, m->stack[first]), *arguments = value_at(m, m->stack[first + 1]);
    if (callable->kind != VALUE_GLOBAL || arguments->kind != VALUE_TUPLE)
        return FAIL(m, ECDC_E_FORMAT, "a call of %s with %s", KIND_NAMES[callable->kind], KIND_NAMES[arguments->kind]);
    struct value made = {.kind = VALUE_DICT};
    switch (GLOBALS[callable->as.global].callable) {
    case CALL_ORDERED_DICT:
        if (arguments->as.tuple.n != 0)
            return FAIL(m, ECDC_E_UNSUPPORTED, "%s", "an OrderedDict that is made of arguments");
        break;
    case CALL_TENSOR:
        status = make_tensor(m, arguments, &made);
        break;
    case CALL_PARAMETER:
        if (item(m, arguments, 0)->kind != VALUE_TENSOR)
            return FAIL(m, ECDC_E_FORMAT, "%s", "a parameter that is no tensor");
        made = *item(m, arguments, 0);
        break;
    case CALL_NOTHING:
        return FAIL(m, ECDC_E_UNSUPPORTED, "a call of torch.%s", GLOBALS[callable->as.global].name);
    }
    if (status)
        return status;
    m->n_stack.n = first;
    return push_new(m, made);
}

/* The state of an OrderedDict is its _metadata, which says nothing about numbers. */
static ecdc_status run_build(struct machine *m) {
    size_t first;
    ecdc_status status = need(m, 2, &first);
    if (!status && value_at(m, m->stack[first])->kind != VALUE_DICT)
        return FAIL(m, ECDC_E_UNSUPPORTED, "attributes for %s", KIND_NAMES[value_at(m, m->stack[first])->kind]);
    if (!status)
        m->n_stack.n = first + 1;
    return status;
}

/* ------------------------------------------------------------------------------------------- running --- */

static ecdc_status run_protocol(struct machine *m) {
    uint64_t protocol;
    ecdc_status status = take_number(m, 1, &protocol);
    if (!status && protocol != 2)
        return FAIL(m, ECDC_E_UNSUPPORTED, "the pickle has protocol %llu; 2 is known, which torch.save writes",
                    (unsigned long long)protocol);
    return status;
}

static ecdc_status run_one(struct machine *m, unsigned char opcode) {
    switch (opcode) {
    case 0x80: return run_protocol(m);
    case '(': return push(m, MARK);
    case ')': return push_new(m, (struct value){.kind = VALUE_TUPLE});
    case '}': return push_new(m, (struct value){.kind = VALUE_DICT});
    case ']': return push_new(m, (struct value){.kind = VALUE_LIST});
    case 'N': return push_new(m, (struct value){.kind = VALUE_NONE});
    case 0x88: case 0x89: return push_new(m, (struct value){.kind = VALUE_BOOL});
    case 'K': return run_integer(m, 1, false);
    case 'M': return run_integer(m, 2, false);
    case 'J': return run_integer(m, 4, true);
    case 0x8a: return run_long(m);
    case 'G': return run_float(m);
    case 'X': return run_string(m, 4);
    case 'U': return run_string(m, 1);
    case 'c': return run_global(m);
    case 'q': return run_put(m, 1);
    case 'r': return run_put(m, 4);
    case 'h': return run_get(m, 1);
    case 'j': return run_get(m, 4);
    case 't': return above_mark_do(m, make_tuple);
    case 0x85: case 0x86: case 0x87: return make_tuple(m, (size_t)(opcode - 0x84), 0);
    case 's': return set_items(m, 2, 0);
    case 'u': return above_mark_do(m, set_items);
    case 'a': return append(m, 1, 0);
    case 'e': return above_mark_do(m, append);
    case 'Q': return run_persistent_id(m);
    case 'R': return run_reduce(m);
    case 'b': return run_build(m);
    }
    char letter[8] = "";
    if (opcode > ' ' && opcode < 127)
        snprintf(letter, sizeof letter, " (%c)", opcode);
    return FAIL(m, ECDC_E_UNSUPPORTED,
                "the pickle's instruction 0x%02x%s is none that a state dict needs; it was not run", opcode, letter);
}

/* *top is what the pickle makes. */
static ecdc_status run(struct machine *m, size_t *top) {
    ecdc_status status = make(m, (struct value){.kind = VALUE_MARK}, top);
    while (!status) {
        const unsigned char *opcode;
        m->at = m->next;
        if ((status = take(m, 1, &opcode)))
            break;
        if (*opcode == '.') {
            size_t first;
            if (!(status = need(m, 1, &first)))
                *top = m->stack[first];
            break;
        }
        status = run_one(m, *opcode);
    }
    return status;
}

/* ------------------------------------------------------------------------------------------- results --- */

static const struct value *look_up(const struct machine *m, const struct value *dict, const char *key) {
    for (size_t i = dict->as.dict.first; i; i = value_at(m, i)->as.pair.next) {
        const struct value *k = value_at(m, value_at(m, i)->as.pair.key);
        if (k->kind == VALUE_STRING && equals(k->as.string.text, k->as.string.n, key))
            return value_at(m, value_at(m, i)->as.pair.value);
    }
    return NULL;
}

/* The dict of tensors inside those that wrap it. */
static const struct value *unwrap(const struct machine *m, const struct value *dict) {
    static const char *const wrappers[] = {"best_state", "state_dict", "model"};
    enum { N_WRAPPERS = sizeof wrappers / sizeof *wrappers };
    for (int depth = 0, i = 0; depth < 4 && i < N_WRAPPERS; i++) {
        const struct value *inner = look_up(m, dict, wrappers[i]);
        if (inner && inner->kind == VALUE_DICT) {
            dict = inner;
            depth++;
            i = -1;
        }
    }
    return dict;
}

static char *copy_string(const struct value *s) {
    return ecdc_strfmt("%.*s", (int)(s->as.string.n < 1000 ? s->as.string.n : 1000), s->as.string.text);
}

/* shape and stride as the tensor has them, within its storage. */
static ecdc_status read_view(const struct machine *m, const struct value *v, struct pickle_tensor *t) {
    const struct value *shape = value_at(m, v->as.tensor.shape), *stride = value_at(m, v->as.tensor.stride);
    if (shape->as.tuple.n > TENSOR_MAX_RANK)
        return ecdc_fail(m->err, ECDC_E_FORMAT, "%s: tensor %s has more than %d dimensions", m->path, t->name, TENSOR_MAX_RANK);
    uint64_t count = 1, last = v->as.tensor.offset;
    bool overflow = false, empty = false;
    for (size_t i = 0; i < shape->as.tuple.n; i++) {
        int64_t extent = item(m, shape, i)->as.integer, step = item(m, stride, i)->as.integer;
        if (extent < 0 || step < 0)
            return ecdc_fail(m->err, ECDC_E_FORMAT, "%s: tensor %s has %lld in its %s", m->path, t->name,
                             (long long)(extent < 0 ? extent : step), extent < 0 ? "shape" : "strides");
        t->shape[t->rank] = (uint64_t)extent;
        t->stride[t->rank++] = (uint64_t)step;
        empty |= extent == 0;
    }
    for (int i = 0; i < t->rank && !empty; i++) {
        uint64_t reach;
        overflow |= __builtin_mul_overflow(count, t->shape[i], &count);
        overflow |= __builtin_mul_overflow(t->shape[i] - 1, t->stride[i], &reach) ||
                    __builtin_add_overflow(last, reach, &last);
    }
    if (empty || (!overflow && last < t->storage_count && count <= t->storage_count))
        return ECDC_OK;
    char text[128];
    return ecdc_fail(m->err, ECDC_E_FORMAT,
                     "%s: tensor %s has the shape %s from number %llu on, but its storage has %llu numbers", m->path,
                     t->name, tensor_shape_text(t->rank, t->shape, text, sizeof text),
                     (unsigned long long)v->as.tensor.offset, (unsigned long long)t->storage_count);
}

static ecdc_status add_tensor(const struct machine *m, const struct value *key, const struct value *v,
                              struct pickle_tensors *out) {
    const struct value *storage = value_at(m, v->as.tensor.storage);
    struct pickle_tensor *t = &out->tensors[out->n++];
    *t = (struct pickle_tensor){.dtype = storage->as.storage.dtype, .storage_count = storage->as.storage.count,
                                .offset = v->as.tensor.offset};
    t->name = copy_string(key);
    t->storage = copy_string(value_at(m, storage->as.storage.key));
    return t->name && t->storage ? read_view(m, v, t) : fail_memory(m);
}

static ecdc_status collect(const struct machine *m, const struct value *root, struct pickle_tensors *out) {
    if (root->kind != VALUE_DICT)
        return ecdc_fail(m->err, ECDC_E_FORMAT, "%s: holds %s, not a dict of tensors", m->path, KIND_NAMES[root->kind]);
    const struct value *dict = unwrap(m, root);
    size_t n = 0;
    for (size_t i = dict->as.dict.first; i; i = value_at(m, i)->as.pair.next)
        n++;
    if (!(out->tensors = ecdc_alloc_array(n, sizeof *out->tensors)))
        return fail_memory(m);
    ecdc_status status = ECDC_OK;
    for (size_t i = dict->as.dict.first; !status && i; i = value_at(m, i)->as.pair.next) {
        const struct value *pair = value_at(m, i), *key = value_at(m, pair->as.pair.key);
        const struct value *value = value_at(m, pair->as.pair.value);
        if (key->kind == VALUE_STRING && value->kind == VALUE_TENSOR)
            status = add_tensor(m, key, value, out);
    }
    return status;
}

ecdc_status pickle_read(const char *path, const void *bytes, size_t n, struct pickle_tensors *out, ecdc_error *err) {
    struct machine m = {.path = path, .code = bytes, .n_code = n, .err = err};
    struct pickle_tensors tensors = {0};
    size_t top;
    ecdc_status status = run(&m, &top);
    if (!status)
        status = collect(&m, value_at(&m, top), &tensors);
    free(m.values);
    free(m.stack);
    free(m.memo);
    free(m.items);
    if (status)
        pickle_tensors_free(&tensors);
    else
        *out = tensors;
    return status;
}

void pickle_tensors_free(struct pickle_tensors *tensors) {
    for (size_t i = 0; i < tensors->n; i++) {
        free(tensors->tensors[i].name);
        free(tensors->tensors[i].storage);
    }
    free(tensors->tensors);
    *tensors = (struct pickle_tensors){0};
}
