/* SPDX-License-Identifier: Apache-2.0
 *
 * grafana/plugin.h: the plugin ABI, version 0.1.
 *
 * A plugin is a shared library that exports one symbol, gf_entry_v1. Everything else travels through tables of
 * function pointers: the plugin gives the host a gf_library_api, a gf_instance_api and a gf_call_api; the host gives
 * the plugin a gf_host. The same library runs in the server's process or in a process of its own and cannot tell.
 *
 * How to read this file
 *
 *   Ownership  "borrowed" memory belongs to the other side and is valid for the time stated; "moved" structs belong to
 *              the receiver from the moment of the call, also when the call fails. malloc/free never cross.
 *   Thread     [any-thread]  from every thread, at any time, concurrently
 *              [instance]    never two at once on one instance, unless the plugin declared GF_CONCURRENCY_PARALLEL
 *              [library]     never two at once in one library
 *              [no-block]    returns within a millisecond
 *              [may-block]   may wait for other threads or for the network
 *              [no-reenter]  does not call back into the plugin before it returns
 *   Since      the minor version that added the item; items without it are in 0.1
 *   GF-R-nnn   a rule. docs/plugin-abi.md lists every rule, who can check it and the test that does
 *
 * Layout rules (GF-R-001): every struct and table starts with struct_size; new members are only appended; each side
 * reads min(struct_size, its own sizeof) bytes and takes what is missing as zero. Sizes are the same on every 64-bit
 * target; check.h asserts them. Unknown flags, codes and kinds are ignored or answered with GF_UNSUPPORTED (GF-R-002).
 */
#ifndef GRAFANA_PLUGIN_H
#define GRAFANA_PLUGIN_H

#include <stdint.h>

#include "arrow.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header. The major is in the name of the entry; the minor only grows. */
#define GF_ABI_MINOR 1u

#if defined(__GNUC__)
#define GF_EXPORT __attribute__((visibility("default")))
#else
#define GF_EXPORT
#endif

/* ---------------------------------------------------------------------------------------------------------------
 * Status codes. A gf_status is one of these; unknown values read as GF_INTERNAL, so codes may be added (GF-R-003).
 * The comment gives the HTTP status that the server answers with.
 */
typedef int32_t gf_status;

#define GF_OK 0               /* 200 */
#define GF_AGAIN 1            /* no credit or no data yet; see gf_sink and resume */
#define GF_CANCELLED 2        /* 499 */
#define GF_TIMEOUT 3          /* 504, may be tried again */
#define GF_INVALID 4          /* 400: the user's query or configuration is wrong */
#define GF_UNSUPPORTED 5      /* 501 */
#define GF_NOT_FOUND 6        /* 404 */
#define GF_UNAUTHENTICATED 7  /* 401 */
#define GF_FORBIDDEN 8        /* 403: also what the permissions in plugin.json do not allow */
#define GF_LIMIT 9            /* 413 or 429: which limit, its bound and the value are in the message */
#define GF_IO 10              /* 502, may be tried again */
#define GF_DOWNSTREAM 11      /* 502: the server behind the plugin failed; its status is in gf_error.http_status */
#define GF_BAD_DATA 12        /* 502: what the plugin emitted breaks a rule */
#define GF_STATE 13           /* 500: a rule of this header was broken by the caller */
#define GF_NOMEM 14           /* 503, may be tried again */
#define GF_INTERNAL 15        /* 500 */
#define GF_CRASHED 16         /* 503: set by the host only, tried again once */

/* Who is to blame; the values of gf_error.source. */
#define GF_SOURCE_PLUGIN 0u
#define GF_SOURCE_DOWNSTREAM 1u
#define GF_SOURCE_USER 2u
#define GF_SOURCE_HOST 3u
#define GF_SOURCE_LIMIT 4u

/* ---------------------------------------------------------------------------------------------------------------
 * Values
 */

/* UTF-8 text: borrowed, never NUL-terminated by contract, data may be NULL when length is 0. */
typedef struct gf_str {
    const char *data;
    uint64_t length;
} gf_str_t;

/* Bytes: borrowed, data may be NULL when length is 0. */
typedef struct gf_bytes {
    const uint8_t *data;
    uint64_t length;
} gf_bytes_t;

/* Nanoseconds since 1970-01-01T00:00:00Z, or a duration in nanoseconds. */
typedef int64_t gf_time;

#define GF_TIME_NEVER INT64_MAX

#define GF_VALUE_NULL 0u
#define GF_VALUE_BOOL 1u
#define GF_VALUE_I64 2u
#define GF_VALUE_F64 3u
#define GF_VALUE_STR 4u
#define GF_VALUE_BYTES 5u

/* A tagged value, for options and small arguments, so that a new setting never changes a signature. */
typedef struct gf_value {
    uint32_t type; /* GF_VALUE_… */
    uint32_t reserved;
    union {
        int64_t i64; /* GF_VALUE_I64; GF_VALUE_BOOL as 0 or 1 */
        double f64;
        gf_str_t str;
        gf_bytes_t bytes;
    } as;
} gf_value_t;

/* A named value. */
typedef struct gf_field {
    gf_str_t key;
    gf_value_t value;
} gf_field_t;

/* A name and a text: HTTP headers, labels. */
typedef struct gf_pair {
    gf_str_t key;
    gf_str_t value;
} gf_pair_t;

/* Host-owned memory, aligned to 64 bytes. Released by gf_host_core.buffer_release or by being moved to the host. */
typedef struct gf_buffer {
    void *data;
    uint64_t capacity;
    uint64_t token; /* the host's; 0 in a buffer that holds nothing */
} gf_buffer_t;

/* Why a call, or one query of it, failed. Texts are borrowed and copied by error_set before it returns. */
typedef struct gf_error {
    uint32_t struct_size;
    uint32_t source;       /* GF_SOURCE_… */
    gf_status code;        /* never GF_OK */
    int32_t http_status;   /* what the downstream server answered, 100…599, or 0 */
    gf_time retry_after;   /* duration, or 0 when not known */
    gf_str_t ref_id;       /* the query that failed; empty: the whole call */
    gf_str_t message;      /* for a person: subject, fact, remedy */
    gf_str_t hint;         /* what to do, when the message does not say it; may be empty */
    gf_str_t details;      /* a JSON object for programs; may be empty */
} gf_error_t;

typedef struct gf_library gf_library_t;   /* allocated by the plugin, opaque to the host */
typedef struct gf_instance gf_instance_t; /* allocated by the plugin, opaque to the host */

/* A running call. A handle of the host, never an address: it is not dereferenced, and a handle whose call has ended is
 * answered with GF_STATE by every function and changes nothing (GF-R-010). */
typedef struct gf_call gf_call_t;

typedef struct gf_host gf_host_t;
typedef struct gf_plugin_desc gf_plugin_desc_t;

/* ---------------------------------------------------------------------------------------------------------------
 * What the plugin provides
 */

/* Kinds of plugins, for gf_plugin_desc.kinds. */
#define GF_KIND_DATASOURCE 1u
#define GF_KIND_PANEL 2u
#define GF_KIND_RENDERER 4u
#define GF_KIND_APP 8u

/* Capabilities, for gf_plugin_desc.capabilities. */
#define GF_CAP_NEVER_BLOCKS 1u /* start returns within a millisecond: the host calls it inline, on any thread */
#define GF_CAP_BLOCKING 2u     /* start may block until the call completes */

/* How many calls of one plugin may run at once. The host enforces it by queueing (GF-R-020). */
#define GF_CONCURRENCY_PER_INSTANCE 0u /* one start, resume or update at a time on each instance: the default */
#define GF_CONCURRENCY_PARALLEL 1u     /* any number, up to max_parallel */
#define GF_CONCURRENCY_GLOBAL 2u       /* one at a time in the whole library */

/* Extensions: an id such as "gf.http/1" names a table that starts with this header and is described in its own file
 * under ext/. The table is static and valid until the library is closed. */
typedef struct gf_extension {
    uint32_t struct_size;
    uint32_t reserved;
} gf_extension_t;

/* The configuration of one data source, as its user saved it. Secrets are not in it: ext/secrets.h reads them. */
typedef struct gf_instance_config {
    uint32_t struct_size;
    uint32_t basic_auth;      /* 1 when HTTP requests of this instance use basic authentication */
    uint64_t handle;          /* names this configuration in gf.secrets, gf.http and gf.kv */
    int64_t id;
    int64_t org_id;
    gf_time updated;          /* when the configuration was last saved */
    gf_str_t uid;
    gf_str_t name;
    gf_str_t plugin_id;
    gf_str_t url;
    gf_str_t user;
    gf_str_t database;
    gf_str_t basic_auth_user;
    gf_str_t json_data;       /* a JSON object */
} gf_instance_config_t;

/* Once a library. */
typedef struct gf_library_api {
    uint32_t struct_size;
    uint32_t reserved;

    /* Starts the library; self is what the entry returned. Ownership: host is borrowed until close returns;
     * *library_out is the plugin's. Thread: [library]. Errors: any; the text by error_set on call. On failure
     * *library_out is NULL. */
    gf_status (*open)(const gf_plugin_desc_t *self, const gf_host_t *host, gf_call_t *call,
                      gf_library_t **library_out);

    /* Ends the library; all instances are destroyed before. No thread of the plugin lives after it (GF-R-021).
     * Thread: [library] [may-block]. The image stays mapped. */
    void (*close)(gf_library_t *library);

    /* The plugin's table for an extension, or NULL. Thread: [any-thread] [no-block]. */
    const gf_extension_t *(*get_extension)(gf_library_t *library, gf_str_t id);
} gf_library_api_t;

/* Once an instance: one configured data source, panel or renderer. */
typedef struct gf_instance_api {
    uint32_t struct_size;
    uint32_t reserved;

    /* Makes an instance. Ownership: config is borrowed for the call; *instance_out is the plugin's.
     * Thread: [library]; [any-thread] when PARALLEL. Errors: any, GF_INVALID for a bad configuration. */
    gf_status (*create)(gf_library_t *library, gf_call_t *call, const gf_instance_config_t *config,
                        gf_instance_t **instance_out);

    /* Takes over a changed configuration in place. May be NULL or answer GF_UNSUPPORTED: the host then makes a new
     * instance and drains this one. Thread: [instance]. */
    gf_status (*update)(gf_instance_t *instance, gf_call_t *call, const gf_instance_config_t *config);

    /* No new calls come after it; running ones go on. May be NULL. Thread: [instance] [no-block]. */
    void (*drain)(gf_instance_t *instance);

    /* Frees the instance; every call has completed and been released. Thread: [instance]. */
    void (*destroy)(gf_instance_t *instance);
} gf_instance_api_t;

/* Kinds of calls; each has a request struct in the named file. */
#define GF_CALL_LIFECYCLE 0u  /* open, create, update: for error_set and the facts of gf_call_host */
#define GF_CALL_QUERY 1u      /* ext/datasource.h */
#define GF_CALL_HEALTH 2u     /* ext/health.h */
#define GF_CALL_RESOURCE 3u   /* ext/resource.h */
#define GF_CALL_SUBSCRIBE 4u  /* ext/stream.h */
#define GF_CALL_PUBLISH 5u    /* ext/stream.h */
#define GF_CALL_RUN_STREAM 6u /* ext/stream.h */
#define GF_CALL_STATE_SAVE 7u /* ext/state.h */
#define GF_CALL_STATE_LOAD 8u /* ext/state.h */

/* What happened, for gf_call_api.resume. source names the timer, the HTTP request or the socket. */
#define GF_EVENT_CREDIT 1u    /* the sink takes more */
#define GF_EVENT_INPUT 2u     /* gf_call_host.read has more */
#define GF_EVENT_TIMER 3u     /* ext/timer.h */
#define GF_EVENT_HTTP 4u      /* ext/http.h: a head, a chunk or the end of a response has come */
#define GF_EVENT_WEBSOCKET 5u /* ext/websocket.h: a head, a message, the end, or room to send has come */

/* Every call goes through these four. For one call the order is: start, any number of resume and cancel, release.
 *
 * The whole contract of a call: start returns GF_OK ("I complete exactly once", GF-R-011) or an error ("I have failed
 * and will not complete"). Between them the plugin emits to the sink, from any thread, and then completes. */
typedef struct gf_call_api {
    uint32_t struct_size;
    uint32_t reserved;

    /* Begins a call. request is the struct of the kind; it and all it points to stay valid until complete returns.
     * An unknown kind is answered with GF_UNSUPPORTED.
     * Thread: [instance]; within a millisecond unless GF_CAP_BLOCKING. */
    gf_status (*start)(gf_instance_t *instance, gf_call_t *call, uint32_t kind, const void *request);

    /* The result is no longer wanted: complete soon, with anything. May be NULL; is_cancelled tells the same.
     * state is what state_set stored, or NULL. Comes at most once a call.
     * Thread: [any-thread] [no-block], also while start runs. */
    void (*cancel)(gf_instance_t *instance, gf_call_t *call, void *state);

    /* An event that the call waited for. May be NULL in a plugin that asks for none. Thread: [instance] [no-block]. */
    void (*resume)(gf_instance_t *instance, gf_call_t *call, void *state, uint32_t event, uint64_t source);

    /* The call has completed and neither cancel nor resume runs or will come: free state here. Called exactly once
     * for each call whose state_set was used (GF-R-012); may be NULL. Thread: [any-thread] [no-block]. */
    void (*release)(gf_instance_t *instance, void *state);
} gf_call_api_t;

/* What gf_entry_v1 returns; static, valid for ever. Strings here and in plugin.json must be equal (GF-R-030). */
struct gf_plugin_desc {
    uint32_t struct_size;
    uint32_t kinds;        /* GF_KIND_… */
    gf_str_t id;           /* as in plugin.json */
    gf_str_t version;      /* as info.version in plugin.json */
    uint32_t abi_built;    /* GF_ABI_MINOR of the header it was built with: the host behaves as of that minor */
    uint32_t abi_needed;   /* the least minor a host must have */
    uint32_t capabilities; /* GF_CAP_… */
    uint32_t concurrency;  /* GF_CONCURRENCY_… */
    uint32_t max_parallel; /* most calls at once with PARALLEL; 0: the host decides */
    uint32_t reserved;
    const gf_library_api_t *library;
    const gf_instance_api_t *instance;
    const gf_call_api_t *call;
    void *context; /* the plugin's: one file may describe several plugins with the same functions */
};

/* Isolation levels, for gf_host_info.level. */
#define GF_LEVEL_LINKED 0u
#define GF_LEVEL_IN_PROCESS 1u
#define GF_LEVEL_PROCESS 2u
#define GF_LEVEL_SANDBOX 3u

/* What a plugin may know before it is opened. */
typedef struct gf_host_info {
    uint32_t struct_size;
    uint32_t abi_minor;
    uint32_t level; /* GF_LEVEL_… */
    uint32_t reserved;
    gf_str_t name;    /* "grafana" */
    gf_str_t version; /* the server's, such as "12.4.0" */
    /* 1 if the host has the extension, else 0. Thread: [any-thread] [no-block]. */
    uint32_t (*has_extension)(gf_str_t id);
} gf_host_info_t;

typedef const gf_plugin_desc_t *(*gf_entry_fn)(const gf_host_info_t *info);

/* The only exported symbol (GF-R-031): pure, reentrant, starts no thread, allocates nothing that needs freeing.
 * Returns NULL when it cannot work with this host. Thread: [any-thread] [no-block]. */
GF_EXPORT const gf_plugin_desc_t *gf_entry_v1(const gf_host_info_t *info);

/* ---------------------------------------------------------------------------------------------------------------
 * What the host provides
 */

#define GF_LOG_DEBUG 0u
#define GF_LOG_INFO 1u
#define GF_LOG_WARN 2u
#define GF_LOG_ERROR 3u

typedef struct gf_host_core {
    uint32_t struct_size;
    uint32_t reserved;

    /* Writes one structured line to the server's log, under the plugin's name. The host limits the rate: what is over
     * is counted and told, not queued. Thread: [any-thread] [no-block] [no-reenter]. */
    void (*log)(const gf_host_t *host, uint32_t level, gf_str_t message, const gf_field_t *fields, uint32_t count);

    /* Says why a call, or one of its queries, fails; the last one for a ref_id counts. A text without a failing status
     * fails the query it names, and is ignored for the call (GF-R-013). Thread: [any-thread] [no-block]. */
    gf_status (*error_set)(const gf_host_t *host, gf_call_t *call, const gf_error_t *error);

    /* The time now, for time stamps. Thread: [any-thread] [no-block]. */
    gf_time (*now)(const gf_host_t *host);

    /* The host's table for an extension, or NULL. Thread: [any-thread] [no-block]. */
    const gf_extension_t *(*get_extension)(const gf_host_t *host, gf_str_t id);

    /* Memory that the host can pass on without a copy. Errors: GF_NOMEM, GF_LIMIT; *buffer_out is then zero.
     * Thread: [any-thread] [no-block]. */
    gf_status (*buffer_alloc)(const gf_host_t *host, uint64_t capacity, gf_buffer_t *buffer_out);

    /* Gives a buffer back and zeroes the struct. Thread: [any-thread] [no-block]. */
    void (*buffer_release)(const gf_host_t *host, gf_buffer_t *buffer_move);
} gf_host_core_t;

#define GF_BUDGET_TIME 0u  /* nanoseconds */
#define GF_BUDGET_BYTES 1u /* bytes that the sink still takes */
#define GF_BUDGET_ROWS 2u  /* rows that the sink still takes */

/* Who asks. Texts are borrowed until complete. */
typedef struct gf_principal {
    uint32_t struct_size;
    uint32_t is_server; /* 1 when the server itself asks: all texts are then empty */
    int64_t org_id;
    gf_str_t login;
    gf_str_t name;
    gf_str_t email;
    gf_str_t role; /* "Viewer", "Editor", "Admin" or "" */
} gf_principal_t;

/* Facts about a call and its words. All functions: Thread: [any-thread] [no-block] [no-reenter] unless stated. With a
 * handle whose call has ended they answer as for a cancelled call with nothing left. */
typedef struct gf_call_host {
    uint32_t struct_size;
    uint32_t reserved;

    /* 1 once the result is no longer wanted, else 0. */
    uint32_t (*is_cancelled)(const gf_host_t *host, gf_call_t *call);

    /* The time by which the call must have completed; GF_TIME_NEVER for streams. */
    gf_time (*deadline)(const gf_host_t *host, gf_call_t *call);

    /* What is left of a budget; INT64_MAX when it has no bound. */
    int64_t (*budget_left)(const gf_host_t *host, gf_call_t *call, uint32_t budget);

    gf_status (*principal)(const gf_host_t *host, gf_call_t *call, gf_principal_t *principal_out);

    /* The W3C traceparent of the call, or empty. Borrowed until complete. */
    gf_str_t (*trace_context)(const gf_host_t *host, gf_call_t *call);

    /* The user's language as a BCP 47 tag, or empty. Borrowed until complete. */
    gf_str_t (*locale)(const gf_host_t *host, gf_call_t *call);

    /* A header that the client sent and the host lets through; name in any case. GF_NOT_FOUND when there is none.
     * Borrowed until complete. */
    gf_status (*header_get)(const gf_host_t *host, gf_call_t *call, gf_str_t name, gf_str_t *value_out);

    /* Stores the plugin's word for this call, which cancel, resume and release get. Once a call, before the plugin asks
     * for an event. */
    gf_status (*state_set)(const gf_host_t *host, gf_call_t *call, void *state);

    /* Reads on in the body of the request (resource, state load). GF_OK with *length_out 0 is the end; GF_AGAIN: the
     * event GF_EVENT_INPUT follows. In a plugin with GF_CAP_BLOCKING it blocks instead: [may-block]. */
    gf_status (*read)(const gf_host_t *host, gf_call_t *call, void *data, uint64_t capacity, uint64_t *length_out);
} gf_call_host_t;

#define GF_SEVERITY_INFO 0u
#define GF_SEVERITY_WARNING 1u
#define GF_SEVERITY_ERROR 2u

/* A remark that travels with the result. */
typedef struct gf_notice {
    uint32_t struct_size;
    uint32_t severity; /* GF_SEVERITY_… */
    gf_str_t ref_id;   /* the query it belongs to; empty: all */
    gf_str_t text;
    gf_str_t link;     /* a URL, or empty */
} gf_notice_t;

/* The head of an answer that is not frames: HTTP status of a resource, GF_HEALTH_… of a health check, GF_STREAM_… of a
 * subscription. Emitted at most once and before bytes. */
typedef struct gf_head {
    uint32_t struct_size;
    int32_t status;
    gf_str_t message; /* health: for a person; else empty */
    const gf_pair_t *headers;
    uint32_t header_count;
    uint32_t reserved;
} gf_head_t;

/* The one way out for results. Every function takes what it is given, also when it fails (GF-R-014): moved structs are
 * released by the host exactly once, before destroy of the instance returns.
 *
 * Credit: GF_AGAIN from schema, batch or bytes means "taken, and the window is full now": emit nothing more until
 * wait_ready answers GF_OK or GF_EVENT_CREDIT comes (GF-R-015). What comes meanwhile is taken up to a hard bound of
 * four windows, past which the call fails with GF_LIMIT.
 * Thread: [any-thread] [no-block] [no-reenter] except wait_ready and complete. */
typedef struct gf_sink {
    uint32_t struct_size;
    uint32_t reserved;

    /* Opens frame number `frame` (the plugin's choice, unique in the call) for a query. schema_move is a struct with
     * one child a field; its metadata may hold name, refId and meta. */
    gf_status (*schema)(const gf_host_t *host, gf_call_t *call, uint32_t frame, gf_str_t ref_id,
                        struct ArrowSchema *schema_move);

    /* Appends rows to an open frame. A frame without a batch is a frame without rows. */
    gf_status (*batch)(const gf_host_t *host, gf_call_t *call, uint32_t frame, struct ArrowArray *array_move);

    /* Appends to the body of a resource, health details, a stream packet, a state: copied. In a stream each call is
     * one packet. */
    gf_status (*bytes)(const gf_host_t *host, gf_call_t *call, gf_bytes_t bytes);

    /* The same for `length` bytes of a host buffer, without a copy. */
    gf_status (*buffer)(const gf_host_t *host, gf_call_t *call, gf_buffer_t *buffer_move, uint64_t length);

    gf_status (*head)(const gf_host_t *host, gf_call_t *call, const gf_head_t *head);

    gf_status (*notice)(const gf_host_t *host, gf_call_t *call, const gf_notice_t *notice);

    /* How far the call is, 0…1, or a negative number when it is not known; token is where a stream can go on after a
     * restart (ext/stream.h), or empty. */
    gf_status (*progress)(const gf_host_t *host, gf_call_t *call, double fraction, gf_bytes_t token);

    /* GF_OK when there is credit. Else with timeout 0: GF_AGAIN, and GF_EVENT_CREDIT follows once. With a timeout the
     * thread waits: GF_OK, GF_TIMEOUT or GF_CANCELLED, only in plugins with GF_CAP_BLOCKING: [may-block]. */
    gf_status (*wait_ready)(const gf_host_t *host, gf_call_t *call, gf_time timeout);

    /* Ends the call: exactly once, nothing is emitted after it. GF_OK, or the failing status whose text error_set
     * gave. release may come before it returns: hold no lock that release takes. */
    gf_status (*complete)(const gf_host_t *host, gf_call_t *call, gf_status status);
} gf_sink_t;

/* What a library gets at open. Borrowed until close returns. */
struct gf_host {
    uint32_t struct_size;
    uint32_t abi_minor;
    void *context; /* the host's */
    const gf_host_core_t *core;
    const gf_call_host_t *call;
    const gf_sink_t *sink;
};

#ifdef __cplusplus
}
#endif

#endif /* GRAFANA_PLUGIN_H */
