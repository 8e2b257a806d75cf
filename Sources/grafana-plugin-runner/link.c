/* SPDX-License-Identifier: Apache-2.0 */
#include "runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Somebody who waits for the reply to a host call. */
typedef struct waiter {
    uint32_t sequence;
    uint8_t *reply;
    struct waiter *next;
} waiter_t;

/* A message that came while a function of the plugin waited for a reply. */
typedef struct deferred {
    struct deferred *next;
    runner_header_t header;
    uint8_t *message;
} deferred_t;

static pthread_mutex_t send_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t sequence;
static pthread_mutex_t waiter_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t waiter_wakes = PTHREAD_COND_INITIALIZER;
static waiter_t *waiters;
static pthread_t main_thread;
static deferred_t *first_deferred;
static deferred_t **last_deferred = &first_deferred;

/* Threads that wait for a packet right now; those that serve at all, and the most of them. */
static atomic_uint receiving;
static pthread_mutex_t serve_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t serving = 1;
static uint32_t serve_limit = 1;

static void dispatch(const runner_header_t *header, const uint8_t *message, int is_nested);
static void receive(uint8_t *packet, int is_nested);

void rn_link_open(void) {
    main_thread = pthread_self();
}

/* Whether nobody else receives while this thread waits: plugins that do not block run on one thread. */
static int is_alone(void) {
    return !rn.is_blocking && pthread_equal(pthread_self(), main_thread);
}

void rn_serve_limit(uint32_t threads) {
    pthread_mutex_lock(&serve_lock);
    serve_limit = threads;
    pthread_mutex_unlock(&serve_lock);
}

/* Makes sure that somebody receives while this thread does something else. Returns 0 when nobody can. */
static int is_replaced(void) {
    pthread_attr_t attributes;
    pthread_t thread;
    int is_started = 0;
    if (atomic_load(&receiving) > 0) {
        return 1;
    }
    pthread_mutex_lock(&serve_lock);
    if (serving < serve_limit) {
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        is_started = pthread_create(&thread, &attributes, rn_serve, NULL) == 0;
        pthread_attr_destroy(&attributes);
        serving += (uint32_t)is_started;
    }
    pthread_mutex_unlock(&serve_lock);
    return is_started;
}

static void run_deferred(void);

void *rn_serve(void *unused) {
    uint8_t *packet = aligned_alloc(64, RUNNER_PACKET_MAX);
    (void)unused;
    if (!packet) {
        rn_leave(1, "no memory for messages");
    }
    for (;;) {
        receive(packet, 0);
        if (is_alone()) {
            run_deferred();
        } else if (rn_has_left()) {
            rn_run_left(is_replaced());
        }
    }
    return NULL;
}

_Noreturn void rn_leave(int status, const char *reason) {
    if (reason) {
        fprintf(stderr, "grafana-plugin-runner: %s\n", reason);
    }
    _exit(status);
}

/* Sends what does not fit a packet as a sealed file. */
static void send_spilled(const uint8_t *message, const runner_header_t *header) {
    runner_header_t head = *header;
    int fd;
    int error;
    head.flags |= RUNNER_SPILLED;
    head.fd_count = 1;
    fd = runner_spill(message, header->length);
    if (fd < 0) {
        rn_leave(1, "no memory for a large message");
    }
    error = runner_send(RUNNER_SOCKET, &head, sizeof head, &fd, 1, 1);
    close(fd);
    if (error) {
        rn_leave(0, NULL);
    }
}

void rn_send(runner_writer_t *writer, const int *fds, uint32_t fd_count) {
    uint64_t start = 0;
    uint64_t end = 0;
    if (writer->failed) {
        rn_leave(1, "no memory for a message");
    }
    pthread_mutex_lock(&send_lock);
    while (end < writer->length) {
        runner_header_t header;
        memcpy(&header, writer->data + end, sizeof header);
        header.sequence = ++sequence;
        header.fd_count = end == 0 ? fd_count : 0;
        memcpy(writer->data + end, &header, sizeof header);
        if (end > start && end + header.length - start > RUNNER_PACKET_MAX) {
            if (runner_send(RUNNER_SOCKET, writer->data + start, end - start, fds, start == 0 ? fd_count : 0, 1)) {
                rn_leave(0, NULL);
            }
            start = end;
        }
        end += header.length;
        if (header.length > RUNNER_PACKET_MAX) {
            send_spilled(writer->data + start, &header);
            start = end;
        }
    }
    if (end > start &&
        runner_send(RUNNER_SOCKET, writer->data + start, end - start, fds, start == 0 ? fd_count : 0, 1)) {
        rn_leave(0, NULL);
    }
    pthread_mutex_unlock(&send_lock);
    runner_clear(writer);
}

void rn_send_plain(uint32_t type, uint64_t call) {
    runner_writer_t writer = {0};
    runner_begin(&writer, type, call, 0);
    runner_end(&writer, NULL, 0);
    rn_send(&writer, NULL, 0);
    runner_free(&writer);
}

void rn_send_status(uint32_t type, uint64_t call, gf_status status) {
    runner_writer_t writer = {0};
    runner_status_t body = {sizeof body, status};
    runner_begin(&writer, type, call, sizeof body);
    runner_end(&writer, &body, sizeof body);
    rn_send(&writer, NULL, 0);
    runner_free(&writer);
}

void rn_fault(uint32_t rule, const char *text) {
    runner_writer_t writer = {0};
    runner_text_t body = {sizeof body, rule, {0, 0}};
    runner_begin(&writer, RUNNER_FAULT, 0, sizeof body);
    body.text = runner_put(&writer, text, strlen(text));
    runner_end(&writer, &body, sizeof body);
    rn_send(&writer, NULL, 0);
    runner_free(&writer);
}

/* Hands a reply to the one who waits for it. */
static void take_reply(const runner_header_t *header, const uint8_t *message) {
    uint8_t *copy = malloc(header->length);
    pthread_mutex_lock(&waiter_lock);
    for (waiter_t *waiter = waiters; waiter && copy; waiter = waiter->next) {
        if (waiter->sequence == header->sequence && !waiter->reply) {
            memcpy(copy, message, header->length);
            waiter->reply = copy;
            copy = NULL;
            pthread_cond_broadcast(&waiter_wakes);
        }
    }
    pthread_mutex_unlock(&waiter_lock);
    free(copy);
}

static void defer(const runner_header_t *header, const uint8_t *message) {
    deferred_t *item = calloc(1, sizeof *item);
    if (item) {
        item->message = malloc(header->length);
    }
    if (!item || !item->message) {
        rn_leave(1, "no memory for a message that has to wait");
    }
    item->header = *header;
    memcpy(item->message, message, header->length);
    *last_deferred = item;
    last_deferred = &item->next;
}

static void run_deferred(void) {
    while (first_deferred) {
        deferred_t *item = first_deferred;
        first_deferred = item->next;
        if (!first_deferred) {
            last_deferred = &first_deferred;
        }
        dispatch(&item->header, item->message, 0);
        free(item->message);
        free(item);
    }
}

static void dispatch(const runner_header_t *header, const uint8_t *message, int is_nested) {
    switch (header->type) {
    case RUNNER_REPLY:
        take_reply(header, message);
        return;
    case RUNNER_FREE: {
        runner_free_t body;
        const uint64_t *released;
        if (is_nested) {
            /* The plugin gets its arrays back, and may ask the host again. */
            defer(header, message);
            return;
        }
        if (runner_read_body(message, &body, sizeof body) &&
            (released = runner_read_span(message, body.released, sizeof *released))) {
            rn_free(released, body.released.length / sizeof *released);
        }
        return;
    }
    case RUNNER_HELLO:
        rn_hello(message);
        return;
    case RUNNER_REFUSED:
        rn_call_message(header, message);
        return;
    case RUNNER_CANCEL:
    case RUNNER_CREDIT:
        /* What is_cancelled and wait_ready answer changes at once. */
        rn_call_noted(header);
        is_nested ? defer(header, message) : rn_call_message(header, message);
        return;
    case RUNNER_START:
    case RUNNER_EVENT:
        is_nested ? defer(header, message) : rn_call_message(header, message);
        return;
    case RUNNER_OPEN:
    case RUNNER_CREATE:
    case RUNNER_DRAIN:
    case RUNNER_DESTROY:
    case RUNNER_CLOSE:
        is_nested ? defer(header, message) : rn_library_message(header, message);
        return;
    default:
        if (!(header->flags & RUNNER_OPTIONAL)) {
            rn_leave(1, "the server sent a message of an unknown type");
        }
    }
}

static void receive(uint8_t *packet, int is_nested) {
    int fds[RUNNER_FDS_MAX];
    uint32_t fd_count = 0;
    uint32_t fds_taken = 0;
    int64_t length;
    uint64_t place = 0;
    atomic_fetch_add(&receiving, 1);
    length = runner_receive(RUNNER_SOCKET, packet, fds, &fd_count, 1);
    atomic_fetch_sub(&receiving, 1);
    if (length <= 0) {
        rn_leave(length == 0 || length == -ECONNRESET ? 0 : 1, NULL);
    }
    while (place < (uint64_t)length) {
        runner_header_t header;
        if (!runner_read_header(packet + place, (uint64_t)length - place, &header)) {
            rn_leave(1, "the server sent a malformed message");
        }
        if (header.flags & RUNNER_SPILLED) {
            uint8_t *whole = fds_taken < fd_count ? runner_unspill(fds[fds_taken], header.length) : NULL;
            if (!whole) {
                rn_leave(1, "the server sent a malformed large message");
            }
            close(fds[fds_taken++]);
            dispatch(&header, whole, is_nested);
            free(whole);
            place += sizeof header;
            continue;
        }
        dispatch(&header, packet + place, is_nested);
        place += header.length;
    }
    while (fds_taken < fd_count) {
        close(fds[fds_taken++]);
    }
}

void *rn_ask(runner_writer_t *writer, runner_host_call_t *call, runner_reply_t *reply_out) {
    waiter_t waiter = {0};
    memset(reply_out, 0, sizeof *reply_out);
    runner_end(writer, call, sizeof *call);
    if (writer->failed || writer->length > RUNNER_ASK_MAX) {
        reply_out->status = writer->failed ? GF_NOMEM : GF_LIMIT;
        runner_free(writer);
        return NULL;
    }
    /* The sequence is given while it is sent; nobody can answer before the waiter is known. */
    pthread_mutex_lock(&waiter_lock);
    rn_send(writer, NULL, 0);
    waiter.sequence = ((const runner_header_t *)(const void *)writer->data)->sequence;
    runner_free(writer);
    waiter.next = waiters;
    waiters = &waiter;
    while (!waiter.reply) {
        if (is_alone()) {
            static _Alignas(64) uint8_t nested[RUNNER_PACKET_MAX];
            pthread_mutex_unlock(&waiter_lock);
            receive(nested, 1);
            pthread_mutex_lock(&waiter_lock);
        } else {
            pthread_cond_wait(&waiter_wakes, &waiter_lock);
        }
    }
    for (waiter_t **place = &waiters; *place; place = &(*place)->next) {
        if (*place == &waiter) {
            *place = waiter.next;
            break;
        }
    }
    pthread_mutex_unlock(&waiter_lock);
    if (!runner_read_body(waiter.reply, reply_out, sizeof *reply_out)) {
        reply_out->status = GF_INTERNAL;
    }
    return waiter.reply;
}
