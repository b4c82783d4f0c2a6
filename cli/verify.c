/* ecdc model verify: runs verify.py, which is part of this program, with a Python that has transformers. */
#include "verify.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/embed.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/temporary.h"
#include "media/mix.h"
#include "media/model_dir.h"
#include "media/wav.h"

extern char **environ;

#ifndef ECDC_VERIFY_PROGRAM
#error "verify.c needs ECDC_VERIFY_PROGRAM, the path of verify.py as a string literal"
#endif
EMBED(ecdc_verify_program, ECDC_VERIFY_PROGRAM);

enum { LACKS_PACKAGES = 77, CANNOT_RUN = 127, MAX_AUDIO_S = 60, MAX_ARGUMENTS = 16, PIECE = 16384 };

struct verification {
    const struct options *o;
    char *work;      /* a temporary directory */
    char *directory; /* what transformers loads */
    char *audio;     /* a WAV, or "" */
};

/* ------------------------------------------------------------------------------------------ preparations --- */

static ecdc_status make_work(struct verification *v, ecdc_error *err) {
    char *path = ecdc_strfmt("%s/ecdc-verify-XXXXXX", ecdc_temporary_directory());
    if (!path)
        return ecdc_fail_memory(err, "a path");
    if (!mkdtemp(path)) {
        ecdc_status status = ecdc_fail(err, ECDC_E_IO, "cannot make a directory in %s: %s", ecdc_temporary_directory(), strerror(errno));
        free(path);
        return status;
    }
    v->work = path;
    return ECDC_OK;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void clean_up(struct verification *v) {
    if (v->work)
        nftw(v->work, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(v->work);
    free(v->directory);
    free(v->audio);
}

/* The user's own directory where transformers can load it, else the same weights in its form. */
static ecdc_status find_directory(struct verification *v, const ecdc_model *model, ecdc_error *err) {
    const char *name = v->o->arguments[1];
    char *weights = ecdc_strfmt("%s/model.safetensors", name);
    if (!weights)
        return ecdc_fail_memory(err, "a path");
    bool loadable = file_is_directory(name) && file_is_regular(weights);
    free(weights);
    v->directory = loadable ? ecdc_strdup(name) : ecdc_strfmt("%s/model", v->work);
    if (!v->directory)
        return ecdc_fail_memory(err, "a path");
    return loadable ? ECDC_OK : model_dir_write(model, v->directory, EXPORT_SAFETENSORS, DTYPE_UNKNOWN, false, NULL, err);
}

static ecdc_status copy_sound(ecdc_reader *reader, struct wav_writer *w, int64_t left, ecdc_error *err) {
    float samples[PIECE * MIX_MAX_CHANNELS];
    size_t n = 1;
    ecdc_status status = ECDC_OK;
    while (!status && n > 0 && left > 0) {
        status = ecdc_reader_read(reader, samples, left < PIECE ? (size_t)left : PIECE, &n, err);
        if (!status && n > 0)
            status = wav_write(w, samples, n, err);
        left -= (int64_t)n;
    }
    return status;
}

/* --audio at the model's rate and with its channels, so that both programs read the same samples. */
static ecdc_status write_audio(struct verification *v, const ecdc_model *model, ecdc_error *err) {
    if (!(v->audio = v->o->audio ? ecdc_strfmt("%s/audio.wav", v->work) : ecdc_strdup("")))
        return ecdc_fail_memory(err, "a path");
    if (!v->o->audio)
        return ECDC_OK;
    ecdc_model_info info;
    ecdc_model_get_info(model, &info);
    ecdc_reader_settings settings = ecdc_default_reader_settings();
    settings.rate_hz = info.sampling_rate_hz;
    settings.channels = info.channels;
    ecdc_reader *reader = NULL;
    struct output *output = NULL;
    struct wav_writer *w = NULL;
    ecdc_status status = ecdc_reader_open(v->o->audio, &settings, &reader, err);
    if (!status && !(status = output_open(v->audio, false, false, &output, err)) &&
        !(status = wav_open(output, info.sampling_rate_hz, info.channels, true, -1, &w, err)) &&
        !(status = copy_sound(reader, w, (int64_t)MAX_AUDIO_S * info.sampling_rate_hz, err)) &&
        !(status = wav_finish(w, err))) {
        status = output_commit(output, err);
        output = NULL;
    }
    wav_free(w);
    output_discard(output);
    ecdc_reader_close(reader);
    return status;
}

/* ----------------------------------------------------------------------------------------------- running --- */

/* The exit status of the program under this Python, below 0 the signal that ended it. */
static int run_program(const struct verification *v, const char *python, const char *self) {
    const struct options *o = v->o;
    char threads[16];
    static const char *const cpus[] = {"auto", "reference", "avx2", "avx512", "neon"}; /* in the order of ecdc_cpu */
    snprintf(threads, sizeof threads, "%d", o->threads);
    const char *arguments[MAX_ARGUMENTS] = {python,   "-c",     ecdc_verify_program, self, o->arguments[1], v->directory,
                                            v->work,  v->audio, o->json ? "1" : "0", "--cpu", cpus[o->cpu]};
    if (o->threads) {
        arguments[11] = "--threads";
        arguments[12] = threads;
    }
    pid_t child;
    int state;
    if (posix_spawnp(&child, python, NULL, NULL, (char *const *)arguments, environ) != 0)
        return CANNOT_RUN;
    bool told = false;
    for (pid_t ended; (ended = waitpid(child, &state, WNOHANG)) != child;) {
        if (ended < 0 && errno != EINTR)
            return CANNOT_RUN;
        if (interrupted() && !told) { /* Ctrl-C reaches both; other signals perhaps this process alone */
            kill(child, SIGTERM);
            told = true;
        }
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    return WIFEXITED(state) ? WEXITSTATUS(state) : -WTERMSIG(state);
}

static bool not_there(int result) {
    return result == LACKS_PACKAGES || result == CANNOT_RUN;
}

/* The Pythons that may have transformers, one after the other; *result is the exit status of the one that has. */
static ecdc_status run_somewhere(const struct verification *v, const char *self, int *result, ecdc_error *err) {
    const char *environment = getenv("VIRTUAL_ENV");
    char *in_environment = environment && *environment ? ecdc_strfmt("%s/bin/python", environment) : NULL;
    const char *candidates[] = {v->o->python, v->o->python ? NULL : in_environment, v->o->python ? NULL : "python3"};
    ecdc_status status = ECDC_OK;
    char tried[512] = "";
    size_t used = 0;
    *result = LACKS_PACKAGES;
    for (int i = 0; i < 3 && !status && not_there(*result); i++) {
        if (!candidates[i])
            continue;
        *result = run_program(v, candidates[i], self);
        if (interrupted())
            status = fail_interrupted(err);
        else if (*result < 0)
            status = ecdc_fail(err, ECDC_E_IO, "%s, which ran the comparison, was ended by a signal (%s)", candidates[i],
                               strsignal(-*result));
        if (used < sizeof tried)
            used += (size_t)snprintf(tried + used, sizeof tried - used, "%s%s %s", used ? "; " : "", candidates[i],
                                     *result == CANNOT_RUN ? "cannot be run" : "lacks numpy, torch or transformers");
    }
    free(in_environment);
    if (!status && not_there(*result))
        status = ecdc_fail(err, ECDC_E_UNSUPPORTED, "verify needs a Python with transformers: %s. In a virtual environment, `pip install "
                           "torch transformers`, then name its Python with --python FILE", tried);
    return status;
}

int verify_model(const struct options *o) {
    struct verification v = {.o = o};
    ecdc_model *model = NULL;
    ecdc_error err;
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    int result = 0;
    ecdc_status status = n > 0 ? ecdc_model_open(o->arguments[1], &model, &err)
                               : ecdc_fail(&err, ECDC_E_IO, "cannot tell where this program lies (/proc/self/exe)");
    if (!status && !(status = make_work(&v, &err)) && !(status = find_directory(&v, model, &err)) &&
        !(status = write_audio(&v, model, &err))) {
        self[n] = '\0';
        status = run_somewhere(&v, self, &result, &err);
    }
    ecdc_model_close(model);
    clean_up(&v);
    if (status)
        return report_error(&err);
    return result == 0 ? EXIT_DONE : EXIT_FAILED;
}
