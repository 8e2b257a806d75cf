/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's extensions: each function asks the server, which has the credentials and enforces what is allowed. */
#include "runner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Opens a host call of a function. */
static void begin(runner_writer_t *writer, runner_host_call_t *call, uint32_t function, uint64_t handle) {
    memset(writer, 0, sizeof *writer);
    memset(call, 0, sizeof *call);
    call->struct_size = sizeof *call;
    call->function = function;
    runner_begin(writer, RUNNER_HOST_CALL, handle, sizeof *call);
}

/* Sends a host call that has no reply. */
static void tell(runner_writer_t *writer, runner_host_call_t *call) {
    runner_end(writer, call, sizeof *call);
    rn_send(writer, NULL, 0);
    runner_free(writer);
}

/* Asks, and gives the bytes of the reply to the plugin as a buffer. */
static gf_status ask_bytes(runner_writer_t *writer, runner_host_call_t *call, int is_secret, gf_buffer_t *buffer_out,
                           uint64_t *length_out, int64_t *number_out) {
    runner_reply_t reply;
    uint8_t *message = rn_ask(writer, call, &reply);
    gf_status status = reply.status;
    if (status == GF_OK && buffer_out) {
        status = rn_buffer_copy(rn_bytes(message, reply.data), is_secret, buffer_out, length_out);
    }
    if (status == GF_OK && number_out) {
        *number_out = reply.number;
    }
    if (message && is_secret) {
        explicit_bzero(message, ((const runner_header_t *)(const void *)message)->length);
    }
    free(message);
    return status;
}

/* ---------------------------------------------------------------------------------------------------------------
 * gf.secrets, gf.settings, gf.kv
 */

static void clear(gf_buffer_t *buffer_out, uint64_t *length_out) {
    if (buffer_out) {
        memset(buffer_out, 0, sizeof *buffer_out);
    }
    if (length_out) {
        *length_out = 0;
    }
}

static gf_status secret_get(const gf_host_t *host, uint64_t config, gf_str_t name, gf_buffer_t *secret_out,
                            uint64_t *length_out) {
    runner_writer_t writer;
    runner_host_call_t call;
    (void)host;
    clear(secret_out, length_out);
    if (!secret_out) {
        return GF_STATE;
    }
    begin(&writer, &call, RUNNER_SECRET_GET, 0);
    call.object = config;
    call.name = rn_put_text(&writer, name);
    return ask_bytes(&writer, &call, 1, secret_out, length_out, NULL);
}

const gf_secrets_host_t rn_secrets = {sizeof rn_secrets, 0, secret_get};

static gf_status setting_get(const gf_host_t *host, gf_str_t key, gf_buffer_t *value_out, uint64_t *length_out) {
    runner_writer_t writer;
    runner_host_call_t call;
    (void)host;
    clear(value_out, length_out);
    if (!value_out) {
        return GF_STATE;
    }
    begin(&writer, &call, RUNNER_SETTING_GET, 0);
    call.name = rn_put_text(&writer, key);
    return ask_bytes(&writer, &call, 0, value_out, length_out, NULL);
}

const gf_settings_host_t rn_settings = {sizeof rn_settings, 0, setting_get};

static gf_status kv_get(const gf_host_t *host, uint64_t config, gf_str_t key, gf_buffer_t *value_out,
                        uint64_t *length_out, int64_t *version_out) {
    runner_writer_t writer;
    runner_host_call_t call;
    (void)host;
    clear(value_out, length_out);
    if (!value_out) {
        return GF_STATE;
    }
    begin(&writer, &call, RUNNER_KV_GET, 0);
    call.object = config;
    call.name = rn_put_text(&writer, key);
    return ask_bytes(&writer, &call, 0, value_out, length_out, version_out);
}

static gf_status kv_put(const gf_host_t *host, uint64_t config, gf_str_t key, gf_bytes_t value, int64_t version,
                        int64_t *version_out) {
    runner_writer_t writer;
    runner_host_call_t call;
    (void)host;
    if (value.length > GF_KV_MAX_VALUE || key.length > GF_KV_MAX_KEY) {
        return GF_LIMIT;
    }
    begin(&writer, &call, RUNNER_KV_PUT, 0);
    call.object = config;
    call.number = version;
    call.name = rn_put_text(&writer, key);
    call.data = runner_put(&writer, value.data, value.length);
    return ask_bytes(&writer, &call, 0, NULL, NULL, version_out);
}

static gf_status kv_remove(const gf_host_t *host, uint64_t config, gf_str_t key) {
    runner_writer_t writer;
    runner_host_call_t call;
    (void)host;
    begin(&writer, &call, RUNNER_KV_REMOVE, 0);
    call.object = config;
    call.name = rn_put_text(&writer, key);
    return ask_bytes(&writer, &call, 0, NULL, NULL, NULL);
}

static gf_status kv_list(const gf_host_t *host, uint64_t config, gf_str_t prefix, gf_buffer_t *keys_out,
                         uint64_t *length_out) {
    runner_writer_t writer;
    runner_host_call_t call;
    (void)host;
    clear(keys_out, length_out);
    if (!keys_out) {
        return GF_STATE;
    }
    begin(&writer, &call, RUNNER_KV_LIST, 0);
    call.object = config;
    call.name = rn_put_text(&writer, prefix);
    return ask_bytes(&writer, &call, 0, keys_out, length_out, NULL);
}

const gf_kv_host_t rn_kv = {sizeof rn_kv, 0, kv_get, kv_put, kv_remove, kv_list};

/* ---------------------------------------------------------------------------------------------------------------
 * gf.timer
 */

static gf_status timer_arm(const gf_host_t *host, gf_call_t *handle, gf_time delay, uint64_t *timer_out) {
    runner_writer_t writer;
    runner_host_call_t call;
    int64_t timer = 0;
    gf_status status;
    (void)host;
    if (timer_out) {
        *timer_out = 0;
    }
    if (delay < 0) {
        return GF_INVALID;
    }
    begin(&writer, &call, RUNNER_TIMER_ARM, (uintptr_t)handle);
    call.number = delay;
    status = ask_bytes(&writer, &call, 0, NULL, NULL, &timer);
    if (timer_out) {
        *timer_out = (uint64_t)timer;
    }
    return status;
}

static void timer_disarm(const gf_host_t *host, uint64_t timer) {
    runner_writer_t writer;
    runner_host_call_t call;
    (void)host;
    begin(&writer, &call, RUNNER_TIMER_DISARM, 0);
    call.object = timer;
    tell(&writer, &call);
}

const gf_timer_host_t rn_timer = {sizeof rn_timer, 0, timer_arm, timer_disarm};

/* ---------------------------------------------------------------------------------------------------------------
 * gf.metrics_host
 */

static gf_status change_metric(uint32_t index, uint32_t change, double value) {
    runner_writer_t writer = {0};
    runner_metric_change_t body = {sizeof body, index, change, 0, value};
    uint32_t type = index < rn.metric_count ? rn.metric_types[index] : UINT32_MAX;
    int is_good;
    if (change == RUNNER_METRIC_SET) {
        is_good = type == GF_METRIC_GAUGE;
    } else if (change == RUNNER_METRIC_OBSERVE) {
        is_good = type == GF_METRIC_HISTOGRAM;
    } else {
        is_good = type == GF_METRIC_GAUGE || (type == GF_METRIC_COUNTER && value >= 0);
    }
    if (!is_good) {
        return GF_INVALID;
    }
    runner_begin(&writer, RUNNER_METRIC, 0, sizeof body);
    runner_end(&writer, &body, sizeof body);
    rn_send(&writer, NULL, 0);
    runner_free(&writer);
    return GF_OK;
}

static gf_status metric_add(const gf_host_t *host, uint32_t index, double value) {
    (void)host;
    return change_metric(index, RUNNER_METRIC_ADD, value);
}

static gf_status metric_set(const gf_host_t *host, uint32_t index, double value) {
    (void)host;
    return change_metric(index, RUNNER_METRIC_SET, value);
}

static gf_status metric_observe(const gf_host_t *host, uint32_t index, double value) {
    (void)host;
    return change_metric(index, RUNNER_METRIC_OBSERVE, value);
}

const gf_metrics_host_t rn_metrics = {sizeof rn_metrics, 0, metric_add, metric_set, metric_observe};

/* ---------------------------------------------------------------------------------------------------------------
 * gf.http
 */

/* One request, with what the plugin borrows until it closes it. */
typedef struct exchange {
    uint64_t id;
    uint64_t call;
    uint8_t *head; /* the reply to which the pairs point */
    gf_pair_t *pairs;
    uint8_t *error;
    struct exchange *next;
} exchange_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static exchange_t *exchanges;

static exchange_t *find(uint64_t id, int is_removed) {
    exchange_t *found = NULL;
    pthread_mutex_lock(&lock);
    for (exchange_t **place = &exchanges; *place; place = &(*place)->next) {
        if ((*place)->id == id) {
            found = *place;
            if (is_removed) {
                *place = found->next;
            }
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static gf_status http_request(const gf_host_t *host, gf_call_t *handle, const gf_http_request_t *source,
                              uint64_t *request_out) {
    gf_http_request_t request;
    runner_writer_t writer;
    runner_host_call_t call;
    runner_reply_t reply;
    exchange_t *exchange;
    uint8_t *message;
    (void)host;
    if (request_out) {
        *request_out = 0;
    }
    if (!rn_adopt(source, &request, sizeof request) || !request_out) {
        return GF_STATE;
    }
    begin(&writer, &call, RUNNER_HTTP_REQUEST, (uintptr_t)handle);
    call.object = request.config;
    call.number = request.timeout;
    call.limit = request.max_bytes;
    call.flags = request.flags;
    call.name = rn_put_text(&writer, request.method);
    call.text = rn_put_text(&writer, request.url);
    call.pairs = rn_put_pairs(&writer, request.headers, request.header_count);
    call.data = runner_put(&writer, request.body.data, request.body.data ? request.body.length : 0);
    message = rn_ask(&writer, &call, &reply);
    free(message);
    if (!reply.number) {
        return reply.status;
    }
    exchange = calloc(1, sizeof *exchange);
    if (!exchange) {
        return GF_NOMEM;
    }
    *request_out = exchange->id = (uint64_t)reply.number;
    exchange->call = (uintptr_t)handle;
    pthread_mutex_lock(&lock);
    exchange->next = exchanges;
    exchanges = exchange;
    pthread_mutex_unlock(&lock);
    return reply.status;
}

/* Asks about a request; a plugin that may block waits here instead of being told AGAIN. */
static uint8_t *ask_exchange(exchange_t *exchange, uint32_t function, runner_reply_t *reply_out) {
    for (;;) {
        rn_call_t *call = rn_call_take((gf_call_t *)(uintptr_t)exchange->call);
        unsigned seen = call ? atomic_load(&call->events) : 0;
        int is_cancelled = call && atomic_load(&call->is_cancelled);
        runner_writer_t writer;
        runner_host_call_t ask;
        uint8_t *message;
        begin(&writer, &ask, function, exchange->call);
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

static gf_status http_head(const gf_host_t *host, uint64_t request, gf_http_head_t *head_out) {
    exchange_t *exchange = find(request, 0);
    runner_reply_t reply;
    uint8_t *message;
    uint32_t count;
    (void)host;
    if (!exchange || !head_out) {
        return GF_STATE;
    }
    message = ask_exchange(exchange, RUNNER_HTTP_HEAD, &reply);
    if (reply.status != GF_OK) {
        free(message);
        return reply.status;
    }
    free(exchange->pairs);
    free(exchange->head);
    exchange->head = message;
    exchange->pairs = rn_pairs(message, reply.pairs, &count);
    head_out->struct_size = sizeof *head_out;
    head_out->status = (int32_t)reply.number;
    head_out->headers = exchange->pairs;
    head_out->header_count = count;
    head_out->reserved = 0;
    return GF_OK;
}

static gf_status http_read(const gf_host_t *host, uint64_t request, gf_buffer_t *chunk_out, uint64_t *length_out) {
    exchange_t *exchange = find(request, 0);
    runner_reply_t reply;
    uint8_t *message;
    gf_status status;
    (void)host;
    clear(chunk_out, length_out);
    if (!exchange || !chunk_out) {
        return GF_STATE;
    }
    message = ask_exchange(exchange, RUNNER_HTTP_READ, &reply);
    status = reply.status;
    if (status == GF_OK && reply.data.length) {
        status = rn_buffer_copy(rn_bytes(message, reply.data), 0, chunk_out, length_out);
    }
    free(message);
    return status;
}

static gf_str_t http_error(const gf_host_t *host, uint64_t request) {
    exchange_t *exchange = find(request, 0);
    runner_reply_t reply;
    gf_str_t text = {NULL, 0};
    (void)host;
    if (!exchange) {
        return text;
    }
    free(exchange->error);
    exchange->error = ask_exchange(exchange, RUNNER_HTTP_ERROR, &reply);
    if (exchange->error) {
        text = rn_text(exchange->error, reply.data);
    }
    return text;
}

static void http_close(const gf_host_t *host, uint64_t request) {
    exchange_t *exchange = find(request, 1);
    runner_writer_t writer;
    runner_host_call_t call;
    (void)host;
    if (!exchange) {
        return;
    }
    begin(&writer, &call, RUNNER_HTTP_CLOSE, 0);
    call.object = request;
    tell(&writer, &call);
    free(exchange->head);
    free(exchange->pairs);
    free(exchange->error);
    free(exchange);
}

const gf_http_host_t rn_http = {sizeof rn_http, 0, http_request, http_head, http_read, http_error, http_close};
