/* SPDX-License-Identifier: Apache-2.0
 *
 * grafana-plugin-runner: one shared-library plugin in a process of its own. To the plugin it is a host with the same
 * tables as any other; to the server it is the other end of runner_protocol.h. It has no Swift runtime and no event
 * loop: one thread receives, and runs the functions of plugins that do not block; plugins that do block get threads.
 */
#ifndef GRAFANA_RUNNER_H
#define GRAFANA_RUNNER_H

#include <pthread.h>
#include <stdatomic.h>

#include <grafana/ext/datasource.h>
#include <grafana/ext/describe.h>
#include <grafana/ext/health.h>
#include <grafana/ext/http.h>
#include <grafana/ext/json.h>
#include <grafana/ext/kv.h>
#include <grafana/ext/metrics.h>
#include <grafana/ext/resource.h>
#include <grafana/ext/secrets.h>
#include <grafana/ext/settings.h>
#include <grafana/ext/state.h>
#include <grafana/ext/stream.h>
#include <grafana/ext/timer.h>
#include <grafana/ext/websocket.h>
#include <grafana/plugin.h>

#include <runner_protocol.h>

/* Work that waits its turn in a lane: one at a time, or as many as its width. */
typedef struct rn_job rn_job_t;
typedef struct rn_lane {
    uint32_t width; /* 0: 1 */
    uint32_t busy;
    rn_job_t *first;
    rn_job_t *last;
} rn_lane_t;

typedef struct rn_instance {
    uint64_t number;
    gf_instance_t *pointer;
    rn_lane_t lane;
    int is_destroyed; /* in the lane */
    /* With the lock of library.c held: calls that are not released and arrays that are not given back. */
    uint32_t users;
    struct rn_instance *next;
} rn_instance_t;

/* How the values of one column lie in memory. */
typedef enum rn_layout { RN_FIXED, RN_BITS, RN_TEXT, RN_LARGE_TEXT, RN_VIEW } rn_layout_t;

typedef struct rn_column {
    rn_layout_t layout;
    uint32_t width; /* bytes of a value of RN_FIXED */
    char *name;     /* of the field, for words about it */
} rn_column_t;

/* A frame that a call has opened. */
typedef struct rn_frame {
    uint32_t number;
    uint32_t column_count;
    struct rn_frame *next;
    rn_column_t columns[];
} rn_frame_t;

/* One running call. The handle that the plugin has is the server's. */
typedef struct rn_call {
    uint64_t handle;
    uint32_t kind;
    rn_instance_t *instance;
    uint8_t *message; /* the START, to which all texts point */
    runner_start_t start;
    void *request;
    gf_pair_t *headers;
    uint32_t header_count;
    uint64_t input_read;

    /* With calls.lock held. */
    int is_completed;
    int users; /* functions of the plugin that run, and functions of the host that use the record */
    int is_told; /* cancel has been called or is on its way */
    void *state;

    atomic_int is_cancelled;
    atomic_int refused; /* the status that the server's sink gave, or GF_OK */
    atomic_uint events; /* of HTTP requests and sockets, for those who wait */

    /* With lock held: what is emitted, in its order. */
    pthread_mutex_t lock;
    runner_writer_t out;
    int is_collecting; /* what is emitted waits until the function that runs returns */
    pthread_t collector;
    rn_frame_t *frames;
    int64_t sent; /* bytes since the last credit */
    int64_t bytes_left;
    int64_t rows_left;
    int wants_credit;
} rn_call_t;

/* The one plugin of this process. */
typedef struct rn_plugin {
    runner_hello_t hello;
    const gf_plugin_desc_t *desc;
    gf_plugin_desc_t traits;
    gf_library_api_t library_api;
    gf_instance_api_t instance_api;
    gf_call_api_t call_api;
    gf_library_t *library;
    gf_host_t host;
    int is_blocking;
    rn_lane_t library_lane;
    rn_lane_t parallel_lane; /* of the calls of a plugin that is PARALLEL and blocks */
    uint32_t metric_count;
    uint32_t metric_types[GF_METRICS_MAX];
} rn_plugin_t;

extern rn_plugin_t rn;

/* Copies a struct of the plugin, completed with zeros. */
int rn_adopt(const void *source, void *copy_out, uint32_t size);
int rn_is(gf_str_t text, const char *other);
gf_str_t rn_text(const void *message, runner_span_t span);
gf_bytes_t rn_bytes(const void *message, runner_span_t span);
/* Pairs as the ABI has them; freed by the caller. */
gf_pair_t *rn_pairs(const void *message, runner_span_t span, uint32_t *count_out);
runner_span_t rn_put_text(runner_writer_t *writer, gf_str_t text);
runner_span_t rn_put_pairs(runner_writer_t *writer, const gf_pair_t *pairs, uint32_t count);
int64_t rn_monotonic(void);

/* link.c: the socket. */
void rn_link_open(void);
/* Sends the messages of a writer and clears it; the descriptors, if any, belong to the first one. */
void rn_send(runner_writer_t *writer, const int *fds, uint32_t fd_count);
/* Receives and handles packets for ever; the process ends with the connection. Several threads may: the one that
 * receives the start of a call that may block runs it, when another one receives on. */
void *rn_serve(void *unused);
/* How many threads may do so at once. */
void rn_serve_limit(uint32_t threads);
void rn_send_plain(uint32_t type, uint64_t call);
void rn_send_status(uint32_t type, uint64_t call, gf_status status);
void rn_fault(uint32_t rule, const char *text);
/* Ends the process: the server speaks wrongly, or is gone. */
_Noreturn void rn_leave(int status, const char *reason);
/* Sends a host call and waits for its reply, which the caller frees; NULL when there was no memory to ask, or the
 * message is larger than RUNNER_ASK_MAX. */
void *rn_ask(runner_writer_t *writer, runner_host_call_t *call, runner_reply_t *reply_out);

/* work.c: threads. */
struct rn_job {
    void (*run)(void *context, uint64_t number);
    void *context;
    uint64_t number;
    rn_lane_t *lane;
    rn_job_t *next;
};
void rn_work_open(uint32_t max_threads);
void rn_work(rn_lane_t *lane, void (*run)(void *context, uint64_t number), void *context, uint64_t number);
/* The same at once on this thread if the lane is free. */
void rn_work_now(rn_lane_t *lane, void (*run)(void *context, uint64_t number), void *context, uint64_t number);
/* The same on the thread that receives, once it has handled its packet, if another one takes its place. */
void rn_work_here(rn_lane_t *lane, void (*run)(void *context, uint64_t number), void *context, uint64_t number);
/* Runs the work that was left to this thread, and what waits for a thread. */
void rn_run_left(int may_run);
int rn_has_left(void);

/* library.c: the plugin's image, its library and its instances. */
void rn_hello(const uint8_t *message);
void rn_library_message(const runner_header_t *header, const uint8_t *message);
/* An instance, which is not destroyed until it is given back as often as it was taken; NULL for an unknown number. */
rn_instance_t *rn_instance_take(uint64_t number);
void rn_instance_hold(rn_instance_t *instance);
void rn_instance_give(rn_instance_t *instance);
/* Where the calls of an instance wait their turn; NULL when they need none. */
rn_lane_t *rn_lane_of(rn_instance_t *instance);

/* calls.c */
void rn_call_message(const runner_header_t *header, const uint8_t *message);
/* The record of a running call, which must be given back; NULL for any other handle. */
rn_call_t *rn_call_take(gf_call_t *call);
/* The same, and tells the server of a handle that was used too late. */
rn_call_t *rn_call_use(gf_call_t *call);
void rn_call_give(rn_call_t *call);
/* Notes a cancellation or credit, before the plugin is told. */
void rn_call_noted(const runner_header_t *header);
gf_status rn_call_complete(gf_call_t *handle, gf_status status);
/* The call with which the library is opened or an instance is made; it ends when the function returns. */
rn_call_t *rn_call_begin_lifecycle(uint64_t handle);
void rn_call_end_lifecycle(rn_call_t *call);
extern const gf_call_host_t rn_call_host;
/* gf_call_host.state_set. */
gf_status rn_call_state_set(const gf_host_t *host, gf_call_t *handle, void *state);

/* core.c */
extern const gf_host_core_t rn_core;
uint32_t rn_has_extension(gf_str_t id);

/* sink.c */
extern const gf_sink_t rn_sink;
/* Begins to emit: the writer with the call's lock held. */
runner_writer_t *rn_emit(rn_call_t *call);
/* What is emitted: something that means nothing without what follows and may wait for it, something whole, or the
 * end. */
typedef enum rn_part { RN_BEGINNING, RN_WHOLE, RN_END } rn_part_t;
/* Ends it: sends what is there, at once or with what follows. Counts bytes and rows; GF_OK or GF_AGAIN. */
gf_status rn_emitted(rn_call_t *call, uint64_t bytes, int64_t rows, rn_part_t part);
gf_status rn_reject(rn_call_t *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
void rn_credit(rn_call_t *call);
/* Waits until the call was cancelled, or an event of a request or socket came; at most so many nanoseconds. */
void rn_wait_event(rn_call_t *call, unsigned seen, int64_t nanoseconds);
void rn_wake(void);

/* frames.c */
gf_status rn_send_schema(rn_call_t *call, uint32_t frame, gf_str_t ref_id, struct ArrowSchema *schema);
gf_status rn_send_batch(rn_call_t *call, uint32_t frame, struct ArrowArray *array);
void rn_free_frames(rn_call_t *call);

/* arena.c: memory that the server sees. */
typedef struct rn_piece {
    uint32_t arena; /* 0: private memory */
    uint64_t offset;
    uint64_t capacity;
    uint8_t *data;
} rn_piece_t;
/* Returns 1, or 0 when all arenas are full. */
int rn_piece_take(uint64_t capacity, rn_piece_t *piece_out);
void rn_piece_give(const rn_piece_t *piece);
/* The arena that bytes lie in: 1 and their place, or 0. */
int rn_find_arena(const void *data, uint64_t length, runner_buffer_t *place_out);
/* Numbers what the server will give back: a piece, an array of an instance, or both. */
uint64_t rn_hold(const rn_piece_t *piece, struct ArrowArray *array_move, rn_instance_t *instance);
void rn_free(const uint64_t *released, uint64_t count);
/* Gives all arrays back to the plugin before its library is closed; their memory is not used again. */
void rn_free_all(void);

gf_status rn_buffer_alloc(uint64_t capacity, int is_secret, gf_buffer_t *buffer_out);
/* A buffer with a copy of bytes. */
gf_status rn_buffer_copy(gf_bytes_t bytes, int is_secret, gf_buffer_t *buffer_out, uint64_t *length_out);
/* Takes a buffer from the plugin: 1 and its piece, or 0. */
int rn_buffer_take(gf_buffer_t *buffer, rn_piece_t *piece_out);
void rn_buffer_release(gf_buffer_t *buffer);

/* services.c, exchanges.c, json.c: the host's extensions. */
/* Opens a host call of a function. */
void rn_begin_ask(runner_writer_t *writer, runner_host_call_t *call, uint32_t function, uint64_t handle);
/* Sends a host call that has no reply. */
void rn_tell(runner_writer_t *writer, runner_host_call_t *call);
/* Forgets the requests and sockets of a call that is over, which the server has closed. */
void rn_end_exchanges(uint64_t call);
extern const gf_http_host_t rn_http;
extern const gf_websocket_host_t rn_websocket;
extern const gf_timer_host_t rn_timer;
extern const gf_secrets_host_t rn_secrets;
extern const gf_settings_host_t rn_settings;
extern const gf_kv_host_t rn_kv;
extern const gf_metrics_host_t rn_metrics;
extern const gf_json_host_t rn_json;

/* guardian.c */
/* Waits for the end of the server, and ends all process groups that it was told of. Returns an exit status. */
int rn_guard(pid_t server);

/* limits.c, sandbox.c */
/* Limits this process as the server said. Returns NULL, or what could not be done. */
const char *rn_limit(const runner_hello_t *hello);
/* Gives up what a sandbox may not do. Returns NULL, or what could not be done; tells what the kernel enforces. */
const char *rn_enter_sandbox(const uint8_t *message, const runner_hello_t *hello, uint32_t *enforced_out);

#endif
