#include "hub/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/memory.h"
#include "base/status.h"
#include "hub/refusal.h"
#include "model/hub_cache.h"

enum {
    MAX_REDIRECTS = 10,
    MAX_TRIES = 5,          /* in a row that bring nothing: 1 + 2 + 4 + 8 s of waiting */
    MAX_RETRY_AFTER_S = 60, /* a server that wants us to wait longer is asked another day */
    ENOUGH = 1 << 16        /* bytes that make a try count as fruitful */
};

ecdc_status hub_client_open(struct hub_client *c, const ecdc_hub_settings *settings, ecdc_error *err) {
    *c = (struct hub_client){.settings = settings};
    ecdc_status status = hub_environment_read(&c->environment, err);
    if (!status && !(c->http = http_new())) {
        status = ecdc_fail_memory(err, "a connection");
        hub_client_close(c);
    }
    return status;
}

void hub_client_close(struct hub_client *c) {
    http_free(c->http);
    hub_environment_free(&c->environment);
    *c = (struct hub_client){0};
}

/* ------------------------------------------------------------------------------------------- one try --- */

/* A file that is being asked for, over all tries. */
struct exchange {
    struct hub_client *client;
    const struct hub_file *file;
    const struct hub_sink *sink; /* NULL: only the headers */
    uint64_t offset;             /* of the next byte */
    uint64_t received;           /* in this try */
    bool placed;                 /* this try's first byte has found its offset */
    ecdc_status status;          /* of the sink */
    ecdc_error failure;
};

static bool refuse(struct exchange *x, ecdc_status status, const char *what) {
    x->status = ecdc_fail(&x->failure, status, "%s of %s: %s", x->file->name, x->file->repository, what);
    return false;
}

static bool take(void *context, const struct http_answer *answer, const void *bytes, size_t n) {
    struct exchange *x = context;
    if (!x->placed && answer->code == 200)
        x->offset = 0; /* the whole file, asked for or not */
    else if (!x->placed && answer->range_first != (int64_t)x->offset)
        return refuse(x, ECDC_E_FORMAT, "the server sends another part than the one that was asked for");
    x->placed = true;
    if (n > x->file->size - x->offset)
        return refuse(x, ECDC_E_FORMAT, "the server sends more bytes than it announced");
    x->status = x->sink->write(x->sink->context, x->offset, bytes, n, &x->failure);
    if (x->status)
        return false;
    x->offset += n;
    x->received += n;
    return true;
}

static char *file_url(const struct hub_client *c, const struct hub_file *file) {
    char *revision = ecdc_strdup(file->revision), *url = NULL;
    for (char *slash; revision && (slash = strchr(revision, '/'));) { /* refs/pr/1 is one component */
        char *longer = ecdc_strfmt("%.*s%%2F%s", (int)(slash - revision), revision, slash + 1);
        free(revision);
        revision = longer;
    }
    if (revision)
        url = ecdc_strfmt("%s/%s/resolve/%s/%s", c->environment.endpoint, file->repository, revision, file->name);
    free(revision);
    return url;
}

static bool is_redirect(const struct http_answer *answer) {
    return answer->location && (answer->code == 301 || answer->code == 302 || answer->code == 303 ||
                                answer->code == 307 || answer->code == 308);
}

/* One request and what it is redirected to. The token goes to the endpoint alone. Headers about a file stand in the answer
 * that leads away from it, so a request for them ends there. */
static enum http_outcome try_once(struct exchange *x, char **url, struct http_answer *answer, const char **reason) {
    struct hub_client *c = x->client;
    const struct hub_environment *e = &c->environment;
    x->received = 0;
    x->placed = false;
    for (int i = 0;; i++) {
        bool home = http_same_origin(*url, e->endpoint);
        struct http_request request = {
            .url = *url, .bearer = home ? e->token : NULL, .head = !x->sink, .offset = x->offset,
            .connect_timeout_s = e->etag_timeout_s, .timeout_s = x->sink ? e->download_timeout_s : e->etag_timeout_s,
            .take = take, .take_context = x, .stop = c->settings->stop, .stop_context = c->settings->context,
        };
        enum http_outcome outcome = http_send(c->http, &request, answer, reason);
        c->answered = c->answered || answer->code != 0;
        if (outcome != HTTP_ANSWERED || !is_redirect(answer))
            return outcome;
        if (request.head && !http_same_origin(*url, answer->location))
            return outcome;
        if (i == MAX_REDIRECTS) {
            *reason = "it redirects in circles";
            return HTTP_IMPOSSIBLE;
        }
        if (strncasecmp(*url, "https:", 6) == 0 && strncasecmp(answer->location, "https:", 6) != 0) {
            *reason = "it redirects away from https";
            return HTTP_IMPOSSIBLE;
        }
        free(*url);
        *url = answer->location;
        answer->location = NULL;
    }
}

/* ------------------------------------------------------------------------------------------- many tries --- */

static bool may_pass(int code) {
    return code == 408 || code == 429 || code == 500 || code == 502 || code == 503 || code == 504;
}

ecdc_status hub_client_sleep(const ecdc_hub_settings *settings, double seconds, ecdc_error *err) {
    enum { SLICES_PER_S = 20 };
    for (double left = seconds; left > 0; left -= 1.0 / SLICES_PER_S) {
        if (settings->stop && settings->stop(settings->context))
            return ecdc_fail(err, ECDC_E_STOPPED, "the download was stopped");
        nanosleep(&(struct timespec){.tv_nsec = 1000000000 / SLICES_PER_S}, NULL);
    }
    return ECDC_OK;
}

/* After a try that failed in a way that may pass: waits, or gives up. `fruitless` tries in a row have brought nothing. */
static ecdc_status wait_for_next(struct hub_client *c, const struct hub_file *file, const struct http_answer *answer,
                                 const char *reason, int fruitless, ecdc_error *err) {
    char what[HTTP_TEXT + 64];
    if (reason)
        snprintf(what, sizeof what, "the connection failed (%s)", reason);
    else
        snprintf(what, sizeof what, "%s answers HTTP %d", c->environment.endpoint, answer->code);
    bool broken = reason && !c->answered;
    if (broken || fruitless >= MAX_TRIES || answer->retry_after_s > MAX_RETRY_AFTER_S)
        return refusal_of_tries(c, file, answer, reason, broken ? 1 : fruitless, err);
    double wait_s = answer->retry_after_s >= 0 ? (double)answer->retry_after_s : fruitless ? 1 << (fruitless - 1) : 0;
    if (c->settings->waiting)
        c->settings->waiting(c->settings->context, what, wait_s);
    return hub_client_sleep(c->settings, wait_s, err);
}

/* Asks until there is an answer that another try would not change: one of success, or *answer with a code for the caller. */
static ecdc_status ask(struct exchange *x, struct http_answer *answer, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (int fruitless = 0; !status;) {
        const char *reason;
        char *url = file_url(x->client, x->file);
        if (!url)
            return ecdc_fail_memory(err, "an address");
        enum http_outcome outcome = try_once(x, &url, answer, &reason);
        free(url);
        fruitless = x->received >= ENOUGH ? 0 : fruitless + 1;
        if (outcome == HTTP_STOPPED)
            status = ecdc_fail(err, ECDC_E_STOPPED, "the download was stopped");
        else if (outcome == HTTP_REFUSED)
            status = ecdc_fail(err, x->status, "%s", x->failure.message);
        else if (outcome == HTTP_IMPOSSIBLE)
            status = ecdc_fail(err, ECDC_E_IO, "%s of %s cannot be downloaded from %s: %s", x->file->name,
                               x->file->repository, x->client->environment.endpoint, reason);
        else if (outcome == HTTP_ANSWERED && !may_pass(answer->code))
            return ECDC_OK;
        else
            status = wait_for_next(x->client, x->file, answer, outcome == HTTP_BROKEN ? reason : NULL, fruitless, err);
        http_answer_free(answer);
    }
    return status;
}

/* --------------------------------------------------------------------------------------------- requests --- */

/* An ETag becomes a file's name. */
static bool is_file_name(const char *s) {
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    size_t n = strlen(s);
    return n > 0 && n <= 200 && s[0] != '.' && strspn(s, allowed) == n;
}

/* W/"abc" and "abc" are abc. */
static void normalise_etag(char *etag) {
    const char *begin = strncmp(etag, "W/", 2) == 0 ? etag + 2 : etag;
    begin += *begin == '"';
    size_t n = strlen(begin);
    n -= n > 0 && begin[n - 1] == '"';
    memmove(etag, begin, n);
    etag[n] = '\0';
}

static ecdc_status read_metadata(const struct hub_client *c, const struct http_answer *answer, struct hub_file *file,
                                 ecdc_error *err) {
    bool away = is_redirect(answer);
    int64_t size = answer->linked_size >= 0 ? answer->linked_size : away ? -1 : answer->length;
    snprintf(file->etag, sizeof file->etag, "%s", *answer->linked_etag ? answer->linked_etag : answer->etag);
    normalise_etag(file->etag);
    const char *missing = !hub_cache_is_commit(answer->commit) ? "commit (X-Repo-Commit)"
                          : !is_file_name(file->etag)          ? "usable ETag"
                          : size < 0                           ? "size"
                                                               : NULL;
    if (missing)
        return ecdc_fail(err, ECDC_E_FORMAT, "the answer for %s of %s names no %s, so %s is not a Hugging Face hub: check "
                         "HF_ENDPOINT and the proxy", file->name, file->repository, missing, c->environment.endpoint);
    memcpy(file->commit, answer->commit, sizeof file->commit);
    file->size = (uint64_t)size;
    file->exists = true;
    return ECDC_OK;
}

ecdc_status hub_client_head(struct hub_client *c, struct hub_file *file, ecdc_error *err) {
    struct exchange x = {.client = c, .file = file};
    struct http_answer answer;
    ecdc_status status = ask(&x, &answer, err);
    if (status)
        return status;
    file->exists = false;
    if (answer.code == 200 || is_redirect(&answer))
        status = read_metadata(c, &answer, file, err);
    else if (answer.code != 404 || strcmp(answer.error_code, "EntryNotFound") != 0)
        status = refusal_of_answer(c, file, &answer, err);
    http_answer_free(&answer);
    return status;
}

ecdc_status hub_client_get(struct hub_client *c, const struct hub_file *file, uint64_t *offset,
                           const struct hub_sink *sink, ecdc_error *err) {
    struct exchange x = {.client = c, .file = file, .sink = sink, .offset = *offset};
    ecdc_status status = ECDC_OK;
    for (int i = 0; !status && x.offset < file->size; i++) {
        struct http_answer answer;
        status = ask(&x, &answer, err);
        if (status)
            break;
        if (answer.code != 200 && answer.code != 206)
            status = refusal_of_answer(c, file, &answer, err);
        else if (x.offset < file->size && (x.received < ENOUGH || i == MAX_TRIES))
            status = ecdc_fail(err, ECDC_E_FORMAT, "%s of %s: the server sends %llu bytes instead of the %llu that it announced",
                               file->name, file->repository, (unsigned long long)x.offset, (unsigned long long)file->size);
        http_answer_free(&answer);
    }
    *offset = x.offset;
    return status;
}
