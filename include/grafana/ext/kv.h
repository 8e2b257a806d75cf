/* gf.kv/1
 * SPDX-License-Identifier: Apache-2.0
 *
 * A little persistent memory for each instance, in the server's database: shared by all servers on that database and
 * kept when the plugin is updated. Provided by the host. */
#ifndef GRAFANA_EXT_KV_H
#define GRAFANA_EXT_KV_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GF_KV_EXT "gf.kv/1"

#define GF_KV_MAX_KEY 256u
#define GF_KV_MAX_VALUE 1048576u
#define GF_KV_MAX_TOTAL 67108864u /* bytes of one instance */

#define GF_KV_ANY_VERSION (-1)

/* config is gf_instance_config.handle. All: Thread: [any-thread] [may-block]. Errors: GF_LIMIT, GF_IO, GF_STATE. */
typedef struct gf_kv_host {
    uint32_t struct_size;
    uint32_t reserved;

    /* Errors: GF_NOT_FOUND. version_out may be NULL. */
    gf_status (*get)(const gf_host_t *host, uint64_t config, gf_str_t key, gf_buffer_t *value_out,
                     uint64_t *length_out, int64_t *version_out);

    /* Stores when the stored version is `version`: 0 for a key that is not there, GF_KV_ANY_VERSION for any. Versions
     * of a key count up from 1. Errors: GF_STATE when the version differs. version_out may be NULL. */
    gf_status (*put)(const gf_host_t *host, uint64_t config, gf_str_t key, gf_bytes_t value, int64_t version,
                     int64_t *version_out);

    /* Removing what is not there is GF_OK. */
    gf_status (*remove)(const gf_host_t *host, uint64_t config, gf_str_t key);

    /* The keys that begin with prefix, ascending, as a JSON array of strings. */
    gf_status (*list)(const gf_host_t *host, uint64_t config, gf_str_t prefix, gf_buffer_t *keys_out,
                      uint64_t *length_out);
} gf_kv_host_t;

#ifdef __cplusplus
}
#endif

#endif
