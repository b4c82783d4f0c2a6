/* Encodes the sound of a film: encode_film FILM [MODEL]. Prints the codes of the first frames and how many there are.
 *
 *     cc encode_film.c $(pkg-config --cflags --libs ecdc) -o encode_film */
#include <ecdc.h>
#include <stdio.h>

enum { BLOCK = 4096, FRAMES = 64, MAX_CODEBOOKS = 64 };

static int fail(const ecdc_error *err) {
    fprintf(stderr, "encode_film: %s\n", err->message);
    return 1;
}

/* Takes the frames that are complete; returns how many. */
static long take(ecdc_encoder *encoder, long so_far) {
    static int32_t codes[FRAMES * MAX_CODEBOOKS];
    int n_codebooks = ecdc_encoder_codebooks(encoder);
    long taken = 0;
    for (size_t n; (n = ecdc_encoder_pull(encoder, codes, FRAMES)) > 0; taken += (long)n)
        for (size_t i = 0; i < n && so_far + taken + (long)i < 3; i++) {
            printf("frame %ld:", so_far + taken + (long)i);
            for (int q = 0; q < n_codebooks; q++)
                printf(" %d", codes[i * (size_t)n_codebooks + (size_t)q]);
            putchar('\n');
        }
    return taken;
}

int main(int argc, char **argv) {
    static float samples[BLOCK];
    ecdc_model *model = NULL;
    ecdc_reader *reader = NULL;
    ecdc_encoder *encoder = NULL;
    ecdc_error err;
    if (argc < 2) {
        fprintf(stderr, "usage: encode_film FILM [MODEL]\n");
        return 2;
    }
    if (ecdc_model_open(argc > 2 ? argv[2] : "default", &model, &err) != ECDC_OK)
        return fail(&err);
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    ecdc_reader_settings wanted = ecdc_default_reader_settings();
    wanted.rate_hz = info.sampling_rate_hz;
    ecdc_settings settings = ecdc_default_settings(); /* 3 kbps: four codebooks */
    if (ecdc_reader_open(argv[1], &wanted, &reader, &err) != ECDC_OK ||
        ecdc_encoder_new(model, &settings, &encoder, &err) != ECDC_OK)
        return fail(&err);
    long frames = 0;
    for (size_t n = 1; n > 0; frames += take(encoder, frames)) {
        if (ecdc_reader_read(reader, samples, BLOCK, &n, &err) != ECDC_OK ||
            (n > 0 ? ecdc_encoder_push(encoder, samples, n, &err) : ecdc_encoder_finish(encoder, &err)) != ECDC_OK)
            return fail(&err);
    }
    printf("%ld frames x %d codebooks, %.2f s\n", frames, ecdc_encoder_codebooks(encoder), (double)frames / info.frame_rate_hz);
    ecdc_encoder_free(encoder);
    ecdc_reader_close(reader);
    ecdc_model_close(model);
    return 0;
}
