/* Films and recordings. Choice, bit 0: through a pipe; bit 1: up to a break in the file; bits 2 and 3: 1, 2 or the file's own number of
 * channels; bits 4 and 5: another rate; bit 6: the second track. FFmpeg itself is not instrumented. */
#include <fcntl.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

fuzz_structure *const fuzz_structure_of_target = NULL;

enum { MAX_SAMPLES = 1 << 17, MAX_ALLOCATION = 1 << 26, PIPE_BYTES = 1 << 16 };

/* FFmpeg's demuxers may search a few bytes for long. */
static int is_late(void *context) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec - ((const struct timespec *)context)->tv_sec > 2;
}

static void read_sound(const char *path, unsigned choice) {
    static const int rates[] = {0, 24000, 1000, 48000};
    static float samples[2 * 1500];
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    ecdc_reader_settings settings = ecdc_default_reader_settings();
    settings.rate_hz = rates[choice >> 4 & 3];
    settings.channels = (int)(choice >> 2 & 3) % 3;
    settings.partial_input = choice >> 1 & 1;
    settings.choose_track = choice >> 6 & 1;
    settings.track = 1;
    settings.stop = is_late;
    settings.stop_context = &start;
    ecdc_reader *reader;
    ecdc_reader_info info;
    ecdc_track_info track;
    ecdc_error err;
    if (!fuzz_check(ecdc_reader_open(path, &settings, &reader, &err), &err))
        return;
    size_t channels = settings.channels == 2 ? 2 : 1, total = 0;
    for (size_t n = 1; n > 0 && total < MAX_SAMPLES; total += n) {
        if (!fuzz_check(ecdc_reader_read(reader, samples, 1500, &n, &err), &err))
            break;
        for (size_t i = 0; i < n * channels; i++)
            if (!isfinite(samples[i]))
                fuzz_broken("a sample that is not finite");
    }
    ecdc_reader_get_info(reader, &info);
    for (int i = -1; i <= info.n_tracks; i++)
        if (fuzz_check(ecdc_reader_get_track(reader, i, &track, &err), &err) != (i >= 0 && i < info.n_tracks))
            fuzz_broken("tracks that are not counted");
    ecdc_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    struct fuzz_input input;
    int ends[2];
    if (!fuzz_begin(bytes, n, &input))
        return 0;
    av_log_set_level(AV_LOG_QUIET);
    av_max_alloc(MAX_ALLOCATION);
    if ((input.choice & 1) && input.n < PIPE_BYTES && pipe2(ends, O_CLOEXEC) == 0) {
        char path[40];
        snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
        if (write(ends[1], input.file, input.n) != (ssize_t)input.n)
            fuzz_broken("a pipe that is too small");
        close(ends[1]);
        read_sound(path, input.choice);
        close(ends[0]);
    } else {
        read_sound(fuzz_path(&input), input.choice);
    }
    fuzz_end();
    return 0;
}
