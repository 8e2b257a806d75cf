/* SPDX-License-Identifier: Apache-2.0
 * A plugin for the tests of supervision: each query does the harm that its JSON names. With -DHAS_SWIFT it is linked
 * with trapping.swift, whose function runs into a trap of Swift. */
#define _GNU_SOURCE
#include <grafana/sdk.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#ifdef HAS_SWIFT
int trap_in_swift(int index);
#endif

/* Volatile itself, so that no compiler knows where it leads and leaves the access out. */
static volatile int *volatile nowhere;

static void fault(void) {
    *nowhere = 1;
}

static void *fault_elsewhere(void *unused) {
    (void)unused;
    fault();
    return NULL;
}

static void *abort_elsewhere(void *unused) {
    (void)unused;
    abort();
}

static int overflow(volatile int depth) {
    volatile char space[4096];
    space[0] = (char)depth;
    return overflow(depth + 1) + space[0];
}

static void on_a_thread(void *(*body)(void *)) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, NULL) == 0) {
        pthread_join(thread, NULL);
    }
}

static void flood(gf_context_t *context) {
    for (;;) {
        context->sdk->core.log(context->sdk->host, GF_LOG_INFO, GF_STR("a flood"), NULL, 0);
    }
}

static void keep_memory(gf_context_t *context) {
    for (int count = 0; count < 100; count++) {
        gf_buffer_t buffer = {0};
        if (context->sdk->core.buffer_alloc(context->sdk->host, 1 << 20, &buffer) != GF_OK) {
            return;
        }
    }
}

/* A process that outlives this one, if it may; returns its number. */
static const char *child(void) {
    static _Thread_local char number[16];
    pid_t process = fork();
    if (process == 0) {
        execl("/bin/sleep", "sleep", "1000", NULL);
        _exit(127);
    }
    snprintf(number, sizeof number, "%d", (int)process);
    return number;
}

static int is(gf_str_t json, const char *word) {
    char quoted[40];
    snprintf(quoted, sizeof quoted, "\"%s\"", word);
    for (uint64_t at = 0; at + strlen(quoted) <= json.length; at++) {
        if (memcmp(json.data + at, quoted, strlen(quoted)) == 0) {
            return 1;
        }
    }
    return 0;
}

static gf_status query(gf_context_t *context, const gf_query_t *query) {
    gf_str_t json = query->json;
    gf_frame_t frame;
    if (is(json, "fault")) {
        fault();
    } else if (is(json, "fault-later")) {
        usleep(300000); /* Reason: other requests come in meanwhile */
        fault();
    } else if (is(json, "raise")) {
        raise(SIGSEGV);
    } else if (is(json, "exit")) {
        exit(3);
    } else if (is(json, "abort")) {
        abort();
    } else if (is(json, "overflow")) {
        overflow(0);
    } else if (is(json, "thread")) {
        on_a_thread(fault_elsewhere);
    } else if (is(json, "thread-abort")) {
        on_a_thread(abort_elsewhere);
    } else if (is(json, "hang")) {
        for (;;) {
            pause();
        }
    } else if (is(json, "spin")) {
        for (volatile int turns = 0;; turns++) {
        }
    } else if (is(json, "flood")) {
        flood(context);
    } else if (is(json, "keep-memory")) {
        keep_memory(context);
    }
#ifdef HAS_SWIFT
    if (is(json, "trap")) {
        trap_in_swift(7);
    }
#endif
    frame = gf_frame_make("answer");
    gf_append_string(gf_frame_add(&frame, "text", GF_TYPE_STRING), is(json, "child") ? child() : "fine");
    return gf_frame_send(context, &frame);
}

static gf_status health(gf_context_t *context, uint32_t depth) {
    (void)depth;
    return gf_health(context, GF_HEALTH_OK, "I crash on demand");
}

static const gf_datasource_t crashing = {.query = query, .health = health};
GF_DATASOURCE(PLUGIN_ID, "1.0.0", crashing)
