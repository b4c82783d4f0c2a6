/* An output file that is either complete or absent. */
#ifndef ECDC_MEDIA_OUTPUT_H
#define ECDC_MEDIA_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/sha256.h"
#include "ecdc.h"

/* Bytes go to a temporary file beside the target, `.NAME.XXXXXX.part`, which output_commit renames. There are two
 * exceptions, called pipes below because nothing in them can be taken back: "-", which is standard output, and a target
 * that exists and is no regular file (a FIFO, /dev/null), which is written to itself. */
struct output;

/* How the message of ECDC_E_EXISTS ends, in brackets. The command and the Python package put their way of asking in its place. */
#define OUTPUT_IS_KEPT "overwriting was not asked for"

/* @param patched  the header will be completed at the end with output_write_at or output_shift: for a pipe the bytes
 *                 are then collected in an unlinked temporary file ($TMPDIR or /tmp) until output_commit.
 * Fails with ECDC_E_EXISTS where `path` exists as a regular file and overwrite is false (OUTPUT_IS_KEPT),
 * ECDC_E_IO (directory missing, not writable: message says which). A regular target is never opened; a symbolic link to
 * one stays, its target is replaced. */
ecdc_status output_open(const char *path, bool overwrite, bool patched, struct output **out, ecdc_error *err);

/* After a failure of any of the next four functions for ECDC_E_IO the output can only be discarded: each later call,
 * output_commit too, reports that first failure again. */
ecdc_status output_write(struct output *o, const void *bytes, size_t n, ecdc_error *err);
/* Overwrites bytes written before; the end stays where it is. ECDC_E_ARGUMENT past the end or on a pipe that was not
 * opened `patched`. */
ecdc_status output_write_at(struct output *o, uint64_t offset, const void *bytes, size_t n, ecdc_error *err);
/* Reads back n bytes that were written. */
ecdc_status output_read_at(struct output *o, uint64_t offset, void *bytes, size_t n, ecdc_error *err);
/* Moves everything from `offset` on by delta bytes, forwards or backwards (offset + delta >= 0): for a header whose
 * length is known only at the end. After a move forwards the gap holds old bytes, to be overwritten. ECDC_E_ARGUMENT
 * as output_write_at. */
ecdc_status output_shift(struct output *o, uint64_t offset, int64_t delta, ecdc_error *err);
/* SHA-256 of what was written. */
ecdc_status output_sha256(struct output *o, char hex[SHA256_TEXT], ecdc_error *err);
uint64_t output_size(const struct output *o);
/* Standard output, or another target that is not a regular file. */
bool output_is_pipe(const struct output *o);
/* The name for messages: the path, or "standard output". Lives as long as o. */
const char *output_name(const struct output *o);
/* Flushes, syncs and renames into place (or copies the spool to the pipe); frees o in every case; on failure the
 * temporary file is removed and an existing target is untouched. A target that appeared meanwhile is refused unless
 * overwrite was given. */
ecdc_status output_commit(struct output *o, ecdc_error *err);
/* Commits outputs in this order, up to the first that fails, and sets what it tried to NULL; NULL ones are left out. */
ecdc_status output_commit_all(struct output **const outputs[], size_t n, ecdc_error *err);
/* Removes the temporary file and frees o; NULL is fine. */
void output_discard(struct output *o);

/* A process that is killed leaves its temporary files. Whether a name in a directory is that of one; name + 1 then begins with the
 * *n_base bytes of the target's name. */
bool output_is_temporary(const char *name, size_t *n_base);
/* Removes it unless a living process writes it; whether it is gone. */
bool output_remove_abandoned(const char *path);

#endif
