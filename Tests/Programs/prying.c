/* SPDX-License-Identifier: Apache-2.0
 * A plugin for the tests of isolation: each query tries what its JSON names, and tells what came of it.
 *
 * What is forbidden answers GF_FORBIDDEN with the system's error; what works answers a frame with one text. */
#define _GNU_SOURCE
#include <grafana/ext/http.h>
#include <grafana/ext/kv.h>
#include <grafana/ext/secrets.h>
#include <grafana/ext/timer.h>
#include <grafana/ext/websocket.h>
#include <grafana/sdk.h>
#include "prying_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static gf_status tell(gf_context_t *context, const char *text) {
    gf_frame_t frame = gf_frame_make("answer");
    gf_append_string(gf_frame_add(&frame, "text", GF_TYPE_STRING), text);
    return gf_frame_send(context, &frame);
}

/* What a system call answered: denied when it failed. */
static gf_status judge(gf_context_t *context, long result) {
    return result >= 0 ? tell(context, "done") : gf_fail(context, GF_FORBIDDEN, "%s", strerror(errno));
}

static gf_status read_file(gf_context_t *context, const char *path) {
    int fd = open(path, O_RDONLY);
    gf_status status = judge(context, fd);
    if (fd >= 0) {
        close(fd);
    }
    return status;
}

static gf_status write_file(gf_context_t *context) {
    int fd = open("/tmp/prying-plugin", O_WRONLY | O_CREAT, 0600);
    gf_status status = judge(context, fd);
    if (fd >= 0) {
        close(fd);
        unlink("/tmp/prying-plugin");
    }
    return status;
}

static gf_status connect_tcp(gf_context_t *context, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    long result = fd;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0) {
        result = connect(fd, (const struct sockaddr *)&address, sizeof address);
        close(fd);
    }
    return judge(context, result);
}

/* Asks the kernel to signal the server whenever a pipe can be read. */
static gf_status signal_by_pipe(gf_context_t *context) {
    int ends[2] = {-1, -1};
    long result = pipe(ends);
    result = result == 0 ? fcntl(ends[0], F_SETOWN, getppid()) : result;
    result = result == 0 ? fcntl(ends[0], F_SETSIG, SIGURG) : result;
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return judge(context, result);
}

static int end_thread(void *unused) {
    (void)unused;
    syscall(SYS_exit, 0);
    return 0;
}

/* A thread in a network namespace of its own. */
static gf_status namespace_thread(gf_context_t *context) {
    static _Alignas(16) char stack[65536];
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_NEWNET;
    return judge(context, clone(end_thread, stack + sizeof stack, flags, NULL));
}

static gf_status show_capabilities(gf_context_t *context) {
    char text[4096] = "";
    int fd = open("/proc/self/status", O_RDONLY);
    ssize_t count = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    const char *line = count > 0 ? strstr(text, "CapEff:") : NULL;
    if (fd >= 0) {
        close(fd);
    }
    char value[17] = "";
    if (line && sscanf(line, "CapEff: %16s", value) == 1) {
        return tell(context, value);
    }
    return judge(context, -1);
}

static gf_status fork_child(gf_context_t *context) {
    pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    if (child > 0) {
        waitpid(child, NULL, 0);
    }
    return judge(context, child);
}

static gf_status execute(gf_context_t *context) {
    char *const arguments[] = {(char *)(uintptr_t)"/bin/true", NULL};
    pid_t child = vfork();
    if (child == 0) {
        execv(arguments[0], arguments);
        _exit(127);
    }
    int status = 0;
    if (child > 0) {
        waitpid(child, &status, 0);
    }
    return judge(context, child > 0 && status == 0 ? 0 : -1);
}

static gf_status eat_memory(gf_context_t *context) {
    for (int block = 0; block < 4096; block++) {
        char *memory = malloc(4 << 20);
        if (!memory) {
            return gf_fail(context, GF_NOMEM, "no more than %d MiB", block * 4);
        }
        memset(memory, 1, 4 << 20);
    }
    return tell(context, "16 GiB");
}

static gf_status open_many(gf_context_t *context) {
    for (int count = 0; count < 100000; count++) {
        if (dup(1) < 0) {
            return gf_fail(context, GF_LIMIT, "no more than %d files", count);
        }
    }
    return tell(context, "100000 files");
}

static gf_status use_store(gf_context_t *context) {
    const gf_sdk_t *sdk = context->sdk;
    gf_kv_host_t kv;
    gf_buffer_t buffer;
    uint64_t length = 0;
    int64_t version = 0;
    char text[64];
    gf_bytes_t value = {(const uint8_t *)"kept", 4};
    gf_sdk_extension(sdk, GF_STR(GF_KV_EXT), &kv, sizeof kv);
    uint64_t config = context->instance->config;
    if (kv.put(sdk->host, config, GF_STR("key"), value, 0, &version) != GF_OK ||
        kv.get(sdk->host, config, GF_STR("key"), &buffer, &length, &version) != GF_OK) {
        return gf_fail(context, GF_IO, "the store does not work");
    }
    snprintf(text, sizeof text, "%.*s %d %d", (int)length, (const char *)buffer.data, (int)version,
             (int)kv.put(sdk->host, config, GF_STR("key"), value, 0, NULL));
    sdk->core.buffer_release(sdk->host, &buffer);
    return tell(context, text);
}

static gf_status fetch(gf_context_t *context, gf_str_t url, uint64_t config) {
    const gf_sdk_t *sdk = context->sdk;
    gf_http_host_t http;
    gf_http_request_t request;
    gf_http_head_t head;
    gf_buffer_t chunk;
    uint64_t id = 0, length = 0;
    unsigned long long total = 0;
    gf_sdk_extension(sdk, GF_STR(GF_HTTP_EXT), &http, sizeof http);
    memset(&request, 0, sizeof request);
    memset(&head, 0, sizeof head);
    request.struct_size = sizeof request;
    request.config = config;
    request.method = GF_STR("GET");
    request.url = url;
    head.struct_size = sizeof head;
    gf_status status = http.request(sdk->host, context->call, &request, &id);
    if (status == GF_OK) {
        status = http.head(sdk->host, id, &head);
    }
    while (status == GF_OK && (status = http.read(sdk->host, id, &chunk, &length)) == GF_OK && length) {
        total += length;
        sdk->core.buffer_release(sdk->host, &chunk);
    }
    gf_str_t reason = id ? http.error(sdk->host, id) : gf_str_make("", 0);
    if (status != GF_OK) {
        status = gf_fail(context, status, "%.*s", (int)reason.length, reason.data ? reason.data : "");
    } else {
        char answer[64];
        snprintf(answer, sizeof answer, "%d %llu", (int)head.status, total);
        status = tell(context, answer);
    }
    http.close(sdk->host, id);
    return status;
}

/* Looks for secrets behind the numbers of other configurations. */
static gf_status find_secrets(gf_context_t *context) {
    const gf_sdk_t *sdk = context->sdk;
    gf_secrets_host_t secrets;
    gf_sdk_extension(sdk, GF_STR(GF_SECRETS_EXT), &secrets, sizeof secrets);
    for (uint64_t config = 0; config < 64; config++) {
        gf_buffer_t buffer;
        uint64_t length = 0;
        if (config != context->instance->config &&
            secrets.get(sdk->host, config, GF_STR("apiKey"), &buffer, &length) == GF_OK) {
            return tell(context, "found");
        }
    }
    return gf_fail(context, GF_FORBIDDEN, "there are none");
}

/* Arms timers until the host has enough. */
static gf_status arm_timers(gf_context_t *context) {
    const gf_sdk_t *sdk = context->sdk;
    gf_timer_host_t timers;
    char text[32];
    int count = 0;
    uint64_t timer = 0, last = 0;
    gf_sdk_extension(sdk, GF_STR(GF_TIMER_EXT), &timers, sizeof timers);
    while (count < 5000 && timers.arm(sdk->host, context->call, 3600000000000, &timer) == GF_OK) {
        last = timer;
        count++;
    }
    /* One that is disarmed makes room for another; what was refused has no number. */
    timers.disarm(sdk->host, last);
    int again = timers.arm(sdk->host, context->call, 3600000000000, &timer) == GF_OK;
    snprintf(text, sizeof text, "%d %d", count, again);
    return tell(context, text);
}

/* Begins requests until the host has enough; nobody has to answer them. */
static gf_status open_requests(gf_context_t *context) {
    const gf_sdk_t *sdk = context->sdk;
    gf_http_host_t http;
    gf_http_request_t request = {.struct_size = sizeof request, .method = GF_STR("GET"),
                                 .url = GF_STR("http://127.0.0.1:9/")};
    char text[64];
    int count = 0;
    uint64_t id = 0, last = 0;
    gf_status status = GF_OK;
    gf_sdk_extension(sdk, GF_STR(GF_HTTP_EXT), &http, sizeof http);
    while (count < 500 && (status = http.request(sdk->host, context->call, &request, &id)) == GF_OK) {
        last = id;
        count++;
    }
    /* One that is closed makes room for another. */
    http.close(sdk->host, last);
    int again = http.request(sdk->host, context->call, &request, &id) == GF_OK;
    snprintf(text, sizeof text, "%d %d %d", count, status == GF_LIMIT, again);
    return tell(context, text);
}

/* Appends what a socket gave to the answer. */
static void note(char *answer, size_t size, const gf_websocket_message_t *message) {
    size_t at = strlen(answer);
    if (message->kind == GF_WEBSOCKET_CLOSED) {
        snprintf(answer + at, size - at, ", closed %u %.*s", message->code, (int)message->reason.length,
                 message->reason.data ? message->reason.data : "");
    } else {
        snprintf(answer + at, size - at, ", %u of %llu", message->kind, (unsigned long long)message->length);
    }
}

/* Talks to a WebSocket server: says hello, so many bytes and goodbye, and tells all that comes until the end. */
static gf_status talk(gf_context_t *context, gf_str_t url, double bytes) {
    const gf_sdk_t *sdk = context->sdk;
    gf_websocket_host_t sockets;
    gf_websocket_request_t request;
    gf_websocket_message_t message;
    gf_http_head_t head;
    char answer[512] = "there is no gf.websocket";
    uint64_t id = 0;
    uint8_t *load = calloc(1, (size_t)bytes + 1);
    gf_bytes_t words[3] = {{(const uint8_t *)"hello", 5}, {load, (uint64_t)bytes}, {(const uint8_t *)"bye", 3}};
    gf_status status;
    if (!load || !gf_sdk_extension(sdk, GF_STR(GF_WEBSOCKET_EXT), &sockets, sizeof sockets)) {
        free(load);
        return tell(context, answer);
    }
    memset(&request, 0, sizeof request);
    memset(&head, 0, sizeof head);
    request.struct_size = sizeof request;
    request.config = context->instance->config;
    request.url = url;
    request.max_message = 1 << 20;
    head.struct_size = sizeof head;
    status = sockets.open(sdk->host, context->call, &request, &id);
    if (status == GF_OK && (status = sockets.head(sdk->host, id, &head)) == GF_OK) {
        snprintf(answer, sizeof answer, "open %d", (int)head.status);
    }
    for (int index = 0; index < 3 && status == GF_OK && head.status == 101; index++) {
        status = sockets.send(sdk->host, id, index == 1 ? GF_WEBSOCKET_BINARY : GF_WEBSOCKET_TEXT, words[index]);
        /* The server may have gone already, and what it said before is still to be read. */
        status = status == GF_STATE ? GF_OK : status;
    }
    do {
        memset(&message, 0, sizeof message);
        message.struct_size = sizeof message;
        if (status == GF_OK && (status = sockets.receive(sdk->host, id, &message)) == GF_OK) {
            note(answer, sizeof answer, &message);
            sdk->core.buffer_release(sdk->host, &message.data);
        }
    } while (status == GF_OK && message.kind != GF_WEBSOCKET_CLOSED);
    gf_str_t reason = id ? sockets.error(sdk->host, id) : gf_str_make("", 0);
    status = status == GF_OK ? tell(context, answer)
                             : gf_fail(context, status, "%.*s", (int)reason.length, reason.data ? reason.data : "");
    sockets.close(sdk->host, id, 4003, GF_STR("thanks"));
    free(load);
    return status;
}

static gf_status show_secret(gf_context_t *context) {
    char text[64];
    gf_secret(context, "apiKey", text, sizeof text);
    return tell(context, text);
}

/* A big frame in the host's own memory, which needs no copy on its way. */
static gf_status big_frame(gf_context_t *context, double rows) {
    gf_frame_t frame = gf_frame_make("big");
    gf_column_t *time = gf_frame_add(&frame, "time", GF_TYPE_TIME);
    gf_column_t *value = gf_frame_add(&frame, "value", GF_TYPE_FLOAT64 | GF_TYPE_NULLABLE);
    gf_column_t *text = gf_frame_add(&frame, "text", GF_TYPE_STRING);
    gf_column_t *flag = gf_frame_add(&frame, "flag", GF_TYPE_BOOL);
    for (int64_t row = 0; row < (int64_t)rows; row++) {
        gf_append_time(time, row * 1000000000);
        row % 7 == 3 ? gf_append_null(value) : gf_append_float64(value, (double)row / 2);
        gf_append_string(text, row % 2 ? "odd" : "gerade, \xc3\xa4");
        gf_append_bool(flag, row % 3 == 0);
    }
    return gf_frame_send(context, &frame);
}

static gf_status query(gf_context_t *context, const gf_query_t *query) {
    gf_json_t *json = gf_json_parse(context, query->json);
    gf_str_t what = gf_json_str(context, json, "try", GF_STR(""));
    double number = gf_json_f64(context, json, "number", 0);
    gf_str_t text = gf_json_str(context, json, "text", GF_STR(""));
    gf_status status = GF_INVALID;
    char path[256];
    snprintf(path, sizeof path, "%.*s", (int)text.length, text.data);
    if (gf_str_equal(what, GF_STR("read-file"))) {
        status = read_file(context, path);
    } else if (gf_str_equal(what, GF_STR("write-file"))) {
        status = write_file(context);
    } else if (gf_str_equal(what, GF_STR("connect"))) {
        status = connect_tcp(context, (int)number);
    } else if (gf_str_equal(what, GF_STR("fork"))) {
        status = fork_child(context);
    } else if (gf_str_equal(what, GF_STR("execute"))) {
        status = execute(context);
    } else if (gf_str_equal(what, GF_STR("signal-server"))) {
        status = judge(context, kill(getppid(), 0));
    } else if (gf_str_equal(what, GF_STR("signal-by-pipe"))) {
        status = signal_by_pipe(context);
    } else if (gf_str_equal(what, GF_STR("namespace-thread"))) {
        status = namespace_thread(context);
    } else if (gf_str_equal(what, GF_STR("huge-pages"))) {
        status = judge(context, memfd_create("huge", MFD_HUGETLB));
    } else if (gf_str_equal(what, GF_STR("capabilities"))) {
        status = show_capabilities(context);
    } else if (gf_str_equal(what, GF_STR("trace-server"))) {
        status = judge(context, ptrace(PTRACE_SEIZE, getppid(), 0, 0));
    } else if (gf_str_equal(what, GF_STR("read-server-memory"))) {
        snprintf(path, sizeof path, "/proc/%d/maps", (int)getppid());
        status = read_file(context, path);
    } else if (gf_str_equal(what, GF_STR("new-namespace"))) {
        status = judge(context, unshare(CLONE_NEWNS));
    } else if (gf_str_equal(what, GF_STR("io-uring"))) {
        char parameters[256] = {0};
        status = judge(context, syscall(425, 4, parameters));
    } else if (gf_str_equal(what, GF_STR("keyring"))) {
        status = judge(context, syscall(SYS_keyctl, 0, -3, 1, 0, 0));
    } else if (gf_str_equal(what, GF_STR("raise-limit"))) {
        struct rlimit limit = {1 << 20, 1 << 20};
        status = judge(context, setrlimit(RLIMIT_NOFILE, &limit));
    } else if (gf_str_equal(what, GF_STR("environment"))) {
        const char *value = getenv("GF_SECURITY_SECRET_KEY");
        status = tell(context, value ? value : getenv("HOME") ? getenv("HOME") : "empty");
    } else if (gf_str_equal(what, GF_STR("thread"))) {
        pthread_t thread;
        int error = pthread_create(&thread, NULL, (void *(*)(void *))getenv, (void *)(uintptr_t)"HOME");
        errno = error;
        if (!error) {
            pthread_join(thread, NULL);
        }
        status = judge(context, -error);
    } else if (gf_str_equal(what, GF_STR("memory"))) {
        status = eat_memory(context);
    } else if (gf_str_equal(what, GF_STR("files"))) {
        status = open_many(context);
    } else if (gf_str_equal(what, GF_STR("store"))) {
        status = use_store(context);
    } else if (gf_str_equal(what, GF_STR("fetch"))) {
        status = fetch(context, text, number > 0 ? (uint64_t)number : context->instance->config);
    } else if (gf_str_equal(what, GF_STR("foreign-secrets"))) {
        status = find_secrets(context);
    } else if (gf_str_equal(what, GF_STR("share"))) {
        status = share_memory(context);
    } else if (gf_str_equal(what, GF_STR("requests"))) {
        status = open_requests(context);
    } else if (gf_str_equal(what, GF_STR("buffers"))) {
        status = grow_buffers(context);
    } else if (gf_str_equal(what, GF_STR("again"))) {
        status = take_again(context);
    } else if (gf_str_equal(what, GF_STR("timers"))) {
        status = arm_timers(context);
    } else if (gf_str_equal(what, GF_STR("talk"))) {
        status = talk(context, text, number);
    } else if (gf_str_equal(what, GF_STR("secret"))) {
        status = show_secret(context);
    } else if (gf_str_equal(what, GF_STR("frame"))) {
        status = big_frame(context, number);
    } else if (gf_str_equal(what, GF_STR("pid"))) {
        snprintf(path, sizeof path, "%d", (int)getpid());
        status = tell(context, path);
    } else if (gf_str_equal(what, GF_STR("print"))) {
        fprintf(stderr, "a line of the plugin\n");
        status = tell(context, "printed");
    } else if (gf_str_equal(what, GF_STR("wait"))) {
        while (!gf_is_cancelled(context)) {
            usleep(1000); /* Reason: a plugin that looks again and again is what is tested */
        }
        status = GF_CANCELLED;
    }
    gf_json_free(context, json);
    return status;
}

static gf_status health(gf_context_t *context, uint32_t depth) {
    (void)depth;
    return gf_health(context, GF_HEALTH_OK, "curious");
}

static gf_status resource(gf_context_t *context, const gf_resource_request_t *request) {
    char *body = malloc(1 << 22);
    uint64_t length = 0, total = 0;
    (void)request;
    while (body && context->sdk->call.read(context->sdk->host, context->call, body + total, 65536, &length) == GF_OK &&
           length) {
        total += length;
    }
    gf_status status = gf_respond(context, 200, "application/octet-stream", body, total);
    free(body);
    return status;
}

static const gf_datasource_t prying = {.query = query, .health = health, .resource = resource};
GF_DATASOURCE_WITH("test-prying-datasource", "1.0.0", prying, GF_CAP_BLOCKING, GF_CONCURRENCY_PARALLEL)
