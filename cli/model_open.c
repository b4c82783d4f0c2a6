#include "model_open.h"

#include <stdlib.h>

#include "base/status.h"
#include "model/hub_cache.h"
#include "model/model.h"
#include "progress.h"

struct talk {
    const struct options *options;
    struct progress progress;
    struct fetched *fetched;
};

static void announce(void *context, const ecdc_hub_plan *plan) {
    struct talk *t = context;
    const struct options *o = t->options;
    char size[24];
    report_note(o, "downloading %s (%s, commit %.8s) from %s: %s, %s; licence: %s; into %s", plan->repository,
                plan->revision, plan->commit, plan->endpoint, plan->files, size_text(plan->n_bytes, size),
                *plan->licence ? plan->licence : "the model card states none", plan->directory);
    if (plan->n_bytes_here)
        report_note(o, "%s of it are here from an earlier download", size_text(plan->n_bytes_here, size));
    t->fetched->downloaded = true;
    t->fetched->n_bytes = plan->n_bytes - plan->n_bytes_here;
    progress_start_bytes(&t->progress, o, "downloading", (double)plan->n_bytes, (double)plan->n_bytes_here);
}

static void show(void *context, uint64_t n_bytes_done, uint64_t n_bytes) {
    struct talk *t = context;
    (void)n_bytes; /* the bar knows from the announcement */
    progress_show(&t->progress, (double)n_bytes_done);
}

static void say_waiting(void *context, const char *reason, double seconds) {
    struct talk *t = context;
    progress_end(&t->progress);
    if (seconds > 0)
        report_note(t->options, "%s; trying again in %.0f s", reason, seconds);
    else
        report_note(t->options, "%s; %s", reason, seconds < 0 ? "waiting" : "trying again");
}

ecdc_status model_fetch(const struct options *o, const char *name, struct fetched *fetched, ecdc_error *err) {
    *fetched = (struct fetched){0};
    struct talk talk = {.options = o, .fetched = fetched};
    ecdc_hub_settings settings = ecdc_default_hub_settings();
    settings.announce = announce;
    settings.progress = show;
    settings.waiting = say_waiting;
    settings.stop = stop_on_signal;
    settings.context = &talk;
    double start_s = now_s();
    ecdc_status status = ecdc_hub_fetch(name, &settings, err);
    progress_end(&talk.progress);
    fetched->seconds = now_s() - start_s;
    return status;
}

static bool is_cached(const char *name) {
    char *directory = NULL;
    bool cached = hub_cache_find(name, &directory, NULL) == ECDC_OK;
    free(directory);
    return cached;
}

ecdc_status model_open(const struct options *o, const char *name, ecdc_model **model, ecdc_error *err) {
    struct fetched fetched;
    ecdc_error why;
    ecdc_status status = ECDC_OK;
    if (model_is_hub_name(name) && !is_cached(name))
        status = model_fetch(o, name, &fetched, &why);
    if (status == ECDC_E_MODEL) /* perhaps a path was meant */
        return ecdc_fail(err, status, "there is no file or directory %s, and %s", name, why.message);
    if (status != ECDC_OK)
        return ecdc_fail(err, status, "%s", why.message);
    return ecdc_model_open(name, model, err);
}
