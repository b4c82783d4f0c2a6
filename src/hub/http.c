#include "hub/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/memory.h"

enum { MAX_DROPPED = 1 << 20 }; /* bytes of a body that nobody wants */

struct http {
    CURL *curl; /* keeps the connection for the next request */
    struct curl_slist *headers;
    char reason[CURL_ERROR_SIZE];
};

struct http *http_new(void) {
    struct http *http = ecdc_alloc_zeros(1, sizeof *http);
    if (!http)
        return NULL;
    http->curl = curl_easy_init();
    http->headers = curl_slist_append(NULL, "Accept-Encoding: identity"); /* sizes and offsets are those of the file */
    if (!http->curl || !http->headers) {
        http_free(http);
        return NULL;
    }
    return http;
}

void http_free(struct http *http) {
    if (!http)
        return;
    curl_easy_cleanup(http->curl);
    curl_slist_free_all(http->headers);
    free(http);
}

void http_answer_free(struct http_answer *answer) {
    free(answer->location);
    answer->location = NULL;
}

/* -------------------------------------------------------------------------------------------- headers --- */

static const char *header(CURL *curl, const char *name) {
    struct curl_header *h;
    return curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value : NULL;
}

static void copy_header(CURL *curl, const char *name, char text[HTTP_TEXT]) {
    const char *value = header(curl, name);
    size_t n = value ? strlen(value) : HTTP_TEXT;
    if (n < HTTP_TEXT)
        memcpy(text, value, n + 1);
    else
        text[0] = '\0';
}

/* The whole number that a text begins with, -1 for anything else. */
static int64_t number(const char *text) {
    if (!text || *text < '0' || *text > '9')
        return -1;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    return errno ? -1 : value;
}

static void read_headers(CURL *curl, struct http_answer *answer) {
    long code = 0;
    curl_off_t wait_s = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &wait_s);
    answer->code = (int)code;
    answer->retry_after_s = header(curl, "Retry-After") ? wait_s : -1;
    copy_header(curl, "ETag", answer->etag);
    copy_header(curl, "X-Linked-Etag", answer->linked_etag);
    copy_header(curl, "X-Repo-Commit", answer->commit);
    copy_header(curl, "X-Error-Code", answer->error_code);
    copy_header(curl, "X-Error-Message", answer->error_message);
    answer->length = number(header(curl, "Content-Length"));
    answer->linked_size = number(header(curl, "X-Linked-Size"));
    const char *range = header(curl, "Content-Range"); /* "bytes 100-199/200" */
    answer->range_first = range && strncasecmp(range, "bytes ", 6) == 0 ? number(range + 6) : -1;
}

/* ------------------------------------------------------------------------------------------ callbacks --- */

struct transfer {
    struct http *http;
    const struct http_request *request;
    struct http_answer *answer;
    bool begun, refused, stopped;
    size_t dropped;
    char range[32];
};

static size_t on_body(char *bytes, size_t size, size_t n, void *context) {
    struct transfer *t = context;
    (void)size; /* 1 by definition */
    if (!t->begun)
        read_headers(t->http->curl, t->answer);
    t->begun = true;
    if (t->answer->code == 200 || t->answer->code == 206) {
        t->refused = !t->request->take || !t->request->take(t->request->take_context, t->answer, bytes, n);
        return t->refused ? CURL_WRITEFUNC_ERROR : n;
    }
    t->dropped += n;
    return t->dropped > MAX_DROPPED ? CURL_WRITEFUNC_ERROR : n;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    struct transfer *t = context;
    (void)a, (void)b, (void)c, (void)d;
    t->stopped = t->request->stop && t->request->stop(t->request->stop_context);
    return t->stopped;
}

/* --------------------------------------------------------------------------------------------- sending --- */

static bool may_pass(CURLcode code) {
    switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY: case CURLE_COULDNT_RESOLVE_HOST: case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT: case CURLE_PARTIAL_FILE: case CURLE_GOT_NOTHING: case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR: case CURLE_SSL_CONNECT_ERROR: case CURLE_HTTP2: case CURLE_HTTP2_STREAM:
    case CURLE_WEIRD_SERVER_REPLY: return true;
    default: return false;
    }
}

/* The libcurl of a wheel does not know whom a machine trusts: systems have that file in different places. OpenSSL itself reads the
 * variables where curl names no file. */
static bool set_trust(CURL *curl) {
    static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt", /* Debian, Arch, Alpine */
                                         "/etc/pki/tls/certs/ca-bundle.crt",   /* Fedora, Red Hat */
                                         "/etc/ssl/ca-bundle.pem"};            /* openSUSE */
    char *own = NULL;
    if ((!curl_easy_getinfo(curl, CURLINFO_CAINFO, &own) && own) || getenv("SSL_CERT_FILE") || getenv("SSL_CERT_DIR"))
        return true;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (access(places[i], R_OK) == 0)
            return !curl_easy_setopt(curl, CURLOPT_CAINFO, places[i]);
    return true;
}

static bool set_up(CURL *curl, const struct http_request *r, struct transfer *t) {
    const char *schemes = strncasecmp(r->url, "https:", 6) == 0 ? "https" : "http,https";
    bool done = !curl_easy_setopt(curl, CURLOPT_URL, r->url) &&
                !curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, schemes) &&
                !curl_easy_setopt(curl, CURLOPT_USERAGENT, "ecdc/" ECDC_VERSION_STRING) &&
                !curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, t->http->reason) && set_trust(curl);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); /* a library leaves the process's signals alone */
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, t->http->headers);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)r->connect_timeout_s);
    if (r->head) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)r->timeout_s);
    } else {
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)r->timeout_s);
        snprintf(t->range, sizeof t->range, "%llu-", (unsigned long long)r->offset);
        if (r->offset > 0) /* libcurl's own resuming would refuse the answer of a server that sends everything */
            done = done && !curl_easy_setopt(curl, CURLOPT_RANGE, t->range);
    }
    if (r->bearer) {
        done = done && !curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, r->bearer);
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
    }
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    return done;
}

enum http_outcome http_send(struct http *http, const struct http_request *request, struct http_answer *answer,
                            const char **reason) {
    *answer = (struct http_answer){.length = -1, .linked_size = -1, .range_first = -1, .retry_after_s = -1};
    struct transfer t = {.http = http, .request = request, .answer = answer};
    curl_easy_reset(http->curl);
    http->reason[0] = '\0';
    *reason = http->reason;
    if (!set_up(http->curl, request, &t)) {
        *reason = "out of memory";
        return HTTP_IMPOSSIBLE;
    }
    CURLcode code = curl_easy_perform(http->curl);
    if (!http->reason[0])
        *reason = curl_easy_strerror(code);
    if (t.stopped)
        return HTTP_STOPPED;
    if (t.refused)
        return HTTP_REFUSED;
    read_headers(http->curl, answer);
    if (code != CURLE_OK)
        return may_pass(code) ? HTTP_BROKEN : HTTP_IMPOSSIBLE;
    char *location = NULL;
    curl_easy_getinfo(http->curl, CURLINFO_REDIRECT_URL, &location);
    if (location && !(answer->location = ecdc_strdup(location))) {
        *reason = "out of memory";
        return HTTP_IMPOSSIBLE;
    }
    return HTTP_ANSWERED;
}

/* -------------------------------------------------------------------------------------------- origins --- */

static bool same_part(CURLU *a, CURLU *b, CURLUPart part) {
    char *x = NULL, *y = NULL;
    bool same = !curl_url_get(a, part, &x, CURLU_DEFAULT_PORT) && !curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) &&
                strcasecmp(x, y) == 0;
    curl_free(x);
    curl_free(y);
    return same;
}

bool http_same_origin(const char *a, const char *b) {
    CURLU *x = curl_url(), *y = curl_url();
    bool same = x && y && !curl_url_set(x, CURLUPART_URL, a, 0) && !curl_url_set(y, CURLUPART_URL, b, 0) &&
                same_part(x, y, CURLUPART_SCHEME) && same_part(x, y, CURLUPART_HOST) && same_part(x, y, CURLUPART_PORT);
    curl_url_cleanup(x);
    curl_url_cleanup(y);
    return same;
}
