#include "model/embedded.h"

/* The build passes two paths and a digest as string literals:
 *     ECDC_EMBEDDED_CONFIG   ECDC_EMBEDDED_WEIGHTS   ECDC_EMBEDDED_SHA256 (of the weights, lower case)
 * and must recompile this file when one of the two files changes, which no compiler sees from here. */
#if !defined(ECDC_EMBEDDED_CONFIG) || !defined(ECDC_EMBEDDED_WEIGHTS) || !defined(ECDC_EMBEDDED_SHA256)
#error "embedded.c needs ECDC_EMBEDDED_CONFIG, ECDC_EMBEDDED_WEIGHTS and ECDC_EMBEDDED_SHA256"
#endif

_Static_assert(sizeof ECDC_EMBEDDED_SHA256 == 65, "a SHA-256 has 64 hexadecimal digits");

/* The assembler copies the files: a C array of 16 million numbers would take the compiler minutes. Being inside a C
 * file keeps the compiler's note that the stack need not be executable. */
#define EMBED(symbol, path)                                                                                  \
    __asm__(".pushsection .rodata\n"                                                                         \
            ".balign 64\n"                                                                                   \
            ".global " #symbol "\n.hidden " #symbol "\n.type " #symbol ", %object\n"                         \
            #symbol ":\n.incbin \"" path "\"\n"                                                              \
            ".size " #symbol ", . - " #symbol "\n"                                                           \
            ".global " #symbol "_end\n.hidden " #symbol "_end\n"                                             \
            #symbol "_end:\n.byte 0\n"                                                                       \
            ".popsection\n")

EMBED(ecdc_embedded_config, ECDC_EMBEDDED_CONFIG);
EMBED(ecdc_embedded_weights, ECDC_EMBEDDED_WEIGHTS);

#define HIDDEN extern __attribute__((visibility("hidden")))
HIDDEN const char ecdc_embedded_config[], ecdc_embedded_config_end[];
HIDDEN const char ecdc_embedded_weights[], ecdc_embedded_weights_end[];

struct embedded_model embedded_model(void) {
    return (struct embedded_model){
        .config = ecdc_embedded_config,
        .n_config = (size_t)(ecdc_embedded_config_end - ecdc_embedded_config),
        .weights = ecdc_embedded_weights,
        .n_weights = (size_t)(ecdc_embedded_weights_end - ecdc_embedded_weights),
        .sha256 = ECDC_EMBEDDED_SHA256,
    };
}
