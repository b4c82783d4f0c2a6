/* The header of a NIfTI file, versions 1 and 2, and the affine that it describes.
 * Format: nifti1.h and nifti2.h (NIH). Which affine, which numbers count as absent: as nibabel has it.
 *
 * Read here and not by niftiio, which would print to standard error on what it does not like (122 messages, behind a level
 * that is global to the process), opens files by their names' endings, and keeps what a header says in C ints. */
#ifndef ECDC_FMRI_NIFTI_HEADER_H
#define ECDC_FMRI_NIFTI_HEADER_H

#include "fmri/scan_stream.h"

struct nifti_header {
    ecdc_nifti_info info;  /* its path is the stream's */
    uint64_t data_offset;  /* where the numbers begin */
    size_t item_bytes;     /* of a number */
    size_t n_voxels;       /* numbers of a volume; times item_bytes, and as doubles, they fit size_t */
    uint64_t n_read;       /* bytes of the header, from the start of the file */
};

/* Reads the header at the start of a stream and checks that the file can hold what it claims. */
ecdc_status nifti_header_read(struct scan_stream *s, struct nifti_header *h, ecdc_error *err);

enum { NIFTI1_BYTES = 352 }; /* with the four that say that no extension follows */
/* A header of version 1, little-endian. */
void nifti_header_format(const ecdc_nifti_settings *settings, size_t item_bytes, unsigned char bytes[NIFTI1_BYTES]);

size_t nifti_type_bytes(int type); /* 0: a type that is not read */
const char *nifti_type_name(int type); /* "int16" ...; NULL for none that the standard knows */

/* ECDC_OK where both are of one shape and no voxel of theirs lies more than 1 % of a voxel apart. */
ecdc_status nifti_space_compare(const char *path, const ecdc_nifti_space *space, const char *other_path,
                                const ecdc_nifti_space *other, ecdc_error *err);

#endif
