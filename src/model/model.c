#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/sha256.h"
#include "base/status.h"
#include "model/embedded.h"
#include "model/hub_cache.h"
#include "model/infer.h"
#include "model/network.h"
#include "model/random.h"

enum { MAX_CONFIG = 1 << 20 };

static const char POSSIBLE[] = "possible are `default`, a directory with config.json and model.safetensors or checkpoint.th, a "
                               ".safetensors or .th file, a Hugging Face model in the local cache (organisation/name), "
                               "`random:encodec_24khz` and `random:encodec_48khz`";

/* The SHA-256 of the files that facebookresearch/encodec publishes begins as their names say: encodec_24khz-d7cc33bc.th */
static const struct {
    const char *sha256, *name;
} PUBLISHED[] = {{"d7cc33bc", "encodec_24khz"}, {"7e698e3e", "encodec_48khz"}};

/* ------------------------------------------------------------------------------------------- opening --- */

static struct ecdc_model *new_model(void) {
    struct ecdc_model *m = ecdc_alloc_zeros(1, sizeof *m);
    if (m && pthread_mutex_init(&m->lock, NULL) != 0) {
        free(m);
        m = NULL;
    }
    return m;
}

void ecdc_model_close(ecdc_model *model) {
    if (!model)
        return;
    network_list_free(model->networks);
    checkpoint_close(model->checkpoint);
    weight_file_close(model->file);
    free(model->owned);
    pthread_mutex_destroy(&model->lock);
    free(model->name);
    free(model->origin);
    free(model);
}

/* Each open_* fills name, origin, config, and file or bytes; what it has filled when it fails, ecdc_model_close gives back. */

static ecdc_status open_default(struct ecdc_model *m, ecdc_error *err) {
    struct embedded_model e = embedded_model();
    m->name = ecdc_strdup(EMBEDDED_NAME);
    m->origin = ecdc_strdup("embedded");
    if (!m->name || !m->origin)
        return ecdc_fail_memory(err, "a model");
    m->bytes = e.weights;
    m->n_bytes = e.n_weights;
    snprintf(m->sha256, sizeof m->sha256, "%s", e.sha256);
    return config_parse("the embedded config.json", e.config, e.n_config, &m->config, err);
}

static ecdc_status open_random(const char *name, struct ecdc_model *m, ecdc_error *err) {
    m->name = ecdc_strdup(name);
    m->origin = ecdc_strdup("generated");
    if (!m->name || !m->origin)
        return ecdc_fail_memory(err, "a model");
    ecdc_status status = random_model_make(name, &m->config, &m->owned, &m->n_bytes, err);
    m->bytes = m->owned;
    return status;
}

static ecdc_status read_config(const char *path, struct config *config, ecdc_error *err) {
    char *text;
    size_t n;
    ecdc_status status = file_read_text(path, MAX_CONFIG, &text, &n, err);
    if (status)
        return status;
    status = config_parse(path, text, n, config, err);
    free(text);
    return status;
}

/* Without a file config_path the config is left to infer_config, once the tensors are known. */
static ecdc_status open_files(const char *config_path, const char *weights_path, struct ecdc_model *m,
                              ecdc_error *err) {
    ecdc_status status = file_is_regular(config_path) ? read_config(config_path, &m->config, err) : ECDC_OK;
    if (status)
        return status;
    if (!(m->origin = ecdc_strdup(weights_path)))
        return ecdc_fail_memory(err, "a model");
    return weight_file_open(weights_path, &m->file, err);
}

/* The last component of the directory's real path, so that "." and "model/" have a name, too. */
static char *directory_name(const char *directory) {
    char *real = realpath(directory, NULL);
    const char *path = real ? real : directory, *slash = strrchr(path, '/');
    char *name = ecdc_strdup(slash && slash[1] ? slash + 1 : path);
    free(real);
    return name;
}

/* `name` is for the model; NULL: the directory's. */
static ecdc_status open_directory(const char *directory, const char *name, struct ecdc_model *m, ecdc_error *err) {
    m->name = name ? ecdc_strdup(name) : directory_name(directory);
    char *config = ecdc_strfmt("%s/config.json", directory), *weights = ecdc_strfmt("%s/model.safetensors", directory);
    char *torch = ecdc_strfmt("%s/checkpoint.th", directory);
    ecdc_status status;
    if (!m->name || !config || !weights || !torch) {
        status = ecdc_fail_memory(err, "a model");
    } else if (!file_is_regular(config) || (!file_is_regular(weights) && !file_is_regular(torch))) {
        bool no_config = !file_is_regular(config), no_weights = !file_is_regular(weights) && !file_is_regular(torch);
        status = ecdc_fail(err, ECDC_E_MODEL, "the directory %s is not a model: it holds no %s%s%s", directory,
                           no_config ? "config.json" : "", no_config && no_weights ? " and no " : "",
                           no_weights ? "model.safetensors or checkpoint.th" : "");
    } else {
        status = open_files(config, file_is_regular(weights) ? weights : torch, m, err);
    }
    free(config);
    free(weights);
    free(torch);
    return status;
}

static bool ends_with(const char *s, const char *end) {
    size_t n = strlen(s), k = strlen(end);
    return n > k && strcmp(s + n - k, end) == 0;
}

/* DIR/model.safetensors and DIR/checkpoint.th are named after DIR, any other file after itself. */
static char *weights_name(const char *path, const char *directory) {
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    if (strcmp(file, "model.safetensors") == 0 || strcmp(file, "checkpoint.th") == 0)
        return directory_name(directory);
    return ecdc_strfmt("%.*s", (int)(strrchr(file, '.') - file), file);
}

static ecdc_status open_weights(const char *path, struct ecdc_model *m, ecdc_error *err) {
    const char *slash = strrchr(path, '/');
    char *directory = slash ? ecdc_strfmt("%.*s", (int)(slash - path) + 1, path) : ecdc_strdup("./");
    char *config = directory ? ecdc_strfmt("%sconfig.json", directory) : NULL;
    m->name = directory ? weights_name(path, directory) : NULL;
    ecdc_status status = config && m->name ? open_files(config, path, m, err) : ecdc_fail_memory(err, "a model");
    free(directory);
    free(config);
    return status;
}

static ecdc_status open_hub(const char *name, struct ecdc_model *m, ecdc_error *err) {
    static const char publisher[] = "facebook/encodec_";
    char *directory;
    ecdc_error why;
    ecdc_status status = hub_cache_find(name, &directory, &why);
    if (status == ECDC_E_MODEL)
        return ecdc_fail(err, status, "%s (`ecdc model fetch %s` downloads it); %s", why.message, name, POSSIBLE);
    if (status)
        return ecdc_fail(err, status, "%s", why.message);
    m->published = strncmp(name, publisher, sizeof publisher - 1) == 0;
    size_t n = strcspn(name, "@");
    const char *begin = m->published ? strchr(name, '/') + 1 : name;
    char *own_name = ecdc_strfmt("%.*s", (int)(name + n - begin), begin);
    status = own_name ? open_directory(directory, own_name, m, err) : ecdc_fail_memory(err, "a model");
    free(own_name);
    free(directory);
    return status;
}

static bool looks_like_path(const char *name) {
    return name[0] == '/' || strncmp(name, "./", 2) == 0 || strncmp(name, "../", 3) == 0 ||
           ends_with(name, ".safetensors") || ends_with(name, ".th");
}

bool model_is_hub_name(const char *name) {
    return hub_cache_is_name(name) && !looks_like_path(name) && !random_model_is_name(name) && !file_is_directory(name) &&
           !file_is_regular(name);
}

static ecdc_status open_named(const char *name, struct ecdc_model *m, ecdc_error *err) {
    if (strcmp(name, "default") == 0)
        return open_default(m, err);
    if (random_model_is_name(name))
        return open_random(name, m, err);
    if (file_is_directory(name))
        return open_directory(name, NULL, m, err);
    if (file_is_regular(name)) {
        if (ends_with(name, ".safetensors") || checkpoint_is_torch(name))
            return open_weights(name, m, err);
        return ecdc_fail(err, ECDC_E_MODEL, "%s is not a model file: its name ends neither in .safetensors nor in .th", name);
    }
    if (looks_like_path(name))
        return ecdc_fail(err, ECDC_E_MODEL, "no model %s: there is no such file or directory; %s", name, POSSIBLE);
    if (hub_cache_is_name(name))
        return open_hub(name, m, err);
    return ecdc_fail(err, ECDC_E_MODEL, "no model `%s`: there is no file or directory of that name; %s", name, POSSIBLE);
}

const char *model_published_name(const char *sha256) {
    for (size_t i = 0; i < sizeof PUBLISHED / sizeof *PUBLISHED; i++)
        if (strncmp(sha256, PUBLISHED[i].sha256, strlen(PUBLISHED[i].sha256)) == 0)
            return PUBLISHED[i].name;
    return NULL;
}

/* A file with the bytes of a published one has its name, too, whatever it is called. */
static ecdc_status recognise_published(struct ecdc_model *m, ecdc_error *err) {
    const char *hex, *name;
    if (!checkpoint_is_torch(m->origin))
        return ECDC_OK;
    ecdc_status status = model_sha256(m, &hex, err);
    if (status || !(name = model_published_name(hex)))
        return status;
    free(m->name);
    m->published = true;
    return (m->name = ecdc_strdup(name)) ? ECDC_OK : ecdc_fail_memory(err, "a model");
}

ecdc_status ecdc_model_open(const char *name, ecdc_model **model, ecdc_error *err) {
    if (!name || !model)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "ecdc_model_open: the %s is NULL", name ? "result" : "name");
    struct ecdc_model *m = new_model();
    if (!m)
        return ecdc_fail_memory(err, "a model");
    ecdc_status status = open_named(name, m, err);
    if (!status)
        status = m->file ? checkpoint_open_file(m->file, &m->checkpoint, err)
                         : checkpoint_open(m->origin, m->bytes, m->n_bytes, &m->checkpoint, err);
    if (!status && m->config.n_ratios == 0) /* no config.json came with it */
        status = infer_config(m->origin, m->checkpoint, &m->config, err);
    if (!status)
        status = checkpoint_check(m->checkpoint, &m->config, &m->n_parameters, err);
    if (!status)
        status = recognise_published(m, err);
    if (status)
        ecdc_model_close(m);
    else
        *model = m;
    return status;
}

/* --------------------------------------------------------------------------------------------- facts --- */

void ecdc_model_get_info(const ecdc_model *model, ecdc_model_info *info) {
    const struct config *c = &model->config;
    memset(info, 0, sizeof *info);
    info->name = model->name;
    info->origin = model->origin;
    info->sampling_rate_hz = c->sampling_rate;
    info->channels = c->audio_channels;
    info->hop = config_hop(c);
    info->frame_rate_hz = config_frame_rate(c);
    info->dimension = c->hidden_size;
    info->n_codebooks = config_n_codebooks(c, c->target_bandwidths[c->n_bandwidths - 1]);
    info->codebook_size = c->codebook_size;
    info->n_bandwidths = c->n_bandwidths;
    memcpy(info->bandwidths_kbps, c->target_bandwidths, (size_t)c->n_bandwidths * sizeof *c->target_bandwidths);
    info->n_parameters = model->n_parameters;
    info->chunked = config_chunk_samples(c) > 0;
    info->chunk_samples = config_chunk_samples(c);
    info->chunk_stride = config_chunk_stride(c);
    info->chunk_frames = config_chunk_frames(c);
}

ecdc_status model_sha256(const ecdc_model *model, const char **hex, ecdc_error *err) {
    /* Immutable to its users: what is made when first needed is behind the lock. Every model is allocated in
     * ecdc_model_open, so none is const in truth. */
    struct ecdc_model *m = (struct ecdc_model *)model;
    ecdc_status status = ECDC_OK;
    pthread_mutex_lock(&m->lock);
    if (!m->sha256[0]) {
        if (m->file)
            status = weight_file_sha256(m->file, m->sha256, err);
        else if (!sha256_of(m->bytes, m->n_bytes, m->sha256))
            status = ecdc_fail_memory(err, "a SHA-256");
        if (status)
            m->sha256[0] = '\0';
    }
    pthread_mutex_unlock(&m->lock);
    *hex = m->sha256;
    return status;
}

const char *ecdc_model_sha256(const ecdc_model *model) {
    const char *hex;
    (void)model_sha256(model, &hex, NULL);
    return hex;
}

ecdc_status ecdc_model_codebooks(const ecdc_model *model, double bandwidth_kbps, int *n_codebooks, ecdc_error *err) {
    const struct config *c = &model->config;
    char offers[ECDC_MAX_BANDWIDTHS * 16] = "";
    size_t used = 0;
    for (int i = 0; i < c->n_bandwidths; i++) {
        double offered = c->target_bandwidths[i];
        if (fabs(bandwidth_kbps - offered) <= 1e-9 * offered) {
            *n_codebooks = config_n_codebooks(c, offered);
            return ECDC_OK;
        }
        used += (size_t)snprintf(offers + used, sizeof offers - used, "%s%g", i ? ", " : "", offered);
    }
    return ecdc_fail(err, ECDC_E_ARGUMENT, "bandwidth %g kbps is not supported by %s: it offers %s kbps",
                     bandwidth_kbps, model->name, offers);
}

int64_t ecdc_model_frames(const ecdc_model *model, int64_t n_samples) {
    if (n_samples <= 0)
        return 0;
    int hop = config_hop(&model->config);
    return n_samples / hop + (n_samples % hop != 0);
}

int64_t ecdc_model_chunks(const ecdc_model *model, int64_t n_samples) {
    int stride = config_chunk_stride(&model->config);
    return stride == 0 || n_samples <= 0 ? 0 : n_samples / stride + (n_samples % stride != 0);
}

int ecdc_model_chunk_frames(const ecdc_model *model, int64_t n_samples, int64_t chunk) {
    if (chunk < 0 || chunk >= ecdc_model_chunks(model, n_samples))
        return 0;
    int64_t left = n_samples - chunk * config_chunk_stride(&model->config), whole = config_chunk_samples(&model->config);
    return (int)ecdc_model_frames(model, left < whole ? left : whole);
}
