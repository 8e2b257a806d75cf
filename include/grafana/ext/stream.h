/* gf.stream/1
 * SPDX-License-Identifier: Apache-2.0
 *
 * Live channels. GF_CALL_SUBSCRIBE asks whether a client may listen: a head (GF_STREAM_…) and optionally one frame or
 * bytes as the first message. GF_CALL_RUN_STREAM produces for all listeners of a path until it is cancelled: frames
 * (the schema once, then batches) or packets of bytes. GF_CALL_PUBLISH is a message from a client: a head and
 * optionally the bytes to publish. */
#ifndef GRAFANA_EXT_STREAM_H
#define GRAFANA_EXT_STREAM_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GF_STREAM_EXT "gf.stream/1"

#define GF_STREAM_OK 0
#define GF_STREAM_NOT_FOUND 1
#define GF_STREAM_PERMISSION_DENIED 2

/* The request of all three kinds. */
typedef struct gf_stream_request {
    uint32_t struct_size;
    uint32_t reserved;
    gf_str_t path;
    gf_bytes_t data;         /* of the subscription or the publication; may be empty */
    gf_bytes_t resume_token; /* run only: the last token that progress told, or empty at the first run */
} gf_stream_request_t;

/* The plugin's extension: having it says that the three kinds are answered. */
typedef struct gf_stream_ext {
    uint32_t struct_size;
    uint32_t reserved;
} gf_stream_ext_t;

#ifdef __cplusplus
}
#endif

#endif
