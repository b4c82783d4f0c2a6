/* Where a study's scans and its film lie. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "study/study.h"

static const char giblet_folder[] = "sherlock_nii", giblet_prefix[] = "sherlock_movie_s", bids_prefix[] = "sub-";

/* ------------------------------------------------------------------------------------------- directories --- */

/* Calls `visit` with each name that does not begin with a dot, in the order of names: what is found does not depend on the file
 * system. A directory that is not there has none. */
static ecdc_status each_name(const char *directory, ecdc_status (*visit)(void *context, const char *name, ecdc_error *err),
                             void *context, ecdc_error *err) {
    struct dirent **entries;
    int n = scandir(directory, &entries, NULL, alphasort);
    if (n < 0)
        return errno == ENOENT || errno == ENOTDIR ? ECDC_OK
                                                   : ecdc_fail(err, ECDC_E_IO, "%s: cannot be listed: %s", directory, strerror(errno));
    ecdc_status status = ECDC_OK;
    for (int i = 0; i < n; i++) {
        if (status == ECDC_OK && entries[i]->d_name[0] != '.')
            status = visit(context, entries[i]->d_name, err);
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* The length of a name without an extension, 0 where it has none of these. */
static size_t stem_length(const char *name, const char *const *extensions) {
    size_t n = strlen(name);
    for (; *extensions; extensions++) {
        size_t m = strlen(*extensions);
        if (n > m && strcmp(name + n - m, *extensions) == 0)
            return n - m;
    }
    return 0;
}

static const char *const scan_extensions[] = {".nii.gz", ".nii", NULL}, *const film_extensions[] = {".m4v", ".mp4", NULL};

/* --------------------------------------------------------------------------------------------- subjects --- */

void subjects_free(struct study_subjects *subjects) {
    for (size_t i = 0; i < subjects->n; i++) {
        free(subjects->items[i].label);
        free(subjects->items[i].scan);
    }
    free(subjects->items);
    *subjects = (struct study_subjects){0};
}

static int64_t number_of(const char *label) {
    size_t n = strlen(label);
    return n > 0 && n <= 15 && strspn(label, "0123456789") == n ? strtoll(label, NULL, 10) : -1;
}

/* Takes label and scan, also where it fails. */
static ecdc_status add_subject(struct study_subjects *s, char *label, char *scan, ecdc_error *err) {
    struct study_subject *items = label && scan ? ecdc_realloc_array(s->items, s->n + 1, sizeof *items) : NULL;
    if (!items) {
        free(label);
        free(scan);
        return ecdc_fail_memory(err, "subjects");
    }
    s->items = items;
    s->items[s->n++] = (struct study_subject){.label = label, .scan = scan, .number = number_of(label)};
    return ECDC_OK;
}

struct search {
    const char *data, *pattern;
    const char *folder; /* sub-01 */
    struct study_subjects *found;
    size_t n_refused;   /* by the pattern */
};

static ecdc_status visit_giblet(void *context, const char *name, ecdc_error *err) {
    struct search *s = context;
    size_t stem = stem_length(name, scan_extensions), prefix = sizeof giblet_prefix - 1;
    if (stem <= prefix || strncmp(name, giblet_prefix, prefix) != 0)
        return ECDC_OK;
    char *label = ecdc_strfmt("%.*s", (int)(stem - prefix), name + prefix);
    if (label && number_of(label) < 0) { /* sherlock_movie_summary.nii.gz is nobody's */
        free(label);
        return ECDC_OK;
    }
    return add_subject(s->found, label, ecdc_strfmt("%s/%s/%s", s->data, giblet_folder, name), err);
}

static ecdc_status visit_func(void *context, const char *name, ecdc_error *err) {
    struct search *s = context;
    size_t stem = stem_length(name, scan_extensions);
    if (stem < 5 || strncmp(name + stem - 5, "_bold", 5) != 0)
        return ECDC_OK;
    if (s->pattern && fnmatch(s->pattern, name, 0) != 0) {
        s->n_refused++;
        return ECDC_OK;
    }
    return add_subject(s->found, ecdc_strdup(s->folder + sizeof bids_prefix - 1),
                       ecdc_strfmt("%s/%s/func/%s", s->data, s->folder, name), err);
}

static ecdc_status visit_bids(void *context, const char *name, ecdc_error *err) {
    struct search *s = context;
    if (strncmp(name, bids_prefix, sizeof bids_prefix - 1) != 0 || !name[sizeof bids_prefix - 1])
        return ECDC_OK;
    char *func = ecdc_strfmt("%s/%s/func", s->data, name);
    if (!func)
        return ecdc_fail_memory(err, "a path");
    s->folder = name;
    ecdc_status status = each_name(func, visit_func, s, err);
    free(func);
    return status;
}

static int compare(const void *a, const void *b) {
    const struct study_subject *x = a, *y = b;
    if (x->number != y->number)
        return x->number < 0 ? 1 : y->number < 0 || x->number < y->number ? -1 : 1;
    int labels = strcmp(x->label, y->label);
    return labels ? labels : strcmp(x->scan, y->scan);
}

static bool same(const struct study_subject *a, const struct study_subject *b) {
    return strcmp(a->label, b->label) == 0 || (a->number >= 0 && a->number == b->number);
}

static ecdc_status sort_subjects(struct study_subjects *s, bool bids, ecdc_error *err) {
    qsort(s->items, s->n, sizeof *s->items, compare);
    for (size_t i = 1; i < s->n; i++)
        if (same(&s->items[i - 1], &s->items[i]))
            return ecdc_fail(err, ECDC_E_FORMAT, "subject %s has two scans, %s and %s; %s", s->items[i].label, s->items[i - 1].scan,
                             s->items[i].scan, bids ? "--scans PATTERN chooses by name" : "move one away");
    return ECDC_OK;
}

ecdc_status find_subjects(const char *data, const char *pattern, bool *bids, struct study_subjects *found, ecdc_error *err) {
    if (!file_is_directory(data))
        return ecdc_fail(err, ECDC_E_IO, "%s: no such directory", data);
    struct search search = {.data = data, .pattern = pattern, .found = found};
    char *giblet = ecdc_strfmt("%s/%s", data, giblet_folder);
    if (!giblet)
        return ecdc_fail_memory(err, "a path");
    ecdc_status status = each_name(giblet, visit_giblet, &search, err);
    free(giblet);
    *bids = status == ECDC_OK && found->n == 0;
    if (*bids)
        status = each_name(data, visit_bids, &search, err);
    if (status == ECDC_OK && !*bids && pattern)
        status = ecdc_fail(err, ECDC_E_ARGUMENT, "%s: --scans %s chooses among scans of BIDS derivatives; %s/%s*.nii.gz are all taken: "
                           "leave it away", data, pattern, giblet_folder, giblet_prefix);
    if (status == ECDC_OK && found->n == 0 && search.n_refused)
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: none of %zu scans has a name that matches --scans %s", data, search.n_refused,
                           pattern);
    if (status == ECDC_OK && found->n == 0)
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: no scans: neither %s/%s*.nii.gz nor %s*/func/*_bold.nii.gz is there", data,
                           giblet_folder, giblet_prefix, bids_prefix);
    if (status == ECDC_OK)
        status = sort_subjects(found, *bids, err);
    if (status != ECDC_OK)
        subjects_free(found);
    return status;
}

/* The subject that a word of a list means: its label, with or without "sub-", or its number. */
static struct study_subject *find_subject(const struct study_subjects *s, const char *word) {
    if (strncmp(word, bids_prefix, sizeof bids_prefix - 1) == 0)
        word += sizeof bids_prefix - 1;
    int64_t number = number_of(word);
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->items[i].label, word) == 0 || (number >= 0 && s->items[i].number == number))
            return &s->items[i];
    return NULL;
}

static ecdc_status fail_subject(const struct study_subjects *s, const char *word, ecdc_error *err) {
    char there[400] = "";
    size_t n = 0;
    for (size_t i = 0; i < s->n && n < sizeof there; i++)
        n += (size_t)snprintf(there + n, sizeof there - n, "%s%s", i ? ", " : "", s->items[i].label);
    return ecdc_fail(err, ECDC_E_ARGUMENT, "subject '%s': the study has none of that name; it has %s", word, there);
}

static ecdc_status mark(const struct study_subjects *s, char *list, bool *chosen, ecdc_error *err) {
    char *rest = list;
    for (char *word; (word = strsep(&rest, ",")) != NULL;) {
        word += strspn(word, " ");
        for (size_t n = strlen(word); n > 0 && word[n - 1] == ' ';)
            word[--n] = 0;
        struct study_subject *subject = find_subject(s, word);
        if (!subject)
            return fail_subject(s, word, err);
        chosen[subject - s->items] = true;
    }
    return ECDC_OK;
}

ecdc_status choose_subjects(struct study_subjects *s, const char *list, ecdc_error *err) {
    if (!list || strcmp(list, "all") == 0)
        return ECDC_OK;
    char *words = ecdc_strdup(list);
    bool *chosen = ecdc_alloc_zeros(s->n, sizeof *chosen);
    ecdc_status status = words && chosen ? mark(s, words, chosen, err) : ecdc_fail_memory(err, "a list of subjects");
    size_t kept = 0;
    for (size_t i = 0; status == ECDC_OK && i < s->n; i++) {
        struct study_subject item = s->items[i];
        s->items[i] = (struct study_subject){0};
        if (chosen[i]) {
            s->items[kept++] = item;
        } else {
            free(item.label);
            free(item.scan);
        }
    }
    if (status == ECDC_OK)
        s->n = kept;
    free(words);
    free(chosen);
    return status;
}

/* ------------------------------------------------------------------------------------------------- film --- */

struct film_search {
    const char *directory, *prefix;
    char *film;
};

static ecdc_status visit_film(void *context, const char *name, ecdc_error *err) {
    struct film_search *s = context;
    if (strncmp(name, s->prefix, strlen(s->prefix)) != 0 || stem_length(name, film_extensions) == 0)
        return ECDC_OK;
    if (s->film)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: two films, %s and %s; --film FILE chooses one", s->directory,
                         strrchr(s->film, '/') + 1, name);
    s->film = ecdc_strfmt("%s/%s", s->directory, name);
    return s->film ? ECDC_OK : ecdc_fail_memory(err, "a path");
}

ecdc_status find_film(const char *data, char **film, ecdc_error *err) {
    char *stimuli = ecdc_strfmt("%s/stimuli", data);
    if (!stimuli)
        return ecdc_fail_memory(err, "a path");
    struct film_search places[] = {{.directory = data, .prefix = "stimuli_"}, {.directory = stimuli, .prefix = ""}};
    ecdc_status status = ECDC_OK;
    *film = NULL;
    for (int i = 0; status == ECDC_OK && i < 2 && !*film; i++) {
        status = each_name(places[i].directory, visit_film, &places[i], err);
        if (status == ECDC_OK)
            *film = places[i].film;
        else
            free(places[i].film);
    }
    free(stimuli);
    if (status == ECDC_OK && !*film)
        status = ecdc_fail(err, ECDC_E_FORMAT, "%s: no film: neither stimuli_*.m4v nor stimuli_*.mp4 is there; --film FILE names one",
                           data);
    return status;
}
