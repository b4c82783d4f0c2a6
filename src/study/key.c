#include "study/key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/listener.h"
#include "base/sha256_file.h"
#include "base/status.h"
#include "base/text.h"
#include "model/json.h"

/* ------------------------------------------------------------------------------------------------ files --- */

static bool is_file(const cJSON *value) {
    return cJSON_IsObject(value) && cJSON_GetObjectItemCaseSensitive(value, "modified");
}

static const char *text_of(const cJSON *object, const char *name) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text ? text : "";
}

/* As text, since a double does not hold nanoseconds. */
static void time_text(const struct stat *s, char text[40]) {
    snprintf(text, 40, "%lld.%09ld", (long long)s->st_mtim.tv_sec, s->st_mtim.tv_nsec);
}

ecdc_status key_add_file(cJSON *key, const char *name, const char *path, ecdc_error *err) {
    struct stat s;
    if (stat(path, &s) != 0)
        return ecdc_fail(err, ECDC_E_IO, "%s: %s", path, strerror(errno));
    if (!utf8_valid(path)) /* it would not be found again under what JSON can say of it */
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: a file of a study needs a name in UTF-8; rename it", path);
    char modified[40];
    time_text(&s, modified);
    cJSON *file = cJSON_AddObjectToObject(key, name);
    if (!file || !cJSON_AddStringToObject(file, "path", path) || !cJSON_AddStringToObject(file, "modified", modified) ||
        !cJSON_AddNumberToObject(file, "size", (double)s.st_size))
        return ecdc_fail_memory(err, "a key");
    return ECDC_OK;
}

static ecdc_status check_file_unchanged(const cJSON *file, ecdc_error *err) {
    struct stat s;
    char modified[40] = "";
    const char *path = text_of(file, "path");
    if (stat(path, &s) == 0)
        time_text(&s, modified);
    if (strcmp(modified, text_of(file, "modified")) != 0)
        return ecdc_fail(err, ECDC_E_IO, "%s: was changed while it was read; try again", path);
    return ECDC_OK;
}

ecdc_status key_check_unchanged(const cJSON *key, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (const cJSON *member = key->child; status == ECDC_OK && member; member = member->next)
        status = is_file(member) ? check_file_unchanged(member, err)
                 : cJSON_IsObject(member) ? key_check_unchanged(member, err)
                                          : ECDC_OK;
    return status;
}

ecdc_status key_complete(cJSON *key, const ecdc_listener *listener, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (cJSON *member = key->child; status == ECDC_OK && member; member = member->next) {
        char hex[SHA256_TEXT];
        if (!cJSON_IsObject(member))
            continue;
        if (!is_file(member)) {
            status = key_complete(member, listener, err);
            continue;
        }
        status = sha256_file(text_of(member, "path"), listener, hex, NULL, err);
        if (status == ECDC_OK && !cJSON_AddStringToObject(member, "sha256", hex))
            status = ecdc_fail_memory(err, "a key");
        if (status == ECDC_OK)
            status = check_file_unchanged(member, err);
    }
    return status;
}

/* ------------------------------------------------------------------------------------------- comparison --- */

struct comparison {
    const ecdc_listener *listener;
    struct key_match *match;
};

static void differ(struct comparison *c, const char *name, const char *wanted, const char *stored) {
    c->match->same = false;
    snprintf(c->match->why, sizeof c->match->why, "%s is %s, the cache was made with %s", name, wanted, stored);
}

static ecdc_status compare_files(struct comparison *c, const char *name, const cJSON *wanted, const cJSON *stored, ecdc_error *err) {
    char size[32], was[32], hex[SHA256_TEXT];
    json_describe(cJSON_GetObjectItemCaseSensitive(wanted, "size"), size, sizeof size);
    json_describe(cJSON_GetObjectItemCaseSensitive(stored, "size"), was, sizeof was);
    if (strcmp(size, was) != 0) {
        c->match->same = false;
        snprintf(c->match->why, sizeof c->match->why, "%s (%s) has %s bytes, the cache was made when it had %s", name, text_of(wanted, "path"), size, was);
        return ECDC_OK;
    }
    if (strcmp(text_of(wanted, "modified"), text_of(stored, "modified")) == 0)
        return ECDC_OK;
    c->match->by_contents = true;
    ecdc_status status = sha256_file(text_of(wanted, "path"), c->listener, hex, NULL, err);
    if (status == ECDC_OK && strcmp(hex, text_of(stored, "sha256")) != 0) {
        c->match->same = false;
        snprintf(c->match->why, sizeof c->match->why, "%s (%s) has changed since the cache was made", name, text_of(wanted, "path"));
    }
    return status;
}

static ecdc_status compare_objects(struct comparison *c, const cJSON *wanted, const cJSON *stored, ecdc_error *err) {
    ecdc_status status = ECDC_OK;
    for (const cJSON *w = wanted->child; status == ECDC_OK && c->match->same && w; w = w->next) {
        const cJSON *s = cJSON_GetObjectItemCaseSensitive(stored, w->string);
        char is[80], was[80];
        if (is_file(w) && is_file(s))
            status = compare_files(c, w->string, w, s, err);
        else if (cJSON_IsObject(w) && cJSON_IsObject(s))
            status = compare_objects(c, w, s, err);
        else if (!s || !cJSON_Compare(w, s, true))
            differ(c, w->string, json_describe(w, is, sizeof is), s ? json_describe(s, was, sizeof was) : "none");
    }
    if (status == ECDC_OK && c->match->same && cJSON_GetArraySize(wanted) != cJSON_GetArraySize(stored)) {
        c->match->same = false;
        snprintf(c->match->why, sizeof c->match->why, "it was made by another version of ecdc, or from other subjects");
    }
    return status;
}

ecdc_status key_compare(const cJSON *wanted, const cJSON *stored, const ecdc_listener *listener, struct key_match *match,
                        ecdc_error *err) {
    struct comparison c = {listener, match};
    *match = (struct key_match){.same = cJSON_IsObject(stored)};
    if (match->same)
        return compare_objects(&c, wanted, stored, err);
    snprintf(match->why, sizeof match->why, "its description has no key");
    return ECDC_OK;
}

bool key_renew_times(cJSON *stored, const cJSON *wanted) {
    bool renewed = true;
    for (const cJSON *w = wanted->child; renewed && w; w = w->next) {
        cJSON *s = cJSON_GetObjectItemCaseSensitive(stored, w->string);
        if (is_file(w) && is_file(s))
            renewed = cJSON_SetValuestring(cJSON_GetObjectItemCaseSensitive(s, "modified"), text_of(w, "modified")) != NULL;
        else if (cJSON_IsObject(w) && cJSON_IsObject(s))
            renewed = key_renew_times(s, w);
    }
    return renewed;
}
