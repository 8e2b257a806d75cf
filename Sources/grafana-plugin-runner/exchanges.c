/* SPDX-License-Identifier: Apache-2.0
 *
 * gf.http and gf.websocket: the server makes the connections; here is what the plugin borrows of them. */
#include "runner.h"

#include <stdlib.h>
#include <string.h>

/* One request or socket, with what the plugin borrows until it closes it. */
typedef struct exchange {
    uint64_t id;
    uint64_t call;
    int is_socket;
    int users; /* functions that use the record; with lock held */
    int is_closed;
    uint8_t *head; /* the reply to which the pairs point */
    gf_pair_t *pairs;
    uint8_t *error;
    uint8_t *end; /* the reply that told the end of a socket */
    struct exchange *next;
} exchange_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static exchange_t *exchanges;

static void destroy(exchange_t *exchange) {
    free(exchange->head);
    free(exchange->pairs);
    free(exchange->error);
    free(exchange->end);
    free(exchange);
}

/* The record of an open request or socket, which must be given back; NULL for any other number. */
static exchange_t *take(uint64_t id, int is_socket) {
    exchange_t *found;
    pthread_mutex_lock(&lock);
    for (found = exchanges; found && (found->id != id || found->is_socket != is_socket); found = found->next) {
    }
    if (found) {
        found->users++;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static void give(exchange_t *exchange) {
    int is_over;
    pthread_mutex_lock(&lock);
    is_over = --exchange->users == 0 && exchange->is_closed;
    pthread_mutex_unlock(&lock);
    if (is_over) {
        destroy(exchange);
    }
}

/* Takes a record out of the list; with lock held. It lives until the last one has given it back. */
static void remove_at(exchange_t **place) {
    exchange_t *exchange = *place;
    *place = exchange->next;
    exchange->is_closed = 1;
    if (exchange->users == 0) {
        destroy(exchange);
    }
}

/* Whether there was one to remove. */
static int remove_exchange(uint64_t id, int is_socket) {
    int is_found = 0;
    pthread_mutex_lock(&lock);
    for (exchange_t **place = &exchanges; *place; place = &(*place)->next) {
        if ((*place)->id == id && (*place)->is_socket == is_socket) {
            remove_at(place);
            is_found = 1;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return is_found;
}

void rn_end_exchanges(uint64_t call) {
    pthread_mutex_lock(&lock);
    for (exchange_t **place = &exchanges; *place;) {
        if ((*place)->call == call) {
            remove_at(place);
        } else {
            place = &(*place)->next;
        }
    }
    pthread_mutex_unlock(&lock);
}

/* Sends the host call that begins one; the server may have a number for it also when it failed, for its error. */
static gf_status begin(runner_writer_t *writer, runner_host_call_t *ask, gf_call_t *handle, int is_socket,
                       uint64_t *id_out) {
    runner_reply_t reply;
    exchange_t *exchange;
    free(rn_ask(writer, ask, &reply));
    if (!reply.number) {
        return reply.status;
    }
    exchange = calloc(1, sizeof *exchange);
    if (!exchange) {
        return GF_NOMEM;
    }
    *id_out = exchange->id = (uint64_t)reply.number;
    exchange->call = (uintptr_t)handle;
    exchange->is_socket = is_socket;
    pthread_mutex_lock(&lock);
    exchange->next = exchanges;
    exchanges = exchange;
    pthread_mutex_unlock(&lock);
    return reply.status;
}

/* Asks about one; a plugin that may block waits here instead of being told AGAIN. */
static uint8_t *ask_exchange(exchange_t *exchange, uint32_t function, runner_reply_t *reply_out) {
    for (;;) {
        rn_call_t *call = rn_call_take((gf_call_t *)(uintptr_t)exchange->call);
        unsigned seen = call ? atomic_load(&call->events) : 0;
        int is_cancelled = call && atomic_load(&call->is_cancelled);
        runner_writer_t writer;
        runner_host_call_t ask;
        uint8_t *message;
        rn_begin_ask(&writer, &ask, function, exchange->call);
        ask.object = exchange->id;
        message = rn_ask(&writer, &ask, reply_out);
        if (reply_out->status != GF_AGAIN || !rn.is_blocking || !call) {
            if (call) {
                rn_call_give(call);
            }
            return message;
        }
        free(message);
        if (is_cancelled) {
            reply_out->status = GF_CANCELLED;
            rn_call_give(call);
            return NULL;
        }
        rn_wait_event(call, seen, 1000000000);
        rn_call_give(call);
    }
}

static gf_status head_of(uint64_t id, int is_socket, gf_http_head_t *head_out) {
    exchange_t *exchange = head_out ? take(id, is_socket) : NULL;
    runner_reply_t reply;
    uint8_t *message;
    uint32_t count;
    if (!exchange) {
        return GF_STATE;
    }
    message = ask_exchange(exchange, is_socket ? RUNNER_SOCKET_HEAD : RUNNER_HTTP_HEAD, &reply);
    if (reply.status == GF_OK) {
        free(exchange->pairs);
        free(exchange->head);
        exchange->head = message;
        exchange->pairs = rn_pairs(message, reply.pairs, &count);
        head_out->struct_size = sizeof *head_out;
        head_out->status = (int32_t)reply.number;
        head_out->headers = exchange->pairs;
        head_out->header_count = count;
        head_out->reserved = 0;
    } else {
        free(message);
    }
    give(exchange);
    return reply.status;
}

static gf_str_t error_of(uint64_t id, int is_socket) {
    exchange_t *exchange = take(id, is_socket);
    runner_reply_t reply;
    gf_str_t text = {NULL, 0};
    if (!exchange) {
        return text;
    }
    free(exchange->error);
    exchange->error = ask_exchange(exchange, is_socket ? RUNNER_SOCKET_ERROR : RUNNER_HTTP_ERROR, &reply);
    if (exchange->error) {
        text = rn_text(exchange->error, reply.data);
    }
    give(exchange);
    return text;
}

/* ---------------------------------------------------------------------------------------------------------------
 * gf.http
 */

static gf_status http_request(const gf_host_t *host, gf_call_t *handle, const gf_http_request_t *source,
                              uint64_t *request_out) {
    gf_http_request_t request;
    runner_writer_t writer;
    runner_host_call_t ask;
    (void)host;
    if (request_out) {
        *request_out = 0;
    }
    if (!rn_adopt(source, &request, sizeof request) || !request_out) {
        return GF_STATE;
    }
    rn_begin_ask(&writer, &ask, RUNNER_HTTP_REQUEST, (uintptr_t)handle);
    ask.object = request.config;
    ask.number = request.timeout;
    ask.limit = request.max_bytes;
    ask.flags = request.flags;
    ask.name = rn_put_text(&writer, request.method);
    ask.text = rn_put_text(&writer, request.url);
    ask.pairs = rn_put_pairs(&writer, request.headers, request.header_count);
    ask.data = runner_put(&writer, request.body.data, request.body.data ? request.body.length : 0);
    return begin(&writer, &ask, handle, 0, request_out);
}

static gf_status http_head(const gf_host_t *host, uint64_t request, gf_http_head_t *head_out) {
    (void)host;
    return head_of(request, 0, head_out);
}

static gf_status http_read(const gf_host_t *host, uint64_t request, gf_buffer_t *chunk_out, uint64_t *length_out) {
    exchange_t *exchange = chunk_out ? take(request, 0) : NULL;
    runner_reply_t reply;
    uint8_t *message;
    gf_status status;
    (void)host;
    if (chunk_out) {
        memset(chunk_out, 0, sizeof *chunk_out);
    }
    if (length_out) {
        *length_out = 0;
    }
    if (!exchange) {
        return GF_STATE;
    }
    message = ask_exchange(exchange, RUNNER_HTTP_READ, &reply);
    status = reply.status;
    if (status == GF_OK && reply.data.length) {
        status = rn_buffer_copy(rn_bytes(message, reply.data), 0, chunk_out, length_out);
    }
    free(message);
    give(exchange);
    return status;
}

static gf_str_t http_error(const gf_host_t *host, uint64_t request) {
    (void)host;
    return error_of(request, 0);
}

static void http_close(const gf_host_t *host, uint64_t request) {
    runner_writer_t writer;
    runner_host_call_t ask;
    (void)host;
    if (!remove_exchange(request, 0)) {
        return;
    }
    rn_begin_ask(&writer, &ask, RUNNER_HTTP_CLOSE, 0);
    ask.object = request;
    rn_tell(&writer, &ask);
}

const gf_http_host_t rn_http = {sizeof rn_http, 0, http_request, http_head, http_read, http_error, http_close};

/* ---------------------------------------------------------------------------------------------------------------
 * gf.websocket
 */

static gf_status socket_open(const gf_host_t *host, gf_call_t *handle, const gf_websocket_request_t *source,
                             uint64_t *socket_out) {
    gf_websocket_request_t request;
    runner_writer_t writer;
    runner_host_call_t ask;
    (void)host;
    if (socket_out) {
        *socket_out = 0;
    }
    if (!rn_adopt(source, &request, sizeof request) || !socket_out) {
        return GF_STATE;
    }
    rn_begin_ask(&writer, &ask, RUNNER_SOCKET_OPEN, (uintptr_t)handle);
    ask.object = request.config;
    ask.number = request.timeout;
    ask.limit = request.max_message;
    ask.flags = request.flags;
    ask.name = rn_put_text(&writer, request.protocols);
    ask.text = rn_put_text(&writer, request.url);
    ask.pairs = rn_put_pairs(&writer, request.headers, request.header_count);
    return begin(&writer, &ask, handle, 1, socket_out);
}

static gf_status socket_head(const gf_host_t *host, uint64_t socket, gf_http_head_t *head_out) {
    (void)host;
    return head_of(socket, 1, head_out);
}

static gf_status socket_receive(const gf_host_t *host, uint64_t socket, gf_websocket_message_t *message_out) {
    exchange_t *exchange;
    runner_reply_t reply;
    uint8_t *message;
    gf_status status;
    (void)host;
    if (!message_out || message_out->struct_size < sizeof *message_out || !(exchange = take(socket, 1))) {
        return GF_STATE;
    }
    memset(message_out, 0, sizeof *message_out);
    message_out->struct_size = sizeof *message_out;
    message = ask_exchange(exchange, RUNNER_SOCKET_RECEIVE, &reply);
    status = reply.status;
    if (status == GF_OK && reply.number != GF_WEBSOCKET_CLOSED) {
        status = rn_buffer_copy(rn_bytes(message, reply.data), 0, &message_out->data, &message_out->length);
        message_out->kind = status == GF_OK ? (uint32_t)reply.number : GF_WEBSOCKET_CLOSED;
    } else if (status == GF_OK) {
        /* The reason is borrowed until close; the end does not change any more. */
        if (!exchange->end) {
            exchange->end = message;
            message = NULL;
        }
        message_out->code = (uint32_t)reply.code;
        message_out->reason = rn_text(exchange->end, reply.data);
    }
    free(message);
    give(exchange);
    return status;
}

static gf_status socket_send(const gf_host_t *host, uint64_t socket, uint32_t kind, gf_bytes_t bytes) {
    exchange_t *exchange = take(socket, 1);
    runner_writer_t writer;
    runner_host_call_t ask;
    runner_reply_t reply;
    (void)host;
    if (!exchange) {
        return GF_STATE;
    }
    if (bytes.length > 4ull * GF_WEBSOCKET_WINDOW) {
        give(exchange);
        return kind == GF_WEBSOCKET_TEXT || kind == GF_WEBSOCKET_BINARY ? GF_LIMIT : GF_INVALID;
    }
    rn_begin_ask(&writer, &ask, RUNNER_SOCKET_SEND, exchange->call);
    ask.object = exchange->id;
    ask.number = kind;
    ask.data = runner_put(&writer, bytes.data, bytes.data ? bytes.length : 0);
    free(rn_ask(&writer, &ask, &reply));
    if (reply.status == GF_AGAIN && rn.is_blocking) {
        /* It was taken; what a plugin that may block waits for is the room for the next one. */
        free(ask_exchange(exchange, RUNNER_SOCKET_ROOM, &reply));
    }
    give(exchange);
    return reply.status;
}

static gf_str_t socket_error(const gf_host_t *host, uint64_t socket) {
    (void)host;
    return error_of(socket, 1);
}

static void socket_close(const gf_host_t *host, uint64_t socket, uint32_t code, gf_str_t reason) {
    runner_writer_t writer;
    runner_host_call_t ask;
    (void)host;
    if (!remove_exchange(socket, 1)) {
        return;
    }
    /* A closing frame holds 123 bytes of it. */
    reason.length = reason.length < 128 ? reason.length : 128;
    rn_begin_ask(&writer, &ask, RUNNER_SOCKET_CLOSE, 0);
    ask.object = socket;
    ask.number = code;
    ask.text = rn_put_text(&writer, reason);
    rn_tell(&writer, &ask);
}

const gf_websocket_host_t rn_websocket = {sizeof rn_websocket, 0,           socket_open,  socket_head,
                                          socket_receive,      socket_send, socket_error, socket_close};
