#include "codec/settings.h"

#include "base/status.h"

ecdc_settings ecdc_default_settings(void) {
    return (ecdc_settings){.bandwidth_kbps = 3.0, .n_codebooks = 0, .n_threads = 0, .cpu = ECDC_CPU_AUTO, .group = NULL,
                           .precision = ECDC_PRECISION_F32, .reserved = {0}};
}

ecdc_status settings_codebooks(const ecdc_model *model, const ecdc_settings *settings, int *n_codebooks,
                               ecdc_error *err) {
    const struct config *c = &model->config;
    bool stream = config_chunk_samples(c) == 0;
    if (stream && (!c->use_causal_conv || c->group_norm || c->normalize)) /* no model of this kind was ever published */
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s is not supported: its config has %s but no chunk_length_s, so that the whole "
                         "signal would have to be held in memory", model->name,
                         c->group_norm ? "norm_type time_group_norm" : c->normalize ? "normalize true" : "use_causal_conv false");
    if (settings->n_codebooks == 0)
        return ecdc_model_codebooks(model, settings->bandwidth_kbps, n_codebooks, err);
    int most = config_n_codebooks(c, c->target_bandwidths[c->n_bandwidths - 1]);
    if (settings->n_codebooks < 1 || settings->n_codebooks > most)
        return ecdc_fail(err, ECDC_E_ARGUMENT, "%d codebooks: %s has 1 to %d", settings->n_codebooks, model->name, most);
    *n_codebooks = settings->n_codebooks;
    return ECDC_OK;
}
