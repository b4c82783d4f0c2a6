#include "model/embedded.h"

#include "base/embed.h"

/* The build passes two paths and a digest as string literals:
 *     ECDC_EMBEDDED_CONFIG   ECDC_EMBEDDED_WEIGHTS   ECDC_EMBEDDED_SHA256 (of the weights, lower case) */
#if !defined(ECDC_EMBEDDED_CONFIG) || !defined(ECDC_EMBEDDED_WEIGHTS) || !defined(ECDC_EMBEDDED_SHA256)
#error "embedded.c needs ECDC_EMBEDDED_CONFIG, ECDC_EMBEDDED_WEIGHTS and ECDC_EMBEDDED_SHA256"
#endif

_Static_assert(sizeof ECDC_EMBEDDED_SHA256 == 65, "a SHA-256 has 64 hexadecimal digits");

EMBED(ecdc_embedded_config, ECDC_EMBEDDED_CONFIG);
EMBED(ecdc_embedded_weights, ECDC_EMBEDDED_WEIGHTS);

struct embedded_model embedded_model(void) {
    return (struct embedded_model){
        .config = ecdc_embedded_config,
        .n_config = (size_t)(ecdc_embedded_config_end - ecdc_embedded_config),
        .weights = ecdc_embedded_weights,
        .n_weights = (size_t)(ecdc_embedded_weights_end - ecdc_embedded_weights),
        .sha256 = ECDC_EMBEDDED_SHA256,
    };
}
