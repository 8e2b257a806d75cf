/* gf.websocket/1
 * SPDX-License-Identifier: Apache-2.0
 *
 * WebSocket connections (RFC 6455) through the host: with the data source's address, credentials, TLS settings and
 * limits as in gf.http/1, ended with the call. Provided by the host.
 *
 * A socket belongs to a call. After open, GF_EVENT_WEBSOCKET (source = the socket) comes each time head, receive or
 * send, having answered GF_AGAIN, can answer something else. With GF_CAP_BLOCKING they wait instead of answering
 * GF_AGAIN.
 *
 * The host joins fragments, answers pings, and reads no more from the server while GF_WEBSOCKET_WINDOW bytes wait for
 * the plugin. */
#ifndef GRAFANA_EXT_WEBSOCKET_H
#define GRAFANA_EXT_WEBSOCKET_H

#include "http.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GF_WEBSOCKET_EXT "gf.websocket/1"

#define GF_WEBSOCKET_ANONYMOUS 1u /* add none of the data source's credentials and custom headers */

/* Kinds of messages. */
#define GF_WEBSOCKET_CLOSED 0u
#define GF_WEBSOCKET_TEXT 1u
#define GF_WEBSOCKET_BINARY 2u

#define GF_WEBSOCKET_WINDOW 1048576u       /* bytes that wait for the plugin, or for the server */
#define GF_WEBSOCKET_MAX_MESSAGE 16777216u /* bytes of one message where a request says nothing */

/* Codes of closing that no frame carries. */
#define GF_WEBSOCKET_NO_CODE 1005u /* the server closed without a code */
#define GF_WEBSOCKET_LOST 1006u    /* the connection ended without a closing frame */

typedef struct gf_websocket_request {
    uint32_t struct_size;
    uint32_t flags;           /* GF_WEBSOCKET_ANONYMOUS */
    uint64_t config;          /* gf_instance_config.handle */
    gf_str_t url;             /* absolute (ws, wss, http, https), or joined to the data source's URL */
    const gf_pair_t *headers; /* beside those of the handshake */
    uint32_t header_count;
    uint32_t reserved;
    gf_str_t protocols;       /* Sec-WebSocket-Protocol; empty: none */
    gf_time timeout;          /* of the handshake: a duration; 0: the data source's setting */
    uint64_t max_message;     /* bytes of one message from the server; 0: GF_WEBSOCKET_MAX_MESSAGE */
} gf_websocket_request_t;

typedef struct gf_websocket_message {
    uint32_t struct_size;
    uint32_t kind;            /* GF_WEBSOCKET_TEXT, …BINARY or …CLOSED */
    gf_buffer_t data;         /* moved to the plugin, who releases it; text is UTF-8 */
    uint64_t length;
    uint32_t code;            /* of a closed socket: the server's code, GF_WEBSOCKET_NO_CODE or GF_WEBSOCKET_LOST */
    uint32_t reserved;
    gf_str_t reason;          /* of a closed socket; may be empty; borrowed until close */
} gf_websocket_message_t;

typedef struct gf_websocket_host {
    uint32_t struct_size;
    uint32_t reserved;

    /* Begins a connection. Errors: GF_INVALID (URL, header), GF_FORBIDDEN (host not allowed), GF_STATE, GF_LIMIT (more
     * than 16 of a call open at a time). Thread: [any-thread] [no-block]. */
    gf_status (*open)(const gf_host_t *host, gf_call_t *call, const gf_websocket_request_t *request,
                      uint64_t *socket_out);

    /* The server's answer to the handshake, borrowed until close. Status 101: the socket is open. Any other is a
     * refusal, which is not followed; receive then gives up to 64 KiB of its body, as one message, and the end.
     * Errors: GF_AGAIN; GF_IO, GF_TIMEOUT, GF_CANCELLED, whose text error gives. Thread: [any-thread] [no-block]. */
    gf_status (*head)(const gf_host_t *host, uint64_t socket, gf_http_head_t *head_out);

    /* The next message; kind GF_WEBSOCKET_CLOSED, again and again, is the end. Errors: as head; GF_LIMIT past
     * max_message, GF_BAD_DATA for a breach of the protocol. Thread: [any-thread] [no-block]. */
    gf_status (*receive)(const gf_host_t *host, uint64_t socket, gf_websocket_message_t *message_out);

    /* Sends a message, which is copied. GF_AGAIN: taken, and GF_WEBSOCKET_WINDOW bytes wait for the server: the event
     * comes when there is room. Errors: GF_STATE (not open), GF_INVALID (kind, text that is not UTF-8), GF_LIMIT (past
     * four windows), as head. Thread: [any-thread] [no-block]. */
    gf_status (*send)(const gf_host_t *host, uint64_t socket, uint32_t kind, gf_bytes_t message);

    /* Why a socket failed. Borrowed until close. */
    gf_str_t (*error)(const gf_host_t *host, uint64_t socket);

    /* Ends a socket, also one that is not open yet, with a code that may be sent (0: 1000). The host closes what is
     * open, with 1001, when the call completes. */
    void (*close)(const gf_host_t *host, uint64_t socket, uint32_t code, gf_str_t reason);
} gf_websocket_host_t;

#ifdef __cplusplus
}
#endif

#endif
