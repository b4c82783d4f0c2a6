/* ecdc autoencoder run: rows of codes through a trained autoencoder, into rows that ecdc reconstruct takes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/listener.h"
#include "base/memory.h"
#include "base/paths.h"
#include "base/sha256_file.h"
#include "base/status.h"
#include "features/file_out.h"
#include "json_out.h"
#include "sidecar.h"

enum { TRS = 4 /* at a time */ };

struct autoencoder_run {
    const struct options *o; /* its only argument is the features */
    const char *model;
    ecdc_autoencoder *autoencoder;
    ecdc_autoencoder_info info;
    struct npy_reader *npy;
    struct npy_shape shape; /* of the features */
    struct features_out out;
    struct output *logits, *bottleneck; /* NULL: not wanted */
    char *description; /* the features' JSON; NULL: they have none, or it goes nowhere */
    char *stale[2];    /* table and description that are beside the output and tell of another array; NULL: there is none */
    int64_t *codes, *result;
    int16_t *narrow;
    float *logits_rows, *bottleneck_rows;
    int64_t n_codes, n_equal; /* that a TR has; that came back */
};

/* ------------------------------------------------------------------------------------------------- beginning --- */

static ecdc_status check_shape(struct autoencoder_run *r, ecdc_error *err) {
    const char *path = r->o->arguments[0];
    const struct npy_shape *s = npy_shape_of(r->npy);
    int64_t row = r->info.n_codebooks * r->info.frames_per_tr;
    bool fits = s->n_dims == 3 ? s->dims[1] == r->info.n_codebooks && s->dims[2] == r->info.frames_per_tr
                               : s->n_dims == 2 && s->dims[1] == row;
    if (s->dtype == NPY_F32 || s->dtype == NPY_F64)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: the array is %s, codes are integers", path, npy_dtype_name(s->dtype));
    if (s->fortran_order)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: is in Fortran order; save it with numpy.ascontiguousarray", path);
    if (!fits) {
        char shape[NPY_HEADER_MAX] = "";
        for (int i = 0, n = 0; i < s->n_dims; i++)
            n += snprintf(shape + n, sizeof shape - (size_t)n, "%s%" PRId64, i ? ", " : "", s->dims[i]);
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: has the shape (%s), %s was trained on (n_trs, %d, %" PRId64 "), which may come as (n_trs, "
                         "%" PRId64 ")", path, shape, r->model, r->info.n_codebooks, r->info.frames_per_tr, row);
    }
    r->shape = *s;
    return ECDC_OK;
}

/* Codes of another model are noise to it. */
static ecdc_status check_origin(const struct autoencoder_run *r, ecdc_error *err) {
    struct sidecar sidecar;
    const char *path = r->o->arguments[0];
    ecdc_status status = sidecar_read(path, &sidecar, err);
    if (status != ECDC_OK || !sidecar.found)
        return status;
    if (sidecar.mode != ECDC_MODE_ENCODEC)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: its description says --mode %s; codes are needed", path, mode_name(sidecar.mode));
    if (*r->info.model_sha256 && strcmp(sidecar.sha256, r->info.model_sha256) != 0 && !r->o->force)
        return ecdc_fail(err, ECDC_E_MODEL, "%s was made with the model %s (SHA-256 %.16s...), %s was trained on codes of %s (SHA-256 "
                         "%.16s...): they mean something else; --force runs it all the same", path, sidecar.model, sidecar.sha256,
                         r->model, r->info.model, r->info.model_sha256);
    return ECDC_OK;
}

/* `patched`: the header is completed at the end. */
static ecdc_status open_array(const struct options *o, const char *path, bool patched, const struct npy_shape *shape,
                              struct output **out, ecdc_error *err) {
    ecdc_status status = output_open(path, o->overwrite, patched, out, err);
    return status == ECDC_OK ? npy_write_header(*out, shape, err) : status;
}

/* The file beside the features with this extension, for the one beside the output; NULL in *from where there is none: what the output
 * has there then is *stale. */
static ecdc_status open_beside(const struct options *o, const char *extension, char **from, char **stale, struct output **out,
                               ecdc_error *err) {
    char *to = path_replace(o->output, ".npy", extension);
    *from = path_replace(o->arguments[0], ".npy", extension);
    ecdc_status status = to && *from ? ECDC_OK : ecdc_fail_memory(err, "a path");
    if (status == ECDC_OK && access(*from, F_OK) == 0) {
        status = output_open(to, o->overwrite, false, out, err);
    } else {
        free(*from);
        *from = NULL;
        if (status == ECDC_OK && file_is_regular(to)) {
            *stale = to;
            return o->overwrite ? ECDC_OK : ecdc_fail(err, ECDC_E_EXISTS, "%s: exists already and does not belong to the features "
                                                      "(-f removes it)", to);
        }
    }
    free(to);
    return status;
}

static ecdc_status copy_table(const char *from, struct output *to, ecdc_error *err) {
    char block[4096];
    FILE *file = fopen(from, "rb");
    ecdc_status status = file ? ECDC_OK : ecdc_fail(err, ECDC_E_IO, "%s: cannot be opened", from);
    for (size_t n; status == ECDC_OK && (n = fread(block, 1, sizeof block, file)) > 0;)
        status = output_write(to, block, n, err);
    if (status == ECDC_OK && ferror(file))
        status = ecdc_fail(err, ECDC_E_IO, "%s: cannot be read", from);
    if (file)
        fclose(file);
    return status;
}

static ecdc_status open_outputs(struct autoencoder_run *r, ecdc_error *err) {
    const struct options *o = r->o;
    r->out = (struct features_out){.shape = r->shape};
    r->out.shape.dims[0] = 0;
    if (r->shape.dtype != NPY_I16)
        r->out.shape.dtype = NPY_I64;
    char *table = NULL;
    ecdc_status status = open_array(o, o->output, true, &r->out.shape, &r->out.npy, err);
    if (status == ECDC_OK && !output_is_pipe(r->out.npy))
        status = open_beside(o, ".tsv", &table, &r->stale[0], &r->out.tsv, err);
    if (status == ECDC_OK && table)
        status = copy_table(table, r->out.tsv, err);
    free(table);
    if (status == ECDC_OK && !output_is_pipe(r->out.npy))
        status = open_beside(o, ".json", &r->description, &r->stale[1], &r->out.json, err);
    const struct npy_shape logits = {NPY_F32, false, 4,
                                     {r->shape.dims[0], r->info.n_codebooks, r->info.frames_per_tr, r->info.codebook_size}};
    const struct npy_shape bottleneck = {NPY_F32, false, 2, {r->shape.dims[0], r->info.bottleneck}};
    if (status == ECDC_OK && o->logits)
        status = open_array(o, o->logits, false, &logits, &r->logits, err);
    if (status == ECDC_OK && o->bottleneck)
        status = open_array(o, o->bottleneck, false, &bottleneck, &r->bottleneck, err);
    return status;
}

static float *alloc_rows(size_t width) {
    size_t n;
    return ecdc_mul_size(width, TRS, &n) ? ecdc_alloc_floats(n) : NULL;
}

static ecdc_status prepare(struct autoencoder_run *r, ecdc_error *err) {
    ecdc_settings settings = settings_of(r->o);
    ecdc_status status = ecdc_autoencoder_open(r->model, &settings, &r->autoencoder, err);
    if (status != ECDC_OK)
        return status;
    ecdc_autoencoder_get_info(r->autoencoder, &r->info);
    status = npy_open(r->o->arguments[0], &r->npy, err);
    if (status == ECDC_OK)
        status = check_shape(r, err);
    if (status == ECDC_OK)
        status = check_origin(r, err);
    if (status == ECDC_OK)
        status = open_outputs(r, err);
    if (status != ECDC_OK)
        return status;
    size_t row = (size_t)(r->info.n_codebooks * r->info.frames_per_tr), logits = 0;
    r->codes = ecdc_alloc_array(TRS * row, sizeof *r->codes);
    r->result = ecdc_alloc_array(TRS * row, sizeof *r->result);
    r->narrow = ecdc_alloc_array(TRS * row, sizeof *r->narrow);
    if (r->logits && ecdc_mul_size(row, (size_t)r->info.codebook_size, &logits))
        r->logits_rows = alloc_rows(logits);
    if (r->bottleneck)
        r->bottleneck_rows = alloc_rows((size_t)r->info.bottleneck);
    bool enough = r->codes && r->result && r->narrow && (!r->logits || r->logits_rows) && (!r->bottleneck || r->bottleneck_rows);
    return enough ? ECDC_OK : ecdc_fail_memory(err, "rows");
}

/* --------------------------------------------------------------------------------------------------- the rows --- */

static ecdc_status write_codes(struct autoencoder_run *r, size_t n_trs, size_t row, ecdc_error *err) {
    bool narrow = r->out.shape.dtype == NPY_I16; /* these values fit where the codes did */
    for (size_t i = 0; narrow && i < n_trs * row; i++)
        r->narrow[i] = (int16_t)r->result[i];
    const void *rows = narrow ? (const void *)r->narrow : r->result;
    r->out.shape.dims[0] += (int64_t)n_trs;
    return output_write(r->out.npy, rows, n_trs * row * npy_dtype_size(r->out.shape.dtype), err);
}

static ecdc_status run_rows(struct autoencoder_run *r, ecdc_error *err) {
    size_t row = (size_t)(r->info.n_codebooks * r->info.frames_per_tr);
    ecdc_status status = ECDC_OK;
    for (int64_t tr = 0; status == ECDC_OK && tr < r->shape.dims[0]; tr += TRS) {
        size_t n = r->shape.dims[0] - tr < TRS ? (size_t)(r->shape.dims[0] - tr) : TRS;
        ecdc_error why;
        if (interrupted())
            return fail_interrupted(err);
        status = npy_read_int64(r->npy, r->codes, n * row, err);
        if (status == ECDC_OK && (status = ecdc_autoencoder_run(r->autoencoder, r->codes, n, r->result, r->bottleneck_rows,
                                                                r->logits_rows, &why)) != ECDC_OK)
            return ecdc_fail(err, status, "%s, from TR %" PRId64 " on: %s", r->o->arguments[0], tr, why.message);
        for (size_t i = 0; status == ECDC_OK && i < n * row; i++) {
            r->n_codes += r->codes[i] >= 0;
            r->n_equal += r->codes[i] >= 0 && r->codes[i] == r->result[i];
        }
        if (status == ECDC_OK)
            status = write_codes(r, n, row, err);
        if (status == ECDC_OK && r->logits)
            status = output_write(r->logits, r->logits_rows, n * row * (size_t)r->info.codebook_size * sizeof(float), err);
        if (status == ECDC_OK && r->bottleneck)
            status = output_write(r->bottleneck, r->bottleneck_rows, n * (size_t)r->info.bottleneck * sizeof(float), err);
    }
    return status;
}

/* ---------------------------------------------------------------------------------------------------- the end --- */

/* The features' description, which says how they become sound, with a word about what happened since. */
static ecdc_status describe(struct autoencoder_run *r, cJSON **json, ecdc_error *err) {
    char hex[SHA256_TEXT];
    if (!r->description)
        return ECDC_OK;
    ecdc_status status = json_read_object(r->description, json, err);
    if (status == ECDC_OK)
        status = sha256_file(r->model, &listener_deaf, hex, NULL, err);
    if (status == ECDC_OK) {
        static const char *const of_the_features[] = {"npy", "key", "autoencoder"};
        for (int i = 0; i < 3; i++)
            cJSON_DeleteItemFromObjectCaseSensitive(*json, of_the_features[i]);
        cJSON *origin = json_put_object(*json, "autoencoder");
        json_put_string(origin, "path", r->model);
        json_put_string(origin, "sha256", hex);
    }
    return status;
}

/* Before the array has its name: reconstruct would take them for its own. */
static ecdc_status remove_stale(const struct autoencoder_run *r, ecdc_error *err) {
    for (int i = 0; i < 2; i++)
        if (r->stale[i] && unlink(r->stale[i]) != 0 && errno != ENOENT)
            return ecdc_fail(err, ECDC_E_IO, "%s: cannot be removed: %s", r->stale[i], strerror(errno));
    return ECDC_OK;
}

static ecdc_status finish(struct autoencoder_run *r, ecdc_error *err) {
    cJSON *json = NULL;
    struct output **const others[] = {&r->logits, &r->bottleneck};
    ecdc_status status = describe(r, &json, err);
    if (status == ECDC_OK)
        status = output_commit_all(others, 2, err);
    if (status == ECDC_OK)
        status = remove_stale(r, err);
    if (status == ECDC_OK)
        return features_out_finish(&r->out, json, err);
    cJSON_Delete(json);
    return status;
}

static ecdc_status report(const struct autoencoder_run *r, double seconds, ecdc_error *err) {
    double right = r->n_codes ? (double)r->n_equal / (double)r->n_codes : 0;
    if (!r->o->json) {
        report_note(r->o, "%s: %" PRId64 " TR%s, %.1f %% of the codes came back, in %.2f s", r->o->output, r->shape.dims[0],
                    plural(r->shape.dims[0]), 100 * right,
                    seconds);
        return ECDC_OK;
    }
    cJSON *json = cJSON_CreateObject();
    json_put_string(json, "output", r->o->output);
    json_put_integer(json, "n_trs", r->shape.dims[0]);
    json_put_number(json, "codes_equal", right);
    json_put_integer(json, "bottleneck", r->info.bottleneck);
    json_put_integer(json, "parameters", (int64_t)r->info.n_parameters);
    json_put_number(json, "seconds_wall", seconds);
    json_put_number(json, "peak_rss_mb", peak_rss_mb());
    return json_print(json, err);
}

static void release(struct autoencoder_run *r) {
    features_out_discard(&r->out);
    output_discard(r->logits);
    output_discard(r->bottleneck);
    npy_close(r->npy);
    ecdc_autoencoder_close(r->autoencoder);
    free(r->description);
    free(r->stale[0]);
    free(r->stale[1]);
    free(r->codes);
    free(r->result);
    free(r->narrow);
    free(r->logits_rows);
    free(r->bottleneck_rows);
}

/* Whether a and b, which need not exist, name one file. */
static bool same_place(const char *a, const char *b) {
    struct stat of_a, of_b;
    if (!strcmp(a, b))
        return true;
    bool a_is = stat(a, &of_a) == 0, b_is = stat(b, &of_b) == 0;
    if (a_is || b_is)
        return a_is && b_is && S_ISREG(of_a.st_mode) && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
    const char *slash_a = strrchr(a, '/'), *slash_b = strrchr(b, '/');
    if (strcmp(slash_a ? slash_a + 1 : a, slash_b ? slash_b + 1 : b) != 0)
        return false;
    char *folder_a = slash_a ? ecdc_strfmt("%.*s/", (int)(slash_a - a), a) : ecdc_strdup(".");
    char *folder_b = slash_b ? ecdc_strfmt("%.*s/", (int)(slash_b - b), b) : ecdc_strdup(".");
    bool same = folder_a && folder_b && stat(folder_a, &of_a) == 0 && stat(folder_b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
                of_a.st_ino == of_b.st_ino;
    free(folder_a);
    free(folder_b);
    return same;
}

static int check_outputs(const struct options *o) {
    const char *const inputs[] = {o->arguments[0], o->arguments[1]}, *const outputs[] = {o->output, o->logits, o->bottleneck};
    if (!output_format(&command_autoencoder, o, "npy"))
        return EXIT_USAGE;
    for (int i = 0; i < 3; i++) {
        if (output_is_one_of(outputs[i], inputs, 2))
            return EXIT_USAGE;
        if (o->json && outputs[i] && !strcmp(outputs[i], "-"))
            return report_usage("autoencoder run: an array to standard output and --json would both write there");
        for (int k = 0; k < i; k++)
            if (outputs[i] && outputs[k] && same_place(outputs[i], outputs[k]))
                return report_usage("autoencoder run: -o, --logits and --bottleneck name the same file");
    }
    return EXIT_DONE;
}

static int run_autoencoder(const struct options *o) {
    if (check_outputs(o) != EXIT_DONE)
        return EXIT_USAGE;
    struct autoencoder_run r = {.o = o, .model = o->arguments[1]};
    double start_s = now_s();
    ecdc_error err;
    ecdc_status status = prepare(&r, &err);
    if (status == ECDC_OK)
        status = run_rows(&r, &err);
    if (status == ECDC_OK)
        status = finish(&r, &err);
    if (status == ECDC_OK)
        status = report(&r, now_s() - start_s, &err);
    release(&r);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

static int run(const struct options *o) {
    if (strcmp(o->arguments[0], "run") != 0 || o->n_arguments != 3)
        return report_usage("usage: ecdc autoencoder run MODEL.safetensors FEATURES.npy -o CODES.npy");
    struct options of_features = *o; /* what it shares with other commands looks for the input there */
    of_features.arguments[0] = o->arguments[2];
    of_features.n_arguments = 1;
    return run_autoencoder(&of_features);
}

const struct command command_autoencoder = {
    .name = "autoencoder",
    .arguments = "run MODEL.safetensors FEATURES.npy -o CODES.npy",
    .summary = "codes per TR through a trained autoencoder",
    .details = "run: through one that examples/train_code_autoencoder.py has trained; what comes back has the shape of\n"
               "FEATURES.npy and, where it has one, its description, for ecdc reconstruct.",
    .options = "output format overwrite logits bottleneck force threads cpu json",
    .min_arguments = 1,
    .max_arguments = 3,
    .run = run,
};
