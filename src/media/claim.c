#include "media/claim.h"

#include <stdint.h>

#include <libavutil/avutil.h>
#include <libavutil/intreadwrite.h>
#include <libavutil/mem.h>

enum { MOST_CHUNKS = 100 }; /* before the one that matters */

/* FFmpeg's WAV reader takes a file that was cut short as if its header had promised no more, so we read the promise
 * ourselves. Only one that goes beyond the file's end counts: then the bytes decide, and the header's bytes per second,
 * which some writers get wrong, serve only to say how much. Sizes that no program means, which stand for "not known",
 * promise nothing. */
double claim_of_wav(AVIOContext *io) {
    enum { FMT_BYTES = 12, DS64_BYTES = 16, UNKNOWN = 0x7ff00000 };
    double claim_s = 0;
    uint32_t bytes_per_second = 0, form = avio_rl32(io);
    uint64_t data_64 = 0; /* of RF64, whose 32-bit size is all ones */
    bool wave = (form == MKTAG('R', 'I', 'F', 'F') || form == MKTAG('R', 'F', '6', '4')) && avio_skip(io, 4) > 0 &&
                avio_rl32(io) == MKTAG('W', 'A', 'V', 'E');
    for (int i = 0; wave && i < MOST_CHUNKS && !avio_feof(io); i++) {
        uint32_t tag = avio_rl32(io), size = avio_rl32(io);
        if (tag == MKTAG('d', 'a', 't', 'a')) {
            uint64_t promised = size == UINT32_MAX ? data_64 : size < UNKNOWN ? size : 0;
            int64_t left = avio_size(io) - avio_tell(io);
            if (bytes_per_second && left >= 0 && promised > (uint64_t)left)
                claim_s = (double)promised / bytes_per_second;
            break;
        }
        int64_t next = avio_tell(io) + size + (size & 1);
        if (tag == MKTAG('f', 'm', 't', ' ') && size >= FMT_BYTES && avio_skip(io, 8) > 0)
            bytes_per_second = avio_rl32(io);
        else if (tag == MKTAG('d', 's', '6', '4') && size >= DS64_BYTES && avio_skip(io, 8) > 0)
            data_64 = avio_rl64(io);
        if (avio_seek(io, next, SEEK_SET) < 0)
            break;
    }
    return avio_seek(io, 0, SEEK_SET) == 0 ? claim_s : 0;
}

/* A page: "OggS", version 0, flags (4: the last one of its track), ... at 26 the number of segments, their lengths, the
 * segments (RFC 3533). */
static bool is_whole_last_page(const unsigned char *page, int n) {
    enum { HEADER = 27, END = 4 };
    if (n < HEADER || AV_RL32(page) != MKTAG('O', 'g', 'g', 'S') || page[4] != 0 || !(page[5] & END))
        return false;
    int segments = page[26], length = HEADER + segments;
    if (n < length)
        return false;
    for (int i = 0; i < segments; i++)
        length += page[HEADER + i];
    return length <= n;
}

bool claim_ogg_is_cut(AVIOContext *io) {
    enum { MOST = 65307 }; /* bytes of the largest page */
    int64_t size = avio_size(io), from = size > MOST ? size - MOST : 0;
    unsigned char *tail = av_malloc(MOST);
    bool found = size <= 0 || !tail; /* then nothing is known */
    int n = found || avio_seek(io, from, SEEK_SET) < 0 ? 0 : avio_read(io, tail, MOST);
    for (int i = 0; i < n && !found; i++)
        found = is_whole_last_page(tail + i, n - i);
    av_free(tail);
    return avio_seek(io, 0, SEEK_SET) == 0 && !found;
}

bool claim_mp4_has_index(AVIOContext *io) {
    bool found = false;
    int64_t size = avio_size(io), at = 0;
    for (int i = 0; i < MOST_CHUNKS && !found && at >= 0 && at < size; i++) {
        uint64_t length = avio_rb32(io);
        uint32_t tag = avio_rl32(io);
        if (length == 1)
            length = avio_rb64(io);
        else if (length == 0) /* to the end */
            length = (uint64_t)(size - at);
        if (length < 8 || length > (uint64_t)(size - at))
            break;
        found = tag == MKTAG('m', 'o', 'o', 'v');
        at = avio_seek(io, at + (int64_t)length, SEEK_SET);
    }
    avio_seek(io, 0, SEEK_SET);
    return found;
}
