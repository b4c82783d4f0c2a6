/* A program of someone else's: encodes half a second of silence, and has functions whose names libecdc uses inside, too. */
#include <ecdc.h>
#include <stdio.h>

#define FRAMES 64

int pool_new(void);
int pool_new(void) { return 42; }

int main(void) {
    static float samples[12000];
    static int32_t codes[FRAMES * 4];
    ecdc_error err;
    ecdc_model *model = NULL;
    ecdc_encoder *encoder = NULL;
    ecdc_settings settings = ecdc_default_settings();
    if (ecdc_model_open("default", &model, &err) != ECDC_OK || ecdc_encoder_new(model, &settings, &encoder, &err) != ECDC_OK ||
        ecdc_encoder_push(encoder, samples, sizeof samples / sizeof *samples, &err) != ECDC_OK ||
        ecdc_encoder_finish(encoder, &err) != ECDC_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%s %s %d frames, %d\n", ECDC_VERSION_STRING, ecdc_version(), (int)ecdc_encoder_pull(encoder, codes, FRAMES), pool_new());
    ecdc_encoder_free(encoder);
    ecdc_model_close(model);
    return 0;
}
