/* SPDX-License-Identifier: Apache-2.0 */
#include "runner.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The most fields of a log line, and bytes of its text; the server cuts it further. */
#define LOG_FIELDS 64u
#define LOG_TEXT 8192u

static runner_log_field_t log_field(runner_writer_t *writer, const gf_field_t *field) {
    runner_log_field_t wire = {.type = field->value.type, .key = rn_put_text(writer, field->key)};
    switch (field->value.type) {
    case GF_VALUE_BOOL:
    case GF_VALUE_I64:
    case GF_VALUE_F64:
        memcpy(&wire.bits, &field->value.as, sizeof wire.bits);
        break;
    case GF_VALUE_STR: {
        gf_str_t text = field->value.as.str;
        text.length = text.length < 1024 ? text.length : 1024;
        wire.text = rn_put_text(writer, text);
        break;
    }
    case GF_VALUE_BYTES:
        wire.bits = field->value.as.bytes.length;
        break;
    default:
        break;
    }
    return wire;
}

/* Lines that may still go out: as many as the server writes, so that a flood costs it nothing. With lock held. */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static double log_left = 1000;
static int64_t log_filled;

static int may_log(void) {
    int64_t now = rn_monotonic();
    int may;
    pthread_mutex_lock(&log_lock);
    log_left += 200.0 * (double)(now - log_filled) / 1e9;
    log_left = log_left > 1000 ? 1000 : log_left;
    log_filled = now;
    may = log_left >= 1;
    log_left -= may;
    pthread_mutex_unlock(&log_lock);
    return may;
}

static void log_line(const gf_host_t *host, uint32_t level, gf_str_t message, const gf_field_t *fields,
                     uint32_t count) {
    runner_writer_t writer = {0};
    runner_log_t body = {.struct_size = sizeof body, .level = level};
    runner_log_field_t wire[LOG_FIELDS];
    (void)host;
    if (!may_log()) {
        return;
    }
    count = !fields ? 0 : count < LOG_FIELDS ? count : LOG_FIELDS;
    message.length = message.length < LOG_TEXT ? message.length : LOG_TEXT;
    runner_begin(&writer, RUNNER_LOG, 0, sizeof body);
    body.message = rn_put_text(&writer, message);
    for (uint32_t index = 0; index < count; index++) {
        wire[index] = log_field(&writer, &fields[index]);
    }
    body.fields = runner_put(&writer, wire, count * sizeof *wire);
    runner_end(&writer, &body, sizeof body);
    rn_send(&writer, NULL, 0);
    runner_free(&writer);
}

static void write_error(runner_writer_t *writer, uint64_t handle, const gf_error_t *error) {
    runner_error_t body = {.struct_size = sizeof body, .source = error->source, .code = error->code};
    runner_begin(writer, RUNNER_ERROR, handle, sizeof body);
    body.http_status = error->http_status;
    body.retry_after = error->retry_after;
    body.ref_id = rn_put_text(writer, error->ref_id);
    body.message = rn_put_text(writer, error->message);
    body.hint = rn_put_text(writer, error->hint);
    body.details = rn_put_text(writer, error->details);
    runner_end(writer, &body, sizeof body);
}

static gf_status error_set(const gf_host_t *host, gf_call_t *handle, const gf_error_t *source) {
    gf_error_t error;
    rn_call_t *call;
    runner_writer_t writer = {0};
    (void)host;
    if (!rn_adopt(source, &error, sizeof error) || error.code == GF_OK) {
        return GF_STATE;
    }
    call = rn_call_take(handle);
    if (call) {
        write_error(rn_emit(call), call->handle, &error);
        rn_emitted(call, 0, 0, error.ref_id.length ? RN_WHOLE : RN_BEGINNING);
        rn_call_give(call);
    } else {
        /* The handle of open or create, or one that is over: the server knows. */
        write_error(&writer, (uintptr_t)handle, &error);
        rn_send(&writer, NULL, 0);
        runner_free(&writer);
    }
    return GF_OK;
}

static gf_time now(const gf_host_t *host) {
    struct timespec time;
    (void)host;
    clock_gettime(CLOCK_REALTIME, &time);
    return (gf_time)time.tv_sec * 1000000000 + time.tv_nsec;
}

static const struct {
    const char *id;
    const void *table;
} extensions[] = {{GF_HTTP_EXT, &rn_http},         {GF_WEBSOCKET_EXT, &rn_websocket}, {GF_TIMER_EXT, &rn_timer},
                  {GF_SECRETS_EXT, &rn_secrets},   {GF_SETTINGS_EXT, &rn_settings},   {GF_KV_EXT, &rn_kv},
                  {GF_JSON_EXT, &rn_json},
                  {GF_METRICS_HOST_EXT, &rn_metrics}};

static const gf_extension_t *get_extension(const gf_host_t *host, gf_str_t id) {
    (void)host;
    for (size_t index = 0; index < sizeof extensions / sizeof *extensions; index++) {
        if (rn_is(id, extensions[index].id)) {
            return (const gf_extension_t *)extensions[index].table;
        }
    }
    return NULL;
}

uint32_t rn_has_extension(gf_str_t id) {
    return get_extension(NULL, id) != NULL;
}

static gf_status buffer_alloc(const gf_host_t *host, uint64_t capacity, gf_buffer_t *buffer_out) {
    (void)host;
    return buffer_out ? rn_buffer_alloc(capacity, 0, buffer_out) : GF_STATE;
}

static void buffer_release(const gf_host_t *host, gf_buffer_t *buffer) {
    (void)host;
    if (buffer) {
        rn_buffer_release(buffer);
    }
}

const gf_host_core_t rn_core = {sizeof rn_core, 0, log_line, error_set, now, get_extension, buffer_alloc,
                                buffer_release};
