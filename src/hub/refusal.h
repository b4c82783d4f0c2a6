/* What to say, and what to advise, where the hub does not give what it was asked for. */
#ifndef ECDC_HUB_REFUSAL_H
#define ECDC_HUB_REFUSAL_H

#include "hub/client.h"

/* An answer whose code no further try would change: 401, 403, 404 and the rest. ECDC_E_MODEL, or ECDC_E_IO. */
ecdc_status refusal_of_answer(const struct hub_client *c, const struct hub_file *file, const struct http_answer *answer,
                              ecdc_error *err);
/* Codes and broken connections that might have passed, and did not in so many tries; `reason` is NULL for a code. */
ecdc_status refusal_of_tries(const struct hub_client *c, const struct hub_file *file, const struct http_answer *answer,
                             const char *reason, int n_tries, ecdc_error *err);
/* `offline` is the assignment that forbids connections, `missing` what the cache lacks. ECDC_E_MODEL. */
ecdc_status refusal_of_offline(const char *name, const char *offline, const char *missing, ecdc_error *err);

#endif
