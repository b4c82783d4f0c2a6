/* Features of a sound into files: settings that go together, then the mode at work. */
#include "features/file_job.h"

#include "base/listener.h"
#include "base/status.h"
#include "features/names.h"

ecdc_features_settings ecdc_default_features_settings(void) {
    return (ecdc_features_settings){.bandwidth_kbps = 3, .tr = "1.5"};
}

ecdc_status features_check(const ecdc_features_settings *s, ecdc_error *err) {
    if ((unsigned)s->mode > ECDC_MODE_LATENT || (unsigned)s->layout > ECDC_LAYOUT_GIBLET || (unsigned)s->hrf > ECDC_HRF_GIBLET_DOC)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "features: mode %d, layout %d, hrf %d: one of them is none", s->mode, s->layout, s->hrf);
    if (!s->tr || s->max_trs < 0 || s->n_codebooks < 0)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "features: a TR is missing, or max_trs or n_codebooks is below 0");
    if (s->layout == ECDC_LAYOUT_GIBLET && s->alignment == ECDC_ALIGN_EXACT)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "features: --layout giblet has giblet's alignment only; exact rows come as codes or flat");
    if (s->mode == ECDC_MODE_ENCODEC && s->hrf == ECDC_HRF_CAUSAL)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "features: --hrf causal has no meaning for codes, which are labels; use --mode latent "
                         "or mel");
    if (s->mode != ECDC_MODE_ENCODEC && s->hrf == ECDC_HRF_GIBLET_DOC)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "features: --hrf giblet-doc rounds to codes; --mode %s has --hrf causal or giblet",
                         mode_name(s->mode));
    if (s->hrf == ECDC_HRF_GIBLET_DOC && s->alignment == ECDC_ALIGN_EXACT)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "features: --hrf giblet-doc has giblet's alignment only: it would take the -1 of exact "
                         "rows for codes");
    return ECDC_OK;
}

ecdc_status features_write(const ecdc_model *model, const char *input, const char *output, const ecdc_features_settings *settings,
                           const cJSON *key, ecdc_features_result *result, ecdc_error *err) {
    struct features_job job = {.output = output, .model = model, .key = key,
                               .s = settings ? *settings : ecdc_default_features_settings()};
    const ecdc_features_settings *s = &job.s;
    job.in = (struct sound_in){.path = input, .track = s->choose_track ? s->track : -1, .partial_input = s->partial_input != 0,
                               .listener = s->listener ? s->listener : &listener_deaf};
    ecdc_features_result made = {0};
    ecdc_status status = features_check(s, err);
    if (status == ECDC_OK && s->mode != ECDC_MODE_MEL && !model)
        status = ecdc_fail(err, ECDC_E_ARGUMENT, "features: codes and latents need a model");
    if (status == ECDC_OK)
        status = (s->mode == ECDC_MODE_MEL ? features_mel : features_codes)(&job, &made, err);
    if (status == ECDC_OK && result)
        *result = made;
    return status;
}

ecdc_status ecdc_write_features(const ecdc_model *model, const char *input, const char *output,
                                const ecdc_features_settings *settings, ecdc_features_result *result, ecdc_error *err) {
    return features_write(model, input, output, settings, NULL, result, err);
}
