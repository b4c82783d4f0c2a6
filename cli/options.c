/* Command lines: one table of options, from which parsing and help both come. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "cli.h"

enum { FIRST_LONG = 256, MAX_OPTIONS = 64, GRID_FRAME_RATE = 75 };

struct option_row {
    const char *name;
    int key;           /* the short letter, or a number from FIRST_LONG on */
    const char *value; /* NULL: a switch */
    const char *help;
};

enum {
    OPT_FORMAT = FIRST_LONG, OPT_TRACK, OPT_PARTIAL_INPUT, OPT_JSON, OPT_THREADS, OPT_PRECISION, OPT_CPU, OPT_TR,
    OPT_MAX_TRS, OPT_CODEBOOKS, OPT_LAYOUT, OPT_ALIGNMENT, OPT_PARTIAL, OPT_MODE, OPT_HRF, OPT_DTYPE, OPT_FLOAT, OPT_FORCE,
    OPT_SECONDS, OPT_REPEATS, OPT_PROFILE, OPT_PYTHON, OPT_AUDIO, OPT_PER_FRAME,
    OPT_AS_GIBLET, OPT_MASK, OPT_ZSCORE, OPT_OUT, OPT_FILM, OPT_SUBJECTS, OPT_SCANS, OPT_NO_ZSCORE,
    OPT_LOGITS, OPT_BOTTLENECK, OPT_JOBS, OPT_SHARD
};

static const struct option_row rows[] = {
    {"output", 'o', "FILE", "where to write; - is standard output"},
    {"format", OPT_FORMAT, "FORMAT", "npy, where the name of the output does not tell"},
    {"overwrite", 'f', NULL, "replace existing outputs"},
    {"track", OPT_TRACK, "N", "audio track of the (first) input, counted from 0; ecdc info lists them\n"
                              "(default: the one that FFmpeg holds to be the best)"},
    {"partial-input", OPT_PARTIAL_INPUT, NULL, "where the input is damaged or breaks off, use what comes before"},
    {"model", 'm', "MODEL", "default, a directory, a .safetensors or .th file, a hub name such as\n"
                            "facebook/encodec_24khz (downloaded once), random:encodec_24khz\n"
                            "(default: default)"},
    {"bandwidth", 'b', "KBPS", "1.5, 3, 6, 12 or 24 (default: 3)"},
    {"codebooks", OPT_CODEBOOKS, "K", "only the first K codebooks of the bandwidth"},
    {"tr", OPT_TR, "SECONDS", "repetition time, a decimal or a fraction such as 2/3 (default: 1.5)"},
    {"max-trs", OPT_MAX_TRS, "N", "stop after N TRs"},
    {"layout", OPT_LAYOUT, "NAME", "codes (n_trs, K, frames), flat (n_trs, K * frames),\n"
                                   "giblet (n_trs, giblet's codebooks * frames) (default: codes)"},
    {"alignment", OPT_ALIGNMENT, "NAME", "giblet (int(75 * TR) frames each) or exact (no drift) (default: giblet)"},
    {"partial", OPT_PARTIAL, NULL, "keep the last part of a TR as a row of its own"},
    {"mode", OPT_MODE, "NAME", "encodec: codes; latent: the vectors behind them, their mean per TR;\n"
                               "mel: giblet's mel spectrogram in dB (default: encodec)"},
    {"per-frame", OPT_PER_FRAME, NULL, "latent: every frame's vector, (n_trs, dimension, frames)"},
    {"hrf", OPT_HRF, "NAME", "haemodynamic response: none; causal (Glover's, latent and mel); giblet (its\n"
                             "centred convolution; codes stay as they are); giblet-doc (its documents' way with\n"
                             "codes: convolved and rounded, which makes noise of labels) (default: none)"},
    {"dtype", OPT_DTYPE, "NAME", "int64 or int16 (default: int64)"},
    {"python", OPT_PYTHON, "FILE", "verify: a Python that has transformers (default: that of the active\n"
                                   "virtual environment, else python3)"},
    {"audio", OPT_AUDIO, "FILE", "verify: also with this sound, up to 60 s of it"},
    {"float", OPT_FLOAT, NULL, "32-bit float samples instead of 16-bit integers"},
    {"rescale", 'r', NULL, "scale a sound that is too loud instead of clipping it (decodes twice)"},
    {"as-giblet", OPT_AS_GIBLET, NULL, "mel: join the TRs with their padding, as giblet does"},
    {"logits", OPT_LOGITS, "FILE.npy", "also the logits, float32 (n_trs, codebooks, frames, entries)"},
    {"bottleneck", OPT_BOTTLENECK, "FILE.npy", "also what passes through the bottleneck, float32 (n_trs, numbers)"},
    {"force", OPT_FORCE, NULL, "decode with a model other than the one that made the codes"},
    {"out", OPT_OUT, "CACHE", "directory of the caches (default: DATA/cache)"},
    {"film", OPT_FILM, "FILE", "the film (default: DATA/stimuli_*.m4v or .mp4)"},
    {"subjects", OPT_SUBJECTS, "LIST", "such as 1,3,17 (default: all)"},
    {"scans", OPT_SCANS, "PATTERN", "names of BIDS scans, where subjects have several: '*task-film*_bold.nii.gz'"},
    {"no-zscore", OPT_NO_ZSCORE, NULL, "series of scans as they are"},
    {"seconds", OPT_SECONDS, "S", "length of the generated sound (default: 20)"},
    {"repeats", OPT_REPEATS, "R", "how often; medians are printed (default: 5)"},
    {"profile", OPT_PROFILE, NULL, "also where the time goes: each layer, the quantizer, the rest"},
    {"mask", OPT_MASK, "FILE", "NIfTI of the voxels that count, as fmri mask writes it: extract and\n"
                               "restore need it"},
    {"zscore", OPT_ZSCORE, NULL, "extract: each voxel minus its mean, divided by its standard deviation"},
    {"jobs", OPT_JOBS, "N", "files at the same time, each on one thread; four per processor and\n"
                           "more share the reading of weights (default: all processors)"},
    {"shard", OPT_SHARD, "PART", "I/N: only every N-th file, from the I-th on (1 to N): one task of N"},
    {"threads", OPT_THREADS, "N", "threads; results do not depend on it (default: all processors)"},
    {"precision", OPT_PRECISION, "NAME", "f32, or bf16: faster, codes differ a little; needs AMX (default: f32)"},
    {"cpu", OPT_CPU, "NAME", "kernels: auto, avx512, avx2, neon or reference (default: auto)"},
    {"json", OPT_JSON, NULL, "print one JSON object on standard output"},
    {"quiet", 'q', NULL, "no progress and no notes"},
    {"help", 'h', NULL, "this text"},
};
enum { N_ROWS = sizeof rows / sizeof *rows };
_Static_assert((int)N_ROWS <= (int)MAX_OPTIONS && MAX_OPTIONS <= 64, "an option for each bit of options.given");

static bool in_list(const char *word, const char *list) {
    size_t n = strlen(word);
    for (const char *s = list; n && (s = strstr(s, word)); s += n)
        if ((s == list || s[-1] == ' ') && (s[n] == ' ' || s[n] == 0))
            return true;
    return false;
}

static bool takes(const struct command *command, const char *option) {
    return in_list(option, command->options) || !strcmp(option, "quiet") || !strcmp(option, "help");
}

enum { COLUMN = 30 }; /* where the text begins, two spaces behind the longest option */

/* What an option means to some commands, where that is not what its row says. */
static const struct own_words {
    const char *commands, *option, *value, *help; /* value NULL: the row's */
} own_words[] = {
    {"batch", "output", "DIR", "the directory of the outputs"},
    {"encode", "format", NULL, "ecdc, npy or npz, where the name of the output does not tell"},
    {"decode reconstruct", "format", NULL, "wav, where the name of the output does not tell"},
    {"report", "format", NULL, "html or png, where the name of the output does not tell"},
    {"batch", "format", NULL, "npy; of encode ecdc, npy or npz (default: ecdc)"},
    {"model", "format", NULL, "convert: safetensors or th (default: safetensors)"},
    {"model", "dtype", NULL, "convert: float32 or float16 (default: as the model has it)"},
    {"bench", "model", NULL, "as of encode, or random:encodec_48khz, whose weights are generated, too\n"
                             "(default: random:encodec_24khz)"},
    {"report", "bandwidth", NULL, "1.5, 3, 6, 12 or 24, or several with commas between (default: 3)"},
    {"fmri", "tr", NULL, "restore: repetition time, a decimal or a fraction such as 2/3 (default: as\n"
                         "the series' description has it)"},
    {"fmri", "max-trs", NULL, "extract: the first N TRs; a scan with fewer is refused"},
    {"dataset", "hrf", NULL, "haemodynamic response: none; causal (Glover's, latent and mel); giblet (its\n"
                             "centred convolution; codes stay as they are); giblet-doc (its documents' way with\n"
                             "codes: convolved and rounded, which makes noise of labels) (default: giblet for\n"
                             "codes, causal for the rest)"},
    {"autoencoder", "force", NULL, "run on codes of a model other than the one it was trained on"},
};

static const struct own_words *words_of(const struct command *command, const char *option) {
    for (size_t i = 0; i < sizeof own_words / sizeof *own_words; i++)
        if (!strcmp(own_words[i].option, option) && in_list(command->name, own_words[i].commands))
            return &own_words[i];
    return NULL;
}

static void print_help(const struct command *command) {
    printf("usage: ecdc %s [OPTION ...] %s\n\n%s\n\n", command->name, command->arguments, command->summary);
    if (command->details)
        printf("%s\n\n", command->details);
    for (size_t i = 0; i < N_ROWS; i++) {
        const struct option_row *row = &rows[i];
        if (!takes(command, row->name))
            continue;
        const struct own_words *own = words_of(command, row->name);
        const char *value = own && own->value ? own->value : row->value;
        char left[64], letter[8] = "    ";
        if (row->key < FIRST_LONG)
            snprintf(letter, sizeof letter, "-%c, ", row->key);
        snprintf(left, sizeof left, "  %s--%s%s%s", letter, row->name, value ? " " : "", value ? value : "");
        printf("%-*s", COLUMN, left);
        for (const char *s = own ? own->help : row->help; *s; s++) {
            putchar(*s);
            if (*s == '\n')
                printf("%*s", COLUMN, "");
        }
        putchar('\n');
    }
}

static bool parse_integer(const char *text, int64_t min, int64_t max, int64_t *value) {
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || *end || errno || v < min || v > max)
        return false;
    *value = v;
    return true;
}

static bool parse_number(const char *text, double *value) {
    char *end;
    *value = strtod(text, &end);
    return end != text && !*end && isfinite(*value) && *value > 0;
}

/* "2/8": two whole numbers, the first no larger than the second. */
static bool parse_shard(const char *text, int *shard, int *n_shards) {
    const char *slash = strchr(text, '/');
    char first[24];
    int64_t i, n;
    if (!slash || (size_t)snprintf(first, sizeof first, "%.*s", (int)(slash - text), text) >= sizeof first ||
        !parse_integer(slash + 1, 1, 1000000, &n) || !parse_integer(first, 1, n, &i))
        return false;
    *shard = (int)i;
    *n_shards = (int)n;
    return true;
}

/* One number, or several with commas between them. */
static bool parse_bandwidths(const char *text, struct options *o) {
    char *list = ecdc_strdup(text);
    bool good = list != NULL;
    o->n_bandwidths = 0;
    for (char *part = list, *comma; good && part; part = comma) {
        comma = strchr(part, ',');
        if (comma)
            *comma++ = 0;
        good = o->n_bandwidths < ECDC_MAX_BANDWIDTHS && parse_number(part, &o->bandwidths_kbps[o->n_bandwidths]);
        o->n_bandwidths++;
    }
    free(list);
    o->bandwidth_kbps = o->bandwidths_kbps[0];
    return good;
}

/* The index of text in a list of names, -1 for none. */
static int choose(const char *text, const char *const *names, int n) {
    for (int i = 0; i < n; i++)
        if (!strcmp(text, names[i]))
            return i;
    return -1;
}

static const char *const formats[] = {"ecdc", "npy", "npz", "wav", "html", "png"}, *const weight_formats[] = {"safetensors", "th"},
    *const dtypes[] = {"int64", "int16", "float32", "float16"};
enum { N_FORMATS = sizeof formats / sizeof *formats };
static const char *const precisions[] = {"f32", "bf16"};                               /* in the order of ecdc_precision */
static const char *const cpus[] = {"auto", "reference", "avx2", "avx512", "neon"}; /* in the order of ecdc_cpu */

static int bad_value(const char *option, const char *value, const char *allowed) {
    return report_usage("--%s %s: allowed is %s", option, value, allowed);
}

static void note_given(struct options *o, int key) {
    for (size_t i = 0; i < N_ROWS; i++)
        if (rows[i].key == key)
            o->given |= (uint64_t)1 << i;
}

static int set(struct options *o, int key, const char *v) {
    int64_t n;
    int choice;
    ecdc_tr_grid grid;
    ecdc_error err;
    switch (key) {
    case 'o': o->output = v; break;
    case 'f': o->overwrite = true; break;
    case 'q': o->quiet = true; break;
    case 'h': o->help = true; break;
    case 'r': o->rescale = true; break;
    case 'm':
        o->model = v;
        o->model_given = true;
        break;
    case 'b':
        if (!parse_bandwidths(v, o))
            return bad_value("bandwidth", v, "a number of kbps such as 1.5, 3, 6, 12 or 24");
        o->bandwidth_given = true;
        break;
    case OPT_FORMAT:
        if (choose(v, formats, N_FORMATS) < 0 && choose(v, weight_formats, 2) < 0)
            return bad_value("format", v, "ecdc, npy, npz or wav; for report html or png; for model convert safetensors or th");
        o->format = v;
        break;
    case OPT_JSON: o->json = true; break;
    case OPT_FLOAT: o->float_samples = true; break;
    case OPT_PROFILE: o->profile = true; break;
    case OPT_FORCE: o->force = true; break;
    case OPT_PARTIAL: o->partial = true; break;
    case OPT_PARTIAL_INPUT: o->partial_input = true; break;
    case OPT_TRACK:
        if (!parse_integer(v, 0, INT_MAX, &n))
            return bad_value("track", v, "the number of an audio track, counted from 0");
        o->track = (int)n;
        break;
    case OPT_THREADS:
        if (!parse_integer(v, 1, 256, &n))
            return bad_value("threads", v, "1 to 256");
        o->threads = (int)n;
        break;
    case OPT_PRECISION:
        if ((choice = choose(v, precisions, 2)) < 0)
            return bad_value("precision", v, "f32 or bf16");
        o->precision = (ecdc_precision)choice;
        break;
    case OPT_CPU:
        if ((choice = choose(v, cpus, 5)) < 0)
            return bad_value("cpu", v, "auto, avx512, avx2, neon or reference");
        o->cpu = (ecdc_cpu)choice;
        break;
    case OPT_TR:
        if (ecdc_tr_grid_init(&grid, v, GRID_FRAME_RATE, ECDC_ALIGN_EXACT, &err) != ECDC_OK)
            return report_usage("--tr: %s", err.message);
        o->tr = v;
        o->tr_given = true;
        break;
    case OPT_MAX_TRS:
        if (!parse_integer(v, 1, INT64_MAX, &o->max_trs))
            return bad_value("max-trs", v, "a whole number from 1 on");
        break;
    case OPT_CODEBOOKS:
        if (!parse_integer(v, 1, 1024, &n))
            return bad_value("codebooks", v, "a whole number from 1 on");
        o->codebooks = (int)n;
        break;
    case OPT_LAYOUT:
        if ((choice = choose(v, layout_names, 3)) < 0)
            return bad_value("layout", v, "codes, flat or giblet");
        o->layout = (ecdc_layout)choice;
        o->layout_given = true;
        break;
    case OPT_ALIGNMENT:
        if ((choice = choose(v, alignment_names, 2)) < 0)
            return bad_value("alignment", v, "giblet or exact");
        o->alignment = (ecdc_alignment)choice;
        o->alignment_given = true;
        break;
    case OPT_MODE:
        if ((choice = choose(v, mode_names, 3)) < 0)
            return bad_value("mode", v, "encodec, mel or latent");
        o->mode = (ecdc_mode)choice;
        break;
    case OPT_PER_FRAME: o->per_frame = true; break;
    case OPT_AS_GIBLET: o->as_giblet = true; break;
    case OPT_LOGITS: o->logits = v; break;
    case OPT_BOTTLENECK: o->bottleneck = v; break;
    case OPT_HRF:
        if ((choice = choose(v, hrf_names, 4)) < 0)
            return bad_value("hrf", v, "none, causal, giblet or giblet-doc");
        o->hrf = (ecdc_hrf)choice;
        o->hrf_given = true;
        break;
    case OPT_DTYPE:
        if (choose(v, dtypes, 4) < 0)
            return bad_value("dtype", v, "int64 or int16; for model convert float32 or float16");
        o->dtype = v;
        break;
    case OPT_MASK: o->mask = v; break;
    case OPT_ZSCORE: o->zscore = true; break;
    case OPT_OUT: o->cache = v; break;
    case OPT_FILM: o->film = v; break;
    case OPT_SUBJECTS: o->subjects = v; break;
    case OPT_SCANS: o->scans = v; break;
    case OPT_NO_ZSCORE: o->no_zscore = true; break;
    case OPT_JOBS:
        if (!parse_integer(v, 1, 256, &n))
            return bad_value("jobs", v, "1 to 256");
        o->jobs = (int)n;
        break;
    case OPT_SHARD:
        if (!parse_shard(v, &o->shard, &o->n_shards))
            return bad_value("shard", v, "I/N such as 2/8, where I is 1 to N");
        break;
    case OPT_PYTHON: o->python = v; break;
    case OPT_AUDIO: o->audio = v; break;
    case OPT_SECONDS:
        if (!parse_number(v, &o->seconds) || o->seconds < 0.01 || o->seconds > 36000)
            return bad_value("seconds", v, "a number from 0.01 to 36000");
        break;
    case OPT_REPEATS:
        if (!parse_integer(v, 1, 1000, &n))
            return bad_value("repeats", v, "1 to 1000");
        o->repeats = (int)n;
        break;
    }
    return EXIT_DONE;
}

int options_parse(const struct command *command, int argc, char **argv, struct options *o) {
    *o = (struct options){.model = "default", .bandwidth_kbps = 3, .bandwidths_kbps = {3}, .n_bandwidths = 1, .tr = "1.5",
                          .max_trs = -1, .track = -1, .seconds = 20, .repeats = 5, .shard = 1, .n_shards = 1};
    struct option known[MAX_OPTIONS] = {{0}};
    char letters[2 * MAX_OPTIONS + 2] = ":", *letter = letters + 1;
    size_t n = 0;
    for (size_t i = 0; i < N_ROWS; i++) {
        if (!takes(command, rows[i].name)) { /* known all the same, or getopt would take it for a short form of another */
            known[n++] = (struct option){rows[i].name, optional_argument, NULL, '?'};
            continue;
        }
        known[n++] = (struct option){rows[i].name, rows[i].value ? required_argument : no_argument, NULL, rows[i].key};
        if (rows[i].key < FIRST_LONG) {
            *letter++ = (char)rows[i].key;
            if (rows[i].value)
                *letter++ = ':';
        }
    }
    opterr = optopt = 0;
    for (int key; (key = getopt_long(argc, argv, letters, known, NULL)) != -1;) {
        if (key == ':')
            return report_usage("%s: %s needs a value; ecdc %s --help lists the options", command->name, argv[optind - 1],
                                command->name);
        if (key == '?') { /* inside a group of letters, optind still points at the group */
            const char unknown[] = {'-', (char)optopt, 0};
            const char *word = argv[optind - 1], *sign = strchr(word, '=');
            if (optopt > 0 && sign && !strncmp(word, "--", 2)) /* known, and given a value */
                return report_usage("%s: %.*s takes no value", command->name, (int)(sign - word), word);
            bool is_letter = optopt > 0 && optopt < FIRST_LONG && !strchr(letters, optopt);
            return report_usage("%s: no option %s; ecdc %s --help lists them", command->name,
                                is_letter ? unknown : argv[optind - 1], command->name);
        }
        note_given(o, key);
        int status = set(o, key, optarg);
        if (status != EXIT_DONE)
            return status;
    }
    if (o->help) {
        print_help(command);
        return EXIT_DONE;
    }
    o->n_arguments = argc - optind;
    if (o->n_arguments < command->min_arguments || o->n_arguments > command->max_arguments)
        return report_usage("usage: ecdc %s [OPTION ...] %s", command->name, command->arguments);
    o->words = argv + optind;
    for (int i = 0; i < o->n_arguments && i < (int)(sizeof o->arguments / sizeof *o->arguments); i++)
        o->arguments[i] = argv[optind + i];
    if (takes(command, "output") && !o->output)
        return report_usage("%s: -o FILE is missing; usage: ecdc %s [OPTION ...] %s", command->name, command->name,
                            command->arguments);
    if (o->n_bandwidths > 1 && !command->many_bandwidths)
        return report_usage("%s: one --bandwidth is needed, not %d", command->name, o->n_bandwidths);
    if (o->json && o->output && !strcmp(o->output, "-"))
        return report_usage("%s: -o - and --json would both write to standard output", command->name);
    return EXIT_DONE;
}

const char *option_outside(const struct options *o, const char *allowed, const char *also) {
    for (size_t i = 0; i < N_ROWS; i++)
        if (o->given >> i & 1 && !in_list(rows[i].name, allowed) && !in_list(rows[i].name, also) &&
            !in_list(rows[i].name, "quiet help"))
            return rows[i].name;
    return NULL;
}

bool option_given(const struct options *o, const char *list, char name[32]) {
    for (size_t i = 0; i < N_ROWS; i++)
        if (o->given >> i & 1 && in_list(rows[i].name, list)) {
            if (rows[i].key < FIRST_LONG)
                snprintf(name, 32, "-%c", rows[i].key);
            else
                snprintf(name, 32, "--%s", rows[i].name);
            return true;
        }
    return false;
}

/* Whether --format and the output's name contradict each other; says so. Whoever reads the file goes by its name. */
static bool format_contradicts_name(const struct command *command, const struct options *o) {
    const char *ending = strrchr(o->output, '.');
    for (size_t i = 0; o->format && ending && i < N_FORMATS; i++)
        if (!strcasecmp(ending + 1, formats[i]) && strcmp(o->format, formats[i]) != 0) {
            report_usage("%s: -o %s --format %s: the name says %s; leave --format away, or let the name end in .%s", command->name,
                         o->output, o->format, formats[i], o->format);
            return true;
        }
    return false;
}

const char *output_format(const struct command *command, const struct options *o, const char *allowed) {
    const char *name = strrchr(o->output, '.');
    if (o->format && in_list(o->format, allowed) && format_contradicts_name(command, o))
        return NULL;
    for (size_t i = 0; i < N_FORMATS; i++) {
        bool asked = o->format ? !strcmp(o->format, formats[i]) : name && !strcasecmp(name + 1, formats[i]);
        if (asked && in_list(formats[i], allowed))
            return formats[i];
    }
    char endings[64] = "", names[64] = "";
    int n = 0, m = 0;
    for (size_t i = 0; i < N_FORMATS; i++)
        if (in_list(formats[i], allowed)) {
            n += snprintf(endings + n, sizeof endings - (size_t)n, "%s.%s", n ? " or " : "", formats[i]);
            m += snprintf(names + m, sizeof names - (size_t)m, "%s%s", m ? "|" : "", formats[i]);
        }
    report_usage("%s: -o %s%s%s: a name that ends in %s is needed, or --format %s", command->name, o->output,
                 o->format ? " --format " : "", o->format ? o->format : "", endings, names);
    return NULL;
}

bool output_is_one_of(const char *output, const char *const inputs[], size_t n) {
    struct stat in, out;
    if (!output || stat(output, &out) != 0 || !S_ISREG(out.st_mode))
        return false;
    for (size_t i = 0; i < n; i++)
        if (inputs[i] && stat(inputs[i], &in) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino) {
            report_usage("%s is the input: give the output another name", output);
            return true;
        }
    return false;
}

bool output_is_input(const struct options *o) {
    return output_is_one_of(o->output, o->arguments, 1);
}

ecdc_settings settings_of(const struct options *o) {
    ecdc_settings s = ecdc_default_settings();
    s.bandwidth_kbps = o->bandwidth_kbps;
    s.n_threads = o->threads;
    s.cpu = o->cpu;
    s.precision = o->precision;
    return s;
}
