#include "hub/environment.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "model/hub_cache.h"

enum { MAX_TOKEN = 4096, DEFAULT_TIMEOUT_S = 10, MAX_TIMEOUT_S = 86400 };

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static bool is_true(const char *value) {
    static const char *const words[] = {"1", "on", "yes", "true"};
    for (size_t i = 0; value && i < sizeof words / sizeof *words; i++)
        if (strcasecmp(value, words[i]) == 0)
            return true;
    return false;
}

const char *hub_offline(void) {
    if (variable("HF_HUB_OFFLINE"))
        return is_true(variable("HF_HUB_OFFLINE")) ? "HF_HUB_OFFLINE=1" : NULL;
    return is_true(variable("TRANSFORMERS_OFFLINE")) ? "TRANSFORMERS_OFFLINE=1" : NULL;
}

/* ------------------------------------------------------------------------------------------- endpoint --- */

static ecdc_status read_endpoint(char **endpoint, ecdc_error *err) {
    const char *value = variable("HF_ENDPOINT");
    if (!value)
        value = "https://huggingface.co";
    size_t n = strlen(value);
    while (n > 0 && value[n - 1] == '/')
        n--;
    if (strncasecmp(value, "https://", 8) != 0 && strncasecmp(value, "http://", 7) != 0)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "HF_ENDPOINT=%s: an address that begins with https:// or http:// is needed",
                         value);
    return (*endpoint = ecdc_strfmt("%.*s", (int)n, value)) ? ECDC_OK : ecdc_fail_memory(err, "HF_ENDPOINT");
}

static ecdc_status read_timeout(const char *name, int *timeout_s, ecdc_error *err) {
    const char *value = variable(name);
    *timeout_s = DEFAULT_TIMEOUT_S;
    if (!value)
        return ECDC_OK;
    char *end;
    long s = strtol(value, &end, 10);
    if (*end || s < 1 || s > MAX_TIMEOUT_S)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s=%s: a whole number of seconds from 1 to %d is needed", name, value,
                         (int)MAX_TIMEOUT_S);
    *timeout_s = (int)s;
    return ECDC_OK;
}

/* ---------------------------------------------------------------------------------------------- token --- */

/* The path of the token's file; *path stays NULL where no variable tells. */
static ecdc_status find_token_file(char **path, ecdc_error *err) {
    static const struct {
        const char *variable, *tail;
    } places[] = {
        {"HF_TOKEN_PATH", ""}, {"HF_HOME", "/token"}, {"XDG_CACHE_HOME", "/huggingface/token"},
        {"HOME", "/.cache/huggingface/token"},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *base = variable(places[i].variable);
        if (base)
            return (*path = hub_cache_expand(base, places[i].tail)) ? ECDC_OK : ecdc_fail_memory(err, "the token's path");
    }
    return ECDC_OK;
}

/* Takes a copy of a token without space around it; what is left must be able to stand in a header. The message does not
 * show it. */
static ecdc_status set_token(struct hub_environment *e, const char *text, const char *source, ecdc_error *err) {
    static const char space[] = " \t\r\n";
    text += strspn(text, space);
    size_t n = strlen(text);
    while (n > 0 && strchr(space, text[n - 1]))
        n--;
    if (n == 0)
        return ECDC_OK;
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return ecdc_fail(err, ECDC_E_ARGUMENT, "the token in %s is not one: it holds a space or a character outside ASCII",
                             source);
    e->token = ecdc_strfmt("%.*s", (int)n, text);
    e->token_source = ecdc_strdup(source);
    return e->token && e->token_source ? ECDC_OK : ecdc_fail_memory(err, "a token");
}

static ecdc_status read_token(struct hub_environment *e, ecdc_error *err) {
    if (is_true(variable("HF_HUB_DISABLE_IMPLICIT_TOKEN")))
        return ECDC_OK;
    ecdc_status status = ECDC_OK;
    if (variable("HF_TOKEN"))
        status = set_token(e, variable("HF_TOKEN"), "HF_TOKEN", err);
    if (status || e->token)
        return status;
    char *path = NULL, *text = NULL;
    size_t n;
    status = find_token_file(&path, err);
    if (!status && path && file_is_regular(path)) {
        status = file_read_text(path, MAX_TOKEN, &text, &n, err);
        if (!status)
            status = set_token(e, text, path, err);
    }
    free(text);
    free(path);
    return status;
}

ecdc_status hub_environment_read(struct hub_environment *e, ecdc_error *err) {
    *e = (struct hub_environment){0};
    ecdc_status status = read_endpoint(&e->endpoint, err);
    if (!status)
        status = read_timeout("HF_HUB_ETAG_TIMEOUT", &e->etag_timeout_s, err);
    if (!status)
        status = read_timeout("HF_HUB_DOWNLOAD_TIMEOUT", &e->download_timeout_s, err);
    if (!status)
        status = read_token(e, err);
    if (status)
        hub_environment_free(e);
    return status;
}

void hub_environment_free(struct hub_environment *e) {
    free(e->endpoint);
    free(e->token);
    free(e->token_source);
    *e = (struct hub_environment){0};
}
