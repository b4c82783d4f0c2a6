/* One HTTP request at a time, through libcurl: no redirect is followed and nothing is tried twice here. */
#ifndef ECDC_HUB_HTTP_H
#define ECDC_HUB_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ecdc.h"

enum { HTTP_TEXT = 256 }; /* longest header value of interest, with its terminator; longer ones count as absent */

/* What a server says before the body. Texts are "" where it does not say. */
struct http_answer {
    int code;            /* 200 */
    char etag[HTTP_TEXT], linked_etag[HTTP_TEXT], commit[HTTP_TEXT];
    char error_code[HTTP_TEXT], error_message[HTTP_TEXT];
    int64_t length;      /* Content-Length, -1 where there is none */
    int64_t linked_size; /* X-Linked-Size, -1 */
    int64_t range_first; /* where the body of a 206 begins, -1 */
    int64_t retry_after_s; /* Retry-After, also where it is a date, -1 */
    char *location;      /* of a redirect, absolute; NULL */
};
void http_answer_free(struct http_answer *answer);

struct http_request {
    const char *url;
    const char *bearer;  /* goes to this server in an Authorization header; NULL: none */
    bool head;           /* headers only */
    uint64_t offset;     /* where the body shall begin */
    int connect_timeout_s;
    int timeout_s;       /* head: for all of it; else without a single byte */
    /* Takes the body of a 200 or 206; false ends the request with HTTP_REFUSED. Bodies of other answers are dropped. */
    bool (*take)(void *context, const struct http_answer *answer, const void *bytes, size_t n);
    int (*stop)(void *context); /* anything but 0 ends the request with HTTP_STOPPED; NULL: never */
    void *take_context, *stop_context;
};

enum http_outcome {
    HTTP_ANSWERED,   /* whatever the code */
    HTTP_BROKEN,     /* no connection, a time-out, or it broke off: may be better the next time */
    HTTP_IMPOSSIBLE, /* a bad certificate, a protocol that is not allowed, too little memory ... */
    HTTP_REFUSED,
    HTTP_STOPPED
};

struct http;
struct http *http_new(void); /* NULL: out of memory */
void http_free(struct http *http);

/* Fills `answer` in every case, as far as it came; http_answer_free it. `reason` says what was wrong with HTTP_BROKEN and
 * HTTP_IMPOSSIBLE and lives until the next request. */
enum http_outcome http_send(struct http *http, const struct http_request *request, struct http_answer *answer,
                            const char **reason);

/* Whether two URLs have the same scheme, host and port. */
bool http_same_origin(const char *a, const char *b);

#endif
