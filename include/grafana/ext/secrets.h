/* gf.secrets/1
 * SPDX-License-Identifier: Apache-2.0
 *
 * The secret settings (secureJsonData) of an instance. Provided by the host. Secrets are in no configuration,
 * environment or log; a plugin copies none of them to memory that outlives its use. */
#ifndef GRAFANA_EXT_SECRETS_H
#define GRAFANA_EXT_SECRETS_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GF_SECRETS_EXT "gf.secrets/1"

typedef struct gf_secrets_host {
    uint32_t struct_size;
    uint32_t reserved;

    /* One secret by name, in a buffer that the host wipes at release. config is gf_instance_config.handle.
     * Errors: GF_NOT_FOUND, GF_STATE (unknown handle). Thread: [any-thread] [may-block]. */
    gf_status (*get)(const gf_host_t *host, uint64_t config, gf_str_t name, gf_buffer_t *secret_out,
                     uint64_t *length_out);
} gf_secrets_host_t;

#ifdef __cplusplus
}
#endif

#endif
