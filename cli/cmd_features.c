/* ecdc features: a sound becomes one row per fMRI volume, with a table and a description beside the array. */
#include <stddef.h>
#include <string.h>

#include "cli.h"
#include "features_modes.h"
#include "model_open.h"

/* The option that was given but has no meaning in the mode, NULL for none. */
static const char *meaningless(const struct options *o) {
    const struct {
        bool given, encodec, latent, mel; /* the modes it is for */
        const char *name;
    } about[] = {
        {o->layout_given, true, false, false, "--layout"}, {o->dtype != NULL, true, false, false, "--dtype"},
        {o->per_frame, false, true, false, "--per-frame"}, {o->model_given, true, true, false, "-m"},
        {o->bandwidth_given, true, true, false, "-b"},     {o->codebooks != 0, true, true, false, "--codebooks"},
    };
    for (size_t i = 0; i < sizeof about / sizeof *about; i++) {
        bool meant = o->mode == MODE_ENCODEC ? about[i].encodec : o->mode == MODE_LATENT ? about[i].latent : about[i].mel;
        if (about[i].given && !meant)
            return about[i].name;
    }
    return NULL;
}

int features_usage(const struct options *o) {
    const char *option = meaningless(o);
    if (option)
        return report_usage("features: %s means nothing with --mode %s", option, mode_name(o->mode));
    if (o->dtype && strncmp(o->dtype, "int", 3) != 0)
        return report_usage("features: --dtype %s: allowed is int64 or int16", o->dtype);
    if (o->layout == LAYOUT_GIBLET && o->alignment == ECDC_ALIGN_EXACT)
        return report_usage("features: --layout giblet has giblet's alignment only; exact rows come as codes or flat");
    if (o->mode == MODE_ENCODEC && o->hrf == HRF_CAUSAL)
        return report_usage("features: --hrf causal has no meaning for codes, which are labels; use --mode latent or mel");
    if (o->mode != MODE_ENCODEC && o->hrf == HRF_GIBLET_DOC)
        return report_usage("features: --hrf giblet-doc rounds to codes; --mode %s has --hrf causal or giblet", mode_name(o->mode));
    if (o->hrf == HRF_GIBLET_DOC && o->alignment == ECDC_ALIGN_EXACT)
        return report_usage("features: --hrf giblet-doc has giblet's alignment only: it would take the -1 of exact rows for codes");
    return EXIT_DONE;
}

int features_model(const struct options *o, ecdc_model **model) {
    *model = NULL;
    if (o->mode == MODE_MEL)
        return EXIT_DONE;
    ecdc_error err;
    ecdc_status status = model_open(o, o->model, model, &err);
    if (status == ECDC_OK)
        status = features_codes_check(o, *model, &err);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

ecdc_status features_file(const struct options *o, const ecdc_model *model, struct encoded *result, ecdc_error *err) {
    return o->mode == MODE_MEL ? features_mel(o, result, err) : features_codes(o, model, result, err);
}

static int run(const struct options *o) {
    if (features_usage(o) != EXIT_DONE || !output_format(&command_features, o, "npy") || output_is_input(o))
        return EXIT_USAGE;
    ecdc_model *model;
    struct encoded result;
    ecdc_error err;
    int status = features_model(o, &model);
    if (status == EXIT_DONE && features_file(o, model, &result, &err) != ECDC_OK)
        status = report_error(&err);
    ecdc_model_close(model);
    return status;
}

const struct command command_features = {
    .name = "features",
    .arguments = "IN -o OUT.npy",
    .summary = "codes, latents or a mel spectrogram on the TR grid, with OUT.tsv and OUT.json beside them",
    .options = "output format overwrite track partial-input model bandwidth codebooks tr max-trs layout alignment partial mode per-frame hrf dtype "
               "threads precision cpu json",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
