#include "codec/settings.h"

#include "base/status.h"

ecdc_settings ecdc_default_settings(void) {
    return (ecdc_settings){.bandwidth_kbps = 3.0, .n_codebooks = 0, .n_threads = 0, .cpu = ECDC_CPU_AUTO, .reserved = {0}};
}

ecdc_status settings_codebooks(const ecdc_model *model, const ecdc_settings *settings, int *n_codebooks,
                               ecdc_error *err) {
    const struct config *c = &model->config;
    if (!c->use_causal_conv || c->group_norm || c->normalize || c->chunk_length_s > 0 || c->audio_channels != 1)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s cannot be used yet: its config has %s; only causal mono models without "
                         "chunks can", model->name,
                         !c->use_causal_conv ? "use_causal_conv false" : c->group_norm ? "norm_type time_group_norm"
                         : c->normalize ? "normalize true" : c->chunk_length_s > 0 ? "chunk_length_s"
                         : "more than one channel");
    if (settings->n_codebooks == 0)
        return ecdc_model_codebooks(model, settings->bandwidth_kbps, n_codebooks, err);
    int most = config_n_codebooks(c, c->target_bandwidths[c->n_bandwidths - 1]);
    if (settings->n_codebooks < 1 || settings->n_codebooks > most)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%d codebooks: %s has 1 to %d", settings->n_codebooks, model->name, most);
    *n_codebooks = settings->n_codebooks;
    return ECDC_OK;
}
