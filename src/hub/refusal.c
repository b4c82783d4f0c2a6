#include "hub/refusal.h"

#include <string.h>

#include "base/status.h"

/* What HTTP 401 means depends on whether we have shown a token. */
static ecdc_status refuse_unauthorised(const struct hub_client *c, const struct hub_file *f, ecdc_error *err) {
    const struct hub_environment *e = &c->environment;
    if (e->token)
        return ecdc_fail(err, ECDC_E_MODEL, "%s does not exist at %s, or the token in %s may not read it or has expired (HTTP "
                         "401): check the name and the token (%s/settings/tokens)", f->repository, e->endpoint,
                         e->token_source, e->endpoint);
    return ecdc_fail(err, ECDC_E_MODEL, "%s does not exist at %s, or it is private (HTTP 401): check the name; for a private "
                     "model set HF_TOKEN, or log in with `hf auth login`", f->repository, e->endpoint);
}

static ecdc_status refuse_gated(const struct hub_client *c, const struct hub_file *f, int code, ecdc_error *err) {
    const struct hub_environment *e = &c->environment;
    return ecdc_fail(err, ECDC_E_MODEL, "%s is gated (HTTP %d): accept its conditions at %s/%s%s%s", f->repository, code,
                     e->endpoint, f->repository,
                     e->token ? " with the account of the token in " : ", then set HF_TOKEN or log in with `hf auth login`",
                     e->token ? e->token_source : "");
}

static ecdc_status refuse_missing(const struct hub_client *c, const struct hub_file *f, const struct http_answer *answer,
                                  ecdc_error *err) {
    const struct hub_environment *e = &c->environment;
    if (strcmp(answer->error_code, "RevisionNotFound") == 0)
        return ecdc_fail(err, ECDC_E_MODEL, "%s has no revision %s at %s (HTTP 404): name a branch, a tag or a commit that is "
                         "listed there", f->repository, f->revision, e->endpoint);
    if (strcmp(answer->error_code, "RepoNotFound") == 0)
        return ecdc_fail(err, ECDC_E_MODEL, "%s does not exist at %s (HTTP 404): check the name", f->repository, e->endpoint);
    return ecdc_fail(err, ECDC_E_MODEL, "%s of %s is not found at %s (HTTP 404): check the name, and HF_ENDPOINT", f->name,
                     f->repository, e->endpoint);
}

ecdc_status refusal_of_answer(const struct hub_client *c, const struct hub_file *file, const struct http_answer *answer,
                              ecdc_error *err) {
    const char *endpoint = c->environment.endpoint, *said = answer->error_message;
    if (strcmp(answer->error_code, "GatedRepo") == 0)
        return refuse_gated(c, file, answer->code, err);
    if (answer->code == 401)
        return refuse_unauthorised(c, file, err);
    if (answer->code == 404)
        return refuse_missing(c, file, answer, err);
    if (answer->code == 403)
        return ecdc_fail(err, ECDC_E_MODEL, "%s refuses %s of %s (HTTP 403%s%s): %s%s", endpoint, file->name, file->repository,
                         *said ? ", " : "", said,
                         c->environment.token ? "the right to read this model is missing for the token in "
                                              : "set HF_TOKEN to a token that may read this model",
                         c->environment.token ? c->environment.token_source : "");
    return ecdc_fail(err, ECDC_E_IO, "%s answers HTTP %d for %s of %s%s%s; an endpoint other than the hub's own is set with "
                     "HF_ENDPOINT", endpoint, answer->code, file->name, file->repository, *said ? ": " : "", said);
}

ecdc_status refusal_of_tries(const struct hub_client *c, const struct hub_file *file, const struct http_answer *answer,
                             const char *reason, int n_tries, ecdc_error *err) {
    const char *endpoint = c->environment.endpoint;
    if (reason && !c->answered)
        return ecdc_fail(err, ECDC_E_IO, "%s cannot be downloaded: no connection to %s (%s); where there is no network, run `ecdc "
                         "model fetch %s` on a machine that has one and shares the Hugging Face cache, or use -m default",
                         file->repository, endpoint, reason, file->repository);
    if (reason)
        return ecdc_fail(err, ECDC_E_IO, "%s of %s: the connection to %s failed %d times in a row (%s); what has come is kept, "
                         "the next try goes on from there", file->name, file->repository, endpoint, n_tries, reason);
    if (answer->code == 429 && answer->retry_after_s > 0)
        return ecdc_fail(err, ECDC_E_IO, "%s has had too many requests from here (HTTP 429) and wants to be asked again in %lld s; "
                         "a token (HF_TOKEN) raises the limit", endpoint, (long long)answer->retry_after_s);
    if (answer->code == 429)
        return ecdc_fail(err, ECDC_E_IO, "%s has had too many requests from here (HTTP 429, %d tries): try again later; a token "
                         "(HF_TOKEN) raises the limit", endpoint, n_tries);
    return ecdc_fail(err, ECDC_E_IO, "%s fails (HTTP %d for %s of %s, %d tr%s): try again later", endpoint, answer->code,
                     file->name, file->repository, n_tries, n_tries == 1 ? "y" : "ies");
}

ecdc_status refusal_of_offline(const char *name, const char *offline, const char *missing, ecdc_error *err) {
    return ecdc_fail(err, ECDC_E_MODEL, "%s, and %s forbids to download it: run `ecdc model fetch %s` without that variable, "
                     "or on a machine that has a network and shares the cache, or use -m default", missing, offline, name);
}
