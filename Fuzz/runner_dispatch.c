/* SPDX-License-Identifier: Apache-2.0
 *
 * Feeds messages to the runner as a server that lies would send them: every function that takes a message of the
 * server, with a plugin behind it that uses what it gets. The bodies are any bytes under headers that are well formed;
 * now and then a header is any bytes as well.
 *
 * Built with the other sources of the runner, in which _exit is replaced by a jump back to here: a runner that refuses
 * to go on has done well. OPEN and CREATE are done once, HELLO and CLOSE, which map a library and end the process,
 * never. */
#include "../Sources/grafana-plugin-runner/link.c"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/socket.h>

#define INSTANCE 7u
#define HANDLES 4u

static volatile uint64_t seen;
static jmp_buf leaving;
static pthread_t fuzzer;
static int peer;

/* Replaces _exit. */
_Noreturn void fuzz_exit(int status) {
    (void)status;
    if (!pthread_equal(pthread_self(), fuzzer)) {
        abort();
    }
    longjmp(leaving, 1);
}

/* ---------------------------------------------------------------------------------------------------------------
 * A plugin that touches everything
 */

static void touch(gf_str_t text) {
    for (uint64_t at = 0; at < text.length; at++) {
        seen += (uint8_t)text.data[at];
    }
}

static void touch_bytes(gf_bytes_t bytes) {
    touch((gf_str_t){(const char *)bytes.data, bytes.length});
}

static void touch_pairs(const gf_pair_t *pairs, uint32_t count) {
    for (uint32_t index = 0; index < count; index++) {
        touch(pairs[index].key);
        touch(pairs[index].value);
    }
}

static void touch_request(uint32_t kind, const void *request) {
    if (kind == GF_CALL_QUERY) {
        const gf_query_request_t *all = request;
        for (uint32_t index = 0; index < all->query_count; index++) {
            touch(all->queries[index].ref_id);
            touch(all->queries[index].query_type);
            touch(all->queries[index].json);
        }
    } else if (kind == GF_CALL_RESOURCE) {
        const gf_resource_request_t *one = request;
        touch(one->method);
        touch(one->path);
        touch(one->query);
        touch_pairs(one->headers, one->header_count);
    } else if (kind == GF_CALL_SUBSCRIBE || kind == GF_CALL_PUBLISH || kind == GF_CALL_RUN_STREAM) {
        const gf_stream_request_t *one = request;
        touch(one->path);
        touch_bytes(one->data);
        touch_bytes(one->resume_token);
    }
}

static void touch_facts(gf_call_t *call) {
    gf_principal_t principal = {.struct_size = sizeof principal};
    uint8_t input[64];
    uint64_t length = 0;
    gf_str_t value;
    rn.host.call->principal(&rn.host, call, &principal);
    touch(principal.login);
    touch(principal.name);
    touch(principal.email);
    touch(principal.role);
    touch(rn.host.call->trace_context(&rn.host, call));
    touch(rn.host.call->locale(&rn.host, call));
    if (rn.host.call->header_get(&rn.host, call, (gf_str_t){"x", 1}, &value) == GF_OK) {
        touch(value);
    }
    while (rn.host.call->read(&rn.host, call, input, sizeof input, &length) == GF_OK && length) {
        touch_bytes((gf_bytes_t){input, length});
    }
    seen += (uint64_t)rn.host.call->deadline(&rn.host, call);
    seen += (uint64_t)rn.host.call->budget_left(&rn.host, call, GF_BUDGET_BYTES);
}

static void release_schema(struct ArrowSchema *schema) {
    schema->release = NULL;
}

static void release_array(struct ArrowArray *array) {
    gf_buffer_t *buffer = array->private_data;
    if (buffer) {
        rn.host.core->buffer_release(&rn.host, buffer);
        free(buffer);
    }
    array->release = NULL;
}

/* A frame whose values lie in an arena, which stays held until the server gives it back. */
static void send_frame(gf_call_t *call) {
    static struct ArrowArray child;
    static struct ArrowArray *children[] = {&child};
    static const void *none[1];
    static const void *buffers[2];
    struct ArrowSchema field = {.format = "g", .name = "v", .release = release_schema};
    struct ArrowSchema *fields[] = {&field};
    struct ArrowSchema schema = {
        .format = "+s", .name = "", .n_children = 1, .children = fields, .release = release_schema};
    struct ArrowArray array = {
        .length = 4096, .n_buffers = 1, .buffers = none, .n_children = 1, .children = children,
        .release = release_array};
    gf_buffer_t *buffer = calloc(1, sizeof *buffer);
    if (!buffer || rn.host.core->buffer_alloc(&rn.host, 4096 * sizeof(double), buffer) != GF_OK) {
        free(buffer);
        return;
    }
    buffers[1] = buffer->data;
    child = (struct ArrowArray){.length = 4096, .n_buffers = 2, .buffers = buffers, .release = release_array};
    array.private_data = buffer;
    rn.host.sink->schema(&rn.host, call, 0, (gf_str_t){"A", 1}, &schema);
    rn.host.sink->batch(&rn.host, call, 0, &array);
}

static gf_status start(gf_instance_t *instance, gf_call_t *call, uint32_t kind, const void *request) {
    (void)instance;
    rn.host.call->state_set(&rn.host, call, &peer);
    if (request) {
        touch_request(kind, request);
    }
    touch_facts(call);
    if (kind == GF_CALL_QUERY) {
        send_frame(call);
    }
    /* Those of other kinds stay open for events. */
    return kind == GF_CALL_QUERY ? rn.host.sink->complete(&rn.host, call, GF_OK) : GF_OK;
}

static void cancel(gf_instance_t *instance, gf_call_t *call, void *state) {
    (void)instance;
    (void)state;
    rn.host.sink->complete(&rn.host, call, GF_CANCELLED);
}

static void resume(gf_instance_t *instance, gf_call_t *call, void *state, uint32_t event, uint64_t source) {
    gf_head_t head = {.struct_size = sizeof head, .status = 200};
    (void)instance;
    (void)state;
    seen += event + source;
    touch_facts(call);
    rn.host.sink->head(&rn.host, call, &head);
    rn.host.sink->bytes(&rn.host, call, (gf_bytes_t){(const uint8_t *)"bytes", 5});
}

static void release(gf_instance_t *instance, void *state) {
    (void)instance;
    seen += (uintptr_t)state;
}

static gf_status create(gf_library_t *library, gf_call_t *call, const gf_instance_config_t *config,
                        gf_instance_t **instance_out) {
    (void)library;
    (void)call;
    touch(config->uid);
    touch(config->name);
    touch(config->url);
    touch(config->json_data);
    *instance_out = (gf_instance_t *)&peer;
    return GF_OK;
}

/* ---------------------------------------------------------------------------------------------------------------
 * The link
 */

/* Reads away what the runner sends. */
static void *drain(void *unused) {
    static uint8_t packet[RUNNER_PACKET_MAX];
    int fds[RUNNER_FDS_MAX];
    uint32_t count;
    (void)unused;
    while (runner_receive(peer, packet, fds, &count, 1) > 0) {
        while (count) {
            close(fds[--count]);
        }
    }
    return NULL;
}

static void prepare(void) {
    static const gf_plugin_desc_t description = {.struct_size = sizeof description};
    int ends[2];
    pthread_t thread;
    fuzzer = pthread_self();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0 || dup2(ends[0], RUNNER_SOCKET) < 0) {
        abort();
    }
    peer = fcntl(ends[1], F_DUPFD, 100);
    rn.desc = &description;
    rn.hello.arena_bytes = 64 << 20;
    rn.instance_api.create = create;
    rn.call_api = (gf_call_api_t){sizeof rn.call_api, 0, start, cancel, resume, release};
    rn.host = (gf_host_t){.struct_size = sizeof rn.host, .core = &rn_core, .call = &rn_call_host, .sink = &rn_sink};
    rn_link_open();
    rn_work_open(2);
    pthread_create(&thread, NULL, drain, NULL);

    runner_writer_t writer = {0};
    runner_create_t body = {.struct_size = sizeof body, .instance = INSTANCE};
    runner_begin(&writer, RUNNER_CREATE, 1, sizeof body);
    runner_end(&writer, &body, sizeof body);
    rn_library_message((const runner_header_t *)(const void *)writer.data, writer.data);
    runner_free(&writer);
    for (rn_instance_t *instance = NULL; !instance; usleep(100)) {
        instance = rn_instance_take(INSTANCE);
    }
}

static const uint32_t types[] = {RUNNER_CREATE, RUNNER_DRAIN, RUNNER_START,   RUNNER_CANCEL, RUNNER_CREDIT,
                                 RUNNER_EVENT,  RUNNER_REFUSED, RUNNER_FREE, RUNNER_REPLY,  RUNNER_START};

/* Takes a message off the front of the input and sends it; returns the bytes taken. */
static size_t send_message(const uint8_t *data, size_t size) {
    static _Alignas(8) uint8_t message[RUNNER_PACKET_MAX];
    static int instances;
    runner_header_t header = {.type = types[data[0] % (sizeof types / sizeof *types)]};
    size_t body = data[2] * 4u < size - 4 ? data[2] * 4u : size - 4;
    uint32_t struct_size = (uint32_t)body;
    if (header.type == RUNNER_CREATE && instances++ >= 1000) {
        /* Records of instances stay. */
        header.type = RUNNER_EVENT;
    }
    header.length = (uint32_t)(sizeof header + (body + 7) / 8 * 8);
    header.call = header.type == RUNNER_DRAIN ? INSTANCE : 0x10001u + data[1] % HANDLES;
    header.sequence = data[3];
    memset(message, 0, header.length);
    memcpy(message + sizeof header, data + 4, body);
    if (body >= 8) {
        memcpy(message + sizeof header, &struct_size, sizeof struct_size);
    }
    if (header.type == RUNNER_START && body >= offsetof(runner_start_t, instance) + 8) {
        uint64_t instance = INSTANCE;
        memcpy(message + sizeof header + offsetof(runner_start_t, instance), &instance, sizeof instance);
    }
    if (data[1] >= 250) {
        /* Any header. */
        memcpy(&header, data + 4, body < sizeof header ? body : sizeof header);
        if (header.type == RUNNER_HELLO || header.type == RUNNER_CLOSE || header.type == RUNNER_OPEN ||
            header.type == RUNNER_DESTROY) {
            header.type = RUNNER_FREE;
        }
        memcpy(message, &header, sizeof header);
        runner_send(peer, message, sizeof header + body, NULL, 0, 1);
    } else {
        memcpy(message, &header, sizeof header);
        runner_send(peer, message, header.length, NULL, 0, 1);
    }
    return 4 + body;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static _Alignas(64) uint8_t received[RUNNER_PACKET_MAX];
    static int is_prepared;
    volatile size_t place = 0;
    if (!is_prepared) {
        is_prepared = 1;
        prepare();
    }
    while (size - place > 4) {
        place += send_message(data + place, size - place);
        if (setjmp(leaving) == 0) {
            receive(received, 0);
            run_deferred();
        }
    }
    /* Calls that are still open end here. */
    for (uint32_t number = 0; number < HANDLES; number++) {
        runner_header_t header = {sizeof header, RUNNER_CANCEL, 0x10001u + number, 0, 0, 0, 0};
        rn_call_message(&header, (const uint8_t *)&header);
    }
    return 0;
}
