#include "media/model_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/status.h"
#include "media/output.h"
#include "model/model.h"

/* *made says whether it was not there before. */
static ecdc_status make_directory(const char *dir, bool *made, ecdc_error *err) {
    struct stat st;
    *made = mkdir(dir, 0777) == 0;
    if (*made || (errno == EEXIST && stat(dir, &st) == 0 && S_ISDIR(st.st_mode)))
        return ECDC_OK;
    const char *why = errno == EEXIST ? "it exists and is not a directory"
                      : errno == ENOENT ? "its parent does not exist"
                      : errno == EACCES || errno == EROFS ? "its parent is not writable"
                                                          : "the system refused";
    return ecdc_fail(err, ECDC_E_IO, "cannot make the directory %s: %s", dir, why);
}

/* An output that holds the bytes and waits for its commit. */
static ecdc_status prepare(const char *path, bool overwrite, const void *bytes, size_t n, struct output **out,
                           ecdc_error *err) {
    struct output *o;
    ecdc_status status = output_open(path, overwrite, false, &o, err);
    if (status)
        return status;
    status = output_write(o, bytes, n, err);
    if (status)
        output_discard(o);
    else
        *out = o;
    return status;
}

ecdc_status model_dir_write(const ecdc_model *model, const char *dir, bool overwrite, ecdc_error *err) {
    struct output *config = NULL, *weights = NULL;
    char *config_path = ecdc_strfmt("%s/config.json", dir), *weights_path = ecdc_strfmt("%s/model.safetensors", dir);
    char *text = config_text(&model->config);
    bool made = false;
    ecdc_status status = config_path && weights_path && text ? make_directory(dir, &made, err)
                                                             : ecdc_fail_memory(err, "the config");
    if (!status)
        status = prepare(config_path, overwrite, text, strlen(text), &config, err);
    if (!status)
        status = prepare(weights_path, overwrite, model->bytes, model->n_bytes, &weights, err);
    if (!status) {
        status = output_commit(weights, err); /* frees it in any case */
        weights = NULL;
    }
    if (!status) {
        status = output_commit(config, err);
        config = NULL;
    }
    output_discard(weights);
    output_discard(config);
    if (status && made)
        rmdir(dir); /* if it is still empty */
    free(config_path);
    free(weights_path);
    free(text);
    return status;
}
