/* The download of one large file into the cache: resumed where it broke off, checked before it gets its name. */
#ifndef ECDC_HUB_BLOB_H
#define ECDC_HUB_BLOB_H

#include "hub/client.h"
#include "hub/store.h"

/* Bytes of the file that are here: all where the blob is complete, else those of <etag>.incomplete, which an earlier download
 * has left; 0 where there are none or too many. */
uint64_t hub_blob_left_over(const struct hub_store *store, const struct hub_file *file);

/* Makes blobs/<etag> complete. Waits for another process that does the same. `before` and `total` are what the progress
 * function of the settings is told beside this file's own bytes. A download that ends early leaves <etag>.incomplete, but not on
 * a full disk. ECDC_E_FORMAT (other bytes than announced; nothing is left), and as hub_client_get and hub_store_lock. */
ecdc_status hub_blob_download(struct hub_client *c, const struct hub_store *store, const struct hub_file *file,
                              uint64_t before, uint64_t total, ecdc_error *err);

#endif
