/* gf.state/1
 * SPDX-License-Identifier: Apache-2.0
 *
 * Hand-over of an instance's memory to its successor at a reload or a move to another process. GF_CALL_STATE_SAVE emits
 * bytes; GF_CALL_STATE_LOAD reads them with gf_call_host.read on the new instance, before its first other call. A load
 * that fails is not fatal: the new instance then starts empty. Both have a NULL request. Reads may be short; the bytes
 * may come from an older version of the plugin or be damaged. */
#ifndef GRAFANA_EXT_STATE_H
#define GRAFANA_EXT_STATE_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GF_STATE_EXT "gf.state/1"

/* The most bytes of one instance's state; more fails the save with GF_LIMIT. */
#define GF_STATE_MAX_BYTES 16777216u

/* The plugin's extension: having it says that both kinds are answered. */
typedef struct gf_state_ext {
    uint32_t struct_size;
    uint32_t reserved;
} gf_state_ext_t;

#ifdef __cplusplus
}
#endif

#endif
