/* SPDX-License-Identifier: Apache-2.0
 *
 * grafana/sdk.h: a data source in C, in one file. Header-only and optional; nothing in it is ABI, and nothing in it
 * does what a plugin could not do itself with grafana/plugin.h.
 *
 *     #include <grafana/sdk.h>
 *     static gf_status query(gf_context_t *context, const gf_query_t *query) {
 *         …
 *         return gf_frame_send(context, &frame);
 *     }
 *     static const gf_datasource_t source = {query, health, resource, NULL, NULL};
 *     GF_DATASOURCE("acme-hello-datasource", "1.0.0", source)
 *
 * Handlers are written in blocking style: they return when they are done, and what they return ends the call or, for
 * one query of several, that query alone. gf_fail says why. Texts in requests are borrowed until the handler returns.
 */
#ifndef GRAFANA_SDK_H
#define GRAFANA_SDK_H

#include "ext/datasource.h"
#include "ext/health.h"
#include "ext/resource.h"
#include "ext/secrets.h"
#include "sdk/frame.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One call, for the time that a handler runs. */
typedef struct gf_context {
    const gf_sdk_t *sdk;
    gf_call_t *call;
    gf_instance_t *instance;
    gf_str_t ref_id;       /* of the query that runs, else empty */
    uint32_t capabilities; /* of the plugin */
    uint32_t next_frame;
    int has_failed;        /* gf_fail was used for ref_id */
} gf_context_t;

/* The handlers of a data source. What is NULL is answered with GF_UNSUPPORTED. Thread: [instance], or several at once
 * in a plugin that declares GF_CONCURRENCY_PARALLEL. */
typedef struct gf_datasource {
    /* Answers one query with any number of frames. */
    gf_status (*query)(gf_context_t *context, const gf_query_t *query);
    /* Says by gf_health whether the instance is usable; depth is GF_HEALTH_CHEAP or GF_HEALTH_FULL. */
    gf_status (*health)(gf_context_t *context, uint32_t depth);
    /* Answers an HTTP-like request with one gf_respond. */
    gf_status (*resource)(gf_context_t *context, const gf_resource_request_t *request);
    /* Prepares context->instance->data from the configuration. May be NULL. */
    gf_status (*create)(gf_context_t *context, const gf_instance_config_t *config);
    /* Frees instance->data. May be NULL. */
    void (*destroy)(gf_instance_t *instance);
} gf_datasource_t;

struct gf_library {
    gf_sdk_t sdk;
    const gf_datasource_t *source;
    uint32_t capabilities;
};

struct gf_instance {
    const gf_library_t *library;
    uint64_t config; /* gf_instance_config.handle: for gf.secrets, gf.http, gf.kv */
    void *data;      /* the plugin's */
};

/* Says why the query that runs, or the call, fails; returns the status: return gf_fail(context, GF_INVALID, "…"). */
GF_SDK_PRINTF(3, 4)
static inline gf_status gf_fail(gf_context_t *context, gf_status status, const char *format, ...) {
    char text[GF_SDK_TEXT_MAX];
    gf_error_t error;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memset(&error, 0, sizeof error);
    error.struct_size = sizeof error;
    error.source = status == GF_INVALID ? GF_SOURCE_USER
                   : status == GF_DOWNSTREAM || status == GF_IO ? GF_SOURCE_DOWNSTREAM : GF_SOURCE_PLUGIN;
    error.code = status;
    error.ref_id = context->ref_id;
    error.message = gf_str_from(text);
    context->sdk->core.error_set(context->sdk->host, context->call, &error);
    context->has_failed = 1;
    return status;
}

/* 1 once nobody waits for the answer. */
static inline int gf_is_cancelled(const gf_context_t *context) {
    return context->sdk->call.is_cancelled(context->sdk->host, context->call) != 0;
}

/* After the sink answered: waits for credit when the plugin may block, and takes "the window is full" as success. */
static inline gf_status gf_sdk_credit(gf_context_t *context, gf_status status) {
    const gf_time second = 1000000000;
    while (status == GF_AGAIN && (context->capabilities & GF_CAP_BLOCKING)) {
        status = context->sdk->sink.wait_ready(context->sdk->host, context->call, second);
        status = status == GF_TIMEOUT && !gf_is_cancelled(context) ? GF_AGAIN : status;
    }
    return status == GF_AGAIN ? GF_OK : status;
}

/* Sends the rows that the frame holds and keeps it open for more. On failure says why. */
static inline gf_status gf_frame_flush(gf_context_t *context, gf_frame_t *frame) {
    const gf_sdk_t *sdk = context->sdk;
    struct ArrowSchema schema;
    struct ArrowArray rows;
    int has_rows = frame->first && frame->first->length > 0;
    gf_status status = gf_frame_check(frame);
    if (status == GF_OK && !frame->is_open) {
        status = gf_frame_export_schema(frame, context->ref_id, &schema);
        if (status == GF_OK) {
            frame->number = context->next_frame++;
            frame->is_open = 1;
            status = gf_sdk_credit(
                context, sdk->sink.schema(sdk->host, context->call, frame->number, context->ref_id, &schema));
        }
    }
    if (status == GF_OK && has_rows) {
        status = gf_frame_export_rows(frame, &rows);
        if (status == GF_OK) {
            status = gf_sdk_credit(context, sdk->sink.batch(sdk->host, context->call, frame->number, &rows));
        }
    }
    if (status == GF_BAD_DATA) {
        gf_fail(context, status, "frame '%s': its columns differ in length, or a value does not fit its column",
                frame->name.data ? frame->name.data : "");
    }
    return status;
}

/* Sends the frame, or what is left of it, and frees it. */
static inline gf_status gf_frame_send(gf_context_t *context, gf_frame_t *frame) {
    gf_status status = gf_frame_flush(context, frame);
    gf_frame_free(frame);
    return status;
}

static inline gf_status gf_sdk_head(gf_context_t *context, int32_t status, gf_str_t message, gf_str_t content_type) {
    gf_pair_t header;
    gf_head_t head;
    memset(&head, 0, sizeof head);
    head.struct_size = sizeof head;
    head.status = status;
    head.message = message;
    if (content_type.length) {
        header.key = GF_STR("Content-Type");
        header.value = content_type;
        head.headers = &header;
        head.header_count = 1;
    }
    return gf_sdk_credit(context, context->sdk->sink.head(context->sdk->host, context->call, &head));
}

/* Answers a health check: status is GF_HEALTH_OK or GF_HEALTH_ERROR, message for a person. */
static inline gf_status gf_health(gf_context_t *context, int32_t status, const char *message) {
    return gf_sdk_head(context, status, gf_str_from(message), gf_str_make(NULL, 0));
}

/* Answers a resource request with a body. */
static inline gf_status gf_respond(gf_context_t *context, int32_t http_status, const char *content_type,
                                   const void *body, uint64_t length) {
    gf_status status = gf_sdk_head(context, http_status, gf_str_make(NULL, 0), gf_str_from(content_type));
    gf_bytes_t bytes;
    bytes.data = (const uint8_t *)body;
    bytes.length = length;
    if (status != GF_OK || !length) {
        return status;
    }
    return gf_sdk_credit(context, context->sdk->sink.bytes(context->sdk->host, context->call, bytes));
}

static inline gf_status gf_respond_text(gf_context_t *context, int32_t http_status, const char *text) {
    return gf_respond(context, http_status, "text/plain; charset=utf-8", text, strlen(text));
}

static inline gf_status gf_respond_json(gf_context_t *context, int32_t http_status, const char *json) {
    return gf_respond(context, http_status, "application/json", json, strlen(json));
}

/* Parses JSON with the host's gf.json. NULL when it is not JSON; gf_fail has then said why. Free with gf_json_free. */
static inline gf_json_t *gf_json_parse(gf_context_t *context, gf_str_t text) {
    const gf_json_host_t *json = &context->sdk->json;
    gf_json_t *parsed = NULL;
    uint64_t offset = 0;
    if (!json->parse || !json->get || !json->scalar || !json->release) {
        gf_fail(context, GF_UNSUPPORTED, "the host has no %s", GF_JSON_EXT);
        return NULL;
    }
    if (json->parse(context->sdk->host, text, &parsed, &offset) != GF_OK) {
        gf_fail(context, GF_INVALID, "not JSON from byte %llu on", (unsigned long long)offset);
        return NULL;
    }
    return parsed;
}

static inline void gf_json_free(gf_context_t *context, gf_json_t *json) {
    if (json) {
        context->sdk->json.release(context->sdk->host, json);
    }
}

/* The scalar at a path such as "a.b.0"; null when there is none. */
static inline gf_value_t gf_json_value(gf_context_t *context, const gf_json_t *json, const char *path) {
    const gf_json_host_t *table = &context->sdk->json;
    const gf_json_t *found = json ? table->get(context->sdk->host, json, gf_str_from(path)) : NULL;
    gf_value_t value;
    memset(&value, 0, sizeof value);
    if (!found || table->scalar(context->sdk->host, found, &value) != GF_OK) {
        value.type = GF_VALUE_NULL;
    }
    return value;
}

/* The number, integer or text at a path, or the fallback when none of that type is there. Text is json's. */
static inline double gf_json_f64(gf_context_t *context, const gf_json_t *json, const char *path, double fallback) {
    gf_value_t value = gf_json_value(context, json, path);
    return value.type == GF_VALUE_F64 ? value.as.f64 : value.type == GF_VALUE_I64 ? (double)value.as.i64 : fallback;
}

static inline int64_t gf_json_i64(gf_context_t *context, const gf_json_t *json, const char *path, int64_t fallback) {
    gf_value_t value = gf_json_value(context, json, path);
    return value.type == GF_VALUE_I64 || value.type == GF_VALUE_BOOL ? value.as.i64 : fallback;
}

static inline gf_str_t gf_json_str(gf_context_t *context, const gf_json_t *json, const char *path, gf_str_t fallback) {
    gf_value_t value = gf_json_value(context, json, path);
    return value.type == GF_VALUE_STR ? value.as.str : fallback;
}

/* Copies a secret setting and a NUL into text_out. Returns its length; 0 when there is none or it does not fit. */
static inline uint64_t gf_secret(gf_context_t *context, const char *name, char *text_out, uint64_t capacity) {
    const gf_sdk_t *sdk = context->sdk;
    gf_secrets_host_t secrets;
    gf_buffer_t buffer;
    uint64_t length = 0;
    memset(&buffer, 0, sizeof buffer);
    text_out[0] = 0;
    gf_sdk_extension(sdk, GF_STR(GF_SECRETS_EXT), &secrets, sizeof secrets);
    if (!secrets.get ||
        secrets.get(sdk->host, context->instance->config, gf_str_from(name), &buffer, &length) != GF_OK) {
        return 0;
    }
    length = length < capacity ? length : 0;
    if (length) {
        memcpy(text_out, buffer.data, (size_t)length);
        text_out[length] = 0;
    }
    sdk->core.buffer_release(sdk->host, &buffer);
    return length;
}

#ifdef __cplusplus
}
#endif

#include "sdk/entry.h"

#endif
