#include "media/track.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libavutil/mathematics.h>
#include <libavutil/mem.h>

#include "base/memory.h"
#include "base/status.h"
#include "media/claim.h"

/* ----------------------------------------------------------------------------------------------- bytes --- */

static ecdc_status fail_av(const struct track *t, ecdc_status status, const char *what, int code, ecdc_error *err) {
    if (code == AVERROR(ENOMEM)) /* perhaps because of a size in the file that is not true */
        return ecdc_fail_memory(err, t->name);
    if (code == AVERROR_EXIT)
        return track_fail_stopped(t, err);
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(code, text, sizeof text);
    return ecdc_fail(err, status, "%s: %s (%s)", t->name, what, text);
}

ecdc_status track_fail_stopped(const struct track *t, ecdc_error *err) {
    return ecdc_fail(err, ECDC_E_STOPPED, "%s: reading was stopped", t->name);
}

/* A link to nowhere is what git-annex and DataLad leave where a file was not fetched. */
static ecdc_status fail_not_there(const char *path, int error, ecdc_error *err) {
    char target[200];
    ssize_t n = error == ENOENT ? readlink(path, target, sizeof target) : -1;
    if (n < 0)
        return ecdc_fail(err, ECDC_E_IO, "%s: %s", path, strerror(error));
    return ecdc_fail(err, ECDC_E_IO, "%s: %s: it is a link to %.*s, which is not there; fetch the file first (git-annex and DataLad: "
                     "git annex get, datalad get)", path, strerror(error), (int)n, target);
}

/* FFmpeg would take "http://..." or "concat:..." for something to be fetched; with "file:" before it, every path is a
 * file's name. */
static ecdc_status open_bytes(struct track *t, const char *path, const ecdc_reader_settings *settings, char **url,
                              ecdc_error *err) {
    bool standard = strcmp(path, "-") == 0;
    t->name = ecdc_strdup(standard ? "standard input" : path);
    *url = standard ? ecdc_strdup("pipe:0") : ecdc_strfmt("file:%s", path);
    if (!t->name || !*url)
        return ecdc_fail_memory(err, "a media file");
    if (!standard) { /* FFmpeg's own words for these would be odd ones */
        struct stat st;
        if (stat(path, &st) != 0)
            return fail_not_there(path, errno, err);
        if (S_ISDIR(st.st_mode))
            return ecdc_fail(err, ECDC_E_IO, "%s: %s", path, strerror(EISDIR));
        if (S_ISREG(st.st_mode) && st.st_size == 0)
            return ecdc_fail(err, ECDC_E_FORMAT, "%s: is empty, not a media file", path);
    }
    AVDictionary *options = NULL;
    int code = av_dict_set(&options, "protocol_whitelist", "file,pipe", 0);
    AVIOInterruptCB stop = {settings->stop, settings->stop_context};
    if (code >= 0)
        code = avio_open2(&t->io, *url, AVIO_FLAG_READ, &stop, &options);
    av_dict_free(&options);
    if (code >= 0)
        return ECDC_OK;
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    av_strerror(code, text, sizeof text);
    return code == AVERROR(ENOMEM) ? ecdc_fail_memory(err, t->name)
                                   : ecdc_fail(err, ECDC_E_IO, "%s: %s", t->name, text);
}

/* Playlists, and formats whose sound may lie in other files, ask here for each of them. */
static int refuse_other_files(AVFormatContext *format, AVIOContext **io, const char *url, int flags,
                              AVDictionary **options) {
    (void)io, (void)url, (void)flags, (void)options;
    ((struct track *)format->opaque)->asked_for_more = true;
    return AVERROR(EPERM);
}

/* ---------------------------------------------------------------------------------------------- format --- */

static bool is_format(const AVInputFormat *format, const char *name) {
    size_t n = strlen(name);
    for (const char *at = format->name; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, name, n) == 0 && (at[n] == ',' || at[n] == '\0'))
            return true;
    return false;
}

static ecdc_status open_format(struct track *t, const char *url, ecdc_error *err) {
    const AVInputFormat *format = NULL;
    int code = av_probe_input_buffer2(t->io, &format, url, NULL, 0, 0);
    if (t->io->error < 0)
        return fail_av(t, ECDC_E_IO, "cannot be read", t->io->error, err);
    if (code >= 0 && is_format(format, "tty")) /* that is, a name that ends in .txt or .nfo */
        code = AVERROR_INVALIDDATA;
    if (code < 0)
        return fail_av(t, ECDC_E_FORMAT, "not a media file that FFmpeg can read",
                       code == AVERROR_EOF ? AVERROR_INVALIDDATA : code, err);
    const bool seekable = t->io->seekable & AVIO_SEEKABLE_NORMAL;
    if (seekable && is_format(format, "wav"))
        t->claim_s = claim_of_wav(t->io);
    if (seekable && is_format(format, "ogg"))
        t->end_is_missing = claim_ogg_is_cut(t->io);
    bool no_index = seekable && is_format(format, "mp4") && !claim_mp4_has_index(t->io);
    if (t->io->error < 0)
        return fail_av(t, ECDC_E_IO, "cannot be read", t->io->error, err);
    if (no_index)
        return ecdc_fail(err, ECDC_E_FORMAT, "%s: has no index (moov), or a part of one, without which nothing in it can be "
                         "read: it is cut short, or its recording was never finished", t->name);

    if (!(t->format = avformat_alloc_context()))
        return ecdc_fail_memory(err, "a media file");
    t->format->pb = t->io;
    t->format->opaque = t;
    t->format->io_open = refuse_other_files;
    /* For readers that open further files past io_open: a list that no protocol is on. */
    if (!(t->format->protocol_whitelist = av_strdup("none")))
        return ecdc_fail_memory(err, "a media file");
    code = avformat_open_input(&t->format, url, format, NULL); /* frees t->format where it fails */
    bool playlist = is_format(format, "hls") || is_format(format, "concat") || is_format(format, "dash") ||
                    is_format(format, "imf");
    if (t->asked_for_more || (code < 0 && playlist))
        return ecdc_fail(err, ECDC_E_FORMAT,
                         "%s: is a list of other files (%s), which are not opened; give those files", t->name,
                         format->name);
    if (code < 0 && t->io->error < 0)
        return fail_av(t, ECDC_E_IO, "cannot be read", t->io->error, err);
    return code < 0 ? fail_av(t, ECDC_E_FORMAT, "not a media file that FFmpeg can read", code, err) : ECDC_OK;
}

/* ----------------------------------------------------------------------------------------------- track --- */

static ecdc_status fail_no_audio(const struct track *t, ecdc_error *err) {
    char found[400] = "";
    size_t n = 0;
    for (unsigned i = 0; i < t->format->nb_streams && n < sizeof found; i++) {
        const AVCodecParameters *par = t->format->streams[i]->codecpar;
        const char *type = av_get_media_type_string(par->codec_type);
        n += (size_t)snprintf(found + n, sizeof found - n, "%s%s %s", i ? ", " : "", type ? type : "unknown",
                              avcodec_get_name(par->codec_id));
    }
    return ecdc_fail(err, ECDC_E_FORMAT, "%s: has no audio track (found: %s)", t->name, n ? found : "nothing");
}

/* Which claims about the length stand in the file must be noted before avformat_find_stream_info fills in estimates. */
struct claims {
    int64_t whole;
    unsigned n;
    int64_t *of_stream; /* n durations */
};

static bool note_claims(const AVFormatContext *format, struct claims *c) {
    c->whole = format->duration;
    c->n = format->nb_streams;
    c->of_stream = ecdc_alloc_array(c->n, sizeof *c->of_stream);
    for (unsigned i = 0; c->of_stream && i < c->n; i++)
        c->of_stream[i] = format->streams[i]->duration;
    return c->of_stream != NULL;
}

/* Ogg claims nothing: what FFmpeg finds is the time on the last page that is there, on a clock that began anywhere. */
static void take_claim(struct track *t, const struct claims *c) {
    unsigned i = (unsigned)t->stream->index;
    if (t->claim_s > 0 || is_format(t->format->iformat, "ogg"))
        return;
    if (i < c->n && c->of_stream[i] > 0) {
        t->claim_s = (double)c->of_stream[i] * av_q2d(t->stream->time_base);
        t->claim_is_whole = is_format(t->format->iformat, "asf"); /* which has one length for all */
    } else if (c->whole > 0) {
        t->claim_s = (double)c->whole / AV_TIME_BASE;
        t->claim_is_whole = true;
    }
}

/* Formats that say how long they are to a packet; in others the number may be a guess of the program that wrote them. */
static bool claims_are_exact(const AVInputFormat *format) {
    static const char *const names[] = {"wav", "flac", "mp3", "mp4", "matroska"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is_format(format, names[i]))
            return true;
    return false;
}

static ecdc_status list_tracks(struct track *t, ecdc_error *err) {
    t->tracks = ecdc_alloc_array(t->format->nb_streams, sizeof *t->tracks);
    if (!t->tracks)
        return ecdc_fail_memory(err, "a media file");
    for (unsigned i = 0; i < t->format->nb_streams; i++)
        if (t->format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO)
            t->tracks[t->n_tracks++] = t->format->streams[i];
    return ECDC_OK;
}

/* Number `wanted` among the audio tracks; NULL if there are not so many. */
static AVStream *audio_track(const struct track *t, int wanted) {
    return wanted >= 0 && wanted < t->n_tracks ? t->tracks[wanted] : NULL;
}

static const char *tag_of(const AVStream *stream, const char *name) {
    const AVDictionaryEntry *tag = av_dict_get(stream->metadata, name, NULL, 0);
    return tag ? tag->value : "";
}

static ecdc_status fail_no_such_track(const struct track *t, int wanted, ecdc_error *err) {
    char found[600] = "";
    size_t n = 0;
    const AVStream *stream;
    for (int i = 0; (stream = audio_track(t, i)) && n < sizeof found; i++) {
        const char *language = tag_of(stream, "language");
        n += (size_t)snprintf(found + n, sizeof found - n, "%s%d %s%s%.20s", i ? ", " : "", i,
                              avcodec_get_name(stream->codecpar->codec_id), *language ? " " : "", language);
    }
    if (n == 0)
        return fail_no_audio(t, err);
    return ecdc_fail(err, ECDC_E_ARGUMENT, "%s: has no audio track %d; its audio tracks, counted from 0: %s", t->name, wanted,
                     found);
}

static ecdc_status choose_track(struct track *t, const ecdc_reader_settings *settings, ecdc_error *err) {
    if (settings->choose_track) {
        t->stream = audio_track(t, settings->track);
        if (!t->stream)
            return fail_no_such_track(t, settings->track, err);
        t->codec = avcodec_find_decoder(t->stream->codecpar->codec_id);
    } else {
        int index = av_find_best_stream(t->format, AVMEDIA_TYPE_AUDIO, -1, -1, &t->codec, 0);
        if (index == AVERROR_DECODER_NOT_FOUND)
            index = av_find_best_stream(t->format, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0);
        if (index < 0)
            return fail_no_audio(t, err);
        t->stream = t->format->streams[index];
    }
    if (!t->codec)
        return ecdc_fail(err, ECDC_E_UNSUPPORTED, "%s: FFmpeg has no decoder for its audio track (%s)", t->name,
                         avcodec_get_name(t->stream->codecpar->codec_id));
    while (audio_track(t, t->number) != t->stream)
        t->number++;
    return ECDC_OK;
}

bool track_describe(const struct track *t, int number, ecdc_track_info *info) {
    const AVStream *stream = audio_track(t, number);
    if (!stream)
        return false;
    *info = (ecdc_track_info){
        .stream = stream->index,
        .codec = avcodec_get_name(stream->codecpar->codec_id),
        .language = tag_of(stream, "language"),
        .title = tag_of(stream, "title"),
        .rate_hz = stream->codecpar->sample_rate,
        .channels = stream->codecpar->ch_layout.nb_channels,
        .is_default = (stream->disposition & AV_DISPOSITION_DEFAULT) != 0,
    };
    return true;
}

/* Where the track's clock starts. In a transport stream of several programmes each has a clock of its own, of which the start of
 * the whole tells nothing. */
static int64_t start_of_clock(const struct track *t) {
    const AVProgram *programme = av_find_program_from_stream(t->format, NULL, t->stream->index);
    int64_t start_us = t->format->start_time, first_us = INT64_MAX;
    if (t->format->nb_programs < 2 || !programme)
        return start_us;
    for (unsigned i = 0; i < programme->nb_stream_indexes; i++) {
        const AVStream *s = t->format->streams[programme->stream_index[i]];
        enum AVMediaType type = s->codecpar->codec_type;
        if (s->start_time == AV_NOPTS_VALUE || (type != AVMEDIA_TYPE_AUDIO && type != AVMEDIA_TYPE_VIDEO))
            continue;
        int64_t us = av_rescale_q(s->start_time, s->time_base, AV_TIME_BASE_Q);
        first_us = us < first_us ? us : first_us;
    }
    return first_us < INT64_MAX ? first_us : start_us;
}

ecdc_status track_open(struct track *t, const char *path, const ecdc_reader_settings *settings, ecdc_error *err) {
    memset(t, 0, sizeof *t);
    char *url = NULL;
    struct claims claims = {0};
    ecdc_status status = open_bytes(t, path, settings, &url, err);
    if (status == ECDC_OK)
        status = open_format(t, url, err);
    if (status == ECDC_OK && !note_claims(t->format, &claims))
        status = ecdc_fail_memory(err, "a media file");
    if (status == ECDC_OK) {
        int code = avformat_find_stream_info(t->format, NULL);
        if (t->io->error == AVERROR_EXIT)
            code = AVERROR_EXIT;
        if (code < 0)
            status = fail_av(t, ECDC_E_FORMAT, "its tracks cannot be read", code, err);
    }
    if (status == ECDC_OK)
        status = list_tracks(t, err);
    if (status == ECDC_OK)
        status = choose_track(t, settings, err);
    if (status == ECDC_OK) {
        t->start_us = start_of_clock(t);
        take_claim(t, &claims);
        t->claim_is_exact = claims_are_exact(t->format->iformat);
        /* The other tracks are only worth reading where the claim is about all of them. */
        for (unsigned i = 0; i < t->format->nb_streams && !t->claim_is_whole; i++)
            if (t->format->streams[i] != t->stream)
                t->format->streams[i]->discard = AVDISCARD_ALL;
    }
    free(claims.of_stream);
    free(url);
    if (status != ECDC_OK)
        track_close(t);
    return status;
}

void track_close(struct track *t) {
    avformat_close_input(&t->format); /* leaves io to us */
    avio_closep(&t->io);
    free(t->tracks);
    free(t->name);
    memset(t, 0, sizeof *t);
}

bool track_clock_is_broadcast(const struct track *t) {
    return t->format->iformat->flags & AVFMT_TS_DISCONT;
}

/* A time below 0 is no start in Ogg, whose sound is cut there. FFmpeg also gives such times to a recording that began within
 * the last minute before its clock of 33 bits, 26.5 hours, went round. */
bool track_clock_start(const struct track *t, int64_t *us) {
    *us = t->start_us;
    return track_clock_is_broadcast(t) && *us != AV_NOPTS_VALUE && (*us > 0 || t->stream->pts_wrap_bits < 64);
}

bool track_index_is_behind(const struct track *t) {
    const AVIndexEntry *first = avformat_index_get_entry(t->stream, 0);
    return is_format(t->format->iformat, "mp4") && !(t->io->seekable & AVIO_SEEKABLE_NORMAL) && first &&
           first->pos < avio_tell(t->io);
}
