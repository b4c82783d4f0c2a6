/* ecdc model: which models are here, where, from the hub, and in another form. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "cli.h"
#include "json_out.h"
#include "media/model_dir.h"
#include "model/embedded.h"
#include "model/hub_cache.h"
#include "model/model.h"
#include "model_open.h"
#include "verify.h"

static int list(const struct options *o) {
    struct hub_model *cached = NULL;
    size_t n = 0;
    ecdc_error err;
    if (hub_cache_list(&cached, &n, &err) != ECDC_OK)
        return report_error(&err);
    struct embedded_model embedded = embedded_model();
    ecdc_status status = ECDC_OK;
    if (o->json) {
        cJSON *json = cJSON_CreateObject(), *models = json_put_list(json, "models");
        cJSON *m = cJSON_CreateObject();
        json_put_string(m, "name", "default");
        json_put_string(m, "model", EMBEDDED_NAME);
        json_put_string(m, "where", "embedded");
        json_put_integer(m, "bytes", (int64_t)embedded.n_weights);
        json_put_bool(m, "complete", true);
        json_append(models, m);
        for (size_t i = 0; i < n; i++) {
            m = cJSON_CreateObject();
            json_put_string(m, "name", cached[i].name);
            json_put_string(m, "revision", cached[i].revision);
            json_put_string(m, "commit", cached[i].commit);
            json_put_string(m, "where", cached[i].path);
            json_put_integer(m, "bytes", (int64_t)cached[i].n_bytes);
            json_put_bool(m, "complete", cached[i].complete);
            json_append(models, m);
        }
        status = json_print(json, &err);
    } else {
        char size[24];
        printf("%-28s %-8s %10s  embedded (%s)\n", "default", "", size_text(embedded.n_weights, size), EMBEDDED_NAME);
        for (size_t i = 0; i < n; i++)
            printf("%-28s %-8.8s %10s  %s%s\n", cached[i].name,
                   *cached[i].revision ? cached[i].revision : cached[i].commit, size_text(cached[i].n_bytes, size),
                   cached[i].path, cached[i].complete ? "" : "  (incomplete)");
        printf("%-28s %-8s %7s     generated, for measuring speed\n", "random:encodec_24khz", "", "");
    }
    hub_cache_list_free(cached, n);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

static int path(const struct options *o) {
    ecdc_model *model = NULL;
    ecdc_error err;
    ecdc_status status = ecdc_model_open(o->arguments[1], &model, &err);
    if (status == ECDC_OK && o->json) {
        cJSON *json = cJSON_CreateObject();
        json_put_string(json, "path", model->origin);
        status = json_print(json, &err);
    } else if (status == ECDC_OK) {
        puts(model->origin);
    }
    ecdc_model_close(model);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

static int fetch(const struct options *o) {
    const char *name = o->arguments[1];
    struct fetched fetched;
    char *directory = NULL;
    ecdc_error err;
    if (model_fetch(o, name, &fetched, &err) != ECDC_OK || hub_cache_find(name, &directory, &err) != ECDC_OK)
        return report_error(&err);
    ecdc_status status = ECDC_OK;
    if (o->json) {
        cJSON *json = cJSON_CreateObject();
        json_put_string(json, "name", name);
        json_put_string(json, "path", directory);
        json_put_string(json, "commit", strrchr(directory, '/') + 1);
        json_put_integer(json, "downloaded_bytes", (int64_t)fetched.n_bytes);
        status = json_print(json, &err);
    } else if (fetched.downloaded) {
        report_note(o, "%s: complete after %.1f s", name, fetched.seconds);
    } else {
        report_note(o, "%s is here already: %s", name, directory);
    }
    free(directory);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

static int convert(const struct options *o) {
    if (o->format && strcmp(o->format, "safetensors") != 0 && strcmp(o->format, "th") != 0)
        return report_usage("model convert: --format %s: allowed is safetensors or th", o->format);
    if (o->dtype && strncmp(o->dtype, "float", 5) != 0)
        return report_usage("model convert: --dtype %s: allowed is float32 or float16", o->dtype);
    enum export_format format = o->format && !strcmp(o->format, "th") ? EXPORT_TORCH : EXPORT_SAFETENSORS;
    enum dtype dtype = !o->dtype || !strcmp(o->dtype, "float32") ? DTYPE_F32 : DTYPE_F16;
    ecdc_model *model;
    ecdc_error err;
    ecdc_status status = model_open(o, o->arguments[1], &model, &err);
    if (status == ECDC_OK) {
        struct model_dir_written written;
        char size[24];
        status = model_dir_write(model, o->arguments[2], format, o->dtype ? dtype : DTYPE_UNKNOWN, o->overwrite, &written, &err);
        if (status == ECDC_OK && o->json) {
            cJSON *json = cJSON_CreateObject();
            json_put_string(json, "output", o->arguments[2]);
            json_put_string(json, "file", written.file);
            json_put_integer(json, "bytes", (int64_t)written.n_bytes);
            json_put_string(json, "sha256", written.sha256);
            status = json_print(json, &err);
        } else if (status == ECDC_OK)
            report_note(o, "%s: config.json and %s (%s)", o->arguments[2], written.file, size_text(written.n_bytes, size));
        ecdc_model_close(model);
    }
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

static const struct {
    const char *name;
    int n_arguments;
    const char *options; /* of command_model's, those that mean something here */
    int (*run)(const struct options *o);
} actions[] = {
    {"list", 1, "json", list},
    {"path", 2, "json", path},
    {"fetch", 2, "json", fetch},
    {"convert", 3, "format overwrite dtype json", convert},
    {"verify", 2, "python audio threads cpu json", verify_model},
};

static int run(const struct options *o) {
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(o->arguments[0], actions[i].name) != 0 || o->n_arguments != actions[i].n_arguments)
            continue;
        const char *other = option_outside(o, actions[i].options, "");
        if (other)
            return report_usage("model %s: no option --%s; ecdc model --help says which has it", actions[i].name, other);
        return actions[i].run(o);
    }
    return report_usage("usage: ecdc model list | path MODEL | fetch NAME | convert MODEL DIR | verify MODEL");
}

const struct command command_model = {
    .name = "model",
    .arguments = "list | path MODEL | fetch NAME | convert MODEL DIR | verify MODEL",
    .summary = "models: what is here, fetched from the hub, converted, verified",
    .details = "list: models that are here. path: where one is. fetch: one from the Hugging Face hub.\n"
               "\n"
               "convert: any of them as config.json + model.safetensors (for transformers) or + checkpoint.th (for\n"
               "facebookresearch/encodec); --format, --dtype and -f are for it.\n"
               "\n"
               "verify: compares codes and sound with transformers on the same weights; --python, --audio, --threads and --cpu\n"
               "are for it.",
    .options = "format overwrite dtype python audio threads cpu json",
    .min_arguments = 1,
    .max_arguments = 3,
    .run = run,
};
