/* ecdc reconstruct: rows per TR become sound again, integers as codes, floats as a mel spectrogram. */
#include <stddef.h>

#include "base/status.h"
#include "reconstruct_modes.h"

static ecdc_status check_mode(const struct options *o, const struct sidecar *s, enum npy_dtype dtype, ecdc_error *err) {
    const char *path = o->arguments[0];
    bool floats = dtype == NPY_F32 || dtype == NPY_F64;
    if (s->found && s->mode == ECDC_MODE_LATENT)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: latents are not decoded by this command; codes and mel spectrograms are",
                         path);
    if (s->found && floats != (s->mode == ECDC_MODE_MEL))
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: its description says --mode %s, but the array is %s%s", path, mode_name(s->mode),
                         npy_dtype_name(dtype), floats ? "; codes are integers: numpy.save(PATH, codes.astype('int64'))" : "");
    if (o->as_giblet && !floats)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: --as-giblet is about mel spectrograms, this array is %s", path,
                         npy_dtype_name(dtype));
    char option[32];
    if (floats && option_given(o, "layout force " OPTIONS_OF_CODES, option))
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: %s is about codes, this array is %s: leave it away", path, option,
                         npy_dtype_name(dtype));
    return ECDC_OK;
}

static int run(const struct options *o) {
    if (output_is_input(o) || !output_format(&command_reconstruct, o, "wav"))
        return EXIT_USAGE;
    struct npy_reader *npy = NULL;
    struct sidecar sidecar;
    ecdc_error err;
    ecdc_status status = npy_open(o->arguments[0], &npy, &err);
    if (status == ECDC_OK)
        status = sidecar_read(o->arguments[0], &sidecar, &err);
    if (status == ECDC_OK) {
        enum npy_dtype dtype = npy_shape_of(npy)->dtype;
        status = check_mode(o, &sidecar, dtype, &err);
        if (status == ECDC_OK)
            status = (dtype == NPY_F32 || dtype == NPY_F64 ? reconstruct_mel : reconstruct_codes)(o, &sidecar, npy, &err);
    }
    npy_close(npy);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

const struct command command_reconstruct = {
    .name = "reconstruct",
    .arguments = "FEATURES.npy -o OUT.wav",
    .summary = "features -> sound: integers as codes, floats as a mel spectrogram",
    .details = "What they are is read from FEATURES.json where it is there, else from flags.",
    .options = "output format overwrite model force bandwidth codebooks tr layout alignment as-giblet float rescale threads "
               "precision cpu json",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
