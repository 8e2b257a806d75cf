/* gf.describe/1
 * SPDX-License-Identifier: Apache-2.0
 *
 * What the plugin takes and gives, as one JSON object with the optional members "config", "secureConfig", "query" (JSON
 * Schemas), "resources" (an array of {"method","path","summary"}) and "streams" (an array of {"path","summary"}).
 * Static text: the host reads it once for each file hash. */
#ifndef GRAFANA_EXT_DESCRIBE_H
#define GRAFANA_EXT_DESCRIBE_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GF_DESCRIBE_EXT "gf.describe/1"

/* The plugin's extension. */
typedef struct gf_describe_ext {
    uint32_t struct_size;
    uint32_t reserved;
    gf_str_t json; /* static */
} gf_describe_ext_t;

#ifdef __cplusplus
}
#endif

#endif
