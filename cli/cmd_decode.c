/* ecdc decode: a file of codes becomes a WAV. */
#include <string.h>

#include "cli.h"
#include "codes_in.h"

static int run(const struct options *o) {
    if (output_is_input(o) || !output_format(&command_decode, o, "wav"))
        return EXIT_USAGE;
    ecdc_error err;
    struct codes_in *in = NULL;
    ecdc_model *model = NULL;
    ecdc_status status = codes_in_open(o, &in, &model, &err);
    if (status == ECDC_OK)
        status = decode_stream(o, model, codes_in_source(in), &err);
    codes_in_close(in);
    ecdc_model_close(model);
    return status == ECDC_OK ? EXIT_DONE : report_error(&err);
}

const struct command command_decode = {
    .name = "decode",
    .arguments = "IN.ecdc|IN.npy|IN.npz -o OUT.wav",
    .summary = "codes -> sound",
    .details = "The first bytes tell what IN is; - is standard input, an .ecdc or a .npy.",
    .options = "output format overwrite model force float rescale threads precision cpu json",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
