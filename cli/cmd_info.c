/* ecdc info: what a file or a model is. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/paths.h"
#include "base/status.h"
#include "base/text.h"
#include "cli.h"
#include "input.h"
#include "json_out.h"
#include "media/container.h"
#include "media/npy.h"
#include "media/npz.h"
#include "model/hub_cache.h"
#include "model/model.h"
#include "model_match.h"

enum { BLOCK = 65536 };

/* The unit of a member; "": it has none. */
static const char *unit_of(const char *name) {
    static const struct {
        const char *name, *unit;
    } units[] = {{"sample_rate", " Hz"}, {"sampling_rate", " Hz"}, {"frame_rate", " Hz"}, {"duration", " s"}, {"tr", " s"},
                 {"audio_start", " s"}, {"bandwidth", " kbps"}, {"bandwidths", " kbps"}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(name, units[i].name))
            return units[i].unit;
    return "";
}

/* A value for people: a string without its quotes, and without what its author would tell their terminal to do; a number with the
 * digits that they read. False: no memory, or the value is spoilt (json_put.h). */
static bool print_value(const cJSON *value) {
    if (cJSON_IsRaw(value) && strpbrk(value->valuestring, ".e")) { /* json_put_number's */
        printf("%.7g", strtod(value->valuestring, NULL));
        return true;
    }
    const char *string = cJSON_GetStringValue(value);
    char *text = string ? ecdc_strdup(string) : cJSON_PrintUnformatted(value);
    if (text) {
        text_make_plain(text);
        fputs(text, stdout);
    }
    bool printed = text != NULL;
    free(text); /* cJSON's memory comes from malloc, too */
    return printed;
}

/* An item of a list on one line: its members that say something. */
static bool print_item(const cJSON *object) {
    const cJSON *member;
    bool printed = true;
    cJSON_ArrayForEach(member, object) {
        const char *plain = cJSON_GetStringValue(member);
        if (plain && !*plain)
            continue;
        printf(" %s ", member->string);
        printed = print_value(member) && printed;
    }
    putchar('\n');
    return printed;
}

/* Prints a JSON object's members one per line, for people. */
static ecdc_status print_plain(const cJSON *object, ecdc_error *err) {
    const cJSON *member, *item;
    bool printed = cJSON_IsObject(object); /* else it is spoilt */
    cJSON_ArrayForEach(member, object) {
        if (cJSON_IsObject(member->child)) {
            cJSON_ArrayForEach(item, member) {
                printf("%-14s", member->string);
                printed = print_item(item) && printed;
            }
            printed = printed && !cJSON_IsInvalid(member);
            continue;
        }
        printf("%-14s ", member->string);
        printed = print_value(member) && printed;
        puts(cJSON_IsNull(member) ? "" : unit_of(member->string));
    }
    return printed ? ECDC_OK : ecdc_fail_memory(err, "the description");
}

static ecdc_status describe_tracks(const ecdc_reader *reader, const ecdc_reader_info *info, cJSON *json, ecdc_error *err) {
    json_put_integer(json, "track", info->track);
    cJSON *tracks = json_put_list(json, "tracks");
    for (int i = 0; i < info->n_tracks; i++) {
        ecdc_track_info track;
        ecdc_status status = ecdc_reader_get_track(reader, i, &track, err);
        if (status != ECDC_OK)
            return status;
        cJSON *item = cJSON_CreateObject();
        json_put_integer(item, "track", i);
        json_put_integer(item, "stream", track.stream);
        json_put_string(item, "codec", track.codec);
        json_put_string(item, "language", track.language);
        json_put_string(item, "title", track.title);
        json_put_integer(item, "sample_rate", track.rate_hz);
        json_put_integer(item, "channels", track.channels);
        json_put_bool(item, "default", track.is_default);
        json_append(tracks, item);
    }
    return ECDC_OK;
}

static ecdc_status describe_audio(const struct options *o, cJSON *json, ecdc_error *err) {
    ecdc_reader *reader;
    ecdc_status status = open_input(o, 0, 0, 1, &reader, err);
    if (status != ECDC_OK)
        return status;
    /* What a container claims about its length is a hint; decoding tells. */
    float *samples = ecdc_alloc_floats(BLOCK);
    if (!samples)
        status = ecdc_fail_memory(err, "samples");
    for (size_t n = 1; status == ECDC_OK && n > 0;)
        status = read_input(o, reader, samples, BLOCK, &n, err);
    ecdc_reader_info info;
    ecdc_reader_get_info(reader, &info);
    ecdc_tr_grid grid;
    if (status == ECDC_OK)
        status = ecdc_tr_grid_init(&grid, o->tr, 75, ECDC_ALIGN_EXACT, err);
    if (status == ECDC_OK) {
        json_put_string(json, "kind", "audio");
        json_put_integer(json, "sample_rate", info.source_rate_hz);
        json_put_integer(json, "channels", info.source_channels);
        json_put_integer(json, "samples", info.samples);
        json_put_number(json, "duration", (double)info.samples / info.source_rate_hz);
        json_put_integer(json, "n_trs", ecdc_tr_grid_count(&grid, info.samples, info.source_rate_hz, 0));
        json_put_number(json, "tr", grid.tr_s);
        json_put_number(json, "audio_start", info.audio_start_s);
        json_put_bool(json, "partial", info.broken_off != NULL);
        note_broken_off(o, &info);
        status = describe_tracks(reader, &info, json, err);
    }
    ecdc_reader_close(reader);
    free(samples);
    return status;
}

/* How long the sound is, and whether all of it is there: what the header's model tells of the codes. */
static ecdc_status describe_payload(const struct options *o, struct container_reader *reader, const struct config *c, cJSON *json,
                                    ecdc_error *err) {
    const struct container_header *header = container_header_of(reader);
    int bits = config_code_bits(c), hop = config_hop(c);
    int64_t unit = c->chunk_length_s > 0 ? config_chunk_stride(c) : hop;
    const struct container_chunks chunks = {bits, hop, config_chunk_samples(c), config_chunk_stride(c), c->normalize};
    ecdc_status status = c->chunk_length_s > 0 ? container_begin_chunks(reader, &chunks, err) : container_begin(reader, bits, hop, err);
    if (status != ECDC_OK && status != ECDC_E_FORMAT)
        return status;
    int64_t surplus = container_surplus(reader);
    if (status == ECDC_E_FORMAT)
        report_note(o, "%s; ecdc decode refuses it", err->message);
    json_put_integer(json, "sample_rate", c->sampling_rate);
    json_put_integer(json, c->chunk_length_s > 0 ? "chunks" : "frames", header->samples / unit + (header->samples % unit != 0));
    json_put_number(json, "duration", (double)header->samples / c->sampling_rate);
    json_put_number(json, "bandwidth", header->codebooks * bits * config_frame_rate(c) / 1e3);
    json_put_bool(json, "partial", surplus < 0);
    json_put_integer(json, "surplus_bytes", surplus > 0 ? surplus : 0);
    return ECDC_OK;
}

static ecdc_status describe_ecdc(const struct options *o, cJSON *json, ecdc_error *err) {
    struct container_reader *reader;
    ecdc_status status = container_open(o->arguments[0], &reader, err);
    if (status != ECDC_OK)
        return status;
    const struct container_header *header = container_header_of(reader);
    json_put_string(json, "kind", "ecdc");
    json_put_string(json, "model", header->model);
    json_put_string(json, "sha", header->sha);
    json_put_integer(json, "samples", header->samples);
    json_put_integer(json, "codebooks", header->codebooks);
    json_put_bool(json, "lm", header->lm);
    struct config config;
    bool known;
    status = model_config_of(header->model, header->sha, &config, &known, err);
    if (status == ECDC_OK && known)
        status = describe_payload(o, reader, &config, json, err);
    container_close(reader);
    return status;
}

static ecdc_status describe_npy(const struct options *o, cJSON *json, ecdc_error *err) {
    struct npy_reader *reader;
    ecdc_status status = npy_open(o->arguments[0], &reader, err);
    if (status != ECDC_OK)
        return status;
    const struct npy_shape *shape = npy_shape_of(reader);
    json_put_string(json, "kind", "npy");
    json_put_string(json, "dtype", npy_dtype_name(shape->dtype));
    cJSON *dims = json_put_list(json, "shape");
    for (int i = 0; i < shape->n_dims; i++)
        json_append(dims, cJSON_CreateNumber((double)shape->dims[i]));
    json_put_bool(json, "fortran_order", shape->fortran_order);
    npy_close(reader);
    return ECDC_OK;
}

static ecdc_status describe_npz(const struct options *o, cJSON *json, ecdc_error *err) {
    struct npz_reader *reader;
    ecdc_status status = npz_open(o->arguments[0], &reader, err);
    if (status != ECDC_OK)
        return status;
    const struct npz_header *header = npz_header_of(reader);
    json_put_string(json, "kind", "npz");
    json_put_integer(json, "samples", header->audio_length);
    json_put_integer(json, "chunks", header->chunks);
    json_put_integer(json, "codebooks", header->codebooks);
    json_put_integer(json, "chunk_frames", header->frames);
    npz_close(reader);
    return ECDC_OK;
}

static ecdc_status describe_nifti(const struct options *o, cJSON *json, ecdc_error *err) {
    ecdc_nifti *nifti;
    ecdc_status status = ecdc_nifti_open(o->arguments[0], &nifti, err);
    if (status != ECDC_OK)
        return status;
    ecdc_nifti_info info;
    ecdc_nifti_get_info(nifti, &info);
    const ecdc_nifti_space *space = &info.space;
    const double shape[] = {(double)space->x, (double)space->y, (double)space->z, (double)info.n_trs};
    json_put_string(json, "kind", "nifti");
    json_put_item(json, "shape", cJSON_CreateDoubleArray(shape, info.n_dims));
    json_put_integer(json, "n_trs", info.n_trs);
    json_put_number(json, "tr", info.tr_s);
    json_put_string(json, "dtype", info.type_name);
    json_put_number(json, "slope", info.slope);
    json_put_number(json, "intercept", info.intercept);
    cJSON *affine = json_put_list(json, "affine");
    for (int row = 0; row < 4; row++)
        json_append(affine, cJSON_CreateDoubleArray(space->affine + 4 * row, 4));
    ecdc_nifti_close(nifti);
    return ECDC_OK;
}

static ecdc_status describe_model(const struct options *o, cJSON *json, ecdc_error *err) {
    ecdc_model *model;
    ecdc_status status = ecdc_model_open(o->arguments[0], &model, err);
    if (status != ECDC_OK)
        return status;
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    json_put_string(json, "kind", "model");
    json_put_string(json, "name", info.name);
    json_put_string(json, "origin", info.origin);
    json_put_integer(json, "sampling_rate", info.sampling_rate_hz);
    json_put_integer(json, "channels", info.channels);
    json_put_integer(json, "frame_rate", info.frame_rate_hz);
    if (info.chunked) {
        json_put_integer(json, "chunk_samples", info.chunk_samples);
        json_put_integer(json, "chunk_stride", info.chunk_stride);
        json_put_integer(json, "chunk_frames", info.chunk_frames);
    }
    cJSON *bandwidths = json_put_list(json, "bandwidths");
    for (int i = 0; i < info.n_bandwidths; i++)
        json_append(bandwidths, cJSON_CreateNumber(info.bandwidths_kbps[i]));
    json_put_integer(json, "codebooks", info.n_codebooks);
    json_put_integer(json, "codebook_size", info.codebook_size);
    json_put_integer(json, "parameters", (int64_t)info.n_parameters);
    const char *hex;
    status = model_sha256(model, &hex, err);
    json_put_string(json, "sha256", hex);
    ecdc_model_close(model);
    return status;
}

/* The first bytes decide, not the name; what is no file is the name of a model. */
static ecdc_status describe(const struct options *o, cJSON *json, ecdc_error *err) {
    const char *path = o->arguments[0];
    struct stat s;
    if (!strcmp(path, "-"))
        return describe_audio(o, json, err);
    bool exists = stat(path, &s) == 0;
    bool model_name = !strcmp(path, "default") || !strncmp(path, "random:", 7) || hub_cache_is_name(path);
    if (exists ? S_ISDIR(s.st_mode) || path_ends_with(path, ".safetensors") || path_ends_with(path, ".th") : model_name)
        return describe_model(o, json, err);
    if (path_ends_with(path, ".nii") || path_ends_with(path, ".nii.gz"))
        return describe_nifti(o, json, err);
    unsigned char magic[6] = {0};
    FILE *f = exists && S_ISREG(s.st_mode) ? fopen(path, "rb") : NULL; /* what is read of a pipe is gone */
    if (f) {
        if (fread(magic, 1, sizeof magic, f) == 0)
            magic[0] = 0; /* empty: the reader says so */
        fclose(f);
    }
    if (!memcmp(magic, "ECDC", 4))
        return describe_ecdc(o, json, err);
    if (!memcmp(magic, "\x93NUMPY", 6))
        return describe_npy(o, json, err);
    if (!memcmp(magic, "PK\3\4", 4) && path_ends_with(path, ".npz")) /* FFmpeg may read other zip files */
        return describe_npz(o, json, err);
    return describe_audio(o, json, err);
}

static int run(const struct options *o) {
    ecdc_error err;
    cJSON *json = cJSON_CreateObject();
    ecdc_status status = json ? describe(o, json, &err) : ecdc_fail_memory(&err, o->arguments[0]);
    if (status != ECDC_OK) {
        cJSON_Delete(json);
        return report_error(&err);
    }
    if (o->json)
        return json_print(json, &err) == ECDC_OK ? EXIT_DONE : report_error(&err);
    status = print_plain(json, &err);
    cJSON_Delete(json);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

const struct command command_info = {
    .name = "info",
    .arguments = "FILE|MODEL",
    .summary = "what a sound, a file of codes, an array, a scan or a model is",
    .options = "track partial-input tr json",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
