/* SPDX-License-Identifier: Apache-2.0
 *
 * The calls of the plugin. */
#include "runner.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define SLOTS 65536u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* By the low 16 bits of the handle; the server has no two running calls with the same. */
static rn_call_t *slots[SLOTS];
/* Handles of calls that were cancelled before they were known. */
static uint64_t cancelled_early[SLOTS];

static rn_call_t **slot_of(uint64_t handle) {
    return &slots[handle & (SLOTS - 1)];
}

/* With the lock held. */
static rn_call_t *take(uint64_t handle) {
    rn_call_t *call = *slot_of(handle);
    if (!call || call->handle != handle || call->is_completed) {
        return NULL;
    }
    call->users++;
    return call;
}

rn_call_t *rn_call_take(gf_call_t *handle) {
    rn_call_t *call;
    pthread_mutex_lock(&lock);
    call = take((uintptr_t)handle);
    pthread_mutex_unlock(&lock);
    return call;
}

rn_call_t *rn_call_use(gf_call_t *handle) {
    rn_call_t *call = rn_call_take(handle);
    if (!call) {
        rn_fault(10, "a call was used after its end");
    }
    return call;
}

static void destroy(rn_call_t *call) {
    if (call->state && call->instance && rn.call_api.release) {
        rn.call_api.release(call->instance->pointer, call->state);
    }
    rn_end_exchanges(call->handle);
    if (call->instance) {
        rn_instance_give(call->instance);
    }
    rn_free_frames(call);
    pthread_mutex_destroy(&call->lock);
    runner_free(&call->out);
    free(call->headers);
    free(call->request);
    free(call->message);
    free(call);
}

void rn_call_give(rn_call_t *call) {
    int is_over;
    pthread_mutex_lock(&lock);
    is_over = --call->users == 0 && call->is_completed;
    if (is_over && *slot_of(call->handle) == call) {
        *slot_of(call->handle) = NULL;
    }
    pthread_mutex_unlock(&lock);
    if (is_over) {
        destroy(call);
    }
}

/* Lets what is emitted meanwhile go out together, when the plugin's function soon returns. */
static void collect(rn_call_t *call) {
    pthread_mutex_lock(&call->lock);
    call->is_collecting = !rn.is_blocking;
    call->collector = pthread_self();
    pthread_mutex_unlock(&call->lock);
}

static void flush(rn_call_t *call) {
    pthread_mutex_lock(&call->lock);
    call->is_collecting = 0;
    rn_send(&call->out, NULL, 0);
    pthread_mutex_unlock(&call->lock);
}

rn_call_t *rn_call_begin_lifecycle(uint64_t handle) {
    rn_call_t *call = calloc(1, sizeof *call);
    if (!call) {
        rn_leave(1, "no memory for a call");
    }
    pthread_mutex_init(&call->lock, NULL);
    call->handle = handle;
    call->kind = GF_CALL_LIFECYCLE;
    call->users = 1;
    call->start.is_server = 1;
    call->start.deadline = INT64_MAX;
    call->start.window = INT64_MAX;
    call->bytes_left = call->rows_left = INT64_MAX;
    pthread_mutex_lock(&lock);
    *slot_of(handle) = call;
    pthread_mutex_unlock(&lock);
    return call;
}

void rn_call_end_lifecycle(rn_call_t *call) {
    /* What was said of it comes before its end. */
    flush(call);
    pthread_mutex_lock(&lock);
    call->is_completed = 1;
    pthread_mutex_unlock(&lock);
    rn_call_give(call);
}

/* ---------------------------------------------------------------------------------------------------------------
 * Requests
 */

static void *query_request(const uint8_t *message, const runner_start_t *start) {
    const runner_query_t *wire = runner_read_span(message, start->queries, sizeof *wire);
    uint32_t count = wire ? start->queries.length / (uint32_t)sizeof *wire : 0;
    gf_query_request_t *request = calloc(1, sizeof *request + count * sizeof(gf_query_t));
    gf_query_t *queries = (gf_query_t *)(request + 1);
    if (!request) {
        return NULL;
    }
    request->struct_size = sizeof *request;
    request->query_count = count;
    request->queries = queries;
    for (uint32_t index = 0; index < count; index++) {
        queries[index].struct_size = sizeof *queries;
        queries[index].ref_id = rn_text(message, wire[index].ref_id);
        queries[index].query_type = rn_text(message, wire[index].query_type);
        queries[index].json = rn_text(message, wire[index].json);
        queries[index].from = wire[index].from;
        queries[index].to = wire[index].to;
        queries[index].interval = wire[index].interval;
        queries[index].max_data_points = wire[index].max_data_points;
        queries[index].max_rows = wire[index].max_rows;
    }
    return request;
}

static void *resource_request(const uint8_t *message, const runner_start_t *start) {
    uint32_t count;
    gf_pair_t *headers = rn_pairs(message, start->request_headers, &count);
    gf_resource_request_t *request = calloc(1, sizeof *request + count * sizeof *headers);
    if (request) {
        request->struct_size = sizeof *request;
        request->method = rn_text(message, start->method);
        request->path = rn_text(message, start->path);
        request->query = rn_text(message, start->query);
        request->content_length = start->content_length;
        if (headers) {
            memcpy(request + 1, headers, count * sizeof *headers);
            request->headers = (const gf_pair_t *)(request + 1);
            request->header_count = count;
        }
    }
    free(headers);
    return request;
}

static void *health_request(const runner_start_t *start) {
    gf_health_request_t *request = calloc(1, sizeof *request);
    if (request) {
        request->struct_size = sizeof *request;
        request->depth = start->depth;
    }
    return request;
}

static void *stream_request(const uint8_t *message, const runner_start_t *start) {
    gf_stream_request_t *request = calloc(1, sizeof *request);
    if (request) {
        request->struct_size = sizeof *request;
        request->path = rn_text(message, start->path);
        request->data = rn_bytes(message, start->data);
        request->resume_token = rn_bytes(message, start->resume_token);
    }
    return request;
}

static void *make_request(const uint8_t *message, const runner_start_t *start) {
    switch (start->kind) {
    case GF_CALL_QUERY:
        return query_request(message, start);
    case GF_CALL_HEALTH:
        return health_request(start);
    case GF_CALL_RESOURCE:
        return resource_request(message, start);
    case GF_CALL_SUBSCRIBE:
    case GF_CALL_PUBLISH:
    case GF_CALL_RUN_STREAM:
        return stream_request(message, start);
    default:
        return NULL;
    }
}

/* ---------------------------------------------------------------------------------------------------------------
 * Functions of the plugin
 */

static void run_start(void *context, uint64_t number) {
    rn_call_t *call = context;
    gf_call_t *handle = (gf_call_t *)(uintptr_t)call->handle;
    gf_status status;
    (void)number;
    collect(call);
    status = rn.call_api.start(call->instance->pointer, handle, call->kind, call->request);
    if (status != GF_OK) {
        int has_completed;
        pthread_mutex_lock(&lock);
        has_completed = call->is_completed;
        pthread_mutex_unlock(&lock);
        if (has_completed) {
            rn_fault(11, "start answered an error for a call that had completed already");
        } else {
            rn_call_complete(handle, status);
        }
    }
    flush(call);
    rn_call_give(call);
}

typedef struct resumption {
    rn_call_t *call;
    uint32_t event;
} resumption_t;

static void run_event(void *context, uint64_t source) {
    resumption_t *resumption = context;
    rn_call_t *call = resumption->call;
    void *state;
    pthread_mutex_lock(&lock);
    state = call->state;
    int is_over = call->is_completed;
    pthread_mutex_unlock(&lock);
    if (!is_over && rn.call_api.resume) {
        collect(call);
        rn.call_api.resume(call->instance->pointer, (gf_call_t *)(uintptr_t)call->handle, state, resumption->event,
                           source);
        flush(call);
    }
    free(resumption);
    rn_call_give(call);
}

/* Tells the plugin of an event; takes over the reference to the call. */
static void resume(rn_call_t *call, uint32_t event, uint64_t source) {
    resumption_t *resumption = malloc(sizeof *resumption);
    if (!resumption) {
        rn_leave(1, "no memory for an event");
    }
    resumption->call = call;
    resumption->event = event;
    (rn.is_blocking ? rn_work : rn_work_now)(rn_lane_of(call->instance), run_event, resumption, source);
}

static void run_cancel(void *context, uint64_t number) {
    rn_call_t *call = context;
    void *state;
    (void)number;
    pthread_mutex_lock(&lock);
    state = call->state;
    pthread_mutex_unlock(&lock);
    if (rn.call_api.cancel) {
        rn.call_api.cancel(call->instance->pointer, (gf_call_t *)(uintptr_t)call->handle, state);
    }
    rn_call_give(call);
}

void rn_call_noted(const runner_header_t *header) {
    rn_call_t *call;
    pthread_mutex_lock(&lock);
    call = take(header->call);
    /* Another thread may have received the start and not got to it yet: it looks here when it has, under this lock. */
    if (!call && header->type == RUNNER_CANCEL) {
        cancelled_early[header->call & (SLOTS - 1)] = header->call;
    }
    pthread_mutex_unlock(&lock);
    if (!call) {
        return;
    }
    if (header->type == RUNNER_CANCEL) {
        atomic_store(&call->is_cancelled, 1);
        rn_wake();
    } else {
        rn_credit(call);
    }
    rn_call_give(call);
}

static void start_call(const runner_header_t *header, const uint8_t *message) {
    rn_call_t *call = calloc(1, sizeof *call);
    if (!call || !(call->message = malloc(header->length))) {
        free(call);
        rn_send_status(RUNNER_COMPLETE, header->call, GF_NOMEM);
        return;
    }
    memcpy(call->message, message, header->length);
    pthread_mutex_init(&call->lock, NULL);
    call->handle = header->call;
    call->users = 1;
    if (!runner_read_body(call->message, &call->start, sizeof call->start) ||
        !(call->instance = rn_instance_take(call->start.instance))) {
        rn_leave(1, "the server began a call of an unknown instance");
    }
    call->kind = call->start.kind;
    call->bytes_left = call->start.bytes_left;
    call->rows_left = call->start.rows_left;
    call->headers = rn_pairs(call->message, call->start.headers, &call->header_count);
    call->request = make_request(call->message, &call->start);
    pthread_mutex_lock(&lock);
    *slot_of(call->handle) = call;
    if (cancelled_early[call->handle & (SLOTS - 1)] == call->handle) {
        call->is_told = 1;
        atomic_store(&call->is_cancelled, 1);
    }
    pthread_mutex_unlock(&lock);
    (rn.is_blocking ? rn_work_here : rn_work_now)(rn_lane_of(call->instance), run_start, call, 0);
}

void rn_call_message(const runner_header_t *header, const uint8_t *message) {
    rn_call_t *call;
    runner_event_t event;
    runner_status_t refusal;
    if (header->type == RUNNER_START) {
        start_call(header, message);
        return;
    }
    call = rn_call_take((gf_call_t *)(uintptr_t)header->call);
    if (!call) {
        return;
    }
    if (!call->instance) {
        /* Opening a library and making an instance are neither told of events nor cancelled. */
        rn_call_give(call);
        return;
    }
    switch (header->type) {
    case RUNNER_CANCEL:
        pthread_mutex_lock(&lock);
        call->is_told = 1;
        pthread_mutex_unlock(&lock);
        if (rn.is_blocking) {
            /* It may block, and this thread may be the only one that receives. */
            rn_work(NULL, run_cancel, call, 0);
        } else {
            run_cancel(call, 0);
        }
        return;
    case RUNNER_CREDIT:
        if (!rn.is_blocking) {
            resume(call, GF_EVENT_CREDIT, 0);
            return;
        }
        break;
    case RUNNER_REFUSED:
        if (runner_read_body(message, &refusal, sizeof refusal)) {
            atomic_store(&call->refused, refusal.status);
        }
        rn_wake();
        break;
    default:
        if (!runner_read_body(message, &event, sizeof event)) {
            break;
        }
        if ((event.event == GF_EVENT_HTTP || event.event == GF_EVENT_WEBSOCKET) && rn.is_blocking) {
            atomic_fetch_add(&call->events, 1);
            rn_wake();
            break;
        }
        resume(call, event.event, event.source);
        return;
    }
    rn_call_give(call);
}

gf_status rn_call_complete(gf_call_t *handle, gf_status status) {
    rn_call_t *call = rn_call_take(handle);
    runner_writer_t *writer;
    runner_status_t body = {sizeof body, status};
    int is_first;
    if (!call) {
        rn_fault(11, "a call was completed twice, or after its end");
        return GF_STATE;
    }
    pthread_mutex_lock(&lock);
    is_first = !call->is_completed;
    call->is_completed = 1;
    pthread_mutex_unlock(&lock);
    if (is_first) {
        writer = rn_emit(call);
        runner_begin(writer, RUNNER_COMPLETE, call->handle, sizeof body);
        runner_end(writer, &body, sizeof body);
        rn_emitted(call, 0, 0, RN_END);
    } else {
        rn_fault(11, "a call was completed twice, or after its end");
    }
    rn_call_give(call);
    return is_first ? GF_OK : GF_STATE;
}

gf_status rn_call_state_set(const gf_host_t *host, gf_call_t *handle, void *state) {
    rn_call_t *call = rn_call_take(handle);
    int is_late;
    (void)host;
    if (!call) {
        return GF_STATE;
    }
    pthread_mutex_lock(&lock);
    is_late = !call->state && call->is_told;
    call->state = state;
    pthread_mutex_unlock(&lock);
    if (is_late) {
        /* It was told to cancel before it could find the call. */
        rn_work(NULL, run_cancel, call, 0);
    } else {
        rn_call_give(call);
    }
    return GF_OK;
}
