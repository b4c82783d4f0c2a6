#include "media/model_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/sha256.h"
#include "base/status.h"
#include "media/output.h"

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

/* Both files, the weights first. */
static ecdc_status write_files(const char *config_path, const char *text, const char *weights_path,
                               const struct export_image *image, bool overwrite, ecdc_error *err) {
    struct output *config = NULL, *weights = NULL;
    ecdc_status status = prepare(config_path, overwrite, text, strlen(text), &config, err);
    if (!status)
        status = prepare(weights_path, overwrite, image->bytes, image->n_bytes, &weights, err);
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
    return status;
}

static ecdc_status write_image(const ecdc_model *model, const char *dir, const char *file, const struct export_image *image,
                               bool overwrite, ecdc_error *err) {
    char *config_path = ecdc_strfmt("%s/config.json", dir), *weights_path = ecdc_strfmt("%s/%s", dir, file);
    char *better_path = ecdc_strfmt("%s/model.safetensors", dir), *text = config_text(&model->config);
    bool made = false;
    ecdc_status status = config_path && weights_path && better_path && text ? make_directory(dir, &made, err)
                                                                            : ecdc_fail_memory(err, "the config");
    if (!status && strcmp(weights_path, better_path) != 0 && access(better_path, F_OK) == 0)
        status = ecdc_fail(err, ECDC_E_EXISTS, "%s exists, and would be read in place of %s: choose another directory",
                           better_path, file);
    if (!status)
        status = write_files(config_path, text, weights_path, image, overwrite, err);
    if (status && made)
        rmdir(dir); /* if it is still empty */
    free(config_path);
    free(weights_path);
    free(better_path);
    free(text);
    return status;
}

ecdc_status model_dir_write(const ecdc_model *model, const char *dir, enum export_format format, enum dtype dtype,
                            bool overwrite, struct model_dir_written *written, ecdc_error *err) {
    struct model_dir_written w = {.file = format == EXPORT_TORCH ? "checkpoint.th" : "model.safetensors"};
    struct export_image image;
    ecdc_status status = export_model(model, format, dtype, &image, err);
    if (status)
        return status;
    w.n_bytes = image.n_bytes;
    status = sha256_of(image.bytes, image.n_bytes, w.sha256) ? write_image(model, dir, w.file, &image, overwrite, err)
                                                             : ecdc_fail_memory(err, "a hash");
    free(image.owned);
    if (!status && written)
        *written = w;
    return status;
}
