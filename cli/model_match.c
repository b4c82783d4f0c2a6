#include "model_match.h"

#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "model/embedded.h"
#include "model/model.h"
#include "model/random.h"
#include "model_open.h"

static bool matches(const ecdc_model *model, const char *name, const char *sha) {
    if (*sha)
        return !strncmp(ecdc_model_sha256(model), sha, strlen(sha));
    return model->published && !strcmp(model->name, name);
}

/* What to open for a name and a hash in a file. */
static const char *name_to_open(const char *name, const char *sha, char *buffer, size_t size) {
    if (!strcmp(name, EMBEDDED_NAME) || (*sha && !strncmp(embedded_model().sha256, sha, strlen(sha))))
        return "default"; /* the same weights, whatever they were called */
    if (!strcmp(name, "encodec_24khz") || !strcmp(name, "encodec_48khz")) {
        snprintf(buffer, size, "facebook/%s", name);
        return buffer;
    }
    return name; /* random:..., or a directory of that name: the hash decides */
}

ecdc_status model_open_matching(const struct options *o, const char *path, const char *name, const char *sha,
                                ecdc_model **model, ecdc_error *err) {
    char buffer[160];
    ecdc_error why;
    const char *wanted = o->model_given ? o->model : name_to_open(name, sha, buffer, sizeof buffer);
    ecdc_status status = o->model_given ? model_open(o, wanted, model, &why) : ecdc_model_open(wanted, model, &why);
    if (status != ECDC_OK && (o->model_given || status != ECDC_E_MODEL))
        return ecdc_fail(err, status, "%s", why.message);
    if (status != ECDC_OK)
        return ecdc_fail(err, ECDC_E_MODEL, "%s was made with the model %s%s%.16s%s, which is not here; give it with -m %s", path,
                         name, *sha ? " (SHA-256 " : "", sha, *sha ? "...)" : "",
                         model_is_hub_name(wanted) ? wanted : "MODEL");
    const char *hex = "";
    if (*sha)
        status = model_sha256(*model, &hex, err);
    if (status == ECDC_OK && (matches(*model, name, sha) || o->force))
        return ECDC_OK;
    if (status == ECDC_OK)
        status = ecdc_fail(err, ECDC_E_MODEL, "%s was made with the model %s%s%.16s%s, not with %s (SHA-256 %.16s...): other "
                       "weights turn its codes into noise; give the right one with -m MODEL, or --force", path, name,
                       *sha ? " (SHA-256 " : "", sha, *sha ? "...)" : "", (*model)->name, ecdc_model_sha256(*model));
    ecdc_model_close(*model);
    *model = NULL;
    return status;
}

/* Whatever else keeps a model from being read only makes it unknown. */
static ecdc_status unless_memory(ecdc_status status, const ecdc_error *why, bool *known, ecdc_error *err) {
    *known = status == ECDC_OK;
    return status == ECDC_E_MEMORY ? ecdc_fail(err, status, "%s", why->message) : ECDC_OK;
}

ecdc_status model_config_of(const char *name, const char *sha, struct config *config, bool *known, ecdc_error *err) {
    char buffer[160];
    ecdc_error why;
    const char *wanted = name_to_open(name, sha, buffer, sizeof buffer);
    if (!strcmp(wanted, "default")) {
        struct embedded_model e = embedded_model();
        return unless_memory(config_parse(EMBEDDED_NAME, e.config, e.n_config, config, &why), &why, known, err);
    }
    if (wanted == buffer) { /* published: generated ones have the same shapes */
        snprintf(buffer, sizeof buffer, "random:%s", name);
        wanted = buffer;
    }
    if (random_model_is_name(wanted))
        return unless_memory(random_model_config(wanted, config, &why), &why, known, err);
    ecdc_model *model;
    const char *hex;
    ecdc_status status = ecdc_model_open(wanted, &model, &why);
    if (status != ECDC_OK)
        return unless_memory(status, &why, known, err);
    status = unless_memory(model_sha256(model, &hex, &why), &why, known, err);
    *known = *known && matches(model, name, sha);
    *config = model->config;
    ecdc_model_close(model);
    return status;
}
