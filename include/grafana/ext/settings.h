/* gf.settings/1
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the operator set for this plugin: the section [plugin.<id>] of the server's configuration, without the keys that
 * are the server's own (path, isolation and the like). Provided by the host.
 *
 * These are the operator's words, which no user of a data source can write: what a plugin must not take from the
 * configuration of a data source, such as the files that it may load, it takes from here. */
#ifndef GRAFANA_EXT_SETTINGS_H
#define GRAFANA_EXT_SETTINGS_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GF_SETTINGS_EXT "gf.settings/1"

typedef struct gf_settings_host {
    uint32_t struct_size;
    uint32_t reserved;

    /* The value of a key, in lower case as the configuration has it. It stays the same while the library is open.
     * Errors: GF_NOT_FOUND; *value_out is then zero. Thread: [any-thread] [may-block]. */
    gf_status (*get)(const gf_host_t *host, gf_str_t key, gf_buffer_t *value_out, uint64_t *length_out);
} gf_settings_host_t;

#ifdef __cplusplus
}
#endif

#endif
