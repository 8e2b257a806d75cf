/* SPDX-License-Identifier: Apache-2.0
 *
 * gf_call_host: the table with which the plugin asks about its calls. */
#include "runner.h"

#include <string.h>
#include <strings.h>
#include <time.h>

static uint32_t is_cancelled(const gf_host_t *host, gf_call_t *handle) {
    rn_call_t *call = rn_call_take(handle);
    uint32_t answer = 1;
    (void)host;
    if (call) {
        answer = atomic_load(&call->is_cancelled) != 0;
        rn_call_give(call);
    }
    return answer;
}

static gf_time deadline(const gf_host_t *host, gf_call_t *handle) {
    rn_call_t *call = rn_call_take(handle);
    gf_time answer = 0;
    if (call) {
        answer = call->start.deadline == INT64_MAX ? GF_TIME_NEVER
                                                   : rn_core.now(host) + (call->start.deadline - rn_monotonic());
        rn_call_give(call);
    }
    return answer;
}

static int64_t budget_left(const gf_host_t *host, gf_call_t *handle, uint32_t budget) {
    rn_call_t *call = rn_call_take(handle);
    int64_t answer = INT64_MAX;
    (void)host;
    if (!call) {
        return 0;
    }
    pthread_mutex_lock(&call->lock);
    if (budget == GF_BUDGET_TIME && call->start.deadline != INT64_MAX) {
        int64_t left = call->start.deadline - rn_monotonic();
        answer = left > 0 ? left : 0;
    } else if (budget == GF_BUDGET_BYTES) {
        answer = call->bytes_left > 0 ? call->bytes_left : 0;
    } else if (budget == GF_BUDGET_ROWS) {
        answer = call->rows_left > 0 ? call->rows_left : 0;
    }
    pthread_mutex_unlock(&call->lock);
    rn_call_give(call);
    return answer;
}

static gf_status principal(const gf_host_t *host, gf_call_t *handle, gf_principal_t *principal_out) {
    rn_call_t *call;
    gf_principal_t answer = {.struct_size = sizeof answer};
    uint32_t size;
    (void)host;
    if (!principal_out || (size = principal_out->struct_size) < 8 || !(call = rn_call_take(handle))) {
        return GF_STATE;
    }
    answer.is_server = call->start.is_server;
    answer.org_id = call->start.org_id;
    answer.login = rn_text(call->message, call->start.login);
    answer.name = rn_text(call->message, call->start.name);
    answer.email = rn_text(call->message, call->start.email);
    answer.role = rn_text(call->message, call->start.role);
    memcpy(principal_out, &answer, size < sizeof answer ? size : sizeof answer);
    principal_out->struct_size = size;
    rn_call_give(call);
    return GF_OK;
}

static gf_str_t trace_context(const gf_host_t *host, gf_call_t *handle) {
    rn_call_t *call = rn_call_take(handle);
    gf_str_t text = {NULL, 0};
    (void)host;
    if (call) {
        text = rn_text(call->message, call->start.trace_context);
        rn_call_give(call);
    }
    return text;
}

static gf_str_t locale(const gf_host_t *host, gf_call_t *handle) {
    rn_call_t *call = rn_call_take(handle);
    gf_str_t text = {NULL, 0};
    (void)host;
    if (call) {
        text = rn_text(call->message, call->start.locale);
        rn_call_give(call);
    }
    return text;
}

static gf_status header_get(const gf_host_t *host, gf_call_t *handle, gf_str_t name, gf_str_t *value_out) {
    rn_call_t *call = rn_call_take(handle);
    gf_status status = GF_NOT_FOUND;
    gf_str_t value = {NULL, 0};
    (void)host;
    if (!call) {
        status = GF_STATE;
    }
    for (uint32_t index = 0; call && index < call->header_count; index++) {
        gf_str_t key = call->headers[index].key;
        if (key.length == name.length && strncasecmp(key.data, name.data, key.length) == 0) {
            value = call->headers[index].value;
            status = GF_OK;
        }
    }
    if (call) {
        rn_call_give(call);
    }
    if (value_out) {
        *value_out = value;
    }
    return status;
}

static gf_status read_input(const gf_host_t *host, gf_call_t *handle, void *data, uint64_t capacity,
                            uint64_t *length_out) {
    rn_call_t *call;
    gf_bytes_t input;
    uint64_t count = 0;
    (void)host;
    if (length_out) {
        *length_out = 0;
    }
    if (!data || !capacity) {
        return GF_INVALID;
    }
    if (!(call = rn_call_take(handle))) {
        return GF_STATE;
    }
    pthread_mutex_lock(&call->lock);
    input = rn_bytes(call->message, call->start.input);
    if (input.length > call->input_read) {
        count = input.length - call->input_read < capacity ? input.length - call->input_read : capacity;
        memcpy(data, input.data + call->input_read, count);
        call->input_read += count;
    }
    pthread_mutex_unlock(&call->lock);
    if (length_out) {
        *length_out = count;
    }
    rn_call_give(call);
    return GF_OK;
}

const gf_call_host_t rn_call_host = {sizeof rn_call_host, 0,      is_cancelled, deadline,   budget_left, principal,
                                     trace_context,       locale, header_get,   rn_call_state_set, read_input};
