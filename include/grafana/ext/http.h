/* gf.http/1
 * SPDX-License-Identifier: Apache-2.0
 *
 * HTTP requests through the host: with the data source's address, credentials, TLS settings and limits, cancelled with
 * the call, recorded in the host's metrics. Provided by the host.
 *
 * A request belongs to a call. After request, GF_EVENT_HTTP comes (source = the request) each time head or read, having
 * answered GF_AGAIN, can answer something else. With GF_CAP_BLOCKING head and read wait instead of answering
 * GF_AGAIN. */
#ifndef GRAFANA_EXT_HTTP_H
#define GRAFANA_EXT_HTTP_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GF_HTTP_EXT "gf.http/1"

#define GF_HTTP_ANONYMOUS 1u /* add none of the data source's credentials and custom headers */

typedef struct gf_http_request {
    uint32_t struct_size;
    uint32_t flags;           /* GF_HTTP_… */
    uint64_t config;          /* gf_instance_config.handle */
    gf_str_t method;
    gf_str_t url;             /* absolute, or a path and query that are joined to the data source's URL */
    const gf_pair_t *headers;
    uint32_t header_count;
    uint32_t reserved;
    gf_bytes_t body;          /* copied */
    gf_time timeout;          /* of the whole exchange: a duration; 0: the data source's setting */
    uint64_t max_bytes;       /* of the response's body; 0: the call's budget */
} gf_http_request_t;

/* Borrowed until close of the request. */
typedef struct gf_http_head {
    uint32_t struct_size;
    int32_t status;
    const gf_pair_t *headers; /* names in lower case */
    uint32_t header_count;
    uint32_t reserved;
} gf_http_head_t;

typedef struct gf_http_host {
    uint32_t struct_size;
    uint32_t reserved;

    /* Begins a request. Errors: GF_INVALID (URL, header), GF_FORBIDDEN (host not allowed), GF_STATE, GF_LIMIT (more
     * than 64 of a call open at a time). Thread: [any-thread] [no-block]. */
    gf_status (*request)(const gf_host_t *host, gf_call_t *call, const gf_http_request_t *request,
                         uint64_t *request_out);

    /* The head of the response. Errors: GF_AGAIN; GF_IO, GF_TIMEOUT, GF_CANCELLED, whose text error gives.
     * Thread: [any-thread] [no-block]. */
    gf_status (*head)(const gf_host_t *host, uint64_t request, gf_http_head_t *head_out);

    /* The next chunk of the body, moved to the plugin, who releases it; *length_out 0 is the end. Errors: as head;
     * GF_LIMIT past max_bytes. Thread: [any-thread] [no-block]. */
    gf_status (*read)(const gf_host_t *host, uint64_t request, gf_buffer_t *chunk_out, uint64_t *length_out);

    /* Why a request failed. Borrowed until close. */
    gf_str_t (*error)(const gf_host_t *host, uint64_t request);

    /* Ends a request, also one that still runs. The host closes what is open when the call completes. */
    void (*close)(const gf_host_t *host, uint64_t request);
} gf_http_host_t;

#ifdef __cplusplus
}
#endif

#endif
