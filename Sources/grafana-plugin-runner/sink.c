/* SPDX-License-Identifier: Apache-2.0
 *
 * The way out for results: each becomes a message, in the order in which the plugin emitted it. */
#include "runner.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Messages that wait for the end of the plugin's function; more go out at once. */
#define COLLECT_MAX 8192u
/* What an event costs beside its data, as the server counts it. */
#define EVENT_COST 256
/* Bytes of a part of a body, which fits a packet, and the most of a packet of a stream. */
#define BODY_PART 49152u
#define STREAM_PACKET_MAX 33554432u

static pthread_mutex_t wake_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wakes;
static pthread_once_t wakes_once = PTHREAD_ONCE_INIT;

static void make_wakes(void) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&wakes, &attributes);
    pthread_condattr_destroy(&attributes);
}

void rn_wake(void) {
    pthread_once(&wakes_once, make_wakes);
    pthread_mutex_lock(&wake_lock);
    pthread_cond_broadcast(&wakes);
    pthread_mutex_unlock(&wake_lock);
}

/* Waits on the one condition while `waits` is true, at most until a time of CLOCK_MONOTONIC. Returns whether it
 * ended. */
static int wait_while(int (*waits)(rn_call_t *call, unsigned seen), rn_call_t *call, unsigned seen, int64_t until) {
    struct timespec end = {until / 1000000000, until % 1000000000};
    int is_over = 0;
    pthread_once(&wakes_once, make_wakes);
    pthread_mutex_lock(&wake_lock);
    while (waits(call, seen) && !is_over) {
        if (until == INT64_MAX) {
            pthread_cond_wait(&wakes, &wake_lock);
        } else {
            is_over = pthread_cond_timedwait(&wakes, &wake_lock, &end) == ETIMEDOUT;
        }
    }
    pthread_mutex_unlock(&wake_lock);
    return !is_over;
}

static int lacks_event(rn_call_t *call, unsigned seen) {
    return atomic_load(&call->events) == seen && !atomic_load(&call->is_cancelled);
}

void rn_wait_event(rn_call_t *call, unsigned seen, int64_t nanoseconds) {
    wait_while(lacks_event, call, seen, rn_monotonic() + nanoseconds);
}

static int lacks_credit(rn_call_t *call, unsigned seen) {
    int lacks;
    (void)seen;
    pthread_mutex_lock(&call->lock);
    lacks = call->wants_credit;
    pthread_mutex_unlock(&call->lock);
    return lacks && !atomic_load(&call->is_cancelled) && !atomic_load(&call->refused);
}

void rn_credit(rn_call_t *call) {
    pthread_mutex_lock(&call->lock);
    call->sent = 0;
    call->wants_credit = 0;
    pthread_mutex_unlock(&call->lock);
    rn_wake();
}

runner_writer_t *rn_emit(rn_call_t *call) {
    pthread_mutex_lock(&call->lock);
    return &call->out;
}

gf_status rn_emitted(rn_call_t *call, uint64_t bytes, int64_t rows, rn_part_t part) {
    int waits = part == RN_BEGINNING || (call->is_collecting && pthread_equal(call->collector, pthread_self()));
    gf_status status = GF_OK;
    call->sent += (int64_t)bytes;
    if (call->bytes_left != INT64_MAX) {
        call->bytes_left -= (int64_t)bytes;
    }
    if (call->rows_left != INT64_MAX) {
        call->rows_left -= rows;
    }
    if (bytes && call->sent >= call->start.window) {
        status = GF_AGAIN;
        if (!call->wants_credit) {
            call->wants_credit = 1;
            runner_begin(&call->out, RUNNER_WAIT, call->handle, 0);
            runner_end(&call->out, NULL, 0);
        }
    }
    if (part == RN_END || !waits || status != GF_OK || call->out.length > COLLECT_MAX) {
        rn_send(&call->out, NULL, 0);
    }
    pthread_mutex_unlock(&call->lock);
    return status;
}

gf_status rn_reject(rn_call_t *call, const char *format, ...) {
    char text[640];
    runner_text_t body = {.struct_size = sizeof body};
    runner_writer_t *writer;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    writer = rn_emit(call);
    runner_begin(writer, RUNNER_REJECT, call->handle, sizeof body);
    body.text = runner_put(writer, text, strlen(text));
    runner_end(writer, &body, sizeof body);
    rn_emitted(call, 0, 0, RN_WHOLE);
    return GF_BAD_DATA;
}

/* The status with which the sink refuses more, or GF_OK. */
static gf_status refusal(rn_call_t *call) {
    gf_status refused = atomic_load(&call->refused);
    return refused ? refused : atomic_load(&call->is_cancelled) ? GF_CANCELLED : GF_OK;
}

static gf_status schema(const gf_host_t *host, gf_call_t *handle, uint32_t frame, gf_str_t ref_id,
                        struct ArrowSchema *schema_move) {
    rn_call_t *call;
    gf_status status;
    (void)host;
    if (!schema_move) {
        return GF_STATE;
    }
    call = rn_call_use(handle);
    status = call ? rn_send_schema(call, frame, ref_id, schema_move) : GF_STATE;
    if (schema_move->release) {
        schema_move->release(schema_move);
        schema_move->release = NULL;
    }
    if (call) {
        rn_call_give(call);
    }
    return status;
}

static gf_status batch(const gf_host_t *host, gf_call_t *handle, uint32_t frame, struct ArrowArray *array_move) {
    rn_call_t *call;
    gf_status status;
    (void)host;
    if (!array_move) {
        return GF_STATE;
    }
    call = rn_call_use(handle);
    status = call ? refusal(call) : GF_STATE;
    if (status == GF_OK) {
        status = rn_send_batch(call, frame, array_move);
    }
    /* What is kept until the server has read it was moved out of the struct. */
    if (array_move->release) {
        array_move->release(array_move);
        array_move->release = NULL;
    }
    if (call) {
        rn_call_give(call);
    }
    return status;
}

/* Sends bytes by value, in one message. */
static gf_status send_part(rn_call_t *call, gf_bytes_t bytes) {
    runner_bytes_t body = {.struct_size = sizeof body};
    runner_writer_t *writer = rn_emit(call);
    runner_span_t span;
    runner_begin(writer, RUNNER_BYTES, call->handle, sizeof body);
    span = runner_put(writer, bytes.data, bytes.data ? bytes.length : 0);
    body.bytes.offset = span.offset;
    body.bytes.length = span.length;
    runner_end(writer, &body, sizeof body);
    return rn_emitted(call, span.length ? span.length : 1, 0, RN_WHOLE);
}

/* Sends bytes by value. Only in a stream is each call one packet; all else is a body, which may come in parts. */
static gf_status send_bytes(rn_call_t *call, gf_bytes_t bytes) {
    int is_body = call->kind == GF_CALL_RESOURCE || call->kind == GF_CALL_HEALTH || call->kind == GF_CALL_STATE_SAVE;
    gf_status status = GF_OK;
    if (!is_body && bytes.length > STREAM_PACKET_MAX) {
        return rn_reject(call, "a packet of %llu bytes; at most %u are passed on", (unsigned long long)bytes.length,
                         STREAM_PACKET_MAX);
    }
    do {
        gf_bytes_t part = bytes;
        if (is_body && part.length > BODY_PART) {
            part.length = BODY_PART;
        }
        status = send_part(call, part);
        bytes.data = bytes.data ? bytes.data + part.length : NULL;
        bytes.length -= part.length;
    } while (bytes.length && (status == GF_OK || status == GF_AGAIN) && refusal(call) == GF_OK);
    return status;
}

static gf_status bytes(const gf_host_t *host, gf_call_t *handle, gf_bytes_t bytes) {
    rn_call_t *call = rn_call_use(handle);
    gf_status status;
    (void)host;
    if (!call) {
        return GF_STATE;
    }
    status = refusal(call);
    if (status == GF_OK) {
        status = bytes.length > INT64_MAX
                     ? rn_reject(call, "a length of %llu bytes", (unsigned long long)bytes.length)
                     : send_bytes(call, bytes);
    }
    rn_call_give(call);
    return status;
}

/* Sends a part of an arena, which comes back when the server has read it. */
static gf_status send_piece(rn_call_t *call, const rn_piece_t *piece, uint64_t length) {
    runner_bytes_t body = {.struct_size = sizeof body};
    runner_writer_t *writer;
    body.release = rn_hold(piece, NULL, NULL);
    body.bytes.arena = piece->arena;
    body.bytes.offset = piece->offset;
    body.bytes.length = length;
    writer = rn_emit(call);
    runner_begin(writer, RUNNER_BYTES, call->handle, sizeof body);
    runner_end(writer, &body, sizeof body);
    return rn_emitted(call, length, 0, RN_WHOLE);
}

static gf_status buffer(const gf_host_t *host, gf_call_t *handle, gf_buffer_t *buffer_move, uint64_t length) {
    rn_call_t *call = rn_call_use(handle);
    rn_piece_t piece;
    gf_status status = GF_STATE;
    int is_moved = 0;
    (void)host;
    if (!buffer_move || !rn_buffer_take(buffer_move, &piece)) {
        if (call) {
            rn_call_give(call);
        }
        return GF_STATE;
    }
    if (call && (status = refusal(call)) == GF_OK) {
        if (length > piece.capacity) {
            status = rn_reject(call, "a buffer of %llu bytes was said to hold %llu",
                               (unsigned long long)piece.capacity, (unsigned long long)length);
        } else if (piece.arena && length > RUNNER_INLINE_MAX) {
            status = send_piece(call, &piece, length);
            is_moved = 1;
        } else {
            gf_bytes_t part = {piece.data, length};
            status = send_bytes(call, part);
        }
    }
    if (!is_moved) {
        rn_piece_give(&piece);
    }
    if (call) {
        rn_call_give(call);
    }
    return status;
}

static gf_status head(const gf_host_t *host, gf_call_t *handle, const gf_head_t *source) {
    gf_head_t head;
    rn_call_t *call;
    runner_writer_t *writer;
    runner_head_t body = {.struct_size = sizeof body};
    (void)host;
    if (!rn_adopt(source, &head, sizeof head) || !(call = rn_call_use(handle))) {
        return GF_STATE;
    }
    writer = rn_emit(call);
    runner_begin(writer, RUNNER_HEAD, call->handle, sizeof body);
    body.status = head.status;
    body.message = rn_put_text(writer, head.message);
    body.headers = rn_put_pairs(writer, head.headers, head.header_count < 1000 ? head.header_count : 1000);
    runner_end(writer, &body, sizeof body);
    rn_emitted(call, 0, 0, RN_WHOLE);
    rn_call_give(call);
    return GF_OK;
}

static gf_status notice(const gf_host_t *host, gf_call_t *handle, const gf_notice_t *source) {
    gf_notice_t notice;
    rn_call_t *call;
    runner_writer_t *writer;
    runner_notice_t body = {.struct_size = sizeof body};
    gf_status status;
    (void)host;
    if (!rn_adopt(source, &notice, sizeof notice) || !(call = rn_call_use(handle))) {
        return GF_STATE;
    }
    status = refusal(call);
    if (status == GF_OK) {
        writer = rn_emit(call);
        runner_begin(writer, RUNNER_NOTICE, call->handle, sizeof body);
        body.severity = notice.severity;
        body.ref_id = rn_put_text(writer, notice.ref_id);
        body.text = rn_put_text(writer, notice.text);
        body.link = rn_put_text(writer, notice.link);
        runner_end(writer, &body, sizeof body);
        rn_emitted(call, EVENT_COST, 0, RN_WHOLE);
    }
    rn_call_give(call);
    return status;
}

static gf_status progress(const gf_host_t *host, gf_call_t *handle, double fraction, gf_bytes_t token) {
    rn_call_t *call = rn_call_use(handle);
    runner_writer_t *writer;
    runner_progress_t body = {.struct_size = sizeof body, .fraction = fraction};
    gf_status status;
    (void)host;
    if (!call) {
        return GF_STATE;
    }
    status = refusal(call);
    if (status == GF_OK) {
        writer = rn_emit(call);
        runner_begin(writer, RUNNER_PROGRESS, call->handle, sizeof body);
        body.token = runner_put(writer, token.data, token.data ? token.length : 0);
        runner_end(writer, &body, sizeof body);
        rn_emitted(call, EVENT_COST, 0, RN_WHOLE);
    }
    rn_call_give(call);
    return status;
}

static gf_status wait_ready(const gf_host_t *host, gf_call_t *handle, gf_time timeout) {
    rn_call_t *call = rn_call_use(handle);
    gf_status status;
    (void)host;
    if (!call) {
        return GF_STATE;
    }
    status = refusal(call);
    if (status == GF_OK && lacks_credit(call, 0)) {
        int64_t now = rn_monotonic();
        int64_t until = timeout > INT64_MAX - now ? INT64_MAX : now + timeout;
        if (timeout <= 0 || !rn.is_blocking) {
            status = GF_AGAIN;
        } else if (!wait_while(lacks_credit, call, 0, until)) {
            status = GF_TIMEOUT;
        } else {
            status = refusal(call);
        }
    }
    rn_call_give(call);
    return status;
}

static gf_status complete(const gf_host_t *host, gf_call_t *handle, gf_status status) {
    (void)host;
    return rn_call_complete(handle, status);
}

const gf_sink_t rn_sink = {sizeof rn_sink, 0,      schema,   batch,      bytes,   buffer,
                           head,           notice, progress, wait_ready, complete};
