/* SPDX-License-Identifier: Apache-2.0
 *
 * The host's extensions: each function asks the server, which has the credentials and enforces what is allowed. */
#include "runner.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void rn_begin_ask(runner_writer_t *writer, runner_host_call_t *call, uint32_t function, uint64_t handle) {
    memset(writer, 0, sizeof *writer);
    memset(call, 0, sizeof *call);
    call->struct_size = sizeof *call;
    call->function = function;
    runner_begin(writer, RUNNER_HOST_CALL, handle, sizeof *call);
}

void rn_tell(runner_writer_t *writer, runner_host_call_t *call) {
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
    rn_begin_ask(&writer, &call, RUNNER_SECRET_GET, 0);
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
    rn_begin_ask(&writer, &call, RUNNER_SETTING_GET, 0);
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
    rn_begin_ask(&writer, &call, RUNNER_KV_GET, 0);
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
    rn_begin_ask(&writer, &call, RUNNER_KV_PUT, 0);
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
    rn_begin_ask(&writer, &call, RUNNER_KV_REMOVE, 0);
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
    rn_begin_ask(&writer, &call, RUNNER_KV_LIST, 0);
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
    rn_begin_ask(&writer, &call, RUNNER_TIMER_ARM, (uintptr_t)handle);
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
    rn_begin_ask(&writer, &call, RUNNER_TIMER_DISARM, 0);
    call.object = timer;
    rn_tell(&writer, &call);
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
