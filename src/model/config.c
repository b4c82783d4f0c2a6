#include "model/config.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/status.h"

/* What is being read, and where problems go. */
struct source {
    const char *path;
    const cJSON *root;
    ecdc_error *err;
};

/* ------------------------------------------------------------------------------------- single values --- */

static const struct int_field {
    const char *name;
    size_t offset;
    int min, max, fallback; /* the defaults are those of transformers' EncodecConfig */
} INT_FIELDS[] = {
#define FIELD(name, min, max, fallback) {#name, offsetof(struct config, name), min, max, fallback}
    FIELD(sampling_rate, 1000, 384000, 24000),
    FIELD(audio_channels, 1, 2, 1),
    FIELD(num_filters, 1, 1024, 32),
    FIELD(hidden_size, 1, 1024, 128),
    FIELD(codebook_size, 2, 65536, 1024),
    FIELD(kernel_size, 1, 31, 7),
    FIELD(last_kernel_size, 1, 31, 7),
    FIELD(residual_kernel_size, 1, 31, 3),
    FIELD(num_residual_layers, 0, 8, 1),
    FIELD(dilation_growth_rate, 1, 16, 2),
    FIELD(compress, 1, 64, 2),
    FIELD(num_lstm_layers, 1, 8, 2),
#undef FIELD
};

static const double DEFAULT_BANDWIDTHS[] = {1.5, 3, 6, 12, 24};
static const int DEFAULT_RATIOS[] = {8, 5, 4, 2};

enum {
    MAX_RATIO = 64,
    MAX_HOP = 8192,
    MAX_WIDTH = 8192,          /* channels of the widest layer */
    MAX_WEIGHTS = 1 << 30,     /* numbers in one convolution */
    MAX_DILATED_SPAN = 1 << 16 /* samples that a dilated kernel reaches back */
};
static const double MAX_BANDWIDTH_KBPS = 10000;
static const double MAX_CHUNK_S = 3600;

/* A field, or NULL where it is absent or null. A name that stands twice would mean one thing here and another to a
 * reader that takes the last one. */
static ecdc_status find(const struct source *s, const char *name, const cJSON **value) {
    const cJSON *found = NULL, *item;
    cJSON_ArrayForEach(item, s->root) {
        if (strcmp(item->string, name) != 0)
            continue;
        if (found)
            return ecdc_fail(s->err, ECDC_E_MODEL, "%s: %s is given twice", s->path, name);
        found = item;
    }
    *value = found && !cJSON_IsNull(found) ? found : NULL;
    return ECDC_OK;
}

static ecdc_status refuse(const struct source *s, const char *name, const cJSON *value, const char *allowed) {
    char shown[64];
    return ecdc_fail(s->err, ECDC_E_MODEL, "%s: %s is %s; allowed is %s", s->path, name,
                     json_describe(value, shown, sizeof shown), allowed);
}

static ecdc_status read_int(const struct source *s, const char *name, int min, int max, int *out) {
    const cJSON *value = NULL;
    ecdc_status status = find(s, name, &value);
    if (status || !value)
        return status;
    double number;
    if (!json_integer(value, min, max, &number)) {
        char allowed[64];
        snprintf(allowed, sizeof allowed, "a whole number, %d ... %d", min, max);
        return refuse(s, name, value, allowed);
    }
    *out = (int)number;
    return ECDC_OK;
}

static ecdc_status read_bool(const struct source *s, const char *name, bool *out) {
    const cJSON *value = NULL;
    ecdc_status status = find(s, name, &value);
    if (status || !value)
        return status;
    if (!cJSON_IsBool(value))
        return refuse(s, name, value, "true or false");
    *out = cJSON_IsTrue(value);
    return ECDC_OK;
}

static ecdc_status read_real(const struct source *s, const char *name, double min, double below, const char *allowed,
                             double *out) {
    const cJSON *value = NULL;
    ecdc_status status = find(s, name, &value);
    if (status || !value)
        return status;
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= min && value->valuedouble < below))
        return refuse(s, name, value, allowed);
    *out = value->valuedouble;
    return ECDC_OK;
}

/* Which of two words; `second` may be NULL. */
static ecdc_status read_word(const struct source *s, const char *name, const char *first, const char *second,
                             bool *is_second) {
    const cJSON *value = NULL;
    ecdc_status status = find(s, name, &value);
    if (status || !value)
        return status;
    const char *word = cJSON_IsString(value) ? value->valuestring : "";
    *is_second = second && strcmp(word, second) == 0;
    if (*is_second || strcmp(word, first) == 0)
        return ECDC_OK;
    char allowed[80];
    snprintf(allowed, sizeof allowed, "\"%s\"%s%s%s", first, second ? " or \"" : "", second ? second : "",
             second ? "\"" : "");
    return refuse(s, name, value, allowed);
}

/* --------------------------------------------------------------------------------------------- lists --- */

static ecdc_status read_ratios(const struct source *s, struct config *c) {
    static const char name[] = "upsampling_ratios", allowed[] = "a list of 1 ... 8 whole numbers, each 1 ... 64";
    const cJSON *list = NULL, *item;
    ecdc_status status = find(s, name, &list);
    if (status || !list)
        return status;
    int n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (n < 1 || n > CONFIG_MAX_RATIOS)
        return refuse(s, name, list, allowed);
    c->n_ratios = 0;
    cJSON_ArrayForEach(item, list) {
        double ratio;
        if (!json_integer(item, 1, MAX_RATIO, &ratio)) {
            char shown[64];
            return ecdc_fail(s->err, ECDC_E_MODEL, "%s: %s holds %s; allowed is %s", s->path, name,
                             json_describe(item, shown, sizeof shown), allowed);
        }
        c->upsampling_ratios[c->n_ratios++] = (int)ratio;
    }
    return ECDC_OK;
}

static ecdc_status read_bandwidths(const struct source *s, struct config *c) {
    static const char name[] = "target_bandwidths";
    static const char allowed[] = "a list of 1 ... 16 numbers in kbps, ascending, above 0, at most 10000";
    const cJSON *list = NULL, *item;
    ecdc_status status = find(s, name, &list);
    if (status || !list)
        return status;
    int n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (n < 1 || n > ECDC_MAX_BANDWIDTHS)
        return refuse(s, name, list, allowed);
    c->n_bandwidths = 0;
    double last = 0;
    cJSON_ArrayForEach(item, list) {
        if (!cJSON_IsNumber(item) || !(item->valuedouble > last && item->valuedouble <= MAX_BANDWIDTH_KBPS)) {
            char shown[64];
            return ecdc_fail(s->err, ECDC_E_MODEL, "%s: %s holds %s as number %d; allowed is %s", s->path, name,
                             json_describe(item, shown, sizeof shown), c->n_bandwidths + 1, allowed);
        }
        c->target_bandwidths[c->n_bandwidths++] = last = item->valuedouble;
    }
    return ECDC_OK;
}

/* ------------------------------------------------------------------------------------- the whole file --- */

static void set_defaults(struct config *c) {
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < sizeof INT_FIELDS / sizeof *INT_FIELDS; i++)
        *(int *)((char *)c + INT_FIELDS[i].offset) = INT_FIELDS[i].fallback;
    c->n_ratios = sizeof DEFAULT_RATIOS / sizeof *DEFAULT_RATIOS;
    memcpy(c->upsampling_ratios, DEFAULT_RATIOS, sizeof DEFAULT_RATIOS);
    c->n_bandwidths = sizeof DEFAULT_BANDWIDTHS / sizeof *DEFAULT_BANDWIDTHS;
    memcpy(c->target_bandwidths, DEFAULT_BANDWIDTHS, sizeof DEFAULT_BANDWIDTHS);
    c->trim_right_ratio = 1;
    c->use_causal_conv = true;
    c->use_conv_shortcut = true;
}

static ecdc_status read_fields(const struct source *s, struct config *c) {
    bool ignored;
    ecdc_status status = read_word(s, "model_type", "encodec", NULL, &ignored);
    for (size_t i = 0; !status && i < sizeof INT_FIELDS / sizeof *INT_FIELDS; i++) {
        const struct int_field *f = &INT_FIELDS[i];
        status = read_int(s, f->name, f->min, f->max, (int *)((char *)c + f->offset));
    }
    c->codebook_dim = c->hidden_size;
    if (status || (status = read_int(s, "codebook_dim", 1, 1024, &c->codebook_dim)) ||
        (status = read_ratios(s, c)) || (status = read_bandwidths(s, c)) ||
        (status = read_bool(s, "use_causal_conv", &c->use_causal_conv)) ||
        (status = read_bool(s, "use_conv_shortcut", &c->use_conv_shortcut)) ||
        (status = read_bool(s, "normalize", &c->normalize)) ||
        (status = read_word(s, "norm_type", "weight_norm", "time_group_norm", &c->group_norm)) ||
        (status = read_word(s, "pad_mode", "reflect", NULL, &ignored)) ||
        (status = read_real(s, "trim_right_ratio", 0, 1 + DBL_EPSILON, "a number, 0 ... 1", &c->trim_right_ratio)) ||
        (status = read_real(s, "chunk_length_s", 1e-3, MAX_CHUNK_S, "null or a number of seconds, 0.001 ... 3600",
                            &c->chunk_length_s)) ||
        (status = read_real(s, "overlap", 0, 1, "null or a number, at least 0 and below 1", &c->overlap)))
        return status;
    return ECDC_OK;
}

/* How the values fit together. */
static ecdc_status check(const struct source *s, const struct config *c) {
    const char *path = s->path;
    ecdc_error *err = s->err;
    if (c->codebook_size & (c->codebook_size - 1))
        return ecdc_fail(err, ECDC_E_MODEL, "%s: codebook_size is %d; allowed is a power of two, 2 ... 65536", path,
                         c->codebook_size);
    if (c->codebook_dim != c->hidden_size)
        return ecdc_fail(err, ECDC_E_MODEL, "%s: codebook_dim is %d; allowed is hidden_size, which is %d", path,
                         c->codebook_dim, c->hidden_size);
    if (c->num_filters < c->compress)
        return ecdc_fail(err, ECDC_E_MODEL, "%s: compress is %d; allowed is at most num_filters, which is %d", path,
                         c->compress, c->num_filters);
    if (c->trim_right_ratio != 1.0)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: trim_right_ratio is %g; only 1.0 is supported", path,
                         c->trim_right_ratio);

    int64_t hop = 1, width = c->num_filters;
    for (int i = 0; i < c->n_ratios; i++) {
        hop *= c->upsampling_ratios[i];
        width *= 2;
        if (hop > MAX_HOP)
            return ecdc_fail(err, ECDC_E_MODEL, "%s: the product of upsampling_ratios is %lld or more; at most %d is "
                             "allowed", path, (long long)hop, MAX_HOP);
    }
    if (width > MAX_WIDTH)
        return ecdc_fail(err, ECDC_E_MODEL, "%s: num_filters %d doubled %d times is %lld channels; at most %d are "
                         "allowed", path, c->num_filters, c->n_ratios, (long long)width, MAX_WIDTH);

    /* Stage i of the decoder maps w to w / 2 channels with a kernel of 2 * ratio; the encoder mirrors it. */
    int64_t w = width;
    for (int i = 0; i < c->n_ratios; i++, w /= 2) {
        int64_t n = w * (w / 2) * 2 * c->upsampling_ratios[i];
        if (n > MAX_WEIGHTS)
            return ecdc_fail(err, ECDC_E_MODEL, "%s: upsampling_ratios holds %d between %lld and %lld channels, a "
                             "convolution of %lld weights; at most %d are allowed", path, c->upsampling_ratios[i],
                             (long long)w, (long long)w / 2, (long long)n, MAX_WEIGHTS);
    }

    int64_t span = c->residual_kernel_size > 1 ? c->residual_kernel_size - 1 : 1; /* a dilation must fit an int anyway */
    for (int i = 1; i < c->num_residual_layers; i++)
        span *= c->dilation_growth_rate; /* at most 30 * 16^7 */
    if (span > MAX_DILATED_SPAN)
        return ecdc_fail(err, ECDC_E_MODEL, "%s: dilation_growth_rate %d in %d residual layers reaches back %lld "
                         "samples; at most %d are allowed", path, c->dilation_growth_rate, c->num_residual_layers,
                         (long long)span, MAX_DILATED_SPAN);

    int n_codebooks = config_n_codebooks(c, c->target_bandwidths[c->n_bandwidths - 1]);
    if (n_codebooks > CONFIG_MAX_CODEBOOKS)
        return ecdc_fail(err, ECDC_E_MODEL, "%s: target_bandwidths ends with %g kbps, which is %d codebooks; at most "
                         "%d are allowed", path, c->target_bandwidths[c->n_bandwidths - 1], n_codebooks,
                         CONFIG_MAX_CODEBOOKS);
    return ECDC_OK;
}

ecdc_status config_parse(const char *path, const char *text, size_t n, struct config *config, ecdc_error *err) {
    cJSON *root;
    ecdc_status status = json_parse_object(path, text, n, &root, err);
    if (status)
        return status;
    struct source source = {path, root, err};
    struct config c;
    set_defaults(&c);
    status = read_fields(&source, &c);
    if (!status)
        status = check(&source, &c);
    if (!status)
        *config = c;
    cJSON_Delete(root);
    return status;
}

/* ------------------------------------------------------------------------------------------- writing --- */

/* transformers tells 3.0 from 3: fields declared as float must be written with a point. cJSON writes a number whatever
 * the locale, in its shortest form up to 15 digits, else with 17. */
static cJSON *real(double value) {
    cJSON *number = cJSON_CreateNumber(value);
    char *digits = number ? cJSON_PrintUnformatted(number) : NULL;
    cJSON_Delete(number);
    if (!digits)
        return NULL;
    char text[40];
    snprintf(text, sizeof text, "%s%s", digits, strpbrk(digits, ".eE") ? "" : ".0");
    cJSON_free(digits);
    return cJSON_CreateRaw(text);
}

/* Takes over `item`; false if there is none or memory is short. */
static bool put(cJSON *root, const char *name, cJSON *item) {
    if (item && cJSON_AddItemToObject(root, name, item))
        return true;
    cJSON_Delete(item);
    return false;
}

static cJSON *real_list(const double *values, int n) {
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; list && i < n; i++) {
        cJSON *item = real(values[i]);
        if (!item || !cJSON_AddItemToArray(list, item)) {
            cJSON_Delete(item);
            cJSON_Delete(list);
            return NULL;
        }
    }
    return list;
}

static cJSON *architectures(void) {
    const char *name = "EncodecModel";
    return cJSON_CreateStringArray(&name, 1);
}

static bool put_all(cJSON *root, const struct config *c) {
    for (size_t i = 0; i < sizeof INT_FIELDS / sizeof *INT_FIELDS; i++)
        if (!put(root, INT_FIELDS[i].name,
                 cJSON_CreateNumber(*(const int *)((const char *)c + INT_FIELDS[i].offset))))
            return false;
    bool chunked = c->chunk_length_s > 0;
    return put(root, "architectures", architectures()) &&
           put(root, "chunk_length_s", chunked ? real(c->chunk_length_s) : cJSON_CreateNull()) &&
           put(root, "codebook_dim", cJSON_CreateNumber(c->codebook_dim)) &&
           put(root, "dtype", cJSON_CreateString("float32")) &&
           put(root, "model_type", cJSON_CreateString("encodec")) &&
           put(root, "norm_type", cJSON_CreateString(c->group_norm ? "time_group_norm" : "weight_norm")) &&
           put(root, "normalize", cJSON_CreateBool(c->normalize)) &&
           put(root, "overlap", chunked || c->overlap > 0 ? real(c->overlap) : cJSON_CreateNull()) &&
           put(root, "pad_mode", cJSON_CreateString("reflect")) &&
           put(root, "target_bandwidths", real_list(c->target_bandwidths, c->n_bandwidths)) &&
           put(root, "trim_right_ratio", real(c->trim_right_ratio)) &&
           put(root, "upsampling_ratios", cJSON_CreateIntArray(c->upsampling_ratios, c->n_ratios)) &&
           put(root, "use_causal_conv", cJSON_CreateBool(c->use_causal_conv)) &&
           put(root, "use_conv_shortcut", cJSON_CreateBool(c->use_conv_shortcut));
}

char *config_text(const struct config *config) {
    cJSON *root = cJSON_CreateObject();
    char *text = root && put_all(root, config) ? cJSON_Print(root) : NULL;
    cJSON_Delete(root);
    return text; /* cJSON allocates with malloc unless told otherwise, and it is told nothing */
}

/* ------------------------------------------------------------------------------------ derived numbers --- */

int config_hop(const struct config *config) {
    int hop = 1;
    for (int i = 0; i < config->n_ratios; i++)
        hop *= config->upsampling_ratios[i];
    return hop;
}

int config_frame_rate(const struct config *config) {
    int hop = config_hop(config);
    return (config->sampling_rate + hop - 1) / hop;
}

int config_chunk_samples(const struct config *config) {
    return (int)(config->chunk_length_s * config->sampling_rate);
}

int config_chunk_stride(const struct config *config) {
    int samples = config_chunk_samples(config), stride = (int)((1.0 - config->overlap) * samples);
    return samples > 0 && stride < 1 ? 1 : stride;
}

int config_chunk_frames(const struct config *config) {
    int hop = config_hop(config);
    return (config_chunk_samples(config) + hop - 1) / hop;
}

int config_code_bits(const struct config *config) {
    int bits = 0;
    while ((1 << bits) < config->codebook_size)
        bits++;
    return bits;
}

int config_n_codebooks(const struct config *config, double bandwidth_kbps) {
    double n = floor(bandwidth_kbps * 1000 / (config_frame_rate(config) * config_code_bits(config)));
    return n < 1 ? 1 : (int)n;
}
