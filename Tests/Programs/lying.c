/* SPDX-License-Identifier: Apache-2.0
 * A runner that lies: it speaks the protocol well until a query names a lie, such as {"lie":"arena-out-of-bounds"}. */
#define _GNU_SOURCE
#include <runner_protocol.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static runner_writer_t out;
static uint8_t *arena;
static uint64_t handle;

static void flush(const int *fds, uint32_t count) {
    if (runner_send(RUNNER_SOCKET, out.data, out.length, fds, count, 1) != 0) {
        _exit(0);
    }
    runner_clear(&out);
}

static runner_span_t text(const char *value) {
    return runner_put(&out, value, strlen(value));
}

static void status(uint32_t type, uint64_t call, int32_t value) {
    runner_status_t body = {sizeof body, value};
    runner_begin(&out, type, call, sizeof body);
    runner_end(&out, &body, sizeof body);
}

static void set_fd_count(uint32_t count) {
    memcpy(out.data + offsetof(runner_header_t, fd_count), &count, sizeof count);
}

static void add_arena(int fd, uint64_t size, uint32_t number) {
    runner_arena_t body = {sizeof body, number, size};
    runner_begin(&out, RUNNER_ARENA_ADD, 0, sizeof body);
    runner_end(&out, &body, sizeof body);
    set_fd_count(1);
    flush(&fd, 1);
}

static void good_arena(void) {
    int fd = runner_make_arena(1 << 20);
    arena = runner_map_arena(fd, 1 << 20, 1);
    add_arena(fd, 1 << 20, 1);
    close(fd);
}

static void schema(const char *const formats[], uint32_t count) {
    runner_schema_t body = {.struct_size = sizeof body};
    runner_field_t fields[4];
    memset(fields, 0, sizeof fields);
    runner_begin(&out, RUNNER_SCHEMA, handle, sizeof body);
    body.ref_id = text("A");
    for (uint32_t index = 0; index < count; index++) {
        fields[index].format = text(formats[index]);
        fields[index].name = text("field");
        fields[index].flags = 2;
    }
    body.fields = runner_put(&out, fields, count * sizeof *fields);
    runner_end(&out, &body, sizeof body);
}

static void batch(int64_t rows, int64_t offset, const runner_column_t *columns, uint32_t column_count,
                  const runner_buffer_t *buffers, uint32_t buffer_count) {
    runner_batch_t body = {.struct_size = sizeof body, .release = 77, .rows = rows, .offset = offset};
    runner_begin(&out, RUNNER_BATCH, handle, sizeof body);
    body.columns = runner_put(&out, columns, column_count * sizeof *columns);
    body.buffers = runner_put(&out, buffers, buffer_count * sizeof *buffers);
    runner_end(&out, &body, sizeof body);
}

/* One column of numbers with the two buffers given. */
static void numbers(int64_t rows, int64_t offset, int64_t nulls, runner_buffer_t validity, runner_buffer_t values) {
    const char *const formats[] = {"g"};
    runner_column_t column = {rows, offset, nulls, 2, 0};
    runner_buffer_t buffers[] = {validity, values};
    schema(formats, 1);
    batch(rows, 0, &column, 1, buffers, 2);
}

static const runner_buffer_t none;

/* Texts whose offsets are those given, over eight bytes. */
static void texts(const int32_t offsets[3], const char *bytes) {
    const char *const formats[] = {"u"};
    runner_column_t column = {2, 0, 0, 3, 0};
    runner_buffer_t buffers[] = {none, {1, 0, 0, 12}, {1, 0, 64, 8}};
    good_arena();
    memcpy(arena, offsets, 12);
    memcpy(arena + 64, bytes, 8);
    schema(formats, 1);
    batch(2, 0, &column, 1, buffers, 3);
}

/* Columns of text that all name the same bytes of an arena, which are more than the file system holds in truth. */
static void same_texts(void) {
    const char *const formats[] = {"u", "u", "u", "u"};
    const runner_buffer_t buffers[] = {none, {1, 0, 0, 12}, {1, 0, 64, (1 << 20) - 64}};
    runner_column_t columns[4];
    runner_buffer_t all[12];
    good_arena();
    for (uint32_t index = 0; index < 4; index++) {
        columns[index] = (runner_column_t){2, 0, 0, 3, 0};
        memcpy(all + 3 * index, buffers, sizeof buffers);
    }
    schema(formats, 4);
    batch(2, 0, columns, 4, all, 12);
}

/* Views that all name the same block. */
static void same_views(void) {
    const char *const formats[] = {"vu"};
    const int32_t view[4] = {1 << 16, 0, 0, 0};
    const runner_buffer_t buffers[] = {none, {1, 0, 0, 16 * 1024}, {1, 0, 1 << 16, 1 << 16}, {1, 0, 0, 8}};
    runner_column_t column = {1024, 0, 0, 4, 0};
    good_arena();
    for (uint32_t index = 0; index < 1024; index++) {
        memcpy(arena + 16 * index, view, sizeof view);
    }
    memset(arena + (1 << 16), 'x', 1 << 16);
    schema(formats, 1);
    batch(1024, 0, &column, 1, buffers, 4);
}

static void notices(void) {
    static char words[60000];
    memset(words, 'x', sizeof words - 1);
    for (int count = 0; count < 100; count++) {
        runner_notice_t body = {.struct_size = sizeof body};
        runner_begin(&out, RUNNER_NOTICE, handle, sizeof body);
        body.text = text(words);
        runner_end(&out, &body, sizeof body);
        flush(NULL, 0);
    }
}

static int is(const char *lie, const char *name) {
    return strcmp(lie, name) == 0;
}

/* Lies about the data: the call fails, the process may live. */
static int lie_about_data(const char *lie) {
    runner_buffer_t values = {1, 0, 0, 8000};
    if (is(lie, "arena-out-of-bounds")) {
        good_arena();
        values.offset = (1 << 20) - 8;
        numbers(1000, 0, 0, none, values);
    } else if (is(lie, "arena-offset-overflows")) {
        good_arena();
        values.offset = UINT64_MAX - 7;
        numbers(1000, 0, 0, none, values);
    } else if (is(lie, "arena-unknown")) {
        numbers(1000, 0, 0, none, values);
    } else if (is(lie, "values-too-short")) {
        good_arena();
        numbers(1001, 0, 0, none, values);
    } else if (is(lie, "rows-negative")) {
        good_arena();
        numbers(-1, 0, 0, none, values);
    } else if (is(lie, "rows-overflow")) {
        good_arena();
        numbers(INT64_MAX, INT64_MAX, 0, none, values);
    } else if (is(lie, "nulls-without-validity")) {
        good_arena();
        numbers(1000, 0, 5, none, values);
    } else if (is(lie, "validity-too-short")) {
        runner_buffer_t validity = {1, 0, 0, 3};
        good_arena();
        numbers(1000, 0, -1, validity, values);
    } else if (is(lie, "offsets-descend")) {
        texts((const int32_t[3]){0, 7, 4}, "abcdefgh");
    } else if (is(lie, "offsets-outside")) {
        texts((const int32_t[3]){0, 4, 1 << 20}, "abcdefgh");
    } else if (is(lie, "offsets-negative")) {
        texts((const int32_t[3]){-4, 4, 8}, "abcdefgh");
    } else if (is(lie, "text-not-utf8")) {
        texts((const int32_t[3]){0, 4, 8}, "\xff\xfe\xfd\xfc efg");
    } else if (is(lie, "columns-missing")) {
        const char *const formats[] = {"g", "g"};
        runner_column_t column = {1000, 0, 0, 2, 0};
        runner_buffer_t buffers[] = {none, values};
        good_arena();
        schema(formats, 2);
        batch(1000, 0, &column, 1, buffers, 2);
    } else if (is(lie, "format-unknown")) {
        const char *const formats[] = {"+w:3"};
        schema(formats, 1);
    } else if (is(lie, "texts-overlap")) {
        same_texts();
    } else if (is(lie, "views-overlap")) {
        same_views();
    } else if (is(lie, "notices")) {
        notices();
    } else if (is(lie, "batch-without-schema")) {
        runner_column_t column = {1000, 0, 0, 2, 0};
        runner_buffer_t buffers[] = {none, values};
        good_arena();
        batch(1000, 0, &column, 1, buffers, 2);
    } else {
        return 0;
    }
    status(RUNNER_COMPLETE, handle, 0);
    flush(NULL, 0);
    return 1;
}

/* Drops arenas that the server still reads from, and makes others. */
static void drop_in_use(void) {
    for (uint32_t round = 0; round < 8; round++) {
        const char *const formats[] = {"g"};
        runner_arena_t body = {.struct_size = sizeof body, .arena = 1};
        runner_column_t column = {1, 0, 0, 2, 0};
        const runner_buffer_t buffers[] = {none, {1, 0, 0, 8}};
        good_arena();
        schema(formats, 1);
        batch(1, 0, &column, 1, buffers, 2);
        runner_begin(&out, RUNNER_ARENA_DROP, 0, sizeof body);
        runner_end(&out, &body, sizeof body);
        flush(NULL, 0);
    }
    status(RUNNER_COMPLETE, handle, 0);
}

/* More lines of a log than a process may write, and none of them held back. */
static void logs(void) {
    for (int line = 0; line < 30000; line++) {
        runner_log_t body = {.struct_size = sizeof body};
        runner_begin(&out, RUNNER_LOG, 0, sizeof body);
        runner_end(&out, &body, sizeof body);
        flush(NULL, 0);
    }
    status(RUNNER_COMPLETE, handle, 0);
}

/* The head of an answer, whose headers all have the same long name. */
static void same_pairs(void) {
    static char name[30000];
    static runner_pair_t pairs[1000];
    runner_head_t body = {.struct_size = sizeof body};
    runner_span_t span;
    memset(name, 'x', sizeof name - 1);
    runner_begin(&out, RUNNER_HEAD, handle, sizeof body);
    span = text(name);
    for (size_t index = 0; index < sizeof pairs / sizeof *pairs; index++) {
        pairs[index].key = span;
    }
    body.headers = runner_put(&out, pairs, sizeof pairs);
    runner_end(&out, &body, sizeof body);
}

/* Lies about messages: the process is ended. */
static void lie_about_messages(const char *lie) {
    runner_header_t header = {sizeof header, RUNNER_HEAD, handle, 1, 0, 0, 0};
    if (is(lie, "buffers-missing")) {
        const char *const formats[] = {"g"};
        runner_column_t column = {1000, 0, 0, 900, 0};
        schema(formats, 1);
        batch(1000, 0, &column, 1, &none, 1);
    } else if (is(lie, "body-missing")) {
        runner_begin(&out, RUNNER_BATCH, handle, 0);
        runner_end(&out, NULL, 0);
    } else if (is(lie, "span-outside")) {
        runner_head_t body = {.struct_size = sizeof body, .headers = {64, 1 << 20}};
        runner_begin(&out, RUNNER_HEAD, handle, sizeof body);
        runner_end(&out, &body, sizeof body);
    } else if (is(lie, "length-zero")) {
        header.length = 0;
    } else if (is(lie, "length-too-large")) {
        header.length = 1 << 30;
    } else if (is(lie, "packet-truncated")) {
        runner_send(RUNNER_SOCKET, &header, 11, NULL, 0, 1);
    } else if (is(lie, "type-unknown")) {
        header.type = 4711;
    } else if (is(lie, "arena-not-sealed")) {
        int fd = memfd_create("arena", MFD_ALLOW_SEALING);
        if (ftruncate(fd, 1 << 20) == 0) {
            add_arena(fd, 1 << 20, 1);
        }
        ftruncate(fd, 0);
    } else if (is(lie, "arena-not-memory")) {
        add_arena(open("/dev/zero", O_RDONLY), 1 << 20, 1);
    } else if (is(lie, "arena-smaller")) {
        add_arena(runner_make_arena(4096), 1 << 20, 1);
    } else if (is(lie, "arena-twice")) {
        good_arena();
        good_arena();
    } else if (is(lie, "arena-too-large")) {
        add_arena(runner_make_arena(1ull << 40), 1ull << 40, 1);
    } else if (is(lie, "spilled-not-sealed")) {
        int fd = memfd_create("message", MFD_ALLOW_SEALING);
        header.flags = RUNNER_SPILLED;
        header.fd_count = 1;
        header.length = 4096;
        runner_send(RUNNER_SOCKET, &header, sizeof header, &fd, 1, 1);
    } else if (is(lie, "spilled-without-file")) {
        header.flags = RUNNER_SPILLED;
    } else if (is(lie, "created-unasked")) {
        status(RUNNER_CREATED, 4711, 0);
    } else if (is(lie, "arena-dropped-in-use")) {
        drop_in_use();
    } else if (is(lie, "pairs-overlap")) {
        same_pairs();
    } else if (is(lie, "logs")) {
        logs();
    } else if (is(lie, "deaf")) {
        pause();
    } else if (is(lie, "socket-closed")) {
        close(RUNNER_SOCKET);
        pause();
    } else if (is(lie, "many-files")) {
        int fds[RUNNER_FDS_MAX] = {0, 0, 0, 0, 0, 0, 0, 0};
        for (int round = 0; round < 1000; round++) {
            status(RUNNER_COMPLETE, 0xdead0001, 0);
            flush(fds, RUNNER_FDS_MAX);
        }
        return;
    }
    if (out.length) {
        flush(NULL, 0);
    } else {
        runner_send(RUNNER_SOCKET, &header, sizeof header, NULL, 0, 1);
    }
}

static void start(const uint8_t *message) {
    runner_start_t body;
    const runner_query_t *query;
    const char *json;
    char lie[64] = "";
    if (!runner_read_body(message, &body, sizeof body) ||
        !(query = runner_read_span(message, body.queries, sizeof *query)) || !body.queries.length ||
        !(json = runner_read_span(message, query->json, 1))) {
        status(RUNNER_COMPLETE, handle, 0);
        flush(NULL, 0);
        return;
    }
    sscanf(json, "{\"lie\":\"%63[a-z0-9-]", lie);
    if (is(lie, "silent")) {
        return;
    }
    if (!lie_about_data(lie)) {
        lie_about_messages(lie);
        status(RUNNER_COMPLETE, handle, 0);
        flush(NULL, 0);
    }
}

static void answer(const runner_header_t *header, const uint8_t *message) {
    handle = header->call;
    if (header->type == RUNNER_HELLO) {
        runner_hello_ok_t body = {.struct_size = sizeof body, .version = RUNNER_VERSION, .kinds = 1, .abi_built = 1,
                                  .abi_needed = 1};
        runner_begin(&out, RUNNER_HELLO_OK, 0, sizeof body);
        body.id = text("test-prying-datasource");
        body.plugin_version = text("1.0.0");
        runner_end(&out, &body, sizeof body);
        flush(NULL, 0);
    } else if (header->type == RUNNER_OPEN) {
        runner_opened_t body = {.struct_size = sizeof body};
        runner_begin(&out, RUNNER_OPENED, handle, sizeof body);
        body.extensions = text("gf.datasource/1\ngf.health/1\n");
        runner_end(&out, &body, sizeof body);
        flush(NULL, 0);
    } else if (header->type == RUNNER_CREATE) {
        status(RUNNER_CREATED, handle, 0);
        flush(NULL, 0);
    } else if (header->type == RUNNER_START) {
        start(message);
    } else if (header->type == RUNNER_CLOSE) {
        _exit(0);
    }
}

int main(void) {
    static _Alignas(8) uint8_t packet[RUNNER_PACKET_MAX];
    int fds[RUNNER_FDS_MAX];
    uint32_t count;
    for (;;) {
        int64_t length = runner_receive(RUNNER_SOCKET, packet, fds, &count, 1);
        runner_header_t header;
        for (int64_t place = 0; place < length; place += header.length) {
            if (length <= 0 || !runner_read_header(packet + place, (uint64_t)(length - place), &header)) {
                return 0;
            }
            answer(&header, packet + place);
        }
        if (length <= 0) {
            return 0;
        }
    }
}
