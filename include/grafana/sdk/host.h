/* SPDX-License-Identifier: Apache-2.0
 *
 * grafana/sdk/host.h: the host's tables for plugins in C, complete and safe to call. Part of grafana/sdk.h; not ABI.
 *
 * A host may be older than this header, and its tables shorter. gf_sdk_open copies what is there, min(struct_size,
 * sizeof) bytes, and puts a stub that answers GF_UNSUPPORTED where a function is missing. No function pointer in a
 * gf_sdk_t is NULL, but for the tables of extensions, which gf_sdk_extension fetches.
 */
#ifndef GRAFANA_SDK_HOST_H
#define GRAFANA_SDK_HOST_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../ext/json.h"
#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GF_SDK_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define GF_SDK_PRINTF(text, first)
#endif

/* A string literal as a gf_str_t: GF_STR in expressions, GF_STR_INIT in static initialisers. */
#define GF_STR_INIT(literal) {"" literal, sizeof(literal) - 1}
#define GF_STR(literal) gf_str_make("" literal, sizeof(literal) - 1)

/* The longest text that the printf-like helpers write, in bytes; more is cut. */
#define GF_SDK_TEXT_MAX 1024

static inline gf_str_t gf_str_make(const char *data, uint64_t length) {
    gf_str_t str;
    str.data = data;
    str.length = length;
    return str;
}

/* The text of a C string; empty for NULL. */
static inline gf_str_t gf_str_from(const char *text) {
    return gf_str_make(text, text ? (uint64_t)strlen(text) : 0);
}

static inline int gf_str_equal(gf_str_t a, gf_str_t b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, (size_t)a.length) == 0);
}

/* The host, as a plugin sees it after open. host is the first argument of every function in the tables. */
typedef struct gf_sdk {
    const gf_host_t *host;
    gf_host_core_t core;
    gf_call_host_t call;
    gf_sink_t sink;
    gf_json_host_t json; /* struct_size 0 when the host has no gf.json */
} gf_sdk_t;

/* Copies a table whose size the other side states into one of ours; what is missing becomes zero. */
static inline void gf_sdk_copy(void *table_out, const void *table, size_t size) {
    uint32_t stated = 0;
    memset(table_out, 0, size);
    if (table) {
        memcpy(&stated, table, sizeof stated);
        memcpy(table_out, table, stated < size ? stated : size);
    }
}

/* Fetches a table of the host into *table_out, of the caller's size. Returns 1, or 0 and a zeroed table when the host
 * has no such extension. Functions that the host is too old for are NULL. */
static inline int gf_sdk_extension(const gf_sdk_t *sdk, gf_str_t id, void *table_out, size_t size) {
    const gf_extension_t *table = sdk->core.get_extension(sdk->host, id);
    gf_sdk_copy(table_out, table, size);
    return table != NULL;
}

/* Stubs: a function for each entry that an older host may lack. */
#define GF_SDK_STUB2(type, value, name, A, B) \
    static inline type gf_sdk_no_##name(A a, B b) { (void)a; (void)b; return value; }
#define GF_SDK_STUB3(type, value, name, A, B, C) \
    static inline type gf_sdk_no_##name(A a, B b, C c) { (void)a; (void)b; (void)c; return value; }
#define GF_SDK_STUB4(type, value, name, A, B, C, D) \
    static inline type gf_sdk_no_##name(A a, B b, C c, D d) { (void)a; (void)b; (void)c; (void)d; return value; }
#define GF_SDK_HOST const gf_host_t *
#define GF_SDK_EMPTY gf_str_make(NULL, 0)

GF_SDK_STUB3(gf_status, GF_UNSUPPORTED, error_set, GF_SDK_HOST, gf_call_t *, const gf_error_t *)
GF_SDK_STUB2(const gf_extension_t *, NULL, get_extension, GF_SDK_HOST, gf_str_t)
GF_SDK_STUB2(uint32_t, 0, is_cancelled, GF_SDK_HOST, gf_call_t *)
GF_SDK_STUB2(gf_time, GF_TIME_NEVER, deadline, GF_SDK_HOST, gf_call_t *)
GF_SDK_STUB3(int64_t, INT64_MAX, budget_left, GF_SDK_HOST, gf_call_t *, uint32_t)
GF_SDK_STUB2(gf_str_t, GF_SDK_EMPTY, trace_context, GF_SDK_HOST, gf_call_t *)
GF_SDK_STUB2(gf_str_t, GF_SDK_EMPTY, locale, GF_SDK_HOST, gf_call_t *)
GF_SDK_STUB3(gf_status, GF_UNSUPPORTED, state_set, GF_SDK_HOST, gf_call_t *, void *)
GF_SDK_STUB3(gf_status, GF_UNSUPPORTED, bytes, GF_SDK_HOST, gf_call_t *, gf_bytes_t)
GF_SDK_STUB3(gf_status, GF_UNSUPPORTED, head, GF_SDK_HOST, gf_call_t *, const gf_head_t *)
GF_SDK_STUB3(gf_status, GF_UNSUPPORTED, notice, GF_SDK_HOST, gf_call_t *, const gf_notice_t *)
GF_SDK_STUB4(gf_status, GF_UNSUPPORTED, progress, GF_SDK_HOST, gf_call_t *, double, gf_bytes_t)
GF_SDK_STUB3(gf_status, GF_OK, wait_ready, GF_SDK_HOST, gf_call_t *, gf_time)
GF_SDK_STUB3(gf_status, GF_UNSUPPORTED, complete, GF_SDK_HOST, gf_call_t *, gf_status)

static inline void gf_sdk_no_log(const gf_host_t *host, uint32_t level, gf_str_t message, const gf_field_t *fields,
                                 uint32_t count) {
    (void)host; (void)level; (void)message; (void)fields; (void)count;
}

static inline gf_time gf_sdk_no_now(const gf_host_t *host) {
    (void)host;
    return 0;
}

static inline gf_status gf_sdk_no_buffer_alloc(const gf_host_t *host, uint64_t capacity, gf_buffer_t *buffer_out) {
    (void)host; (void)capacity;
    memset(buffer_out, 0, sizeof *buffer_out);
    return GF_UNSUPPORTED;
}

static inline void gf_sdk_no_buffer_release(const gf_host_t *host, gf_buffer_t *buffer_move) {
    (void)host;
    memset(buffer_move, 0, sizeof *buffer_move);
}

static inline gf_status gf_sdk_no_principal(const gf_host_t *host, gf_call_t *call, gf_principal_t *principal_out) {
    (void)host; (void)call;
    memset(principal_out, 0, sizeof *principal_out);
    return GF_UNSUPPORTED;
}

static inline gf_status gf_sdk_no_header_get(const gf_host_t *host, gf_call_t *call, gf_str_t name,
                                             gf_str_t *value_out) {
    (void)host; (void)call; (void)name;
    *value_out = GF_SDK_EMPTY;
    return GF_NOT_FOUND;
}

static inline gf_status gf_sdk_no_read(const gf_host_t *host, gf_call_t *call, void *data, uint64_t capacity,
                                       uint64_t *length_out) {
    (void)host; (void)call; (void)data; (void)capacity;
    *length_out = 0;
    return GF_UNSUPPORTED;
}

static inline gf_status gf_sdk_no_schema(const gf_host_t *host, gf_call_t *call, uint32_t frame, gf_str_t ref_id,
                                         struct ArrowSchema *schema_move) {
    (void)host; (void)call; (void)frame; (void)ref_id;
    schema_move->release(schema_move);
    return GF_UNSUPPORTED;
}

static inline gf_status gf_sdk_no_batch(const gf_host_t *host, gf_call_t *call, uint32_t frame,
                                        struct ArrowArray *array_move) {
    (void)host; (void)call; (void)frame;
    array_move->release(array_move);
    return GF_UNSUPPORTED;
}

#define GF_SDK_FILL(table, name) \
    if (!(table).name) (table).name = gf_sdk_no_##name

/* Completes the host's tables. The host outlives the gf_sdk_t: until close returns. */
static inline void gf_sdk_open(gf_sdk_t *sdk, const gf_host_t *host) {
    gf_host_t known;
    gf_sdk_copy(&known, host, sizeof known);
    sdk->host = host;
    gf_sdk_copy(&sdk->core, known.core, sizeof sdk->core);
    gf_sdk_copy(&sdk->call, known.call, sizeof sdk->call);
    gf_sdk_copy(&sdk->sink, known.sink, sizeof sdk->sink);
    GF_SDK_FILL(sdk->core, log);
    GF_SDK_FILL(sdk->core, error_set);
    GF_SDK_FILL(sdk->core, now);
    GF_SDK_FILL(sdk->core, get_extension);
    GF_SDK_FILL(sdk->core, buffer_alloc);
    GF_SDK_FILL(sdk->core, buffer_release);
    GF_SDK_FILL(sdk->call, is_cancelled);
    GF_SDK_FILL(sdk->call, deadline);
    GF_SDK_FILL(sdk->call, budget_left);
    GF_SDK_FILL(sdk->call, principal);
    GF_SDK_FILL(sdk->call, trace_context);
    GF_SDK_FILL(sdk->call, locale);
    GF_SDK_FILL(sdk->call, header_get);
    GF_SDK_FILL(sdk->call, state_set);
    GF_SDK_FILL(sdk->call, read);
    GF_SDK_FILL(sdk->sink, schema);
    GF_SDK_FILL(sdk->sink, batch);
    GF_SDK_FILL(sdk->sink, bytes);
    GF_SDK_FILL(sdk->sink, head);
    GF_SDK_FILL(sdk->sink, notice);
    GF_SDK_FILL(sdk->sink, progress);
    GF_SDK_FILL(sdk->sink, wait_ready);
    GF_SDK_FILL(sdk->sink, complete);
    gf_sdk_extension(sdk, GF_STR(GF_JSON_EXT), &sdk->json, sizeof sdk->json);
}

/* Writes one line to the server's log. */
GF_SDK_PRINTF(3, 4)
static inline void gf_log(const gf_sdk_t *sdk, uint32_t level, const char *format, ...) {
    char text[GF_SDK_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    sdk->core.log(sdk->host, level, gf_str_from(text), NULL, 0);
}

#ifdef __cplusplus
}
#endif

#endif
