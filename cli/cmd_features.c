/* ecdc features: a sound becomes one row per fMRI volume, with a table and a description beside the array. */
#include <stddef.h>
#include <string.h>

#include "cli.h"
#include "features_modes.h"

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

static int run(const struct options *o) {
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
    if (!output_format(&command_features, o, "npy") || output_is_input(o))
        return EXIT_USAGE;
    return o->mode == MODE_MEL ? features_mel(o) : features_codes(o);
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
