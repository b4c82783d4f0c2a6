/* What the environment says about the hub: the variables of the hub's own library. */
#ifndef ECDC_HUB_ENVIRONMENT_H
#define ECDC_HUB_ENVIRONMENT_H

#include "ecdc.h"

/* The assignment that forbids every connection, such as "HF_HUB_OFFLINE=1"; NULL: none does. HF_HUB_OFFLINE counts, and
 * where it is not set TRANSFORMERS_OFFLINE; 1, on, yes and true are true. */
const char *hub_offline(void);

struct hub_environment {
    char *endpoint;     /* HF_ENDPOINT without slashes at its end, or https://huggingface.co */
    char *token;        /* of HF_TOKEN, or in the file HF_TOKEN_PATH, by default $HF_HOME/token; NULL: none */
    char *token_source; /* for messages: "HF_TOKEN", or the file's path; NULL: none */
    int etag_timeout_s, download_timeout_s; /* HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT, by default 10 */
};

/* ECDC_E_ARGUMENT (a value, named with its variable), ECDC_E_IO (the token's file), ECDC_E_MEMORY. */
ecdc_status hub_environment_read(struct hub_environment *e, ecdc_error *err);
void hub_environment_free(struct hub_environment *e);

#endif
