/* gf.resource/1
 * SPDX-License-Identifier: Apache-2.0
 *
 * GF_CALL_RESOURCE: an HTTP-like request to the instance. The answer is a head (status 100…599, headers) and bytes.
 * The body is read with gf_call_host.read. */
#ifndef GRAFANA_EXT_RESOURCE_H
#define GRAFANA_EXT_RESOURCE_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GF_RESOURCE_EXT "gf.resource/1"

typedef struct gf_resource_request {
    uint32_t struct_size;
    uint32_t header_count;
    gf_str_t method;          /* upper case */
    gf_str_t path;            /* without leading slash and query, percent-encoding kept */
    gf_str_t query;           /* without "?", percent-encoding kept */
    const gf_pair_t *headers; /* hop-by-hop headers and the caller's credentials are removed */
    int64_t content_length;   /* of the body; -1 when not known */
} gf_resource_request_t;

/* The plugin's extension: having it says that GF_CALL_RESOURCE is answered. */
typedef struct gf_resource_ext {
    uint32_t struct_size;
    uint32_t reserved;
} gf_resource_ext_t;

#ifdef __cplusplus
}
#endif

#endif
