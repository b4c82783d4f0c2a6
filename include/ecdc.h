/* ecdc.h - the EnCodec neural audio codec on the fMRI time grid, in C.
 *
 * INTRODUCTION
 *
 * EnCodec (Defossez et al. 2022, "High Fidelity Neural Audio Compression") turns sound into codes: a
 * convolutional encoder with a two-layer LSTM maps 320 samples at 24 kHz to one vector of 128 numbers, and a
 * residual vector quantizer replaces the vector by a few indices into codebooks of 1024 entries. A frame is one
 * such vector: 75 frames per second. Every 0.75 kbps of bandwidth is one codebook: 3 kbps are 4 codes per frame.
 *
 * libecdc computes what PyTorch computes on the same weights, in constant memory for any length, and gives the
 * same bits however the signal is cut into pieces and however many threads work on it.
 *
 *     ecdc_error err;
 *     ecdc_model *model;
 *     ecdc_encoder *encoder;
 *     ecdc_settings settings = ecdc_default_settings();        // 3 kbps, all cores
 *     if (ecdc_model_open("default", &model, &err) != ECDC_OK ||
 *         ecdc_encoder_new(model, &settings, &encoder, &err) != ECDC_OK)
 *         return fail(err.message);
 *     while ((n = more_samples(samples)) > 0) {                // any number of samples
 *         if (ecdc_encoder_push(encoder, samples, n, &err) != ECDC_OK)
 *             return fail(err.message);
 *         while ((frames = ecdc_encoder_pull(encoder, codes, 64)) > 0)
 *             use(codes, frames);                              // codes[frame * n_codebooks + codebook]
 *     }
 *     if (ecdc_encoder_finish(encoder, &err) != ECDC_OK)       // then pull what is left
 *         return fail(err.message);
 *
 * Models with chunks. The published 48 kHz stereo model hears a signal in chunks of one second that overlap by 1 %: each
 * is divided by its own loudness (its scale), encoded on its own, and on the way back all are faded into each other. There is
 * no single sequence of frames: such a model (ecdc_model_info.chunked) gives and takes chunks with their scales,
 * ecdc_encoder_pull_chunk and ecdc_decoder_push_chunk; everything else is the same.
 *
 * Numbers below such as 24 kHz, 320 samples or 75 frames per second are those of the published 24 kHz model; every number
 * comes from the model's config (ecdc_model_info).
 *
 * CONVENTIONS
 *
 * - Errors. A function that can fail returns an ecdc_status and, where `err` is not NULL, writes the same status
 *   and one sentence that names the file, the field and the offence. On failure no output argument is changed
 *   (handles stay as they were) unless the function says otherwise. `err` is left alone on success.
 * - Ownership. Handles belong to the caller, who gives each back to its _free or _close function, which accept
 *   NULL. Arrays belong to the caller throughout: nothing is kept after a call returns.
 * - Threads. An ecdc_model is immutable and may be used by any number of threads at once. Every other handle may
 *   be used by one thread at a time. The library keeps no global state, prints nothing and never exits.
 * - FFmpeg's log. The libraries that read media have their own opinion of a damaged file, and a log level that belongs to the whole
 *   process: FFmpeg's default is standard error. It is the program's to change, av_log_set_level(AV_LOG_QUIET) of libavutil, as the
 *   command does (and the Python package where the level is the default); what matters comes through `err` in any case.
 * - Units. Samples are float32 in -1 ... 1 (full scale); n_samples counts them per channel, and where a model has two channels
 *   they are interleaved, samples[i * channels + channel]. Time is in seconds (_s), rates in hertz (_hz), bandwidths
 *   in kilobits per second (_kbps). Codes are int32 in 0 ... codebook_size - 1.
 */
#ifndef ECDC_H
#define ECDC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ECDC_API __attribute__((visibility("default")))
#define ECDC_MUST_CHECK __attribute__((warn_unused_result))
#else
#define ECDC_API
#define ECDC_MUST_CHECK
#endif

#define ECDC_VERSION_MAJOR 0
#define ECDC_VERSION_MINOR 1
#define ECDC_VERSION_PATCH 0
#define ECDC_VERSION_STRING "0.1.0"

/** The version of the library that is linked, such as "0.1.0". A constant string. */
ECDC_API const char *ecdc_version(void);

/* ------------------------------------------------------------------------------------------------ errors --- */

/** What went wrong, for programs. Numbers are stable. */
typedef enum ecdc_status {
    ECDC_OK = 0,
    ECDC_E_ARGUMENT = 1,    /**< an argument is outside its documented range */
    ECDC_E_MEMORY = 2,      /**< an allocation failed */
    ECDC_E_IO = 3,          /**< the operating system refused: open, read, write, rename */
    ECDC_E_FORMAT = 4,      /**< a file is not what it should be, or is cut short */
    ECDC_E_MODEL = 5,       /**< no such model, or its config and tensors do not fit together */
    ECDC_E_UNSUPPORTED = 6, /**< valid, but not implemented here */
    ECDC_E_EXISTS = 7,      /**< an output exists already and overwriting was not asked for */
    ECDC_E_STOPPED = 8      /**< the caller's stop function asked to end the work */
} ecdc_status;

/** What went wrong, for people. */
typedef struct ecdc_error {
    ecdc_status status;
    char message[1000]; /**< one sentence without a newline, always terminated; cut if it does not fit */
} ecdc_error;

/** The name of a status, such as "ECDC_E_FORMAT". A constant string, also for unknown numbers. */
ECDC_API const char *ecdc_status_name(ecdc_status status);

/* ------------------------------------------------------------------------------------------------- model --- */

/** Weights and configuration of one EnCodec model. Immutable; shared between threads; must outlive every encoder
 *  and decoder made from it. */
typedef struct ecdc_model ecdc_model;

#define ECDC_MAX_BANDWIDTHS 16

typedef struct ecdc_model_info {
    const char *name;          /**< "ecdc-mini-24khz", "encodec_24khz", a directory's name ...; the model's */
    const char *origin;        /**< the path it was read from, "embedded" or "generated"; the model's */
    int sampling_rate_hz;      /**< 24000 */
    int channels;              /**< 1 */
    int hop;                   /**< samples per frame: 320 */
    int frame_rate_hz;         /**< frames per second: 75 */
    int dimension;             /**< length of a frame's vector: 128 */
    int n_codebooks;           /**< codebooks at the highest bandwidth */
    int codebook_size;         /**< entries per codebook: 1024 */
    int n_bandwidths;          /**< how many of bandwidths_kbps are set, ascending */
    double bandwidths_kbps[ECDC_MAX_BANDWIDTHS];
    uint64_t n_parameters;     /**< numbers in the network with weight norm folded, and in the codebooks */
    int chunked;               /**< 1: encodes chunks with scales (48 kHz), not one frame grid */
    int chunk_samples;         /**< samples of a chunk: 48000; like the two below 0 where the model has no chunks */
    int chunk_stride;          /**< samples from one chunk's start to the next one's: 47520 */
    int chunk_frames;          /**< frames of a whole chunk: 150 */
    int reserved[5];           /**< for later fields; 0 */
} ecdc_model_info;

/** Opens a model.
 *  @param name  `default` (embedded in the library); a directory with config.json and model.safetensors or
 *               checkpoint.th; a `.safetensors` or `.th` file, with config.json beside it or else with the shapes of one of
 *               the published models (any width, any number of codebooks); the name of a Hugging Face model that is in
 *               the local cache, such as `facebook/encodec_24khz` or `facebook/encodec_24khz@REVISION`
 *               (ecdc_hub_fetch brings it there; nothing is downloaded here); `random:encodec_24khz`: the published
 *               architecture at full size with generated, well-conditioned weights, the same on every machine.
 *  A `.th` is a PyTorch checkpoint as facebookresearch/encodec publishes; nothing in it is executed. The two published files
 *  are known by their SHA-256 and are named encodec_24khz and encodec_48khz.
 *  Of a safetensors file only the header is read; weights are when the first encoder or decoder needs them. The file stays open;
 *  one that is cut or written to meanwhile is then refused (ECDC_E_IO): replace a model by renaming.
 *  Fails with ECDC_E_MODEL (unknown name; the message lists what exists; missing or mis-shaped tensor),
 *  ECDC_E_FORMAT (broken file), ECDC_E_IO, ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_model_open(const char *name, ecdc_model **model, ecdc_error *err);
ECDC_API void ecdc_model_close(ecdc_model *model);

/** Facts of a model. Strings inside live as long as the model. */
ECDC_API void ecdc_model_get_info(const ecdc_model *model, ecdc_model_info *info);

/** SHA-256 of the model's weight file as 64 hexadecimal digits: what identifies the weights in files and caches.
 *  The first call for a safetensors file reads all of it; later calls are free. Thread-safe. "" where memory ran out, or where the
 *  file cannot be read or is not what it was when the model was opened. */
ECDC_API const char *ecdc_model_sha256(const ecdc_model *model);

/** Codebooks at a bandwidth: bandwidth * 1000 / (frame_rate * 10 bits), e.g. 3 kbps -> 4.
 *  Fails with ECDC_E_ARGUMENT where the model does not offer the bandwidth; the message names those it does. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_model_codebooks(const ecdc_model *model, double bandwidth_kbps,
                                                          int *n_codebooks, ecdc_error *err);

/** Frames that n_samples (per channel) become: ceil(n_samples / hop). In a chunked model: those of one chunk of so many. */
ECDC_API int64_t ecdc_model_frames(const ecdc_model *model, int64_t n_samples);

/** Chunks that n_samples (per channel) become: ceil(n_samples / chunk_stride); 0 where the model has none. */
ECDC_API int64_t ecdc_model_chunks(const ecdc_model *model, int64_t n_samples);

/** Frames of chunk number `chunk` (0 ... ) of n_samples: chunk_frames, except near the end, where the last chunk and, if it
 *  begins inside the last frame of the one before, that one too are shorter; 0 where there is no such chunk. */
ECDC_API int ecdc_model_chunk_frames(const ecdc_model *model, int64_t n_samples, int64_t chunk);

/* ------------------------------------------------------------------------------------ Hugging Face hub --- */

/** What ecdc_hub_fetch is about to download. Strings live until the function that gets them returns. */
typedef struct ecdc_hub_plan {
    const char *repository; /**< "facebook/encodec_24khz" */
    const char *revision;   /**< as asked for, "main" by default */
    const char *commit;     /**< what the revision is now: 40 hexadecimal digits */
    const char *endpoint;   /**< "https://huggingface.co", or what HF_ENDPOINT says */
    const char *directory;  /**< where the files will be found */
    const char *files;      /**< their names, separated by ", " */
    const char *licence;    /**< as the model card states it, such as "mit"; "" where it states none */
    uint64_t n_bytes;       /**< of these files together */
    uint64_t n_bytes_here;  /**< of these, what an earlier download has left: it goes on from there */
    int reserved[8];        /**< for later fields */
} ecdc_hub_plan;

/** How a download speaks to its caller: functions, each of which may be NULL. All are called on the thread that called
 *  ecdc_hub_fetch. Start from ecdc_default_hub_settings(), as with ecdc_settings. */
typedef struct ecdc_hub_settings {
    /** Once, when it is known what will be downloaded, before anything is written. Not called where nothing is missing. */
    void (*announce)(void *context, const ecdc_hub_plan *plan);
    /** As bytes arrive: those done so far (from earlier downloads, too), and all. */
    void (*progress)(void *context, uint64_t n_bytes_done, uint64_t n_bytes);
    /** Before a pause of that many seconds (below 0: unknown) for a reason such as "https://... answers HTTP 503". */
    void (*waiting)(void *context, const char *reason, double seconds);
    /** Asked now and then: anything but 0 ends the call with ECDC_E_STOPPED. What has come is kept for the next time. */
    int (*stop)(void *context);
    void *context;   /**< handed to each of them */
    int reserved[8]; /**< for later fields: 0 */
} ecdc_hub_settings;

ECDC_API ecdc_hub_settings ecdc_default_hub_settings(void);

/** Brings a model from the Hugging Face hub into the local cache, or up to date there; then ecdc_model_open finds it without
 *  any network. The cache is the one of Python's huggingface_hub, in its layout: either finds what the other has downloaded.
 *  Downloaded are config.json, model.safetensors, and preprocessor_config.json and README.md where there are any. The config is
 *  looked at first: what is not a model that this library computes is not downloaded. Sizes and checksums are verified before a
 *  file gets its name; a download that broke off is resumed; a second process waits for the first.
 *  @param name      `organisation/name` or `organisation/name@revision` (a branch, a tag, a commit)
 *  @param settings  NULL for the defaults: silent, until it is done
 *  Environment, as huggingface_hub has it: HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME (where the cache is), HF_ENDPOINT, HF_TOKEN,
 *  HF_TOKEN_PATH, HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE, HF_HUB_ETAG_TIMEOUT and
 *  HF_HUB_DOWNLOAD_TIMEOUT (seconds without an answer or a byte, 10); libcurl's http_proxy, https_proxy and no_proxy. The token
 *  goes to the endpoint's own host and port only. Offline, no connection is made: ECDC_OK where the cache holds the model.
 *  A request that fails in a way that may pass (a broken connection, HTTP 408, 429, 500, 502, 503, 504) is repeated, up to
 *  five times without any progress, after 1, 2, 4 and 8 s or the server's Retry-After of up to 60 s.
 *  Fails with ECDC_E_MODEL (the hub does not have it or does not give it; offline and not cached; not an EnCodec model; no
 *  model.safetensors), ECDC_E_UNSUPPORTED, ECDC_E_IO (network, server, disk), ECDC_E_FORMAT (wrong checksum or size, not a
 *  hub's answer), ECDC_E_ARGUMENT (the name, a variable), ECDC_E_STOPPED, ECDC_E_MEMORY. Messages say what to do. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_hub_fetch(const char *name, const ecdc_hub_settings *settings, ecdc_error *err);

/* --------------------------------------------------------------------------------------------- settings --- */

/** Which kernels compute. Results of one choice never depend on threads or chunk sizes; between choices codes
 *  agree as docs/ARCHITECTURE.md says under "Exact". */
typedef enum ecdc_cpu {
    ECDC_CPU_AUTO = 0,      /**< the best that this processor has */
    ECDC_CPU_REFERENCE = 1, /**< plain C, slow: the oracle of the tests */
    ECDC_CPU_AVX2 = 2,
    ECDC_CPU_AVX512 = 3,
    ECDC_CPU_NEON = 4
} ecdc_cpu;

/** The numbers that networks compute with. Sums are float32, and so is the search of the codebooks. */
typedef enum ecdc_precision {
    ECDC_PRECISION_F32 = 0,
    /** Weights and the inputs of convolutions rounded to bfloat16 (8 significant bits): about twice as fast, and codes that differ
     *  here and there (docs/PERFORMANCE.md has how many and what that costs). Needs a processor with AMX tiles for bfloat16, as
     *  Intel's Xeons have from Sapphire Rapids on, and Linux 5.16; else ECDC_E_UNSUPPORTED. */
    ECDC_PRECISION_BF16 = 1
} ecdc_precision;

/** "f32" or "bf16", a constant string. */
ECDC_API const char *ecdc_precision_name(ecdc_precision precision);

/** Streams that share what they can. An LSTM needs all its recurrent weights for every frame, 8 MB at full size, more than a
 *  core's cache holds: reading them costs a lone stream a third of its time. Encoders and decoders of one model that are made with
 *  the same group and used by different threads wait for each other there, a few milliseconds, and read them once for four
 *  (bench/run streams: 1.25 times the throughput with 4 streams per core; fewer than four do not wait). Codes and samples are the same bits as without.
 *  The only handle that any number of threads may use at once; it must outlive the encoders and decoders made with it. */
typedef struct ecdc_group ecdc_group;

/** Fails with ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_group_new(ecdc_group **group, ecdc_error *err);
ECDC_API void ecdc_group_free(ecdc_group *group);

/** How an encoder or decoder works. Start from ecdc_default_settings(): fields may take the place of
 *  `reserved`, with 0 for what is done today. */
typedef struct ecdc_settings {
    double bandwidth_kbps; /**< one of the model's bandwidths; default 3.0. Ignored where n_codebooks is set */
    int n_codebooks;       /**< 1 ... the model's; default 0: what the bandwidth gives */
    int n_threads;         /**< 1 ... 256; default 0: one per processor that this process may use */
    ecdc_cpu cpu;          /**< default ECDC_CPU_AUTO; one that this processor lacks is ECDC_E_UNSUPPORTED */
    ecdc_group *group;     /**< other streams to share with; default NULL: none */
    ecdc_precision precision; /**< default ECDC_PRECISION_F32; bf16 goes with ECDC_CPU_AUTO */
    int reserved[5];       /**< for later fields: 0 */
} ecdc_settings;

ECDC_API ecdc_settings ecdc_default_settings(void);

/** The name of a choice of kernels, "avx512", "avx2", "neon" or "reference"; for ECDC_CPU_AUTO the name of those that it picks
 *  on this processor. A constant string. */
ECDC_API const char *ecdc_cpu_name(ecdc_cpu cpu);

/* ---------------------------------------------------------------------------------------------- encoder --- */

/** The state of one signal being encoded. Memory: independent of the signal's length, as long as codes are pulled. A
 *  chunked model works on one chunk per thread at once (a single one is shared by all threads), about 32 MB each for the
 *  published one. */
typedef struct ecdc_encoder ecdc_encoder;

/** Makes an encoder at the start of a signal. @param settings NULL for the defaults.
 *  Fails with ECDC_E_ARGUMENT (a setting), ECDC_E_UNSUPPORTED (cpu; a model that hears the whole signal at once, without chunks,
 *  which none that is published does), ECDC_E_MODEL, ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_encoder_new(const ecdc_model *model, const ecdc_settings *settings,
                                                      ecdc_encoder **encoder, ecdc_error *err);
ECDC_API void ecdc_encoder_free(ecdc_encoder *encoder);

/** Codes per frame that this encoder yields. */
ECDC_API int ecdc_encoder_codebooks(const ecdc_encoder *encoder);

/** Takes the next samples of the signal (at the model's rate), any number of them, and computes every frame
 *  that is complete. The first frame needs the 2240 samples of seven (the reflection at the start looks ahead);
 *  from then on each 320 samples give one. A chunked model waits for as many chunks as it has threads.
 *  Fails with ECDC_E_ARGUMENT (a sample is not finite, named with its number since the start; after finish): then nothing
 *  was taken; or ECDC_E_MEMORY: then the encoder can only be reset or freed. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_encoder_push(ecdc_encoder *encoder, const float *samples, size_t n_samples,
                                                       ecdc_error *err);

/** Says that the signal ends here: the remaining frames or chunks become available, ceil(samples / 320) frames in all.
 *  0 samples are 0 frames, not an error. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_encoder_finish(ecdc_encoder *encoder, ecdc_error *err);

/** Frames that are ready to be pulled; of a chunked model: chunks. */
ECDC_API size_t ecdc_encoder_ready(const ecdc_encoder *encoder);

/** Moves up to max_frames finished frames into codes[frame * n_codebooks + codebook].
 *  @return the number of frames written, 0 when none is ready, and always 0 for a chunked model. */
ECDC_API size_t ecdc_encoder_pull(ecdc_encoder *encoder, int32_t *codes, size_t max_frames);

/** Chunked models: moves the next finished chunk into codes[frame * n_codebooks + codebook], which must have room for
 *  chunk_frames * n_codebooks.
 *  @param n_frames  frames of this chunk, as ecdc_model_chunk_frames says
 *  @param scale     what the chunk's samples were divided by: sqrt(mean of squares of the channels' mean) + 1e-8; 1 where the
 *                   model does not normalise
 *  @return 1, or 0 when no chunk is ready (or the model has none): then nothing was written. */
ECDC_API int ecdc_encoder_pull_chunk(ecdc_encoder *encoder, int32_t *codes, size_t *n_frames, float *scale);

/** Back to the start of a new signal, with the same settings. Should memory run out here, the next push says so. */
ECDC_API void ecdc_encoder_reset(ecdc_encoder *encoder);

/* ---------------------------------------------------------------------------------------------- decoder --- */

/** The state of one signal being decoded. */
typedef struct ecdc_decoder ecdc_decoder;

/** Makes a decoder at the start of a signal; arguments and failures as ecdc_encoder_new. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_decoder_new(const ecdc_model *model, const ecdc_settings *settings,
                                                      ecdc_decoder **decoder, ecdc_error *err);
ECDC_API void ecdc_decoder_free(ecdc_decoder *decoder);

/** Codes per frame that this decoder takes. */
ECDC_API int ecdc_decoder_codebooks(const ecdc_decoder *decoder);

/** Takes the next frames, codes[frame * n_codebooks + codebook], any number of them.
 *  Fails with ECDC_E_ARGUMENT (a code outside 0 ... codebook_size - 1, named with frame and codebook; after finish; a chunked
 *  model): then nothing was taken; or ECDC_E_MEMORY: then the decoder can only be reset or freed. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_decoder_push(ecdc_decoder *decoder, const int32_t *codes, size_t n_frames,
                                                       ecdc_error *err);

/** Chunked models: takes the next chunk, codes[frame * n_codebooks + codebook] of n_frames frames, and its scale.
 *  Every chunk has the first one's number of frames or fewer; one whose sound ends before the next one's start would be is the
 *  last. What an encoder yields is always fine, also where the signal's last chunk is shorter than its overlap with the
 *  chunk before (160 < samples mod 47520 <= 320), for which the reference's decoder fails.
 *  Fails with ECDC_E_ARGUMENT (n_frames; a code; a scale that is not finite; after finish; a model without chunks): then
 *  nothing was taken; or ECDC_E_MEMORY: then the decoder can only be reset or freed. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_decoder_push_chunk(ecdc_decoder *decoder, const int32_t *codes, size_t n_frames,
                                                             float scale, ecdc_error *err);

/** Says that the signal ends here: the remaining samples become available, frames * 320 in all. After chunks: from the start
 *  of the first to the end of the last one's frames, which is up to 319 samples more than were encoded; as with frames, the
 *  caller cuts the sound to the length that he knows. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_decoder_finish(ecdc_decoder *decoder, ecdc_error *err);

/** Samples (per channel) that are ready to be pulled. */
ECDC_API size_t ecdc_decoder_ready(const ecdc_decoder *decoder);

/** Moves up to max_samples finished samples (per channel) into samples. Values may exceed full scale: clip before storing as
 *  integers. @return the number of samples written. */
ECDC_API size_t ecdc_decoder_pull(ecdc_decoder *decoder, float *samples, size_t max_samples);

/** Back to the start of a new signal, with the same settings. Should memory run out here, the next push says so. */
ECDC_API void ecdc_decoder_reset(ecdc_decoder *decoder);

/* ---------------------------------------------------------------------------------------- whole signals --- */

/** Encodes a whole signal: codes must hold ecdc_model_frames(model, n_samples) * codebooks, and may hold some of them
 *  after a failure. Fails as ecdc_encoder_new and ecdc_encoder_push do, and with ECDC_E_UNSUPPORTED for a chunked model,
 *  whose scales have no place here: see ecdc_encoder_pull_chunk. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_encode(const ecdc_model *model, const ecdc_settings *settings,
                                                 const float *samples, size_t n_samples, int32_t *codes,
                                                 ecdc_error *err);

/** Decodes a whole signal: samples must hold n_frames * hop * channels, and may hold some of them after a failure. Fails as
 *  ecdc_decoder_new and ecdc_decoder_push do, and with ECDC_E_UNSUPPORTED for a chunked model: see ecdc_decoder_push_chunk. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_decode(const ecdc_model *model, const ecdc_settings *settings,
                                                 const int32_t *codes, size_t n_frames, float *samples,
                                                 ecdc_error *err);

/* ------------------------------------------------------------------------------------------ media files --- */

/** A sound, from any audio or video file that FFmpeg reads, as a stream of samples at one rate. */
typedef struct ecdc_reader ecdc_reader;

typedef struct ecdc_reader_info {
    int source_rate_hz;       /**< rate of the file's track */
    int source_channels;      /**< channels of the file's track */
    double audio_start_s;     /**< time of the track's first sample on the container's clock */
    int64_t source_samples;   /**< samples per channel decoded so far, before resampling */
    int64_t samples;          /**< samples per channel delivered so far */
    double duration_hint_s;   /**< what the container claims, for progress; 0 where it claims nothing */
    int64_t n_gaps;           /**< holes in the timestamps that were filled with silence so far */
    double gap_s;             /**< their total length */
    int64_t n_overlaps;       /**< overlaps that were cut so far */
    double overlap_s;         /**< their total length */
    int n_tracks;             /**< audio tracks in the file */
    int track;                /**< the one that is read, 0 ... n_tracks - 1 */
    /** With partial_input, where the file broke off: the sentence that would have been the error. NULL: it did not (so far).
     *  The reader's. */
    const char *broken_off;
    int reserved[8];          /**< for later fields; 0 */
} ecdc_reader_info;

/** An audio track of a file. Strings are the reader's. */
typedef struct ecdc_track_info {
    int stream;            /**< FFmpeg's index of the stream, which counts pictures and subtitles, too */
    const char *codec;     /**< FFmpeg's name, such as "aac" */
    const char *language;  /**< as the file says, such as "eng"; "" where it does not */
    const char *title;     /**< likewise */
    int rate_hz, channels; /**< as the file says; 0 where only decoding tells */
    int is_default;        /**< 1: marked so in the file */
    int reserved[8];       /**< for later fields; 0 */
} ecdc_track_info;

/** How a file is read. Start from ecdc_default_reader_settings(), as with ecdc_settings. */
typedef struct ecdc_reader_settings {
    int rate_hz; /**< the rate wanted, 1000 ... 384000; default 0: the track's own */
    /** Asked now and then, also while a pipe is waited for: anything but 0 ends the call with ECDC_E_STOPPED. On the thread
     *  that called the reader. Default NULL: never. */
    int (*stop)(void *context);
    void *stop_context; /**< handed to stop; must live as long as the reader */
    /** Channels wanted. Default 0, and 1: mono, the mean of all. 2: stereo as it is, mono in both; of more channels those on
     *  the left go left, those on the right go right (front by 1, others by sqrt(1/2)), centre and unplaced ones to both
     *  (by sqrt(1/2)), low-frequency effects to none (ITU-R BS.775), divided by the larger sum of weights, so that nothing
     *  exceeds full scale. */
    int channels;
    int choose_track;   /**< 1: read the audio track `track`; default 0: the one that FFmpeg holds to be the best */
    int track;          /**< audio tracks counted from 0 in the file's order, as in ffmpeg's `-map 0:a:N` */
    int partial_input;  /**< 1: where the file is damaged or breaks off the sound ends, without an error; default 0 */
    int reserved[4];    /**< for later fields: 0 */
} ecdc_reader_settings;

ECDC_API ecdc_reader_settings ecdc_default_reader_settings(void);

/** Opens an audio track of a file. Sample 0 is time 0 of the container's clock (of a broadcast's clock, MPEG-TS or Ogg, which
 *  begins anywhere: the start of its programme's first track): a late start is preceded by silence, what lies before 0 is
 *  dropped, holes are filled, overlaps cut. Priming samples are skipped where the file tells of them (MP4, MP3, Opus, Vorbis), else
 *  they are sound that takes its time (ADTS, MPEG-TS, AVI). Channels are mixed as the settings say; rates are converted by
 *  libsoxr (HQ); n source samples become ceil(n * rate / source rate).
 *  @param path      a file, or "-" for standard input
 *  @param settings  NULL for the defaults
 *  Fails with ECDC_E_IO (no such file), ECDC_E_FORMAT (not a media file, no audio track), ECDC_E_ARGUMENT (a
 *  setting; no such track: the message lists the tracks), ECDC_E_UNSUPPORTED (no decoder; an MP4 on a pipe with its index
 *  at the end), ECDC_E_STOPPED, ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_reader_open(const char *path, const ecdc_reader_settings *settings,
                                                      ecdc_reader **reader, ecdc_error *err);
ECDC_API void ecdc_reader_close(ecdc_reader *reader);

/** Reads up to max_samples per channel, interleaved: samples[i * channels + channel]. *n_read, too, counts samples per
 *  channel; it is 0 only at the end.
 *  Fails with ECDC_E_FORMAT where the file breaks off or is damaged; the message has the time reached. That a file is
 *  cut is seen where it says how long it is (WAV, FLAC, MP3 with a Xing header, MP4, Matroska) or where it ends (Ogg), and
 *  more than 0.25 s is missing; in other formats (ADTS, MPEG-TS, plain MP3, fragmented MP4, Ogg on a pipe) only where the
 *  cut leaves something that cannot be decoded. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_reader_read(ecdc_reader *reader, float *samples, size_t max_samples,
                                                      size_t *n_read, ecdc_error *err);
ECDC_API void ecdc_reader_get_info(const ecdc_reader *reader, ecdc_reader_info *info);
/** Audio track `track`, 0 ... n_tracks - 1, whichever is read. Fails with ECDC_E_ARGUMENT. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_reader_get_track(const ecdc_reader *reader, int track, ecdc_track_info *info,
                                                           ecdc_error *err);

/** Samples that n_samples become at another rate: ceil(n_samples * out_hz / in_hz). */
ECDC_API int64_t ecdc_resampled_length(int64_t n_samples, int in_hz, int out_hz);

/** Converts a whole mono signal to another rate, as the reader does it (libsoxr, HQ).
 *  @param in_hz, out_hz  1000 ... 384000; equal ones copy
 *  @param out            holds ecdc_resampled_length(n_samples, in_hz, out_hz); may hold some of them after a failure
 *  Fails with ECDC_E_ARGUMENT (a rate), ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_resample(const float *samples, size_t n_samples, int in_hz, int out_hz, float *out,
                                                   ecdc_error *err);

/* -------------------------------------------------------------------------------------------- TR grid --- */

/** How frames are given to fMRI volumes (TRs). */
typedef enum ecdc_alignment {
    ECDC_ALIGN_GIBLET = 0, /**< giblet's doubles: int(75 * TR) frames per TR, cut or zero-padded */
    ECDC_ALIGN_EXACT = 1   /**< integers: every frame belongs to exactly one TR, no drift */
} ecdc_alignment;

/** The frames of each TR. A plain value: copy it freely. Fill it with ecdc_tr_grid_init. */
typedef struct ecdc_tr_grid {
    double tr_s;              /**< repetition time in seconds */
    int64_t tr_num, tr_den;   /**< the same as a fraction in lowest terms: 0.72 s is 18/25 */
    int frame_rate_hz;        /**< 75 */
    ecdc_alignment alignment;
    int64_t frames_per_tr;    /**< row length: giblet int(75 * TR), exact ceil(75 * TR) */
} ecdc_tr_grid;

/** Makes a grid. @param tr a decimal number ("1.5", "0.72") or a fraction ("2/3") of seconds, taken exactly; at
 *  least one frame and at most 3600 s. Fails with ECDC_E_ARGUMENT. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_tr_grid_init(ecdc_tr_grid *grid, const char *tr, int frame_rate_hz,
                                                       ecdc_alignment alignment, ecdc_error *err);

/** Whole TRs in a signal: floor(n_samples / rate / TR), in doubles for giblet, in integers for exact.
 *  @param with_partial 1: a last part of a TR counts too. */
ECDC_API int64_t ecdc_tr_grid_count(const ecdc_tr_grid *grid, int64_t n_samples, int sampling_rate_hz,
                                    int with_partial);

/** The frames of TR i: [*first, *first + *count). For exact the intervals tile the frame axis; for giblet count is
 *  frames_per_tr or one less (then the row ends with a zero). */
ECDC_API void ecdc_tr_grid_frames(const ecdc_tr_grid *grid, int64_t i, int64_t *first, int64_t *count);

/** The start of TR i in seconds: i * TR. */
ECDC_API double ecdc_tr_grid_start_s(const ecdc_tr_grid *grid, int64_t i);

/* ----------------------------------------------------------------------------------------- rows per TR --- */

/** What the row of a TR looks like: row[codebook * grid.frames_per_tr + frame]. */
typedef struct ecdc_row_shape {
    ecdc_tr_grid grid;
    int n_codebooks;   /**< codes per frame: 1 or more */
    int row_codebooks; /**< codebooks per row: n_codebooks, or more, as in giblet's layout; those that do not exist are 0 */
} ecdc_row_shape;

/** Codebooks per row of giblet's layout at a bandwidth: its table {1.5: 2, 3: 8, 6: 16, 12: 32, 24: 32}; 0 at another one. */
ECDC_API int ecdc_giblet_codebooks(double bandwidth_kbps);

/** When the sound of a row was. */
typedef struct ecdc_row_info {
    int64_t tr_index;
    double start_s, end_s; /**< a part of a TR ends with the signal */
    int64_t n_frames;      /**< exact: real ones; giblet: frames_per_tr, padded ones too, except in a part of a TR */
    int64_t n_real_frames; /**< those that the row holds, in front of what is padded */
} ecdc_row_info;

/** The frames of one signal on their way into rows. */
typedef struct ecdc_row_maker ecdc_row_maker;

/** @param sampling_rate_hz  of the signal: with its samples it tells which TRs are whole
 *  @param with_partial      1: a last part of a TR makes a row, too
 *  Fails with ECDC_E_ARGUMENT, ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_row_maker_new(const ecdc_row_shape *shape, int sampling_rate_hz, int with_partial,
                                                        ecdc_row_maker **maker, ecdc_error *err);
ECDC_API void ecdc_row_maker_free(ecdc_row_maker *maker);

/** Takes the next frames, codes[frame * n_codebooks + codebook], any number of them.
 *  @param n_samples  of the signal so far, these frames' included
 *  Fails with ECDC_E_ARGUMENT (fewer samples than before; after finish), ECDC_E_MEMORY; then nothing was taken. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_row_maker_push(ecdc_row_maker *maker, const int32_t *codes, size_t n_frames,
                                                         int64_t n_samples, ecdc_error *err);

/** Says that the signal ends here: giblet's last whole TR may ask for a frame that it does not have. */
ECDC_API void ecdc_row_maker_finish(ecdc_row_maker *maker);

/** Gives the next row, if its TR is complete: row_codebooks * frames_per_tr numbers. Where a TR has no frame stands 0 in
 *  giblet's alignment, -1 in the exact one. @return 1, or 0 where no row is ready: then nothing is written. */
ECDC_API int ecdc_row_maker_pull(ecdc_row_maker *maker, int64_t *row, ecdc_row_info *info);

/** The rows of one signal on their way back into frames. The frames of a TR stand where its alignment put its start; where one
 *  was cut, the last one is repeated up to the next start; what would reach past that start is dropped. */
typedef struct ecdc_row_placer ecdc_row_placer;

/** @param codebook_size  codes are 0 ... codebook_size - 1
 *  @param n_trs          rows that will come
 *  @param n_frames       of the signal, for a last part of a TR; -1: all TRs are whole, or the -1 of the last one tell
 *  Fails with ECDC_E_ARGUMENT, ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_row_placer_new(const ecdc_row_shape *shape, int codebook_size, int64_t n_trs,
                                                         int64_t n_frames, ecdc_row_placer **placer, ecdc_error *err);
ECDC_API void ecdc_row_placer_free(ecdc_row_placer *placer);

/** Frames that the signal will have, which its last row tells. Fails with ECDC_E_FORMAT (n_frames and n_trs do not fit). */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_row_placer_length(const ecdc_row_placer *placer, const int64_t *last_row,
                                                            int64_t *n_frames, ecdc_error *err);

/** Takes the next row. Fails with ECDC_E_FORMAT (a code is out of range, named with row, codebook and frame; n_frames and n_trs
 *  do not fit), ECDC_E_ARGUMENT (more rows than announced), ECDC_E_MEMORY; then the placer can only be reset or freed. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_row_placer_push(ecdc_row_placer *placer, const int64_t *row, ecdc_error *err);

/** Frames that are ready to be pulled. */
ECDC_API size_t ecdc_row_placer_ready(const ecdc_row_placer *placer);

/** Moves up to max_frames frames into codes[frame * n_codebooks + codebook]. @return the number of frames written. */
ECDC_API size_t ecdc_row_placer_pull(ecdc_row_placer *placer, int32_t *codes, size_t max_frames);

/** Back to the first row. */
ECDC_API void ecdc_row_placer_reset(ecdc_row_placer *placer);

/* ------------------------------------------------------------------------------------ mel spectrograms --- */

/** How a mel spectrogram is made, and how it becomes sound again. Start from ecdc_default_mel_settings(): giblet's. */
typedef struct ecdc_mel_settings {
    int sampling_rate_hz; /**< 1000 ... 384000; default 22050 */
    int n_fft;            /**< samples per frame, a power of two, 64 ... 65536; default 4096 */
    int hop;              /**< samples from frame to frame, n_fft / 64 ... n_fft; default 512 */
    int n_mels;           /**< filters from 0 Hz to half the rate, 1 ... 65536; default 2048 */
    int iterations;       /**< of Griffin-Lim, 0 ... 1000; default 32 */
    double momentum;      /**< of Griffin-Lim, 0 ... 1; default 0.99 */
    uint64_t seed;        /**< of the phases that Griffin-Lim starts with; default 0 */
    int reserved[8];      /**< for later fields: 0 */
} ecdc_mel_settings;

ECDC_API ecdc_mel_settings ecdc_default_mel_settings(void);

/** Frames that n_samples become: 1 + n_samples / hop, the first centred on sample 0; 0 for 0 samples. */
ECDC_API int64_t ecdc_mel_frames(const ecdc_mel_settings *settings, int64_t n_samples);

/** A mel power spectrogram in the making: librosa 0.11's melspectrogram(power=2, window='hann', center=True,
 *  pad_mode='constant', htk=False, norm='slaney'), computed in doubles. Memory: independent of the signal's length, as long as
 *  frames are pulled. */
typedef struct ecdc_mel ecdc_mel;

/** Starts a signal. @param settings NULL for the defaults. Fails with ECDC_E_ARGUMENT, ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_mel_new(const ecdc_mel_settings *settings, ecdc_mel **mel, ecdc_error *err);
ECDC_API void ecdc_mel_free(ecdc_mel *mel);

/** Filters that lie between two bins and are always 0: 303 of the default's 2048. librosa warns of them. */
ECDC_API int ecdc_mel_empty_filters(const ecdc_mel *mel);

/** Takes the next samples, any number of them. Fails with ECDC_E_ARGUMENT (a sample is not finite, named with its number;
 *  after finish): then nothing was taken; or ECDC_E_MEMORY: then it can only be freed. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_mel_push(ecdc_mel *mel, const float *samples, size_t n_samples, ecdc_error *err);

/** Says that the signal ends here: the remaining frames become available, ecdc_mel_frames in all. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_mel_finish(ecdc_mel *mel, ecdc_error *err);

/** Frames that are ready to be pulled. */
ECDC_API size_t ecdc_mel_ready(const ecdc_mel *mel);

/** Moves up to max_frames finished frames into power[frame * n_mels + filter]. @return the number of frames written. */
ECDC_API size_t ecdc_mel_pull(ecdc_mel *mel, float *power, size_t max_frames);

/** The largest power of all frames so far: what power_to_db(ref=np.max) refers to. */
ECDC_API double ecdc_mel_peak(const ecdc_mel *mel);

/** Power to decibels relative to ref, as librosa's power_to_db(ref, amin=1e-10, top_db) where ref is the largest power:
 *  max(10 log10(max(power, 1e-10) / max(ref, 1e-10)), -top_db). db may be power. */
ECDC_API void ecdc_power_to_db(const float *power, size_t n, double ref, double top_db, float *db);

/** Back: ref * 10^(db / 10). power may be db. */
ECDC_API void ecdc_db_to_power(const float *db, size_t n, double ref, float *power);

/** The power spectrogram of a whole signal: power must hold ecdc_mel_frames * n_mels. Fails as the functions above do. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_mel_spectrogram(const ecdc_mel_settings *settings, const float *samples,
                                                          size_t n_samples, float *power, ecdc_error *err);

/** A mel power spectrogram that becomes sound: per frame the non-negative spectrum that explains it best (least squares),
 *  then Griffin-Lim with momentum (Perraudin et al. 2013) for the phases. Griffin-Lim needs n_fft - hop samples of what is to
 *  come, once per iteration; so its iterations stand behind one another and each works on the frames that the one before is
 *  done with. The samples are those of Griffin-Lim on the whole spectrogram, and memory does not depend on its length:
 *  about 12 bytes * iterations * n_fft / 2 * (n_fft / hop + 3), 9 MB for the defaults. */
typedef struct ecdc_mel_inverse ecdc_mel_inverse;

/** Starts a signal; arguments and failures as ecdc_mel_new. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_mel_inverse_new(const ecdc_mel_settings *settings, ecdc_mel_inverse **inverse,
                                                          ecdc_error *err);
ECDC_API void ecdc_mel_inverse_free(ecdc_mel_inverse *inverse);

/** Takes the next frames, power[frame * n_mels + filter]. Fails with ECDC_E_ARGUMENT (a number is negative or not finite,
 *  named with frame and filter; after finish): then nothing was taken; or ECDC_E_MEMORY: then it can only be freed. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_mel_inverse_push(ecdc_mel_inverse *inverse, const float *power, size_t n_frames,
                                                           ecdc_error *err);

/** Says that the signal ends here: the remaining samples become available.
 *  @param n_samples  of the whole signal, (frames - 1) * hop ... (frames - 1) * hop + n_fft / 4; -1: (frames - 1) * hop, as
 *                    librosa. ECDC_E_ARGUMENT outside of that. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_mel_inverse_finish(ecdc_mel_inverse *inverse, int64_t n_samples, ecdc_error *err);

/** Samples that are ready to be pulled. */
ECDC_API size_t ecdc_mel_inverse_ready(const ecdc_mel_inverse *inverse);

/** Moves up to max_samples finished samples into samples. @return the number of samples written. */
ECDC_API size_t ecdc_mel_inverse_pull(ecdc_mel_inverse *inverse, float *samples, size_t max_samples);

/** A whole spectrogram to sound: samples must hold n_samples, which is as in ecdc_mel_inverse_finish, but given. Fails as the
 *  functions above do. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_mel_to_audio(const ecdc_mel_settings *settings, const float *power, size_t n_frames,
                                                       float *samples, size_t n_samples, ecdc_error *err);

/** The frames of each TR, as giblet cuts them: from start / hop up to end / hop, both in samples. A row is
 *  row[filter * width + frame]. A plain value: copy it freely. Fill it with ecdc_mel_grid_init. */
typedef struct ecdc_mel_grid {
    ecdc_tr_grid samples; /**< its frames are samples */
    int hop, n_mels;
    int64_t width;        /**< frames per row: ceil(samples per TR / hop) */
} ecdc_mel_grid;

/** Makes a grid. @param tr as in ecdc_tr_grid_init. Fails with ECDC_E_ARGUMENT. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_mel_grid_init(ecdc_mel_grid *grid, const ecdc_mel_settings *settings, const char *tr,
                                                        ecdc_alignment alignment, ecdc_error *err);

/** The frames of TR i: [*first, *first + *count), count is width or less. */
ECDC_API void ecdc_mel_grid_frames(const ecdc_mel_grid *grid, int64_t i, int64_t *first, int64_t *count);

/* -------------------------------------------------------------------------- rows per TR: latents, HRF --- */

/** The quantized vectors that codes stand for: the sum of one entry per codebook, vectors[frame * dimension + i] from
 *  codes[frame * n_codebooks + codebook]. Unlike codes, which are labels, they can be averaged, resampled and convolved.
 *  Fails with ECDC_E_ARGUMENT (n_codebooks; a code out of range, named with frame and codebook), ECDC_E_MODEL, ECDC_E_MEMORY;
 *  then vectors may hold some of them. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_dequantize(const ecdc_model *model, int n_codebooks, const int32_t *codes,
                                                     size_t n_frames, float *vectors, ecdc_error *err);

/** The same for a row: the mean of the vectors of its first n_frames frames, latent[dimension], zeros where there are none; or
 *  with per_frame all of them, latent[i * frames_per_tr + frame], zeros behind them.
 *  @param row  as ecdc_row_maker_pull gives it; n_frames: its n_real_frames
 *  Fails as ecdc_dequantize does, and with ECDC_E_ARGUMENT (n_frames). */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_row_latent(const ecdc_model *model, const ecdc_row_shape *shape, const int64_t *row,
                                                     int64_t n_frames, int per_frame, float *latent, ecdc_error *err);

/** Points of ecdc_glover_hrf's kernel: round(time_length * oversampling / TR), half to even; 0 where an argument is out of its
 *  range. */
ECDC_API size_t ecdc_glover_hrf_length(double tr_s, int oversampling, double time_length_s);

/** Glover's haemodynamic response function, numbers and points of nilearn 0.14's glover_hrf(t_r, oversampling, time_length,
 *  onset): points linspace(0, time_length, n), sum 1.
 *  @param tr_s           above 0, at most 3600
 *  @param oversampling   points per TR, 1 ... 10000; nilearn's default: 50
 *  @param time_length_s  above 0, at most 36000; nilearn's default: 32
 *  @param onset_s        nilearn's default: 0
 *  @param kernel         must hold ecdc_glover_hrf_length
 *  Fails with ECDC_E_ARGUMENT (also where the kernel has no point, more than 1e7, or only zeros). */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_glover_hrf(double tr_s, int oversampling, double time_length_s, double onset_s,
                                                     double *kernel, ecdc_error *err);

/** How rows are convolved with the haemodynamic response. */
typedef enum ecdc_hrf {
    ECDC_HRF_NONE = 0,   /**< not at all */
    ECDC_HRF_CAUSAL = 1, /**< Glover's kernel at 50 points per TR; a row counts for the whole of its TR, the response is taken
                              at the start of each TR, as nilearn's compute_regressor has it. Its weights add up to 1 */
    ECDC_HRF_GIBLET = 2, /**< giblet's arithmetic: one point per TR, scaled to peak 1, centred: the response begins before the
                              stimulus */
    ECDC_HRF_GIBLET_DOC = 3 /**< what giblet's documents describe for codes: the same in scipy's mode 'same' (its code comes a
                              row later where the number of points is even), rounded, half to even; the caller cuts */
} ecdc_hrf;

/** Convolves a series of rows, series[tr * n_features + feature], over time. result must not overlap it.
 *  @param outside  what the series was before its first row and, for giblet's arithmetic, is behind its last: 0, or the level
 *                  of silence such as -80 dB
 *  Fails with ECDC_E_ARGUMENT (hrf, tr_s), ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_hrf_convolve(ecdc_hrf hrf, double tr_s, const float *series, size_t n_trs,
                                                       size_t n_features, double outside, float *result, ecdc_error *err);

/** giblet's alignment of a series to another length: row i of the result is the one at place i * (n - 1) / (n_result - 1),
 *  the nearest one (half to even). It stretches time. ECDC_E_ARGUMENT where n or n_result is 0. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_resample_nearest(const int64_t *series, size_t n, size_t n_features, size_t n_result,
                                                           int64_t *result, ecdc_error *err);

/** The same for floats, by linear interpolation. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_resample_linear(const float *series, size_t n, size_t n_features, size_t n_result,
                                                          float *result, ecdc_error *err);

/* ------------------------------------------------------------------------------------ feature files --- */

/** How long work speaks to its caller: functions, each of which may be NULL, called on the thread that called. */
typedef struct ecdc_listener {
    /** What is worth knowing, as one sentence: the sound starts late, a gap was filled. */
    void (*note)(void *context, const char *text);
    /** As the work goes on: what is done, such as "encoding", and how far, in seconds of sound or (for scans) volumes; total 0:
     *  unknown. */
    void (*progress)(void *context, const char *what, double done, double total);
    /** Asked now and then: anything but 0 ends the call with ECDC_E_STOPPED. */
    int (*stop)(void *context);
    void *context;   /**< handed to each of them */
    int reserved[4]; /**< for later fields: 0 */
} ecdc_listener;

/** What a row of features holds. */
typedef enum ecdc_mode {
    ECDC_MODE_ENCODEC = 0, /**< codes: labels, int64 */
    ECDC_MODE_MEL = 1,     /**< giblet's mel spectrogram in dB, float32 (n_trs, n_mels, frames) */
    ECDC_MODE_LATENT = 2   /**< the vectors behind the codes, float32, their mean per TR (n_trs, dimension) */
} ecdc_mode;

/** The shape of codes. */
typedef enum ecdc_layout {
    ECDC_LAYOUT_CODES = 0, /**< (n_trs, codebooks, frames) */
    ECDC_LAYOUT_FLAT = 1,  /**< (n_trs, codebooks * frames) */
    ECDC_LAYOUT_GIBLET = 2 /**< (n_trs, giblet's codebooks * frames): those that do not exist are 0 */
} ecdc_layout;

/** What ecdc_write_features makes. Start from ecdc_default_features_settings(), as with ecdc_settings. */
typedef struct ecdc_features_settings {
    ecdc_mode mode;        /**< default ECDC_MODE_ENCODEC */
    double bandwidth_kbps; /**< default 3; like the codebooks without a meaning for mel */
    int n_codebooks;       /**< 1 ... what the bandwidth gives; default 0: all of them */
    ecdc_layout layout;    /**< of codes */
    const char *tr;        /**< as in ecdc_tr_grid_init; default "1.5" */
    ecdc_alignment alignment;
    int64_t max_trs;       /**< stop after so many; default 0: the whole sound */
    int partial;           /**< 1: a last part of a TR makes a row, too */
    int per_frame;         /**< 1: latents of every frame, (n_trs, dimension, frames) */
    ecdc_hrf hrf;          /**< codes: none, giblet (they stay as they are) or giblet-doc; else none, causal or giblet */
    int int16;             /**< 1: codes as int16 */
    int overwrite;         /**< 1: replaces files that exist */
    int choose_track, track, partial_input; /**< as in ecdc_reader_settings */
    int n_threads;         /**< as in ecdc_settings */
    ecdc_cpu cpu;          /**< likewise */
    const ecdc_listener *listener; /**< NULL: none */
    ecdc_precision precision; /**< as in ecdc_settings */
    ecdc_group *group;     /**< as in ecdc_settings: other sounds, in other threads, to share with */
    int reserved[4];       /**< for later fields: 0 */
} ecdc_features_settings;

ECDC_API ecdc_features_settings ecdc_default_features_settings(void);

/** What was written. */
typedef struct ecdc_features_result {
    int64_t n_trs;
    int64_t row[2];        /**< shape of a row: codebooks (or dimension, or filters) and frames; 1 where there is no second axis */
    int64_t samples;       /**< read, at the rate below */
    int sampling_rate_hz;
    double mel_ref;        /**< mel: the power of 0 dB */
    double seconds_wall;
    int reserved[8];
} ecdc_features_result;

/** Writes the features of a sound on the TR grid as the command `ecdc features` does: the array OUT.npy, row by row in constant
 *  memory, and beside it OUT.tsv (the times of its TRs) and OUT.json (what it was made from and how). Each file appears when it is
 *  complete, the array last.
 *  @param model   NULL in mel mode
 *  @param input   a file that FFmpeg reads, or "-"
 *  @param output  ends in .npy; "-": the array alone, to standard output
 *  Fails as ecdc_reader_open, ecdc_encoder_new and ecdc_tr_grid_init do, and with ECDC_E_ARGUMENT (settings that exclude each
 *  other; messages name options of the command), ECDC_E_EXISTS, ECDC_E_FORMAT (no sound; shorter than a TR), ECDC_E_UNSUPPORTED (a
 *  chunked model), ECDC_E_IO, ECDC_E_STOPPED, ECDC_E_MEMORY; then nothing was written. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_write_features(const ecdc_model *model, const char *input, const char *output,
                                                         const ecdc_features_settings *settings, ecdc_features_result *result,
                                                         ecdc_error *err);

/* -------------------------------------------------------------------------------------------- metrics --- */

/** Measures of a degraded signal against its reference. */
typedef struct ecdc_metrics {
    double stoi;      /**< short-time objective intelligibility (Taal et al. 2011), up to 1; NaN as ecdc_stoi says */
    double estoi;     /**< extended STOI (Jensen and Taal 2016), likewise */
    double snr_db;    /**< 10 log10(sum ref^2 / sum (ref - deg)^2); +inf for equal signals, -inf for a silent reference */
    double si_sdr_db; /**< scale-invariant signal-to-distortion ratio, means removed (Le Roux et al. 2019); +inf for equal
                           signals, -inf where the degraded one has nothing of the reference */
    double lsd_db;    /**< log-spectral distance: 2048-point Hann, hop 512, 20 log10 with floor 1e-10; the rest behind the last
                           whole window does not count, a signal shorter than one window is followed by zeros */
} ecdc_metrics;

/** All measures of two signals, mono, at one rate and of one length; neither is shifted against the other.
 *  @param n_samples         of each signal, 1 or more
 *  @param sampling_rate_hz  for STOI, which is defined at 10 kHz: 1 or more
 *  Memory does not grow with the signals: less than 0.5 MB at 44.1 kHz and at rounder rates. STOI's filter takes about 580 bytes
 *  per step of max(10000, rate) / gcd(10000, rate); where that is more than 64 MB (a prime rate above 115 kHz) it is
 *  ECDC_E_UNSUPPORTED.
 *  Also fails with ECDC_E_ARGUMENT (0 samples; a sample is not finite, named with its number; the rate), ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_compare(const float *reference, const float *degraded, size_t n_samples,
                                                  int sampling_rate_hz, ecdc_metrics *metrics, ecdc_error *err);

/** STOI and ESTOI alone, the numbers of pystoi 0.4 (resampling included). Arguments, memory and failures as ecdc_compare.
 *  @param stoi, estoi  where the results go; NULL: not wanted
 *  Both are NaN where there is too little to measure: fewer than 31 frames of the reference (25.6 ms, one every 12.8 ms: 0.41 s)
 *  are within 40 dB of its loudest one, or it is silent altogether. (pystoi returns 1e-5, or 0 for silence.) A silent degraded
 *  signal has 0, as has each silent segment of one in ESTOI, to which pystoi gives a random number around 0. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_stoi(const float *reference, const float *degraded, size_t n_samples,
                                               int sampling_rate_hz, double *stoi, double *estoi, ecdc_error *err);

/* ------------------------------------------------------------------------------------- fMRI: NIfTI, masks --- */

/** A NIfTI file open for reading: `.nii` or gzip (of several members, too; the bytes decide, not the name), NIfTI-1 or -2 as one
 *  file, of either endianness. It is read as a stream: memory is one volume, whatever the length of the series. */
typedef struct ecdc_nifti ecdc_nifti;

/** How a number is stored: the codes of the NIfTI standard. */
typedef enum ecdc_nifti_type {
    ECDC_NIFTI_UINT8 = 2,
    ECDC_NIFTI_INT16 = 4,
    ECDC_NIFTI_INT32 = 8,
    ECDC_NIFTI_FLOAT32 = 16,
    ECDC_NIFTI_FLOAT64 = 64,
    ECDC_NIFTI_INT8 = 256,
    ECDC_NIFTI_UINT16 = 512,
    ECDC_NIFTI_UINT32 = 768,
    ECDC_NIFTI_INT64 = 1024,
    ECDC_NIFTI_UINT64 = 1280
} ecdc_nifti_type;

/** The space of voxels: how many there are and where they lie. A plain value. */
typedef struct ecdc_nifti_space {
    int64_t x, y, z;     /**< voxels along each axis, 1 or more */
    double affine[16];   /**< affine[4 * row + column]: voxel indices (i, j, k, 1) to places (x, y, z, 1), in mm as a rule; the
                              last row is 0 0 0 1. As nibabel decides: the sform where its code is not 0, else the qform, else
                              the sizes of the voxels, centred and with x flipped */
    int code;            /**< what the places are: 1 scanner, 2 aligned, 3 Talairach, 4 MNI, 5 another template; 0: the affine
                              was made from the sizes of the voxels alone */
} ecdc_nifti_space;

/** Facts of a NIfTI file. */
typedef struct ecdc_nifti_info {
    const char *path;       /**< as it was opened; the handle's */
    ecdc_nifti_space space;
    int n_dims;             /**< 3: one volume; 4: a series. Trailing dimensions of 1 behind the fourth do not count */
    int64_t n_trs;          /**< volumes; 1 where n_dims is 3 */
    double tr_s;            /**< pixdim[4] in its unit (s, ms, µs; none stated: s), the shortest decimal that the stored float32
                                 stands for: 0.72, not 0.7200000286; 0: not stated, or not a time */
    ecdc_nifti_type type;
    const char *type_name;  /**< "int16" ...; a constant string */
    double slope, intercept; /**< value = slope * number + intercept; 1 and 0 where the file has no scaling (slope 0, not finite) */
    int big_endian;         /**< 1: the bytes of its numbers are */
    int compressed;         /**< 1: gzip */
    int version;            /**< 1 or 2 */
    int reserved[8];        /**< for later fields */
} ecdc_nifti_info;

/** Opens a file and reads its header. Fails with ECDC_E_IO, ECDC_E_FORMAT (not NIfTI; a dimension below 1; more data claimed than a
 *  file of this size can hold, where gzip counts 1032 times; an affine that is not finite), ECDC_E_UNSUPPORTED (`.hdr` + `.img`,
 *  Analyze; complex numbers, colours, float128; fewer than 3 or more than 4 dimensions), ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_nifti_open(const char *path, ecdc_nifti **nifti, ecdc_error *err);
ECDC_API void ecdc_nifti_close(ecdc_nifti *nifti);
ECDC_API void ecdc_nifti_get_info(const ecdc_nifti *nifti, ecdc_nifti_info *info);

/** Reads the next volume: volume[i + x * (j + y * k)], x fastest as in the file, scaled, rounded to float32 (nibabel's
 *  get_fdata() rounded, also numbers that are not finite). *more is 0, and volume untouched, behind the last one.
 *  Fails with ECDC_E_FORMAT (broken off, damaged: gzip's checksum is verified with the last volume), ECDC_E_IO; then the file can
 *  only be closed. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_nifti_read(ecdc_nifti *nifti, float *volume, int *more, ecdc_error *err);

/** How long work on scans speaks to its caller. Start from ecdc_default_scan_settings(). */
typedef struct ecdc_scan_settings {
    int64_t mask_trs;       /**< ecdc_mask_share: TRs from the first that count, 1 or more; a scan with fewer has all of them count;
                                 default: 200 */
    double mask_percentile; /**< ecdc_mask_share: 0 ... 100; default 10 */
    int64_t n_trs;          /**< ecdc_nifti_extract: exactly so many TRs from the first; default 0: all */
    int zscore;             /**< ecdc_nifti_extract: 1: each voxel minus its mean, divided by its standard deviation (population;
                                 1 where the voxel is constant); default 0 */
    int n_threads;          /**< 1 ... 256; default 0: one per processor; ecdc_mask_share reads so many scans at once. Results
                                 do not depend on it */
    void (*progress)(void *context, double share); /**< 0 ... 1, now and then; NULL: none */
    int (*stop)(void *context); /**< asked with each file and, where the calling thread reads one itself, each volume:
                                     anything but 0 ends the call with ECDC_E_STOPPED; NULL: never */
    void *context;          /**< handed to both, which are called on the thread that made the call */
    int reserved[8];        /**< for later fields: 0 */
} ecdc_scan_settings;

ECDC_API ecdc_scan_settings ecdc_default_scan_settings(void);

/** Which voxels of a space count. Immutable: may be used by any number of threads at once.
 *  Voxels of a mask are numbered in numpy's order of boolean indexing, C order over (x, y, z): z runs fastest. So column v of a
 *  series is `data[mask][v]` of nibabel's array, and row v of `numpy.argwhere(mask)` is its place. */
typedef struct ecdc_mask ecdc_mask;

/** A mask from an array in C order, voxels[(i * y + j) * z + k], not 0 where a voxel counts.
 *  Fails with ECDC_E_ARGUMENT (space, an empty mask), ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_mask_new(const ecdc_nifti_space *space, const uint8_t *voxels, ecdc_mask **mask,
                                                   ecdc_error *err);

/** A mask from a NIfTI file of one volume: voxels that are not 0. Fails as ecdc_nifti_open does, and with
 *  ECDC_E_FORMAT (a series; a number that is not finite; no voxel). */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_mask_open(const char *path, ecdc_mask **mask, ecdc_error *err);
ECDC_API void ecdc_mask_free(ecdc_mask *mask);

/** What one scan brought to a shared mask. */
typedef struct ecdc_mask_vote {
    int64_t n_trs;         /**< TRs that counted */
    double threshold;      /**< the percentile of the standard deviations that are not 0 */
    int64_t n_voxels;      /**< voxels above it: the scan's vote */
    int64_t n_constant;    /**< voxels with standard deviation 0: outside the head, as a rule */
    int64_t n_not_finite;  /**< voxels with a number that is not finite: they have no vote, and do not count for the threshold */
    int reserved[8];       /**< for later fields */
} ecdc_mask_vote;

/** The mask that scans share, by giblet's rule: of each scan the voxels whose standard deviation over the first 200 TRs
 *  (population) is above the 10th percentile (numpy's, linear) of those that are not 0; of these, the voxels that at least
 *  ceil(half) of the scans have. Of each file only these TRs are read.
 *  Standard deviations are computed in double: equal to numpy's of nibabel's get_fdata() within 1e-12 of their size, and exactly 0
 *  for a constant voxel (where numpy's may be a rounding error).
 *  @param votes     one per scan, in the order of the paths; NULL: not wanted
 *  @param settings  NULL for the defaults
 *  Memory: 40 bytes per voxel of the space and thread. Fails as ecdc_nifti_open does; with ECDC_E_FORMAT (a single volume where a
 *  series is needed; a scan whose space differs from the first one's: in shape, or in the place of a voxel by more than 1 % of a
 *  voxel; a scan in which nothing varies; an empty mask), ECDC_E_ARGUMENT (no paths, settings), ECDC_E_STOPPED, ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_mask_share(const char *const *paths, size_t n_paths, const ecdc_scan_settings *settings,
                                                     ecdc_mask **mask, ecdc_mask_vote *votes, ecdc_error *err);

/** Voxels that count: the width of a series. */
ECDC_API int64_t ecdc_mask_voxels(const ecdc_mask *mask);
ECDC_API void ecdc_mask_get_space(const ecdc_mask *mask, ecdc_nifti_space *space);
/** Indices (i, j, k) of each voxel, coordinates[v * 3 + axis], as numpy.argwhere has them. */
ECDC_API void ecdc_mask_coordinates(const ecdc_mask *mask, int64_t *coordinates);
/** The mask as an array in C order, of 0 and 1: voxels[(i * y + j) * z + k]. */
ECDC_API void ecdc_mask_array(const ecdc_mask *mask, uint8_t *voxels);
/** Writes it as NIfTI of uint8, gzip where the name ends in `.gz`. Fails with ECDC_E_EXISTS unless overwrite,
 *  ECDC_E_IO, ECDC_E_ARGUMENT (more than 32767 voxels along an axis), ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_mask_save(const ecdc_mask *mask, const char *path, int overwrite, ecdc_error *err);

/** What an extraction met. */
typedef struct ecdc_extraction {
    int64_t n_trs;          /**< rows written */
    int64_t n_constant;     /**< voxels of the mask that do not vary: all 0 after zscore */
    int64_t n_not_finite;   /**< numbers that were not finite, or beyond float32 */
    int64_t n_voxels_not_finite; /**< voxels that had such */
    int reserved[8];        /**< for later fields */
} ecdc_extraction;

/** The series of a mask's voxels: series[tr * n_voxels + v], n_voxels = ecdc_mask_voxels. One pass over the file.
 *  A number that is not finite is counted and replaced by the mean of the voxel's finite numbers (0 after zscore; 0 where it
 *  has none): it touches neither other TRs nor other voxels.
 *  Values are nibabel's get_fdata() rounded to float32. With zscore, mean and deviation are summed in double over differences
 *  from the voxel's first value, so that nothing is lost to a high level: within float32 rounding of numpy in float64.
 *  @param nifti     open and unread
 *  @param series    n_trs (settings->n_trs, or the file's) * n_voxels numbers; it may hold some after a failure
 *  @param settings  NULL for the defaults
 *  @param report    NULL: not wanted
 *  Fails as ecdc_nifti_read does, and with ECDC_E_FORMAT (a single volume; the space is not the mask's; fewer TRs than asked for),
 *  ECDC_E_ARGUMENT (settings; a file that has been read from), ECDC_E_STOPPED, ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_nifti_extract(ecdc_nifti *nifti, const ecdc_mask *mask,
                                                        const ecdc_scan_settings *settings, float *series,
                                                        ecdc_extraction *report, ecdc_error *err);

/** A NIfTI-1 file in the making; it appears under its name when it is complete. */
typedef struct ecdc_nifti_writer ecdc_nifti_writer;

/** What to write. Start from ecdc_default_nifti_settings(). */
typedef struct ecdc_nifti_settings {
    ecdc_nifti_space space; /**< at most 32767 along an axis. The affine is written as sform (float32) with its code, 0 as 2 */
    int64_t n_trs;          /**< 1 ... 32767; default 0: one volume of three dimensions */
    double tr_s;            /**< default 0: not stated */
    ecdc_nifti_type type;   /**< uint8, int16, float32 or float64; default float32. No scaling is written */
    int overwrite;          /**< 1: an existing file is replaced; default 0 */
    int level;              /**< of gzip, 1 (fast) ... 9, where the path ends in `.gz`; default 0: 6 */
    int reserved[8];        /**< for later fields: 0 */
} ecdc_nifti_settings;

ECDC_API ecdc_nifti_settings ecdc_default_nifti_settings(void);

/** Fails with ECDC_E_ARGUMENT, ECDC_E_EXISTS, ECDC_E_IO, ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_nifti_writer_new(const char *path, const ecdc_nifti_settings *settings,
                                                           ecdc_nifti_writer **writer, ecdc_error *err);
/** Discards what is not finished. */
ECDC_API void ecdc_nifti_writer_free(ecdc_nifti_writer *writer);

/** Writes the next volume, volume[i + x * (j + y * k)]. For integers values are rounded, half to even. Fails with
 *  ECDC_E_ARGUMENT (a value does not fit the integer type, named with its voxel; more volumes than announced), ECDC_E_IO. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_nifti_write(ecdc_nifti_writer *writer, const float *volume, ecdc_error *err);
/** The same from one value per voxel of a mask (of the writer's space) and 0 elsewhere: the way back from a row of a series. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_nifti_write_masked(ecdc_nifti_writer *writer, const ecdc_mask *mask, const float *row,
                                                             ecdc_error *err);
/** Completes the file and puts it in place. Fails with ECDC_E_ARGUMENT (fewer volumes than announced), ECDC_E_IO, ECDC_E_EXISTS. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_nifti_writer_finish(ecdc_nifti_writer *writer, ecdc_error *err);

/* -------------------------------------------------------------------------------------------- studies --- */

/** How a study is found and prepared. Start from ecdc_default_study_settings(). Strings are copied. */
typedef struct ecdc_study_settings {
    const char *cache;     /**< directory of the caches, made when it is needed; default NULL: `cache` in the study */
    const char *film;      /**< default NULL: the study's stimuli_*.m4v or .mp4, of which there must be one (or in its `stimuli`) */
    const char *subjects;  /**< labels or numbers separated by commas, "1,3,17"; default NULL, and "all": all */
    const char *scans;     /**< a shell pattern for the names of BIDS scans, such as "*task-film*desc-preproc_bold.nii.gz", where
                                subjects have several; default NULL: all */
    const char *tr;        /**< as in ecdc_tr_grid_init; default "1.5". Headers and sidecars must not contradict it */
    int64_t max_trs;       /**< default 0: all of each */
    ecdc_mode mode;        /**< of the film's features; default ECDC_MODE_ENCODEC */
    double bandwidth_kbps; /**< default 3 */
    int n_codebooks;       /**< default 0: all of the bandwidth's */
    ecdc_hrf hrf;          /**< of the film's features, as in ecdc_features_settings; default ECDC_HRF_NONE */
    int zscore;            /**< default 1: as in ecdc_scan_settings */
    int n_threads;         /**< as in ecdc_settings */
    ecdc_cpu cpu;          /**< likewise */
    ecdc_listener listener; /**< hears of all work on this study. Progress is called "film" or "sub-LABEL", its total is 1 */
    ecdc_precision precision; /**< of the film's features: as in ecdc_settings */
    int reserved[7];       /**< for later fields: 0 */
} ecdc_study_settings;

ECDC_API ecdc_study_settings ecdc_default_study_settings(void);

/** A film, the scans of those who saw it, and the caches of what is made from both. */
typedef struct ecdc_study ecdc_study;

/** Finds a study on disk and reads the headers of its scans. Two layouts are known: giblet's, DATA/sherlock_nii/
 *  sherlock_movie_s*.nii.gz, and BIDS derivatives, DATA/sub-* /func/ *_bold.nii.gz with the RepetitionTime in the JSON of the same
 *  name or in DATA/task-*_bold.json. Subjects are sorted by number. The film is DATA/stimuli_*.m4v or .mp4.
 *  @param model  of the features; it must outlive the study. NULL in mel mode
 *  Fails with ECDC_E_IO, ECDC_E_FORMAT (no subjects; several scans of one; no film or several; a scan that is not NIfTI or whose shape
 *  differs; a TR that contradicts the settings: the message has both), ECDC_E_ARGUMENT (settings; no such subject),
 *  ECDC_E_UNSUPPORTED (a chunked model), ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_study_open(const char *data, const ecdc_study_settings *settings, const ecdc_model *model,
                                                     ecdc_study **study, ecdc_error *err);
ECDC_API void ecdc_study_close(ecdc_study *study);

/** Facts of a study; strings are the study's. */
typedef struct ecdc_study_info {
    const char *data, *cache, *film;
    const char *layout;      /**< "giblet" or "bids" */
    double tr_s;
    int64_t n_subjects;
    int64_t film_trs_hint;   /**< whole TRs in the film as its container claims; 0: it claims nothing */
    int reserved[8];
} ecdc_study_info;

ECDC_API void ecdc_study_get_info(const ecdc_study *study, ecdc_study_info *info);

typedef struct ecdc_study_subject {
    const char *label;  /**< "1" of sherlock_movie_s1.nii.gz, "01" of sub-01; the study's */
    const char *scan;   /**< its file; the study's */
    int64_t number;     /**< the label as a number; -1: it is none */
    int64_t n_trs;      /**< in the scan */
    double tr_s;        /**< as the scan or its sidecar says; 0: neither does */
    int reserved[8];
} ecdc_study_subject;

/** Subject `index`, 0 ... n_subjects - 1. Fails with ECDC_E_ARGUMENT. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_study_get_subject(const ecdc_study *study, int64_t index, ecdc_study_subject *subject,
                                                            ecdc_error *err);

/** What a study's cache holds. Beside each file lies a JSON with the key: what the file was made from, and how. Films and scans
 *  are known by size and time of change or, where only the latter differs, by their SHA-256; models by the SHA-256 of their
 *  weights. What has another key is never used. */
typedef enum ecdc_part {
    ECDC_PART_FILM = 0, /**< features: audio_features_encodec_bw3.0_tr1.5_920trs_hrf.npy, as ecdc_write_features makes them (so
                             that `ecdc reconstruct` takes them); `_k1` behind the bandwidth: fewer codebooks than it has */
    ECDC_PART_MASK = 1, /**< the mask that the subjects share (ecdc_mask_share): fmri_mask_2subjects_1a2b3c4d.nii.gz; the digits
                             stand for the subjects */
    ECDC_PART_SCAN = 2  /**< a subject's series: fmri_sub-1_tr1.5_920trs_1a2b3c4d_zscore.npy, float32 (n_trs, n_voxels) */
} ecdc_part;

typedef enum ecdc_part_state {
    ECDC_PART_FRESH = 0,
    ECDC_PART_MISSING = 1,
    ECDC_PART_STALE = 2,  /**< made from something else, or otherwise */
    ECDC_PART_DAMAGED = 3 /**< cut short, or its description is */
} ecdc_part_state;

typedef struct ecdc_part_info {
    ecdc_part_state state;
    char path[4096];    /**< of the file; "": none is there */
    char why[600];      /**< the reason, where it is not fresh */
    int64_t n_trs;      /**< rows, where it is fresh; a mask: 0 */
    int64_t n_voxels;   /**< of a scan or mask, where it is fresh */
    int reserved[8];
} ecdc_part_info;

/** How a part of the cache is. Films and scans whose time of change differs are read whole.
 *  @param subject  of ECDC_PART_SCAN, as in ecdc_study_get_subject
 *  Fails with ECDC_E_ARGUMENT, ECDC_E_IO (not: a missing cache), ECDC_E_STOPPED, ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_study_look(const ecdc_study *study, ecdc_part part, int64_t subject,
                                                     ecdc_part_info *info, ecdc_error *err);

enum { ECDC_BUILD_FILM = 1, ECDC_BUILD_SCANS = 2 };

/** Makes what is not fresh: the film's features, the mask, each subject's series, in that order. Each file appears when it is
 *  complete, so that a call that was stopped is taken up where it was. Processes that build the same wait for each other (where
 *  the file system has locks).
 *  Memory: that of ecdc_write_features; then of ecdc_mask_share; then one subject's series.
 *  @param parts   which: ECDC_BUILD_FILM, ECDC_BUILD_SCANS (with the mask) or both
 *  @param n_made  how many were made; NULL: not wanted
 *  Fails as those functions do, with ECDC_E_EXISTS (a file of that name that was made by something else), and with ECDC_E_STOPPED. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_study_build(const ecdc_study *study, int parts, int *n_made, ecdc_error *err);

/* ---------------------------------------------------------------------------------- code autoencoder --- */

/** An autoencoder of codes, trained with examples/train_code_autoencoder.py: a TR's codes -> embedding lookup -> encoder ->
 *  bottleneck -> decoder -> one logit per entry for every code. A TR is cut into patches of a few frames, which encoder and decoder
 *  treat alike. Used by one thread at a time. */
typedef struct ecdc_autoencoder ecdc_autoencoder;

/** Strings live as long as the autoencoder. */
typedef struct ecdc_autoencoder_info {
    int n_codebooks;          /**< of a row: 4 */
    int codebook_size;        /**< codes are 0 ... codebook_size - 1 */
    int64_t frames_per_tr;    /**< of a row: 112 */
    int64_t bottleneck;       /**< numbers per TR: 2048 */
    int64_t patch_frames;     /**< frames of a patch: 7 */
    int64_t n_patches;        /**< of a TR: 16; the last one may reach beyond its end */
    uint64_t n_parameters;
    const char *model;        /**< name of the model whose codes it was trained on; "": the file does not say */
    const char *model_sha256; /**< likewise, of its weights */
    int reserved[8];          /**< for later fields; 0 */
} ecdc_autoencoder_info;

/** Opens a safetensors file with the tensors embedding (codebooks, entries, e), encoder.0, encoder.2, decoder.0, decoder.2 (weight
 *  and bias of a linear layer each), head_weight (codebooks, entries, e) and head_bias, and with frames_per_tr in its metadata; others
 *  are ignored. All sizes come from their shapes.
 *  @param settings  threads and kernels; NULL for the defaults
 *  Fails with ECDC_E_FORMAT (broken file), ECDC_E_MODEL (a tensor is missing or does not fit the others, named with its shape and the
 *  one that would; trained on scans instead of codes), ECDC_E_IO, ECDC_E_ARGUMENT, ECDC_E_UNSUPPORTED, ECDC_E_MEMORY. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_autoencoder_open(const char *path, const ecdc_settings *settings,
                                                           ecdc_autoencoder **autoencoder, ecdc_error *err);
ECDC_API void ecdc_autoencoder_close(ecdc_autoencoder *autoencoder);

ECDC_API void ecdc_autoencoder_get_info(const ecdc_autoencoder *autoencoder, ecdc_autoencoder_info *info);

/** Runs rows of codes through it.
 *  @param codes       rows as ecdc_row_maker_pull gives them, codes[(tr * n_codebooks + codebook) * frames_per_tr + frame]; a frame that
 *                     a TR does not have is -1 in all codebooks, and stays so
 *  @param result      what comes back, in the same shape: the entry with the largest logit (the first one of equals); may be `codes`
 *  @param bottleneck  NULL, or room for n_trs * bottleneck numbers
 *  @param logits      NULL, or room for n_trs * n_codebooks * frames_per_tr * codebook_size numbers
 *  Rows do not depend on each other, nor, by a single bit, on how many come at once. Logits are PyTorch's within 1e-4.
 *  Fails with ECDC_E_ARGUMENT (a code out of range, named with TR, codebook and frame): then results may hold some of the rows. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_autoencoder_run(ecdc_autoencoder *autoencoder, const int64_t *codes, size_t n_trs,
                                                          int64_t *result, float *bottleneck, float *logits, ecdc_error *err);

/* --------------------------------------------------------------------------------------------- report --- */

/** What ecdc_report writes. */
typedef enum ecdc_report_format {
    ECDC_REPORT_HTML = 0, /**< a page of its own: pictures, codes, table of TRs, measures, players */
    ECDC_REPORT_PNG = 1   /**< its figure alone: waveforms, spectrograms, codes */
} ecdc_report_format;

/** How a report is made. Start from ecdc_default_report_settings(), as with ecdc_settings. */
typedef struct ecdc_report_settings {
    int n_bandwidths;                              /**< 1 ... ECDC_MAX_BANDWIDTHS; default 1 */
    double bandwidths_kbps[ECDC_MAX_BANDWIDTHS];   /**< the model's, each at most once; default 3.0 */
    const char *tr;                                /**< as in ecdc_tr_grid_init; default "1.5" */
    ecdc_alignment alignment;                      /**< default ECDC_ALIGN_GIBLET */
    ecdc_report_format format;                     /**< default ECDC_REPORT_HTML */
    int overwrite;                                 /**< 1: replace an output that exists; default 0: ECDC_E_EXISTS */
    const char *title;                             /**< default NULL: the name of the input */
    int n_threads;                                 /**< as in ecdc_settings */
    ecdc_cpu cpu;                                  /**< as in ecdc_settings */
    ecdc_reader_settings input;                    /**< track, partial_input and stop; rate and channels are the model's */
    /** As the sound goes by: seconds done, and what the input claims to have (0: nothing). On the calling thread, with
     *  input.stop_context. Default NULL. */
    void (*progress)(void *context, double done_s, double duration_hint_s);
    ecdc_precision precision;                      /**< as in ecdc_settings */
    int reserved[7];                               /**< for later fields: 0 */
} ecdc_report_settings;

ECDC_API ecdc_report_settings ecdc_default_report_settings(void);

/** What a report says in numbers. */
typedef struct ecdc_report_result {
    int64_t n_samples, n_frames, n_trs;         /**< samples at the model's rate; whole TRs */
    int sampling_rate_hz;                       /**< the model's */
    int n_bandwidths;                           /**< as in the settings, as is their order */
    double bandwidths_kbps[ECDC_MAX_BANDWIDTHS];
    ecdc_metrics metrics[ECDC_MAX_BANDWIDTHS];  /**< of the reconstruction at each bandwidth against the mono sound read */
    ecdc_reader_info input;                     /**< what the reader mended; broken_off is NULL */
    char broken_off[1000];                      /**< with partial_input: how the input broke off; "": it did not */
    uint64_t n_bytes;                           /**< of the report */
    int reserved[8];
} ecdc_report_result;

/** Reads a sound, encodes it, decodes it at each bandwidth, and writes a report. The page needs no other file and no network.
 *  Its sound is AAC in MP4, original and reconstruction as the two channels of one file, so that a player changes between them at
 *  the same sample: 16 kB of page per second and bandwidth. Pictures are at most 4 MB each, whatever the length. Memory: 3 MB per
 *  bandwidth and the codes (150 bytes per codebook and second), next to what encoder and decoders take; the sound waits in
 *  unlinked temporary files ($TMPDIR or /tmp).
 *  @param input     as in ecdc_reader_open
 *  @param output    a path, or "-" for standard output; complete, or not there at all
 *  @param settings  NULL for the defaults
 *  @param result    NULL: not wanted
 *  Fails with ECDC_E_ARGUMENT (a setting), ECDC_E_UNSUPPORTED (a model with chunks, which has no frame grid; a rate or an
 *  FFmpeg without AAC), ECDC_E_EXISTS, ECDC_E_IO, ECDC_E_STOPPED, and as ecdc_reader_open and ecdc_reader_read do. */
ECDC_API ECDC_MUST_CHECK ecdc_status ecdc_report(const ecdc_model *model, const char *input, const char *output,
                                                 const ecdc_report_settings *settings, ecdc_report_result *result,
                                                 ecdc_error *err);

#ifdef __cplusplus
}
#endif

#endif /* ECDC_H */
