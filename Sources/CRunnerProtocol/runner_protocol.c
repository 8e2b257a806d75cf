/* SPDX-License-Identifier: Apache-2.0 */
#include "runner_protocol.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(runner_header_t) == 32, "the header has 32 bytes");
_Static_assert(sizeof(runner_buffer_t) == 24 && sizeof(runner_column_t) == 32, "no padding in arrays");
_Static_assert(sizeof(runner_query_t) == 64 && sizeof(runner_field_t) == 32, "no padding in arrays");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "messages are little-endian");

int runner_read_header(const void *data, uint64_t available, runner_header_t *header_out) {
    if (available < sizeof *header_out) {
        return 0;
    }
    memcpy(header_out, data, sizeof *header_out);
    if (header_out->flags & RUNNER_SPILLED) {
        return header_out->length >= sizeof *header_out && header_out->length <= RUNNER_MESSAGE_MAX;
    }
    return header_out->length >= sizeof *header_out && header_out->length % 8 == 0 && header_out->length <= available;
}

int runner_read_body(const void *message, void *body_out, uint32_t size) {
    runner_header_t header;
    uint32_t body_size;
    memcpy(&header, message, sizeof header);
    memset(body_out, 0, size);
    if (header.length < sizeof header + 8) {
        return 0;
    }
    memcpy(&body_size, (const uint8_t *)message + sizeof header, sizeof body_size);
    if (body_size < 8 || body_size > header.length - sizeof header) {
        return 0;
    }
    memcpy(body_out, (const uint8_t *)message + sizeof header, body_size < size ? body_size : size);
    return 1;
}

const void *runner_read_span(const void *message, runner_span_t span, uint32_t element) {
    runner_header_t header;
    memcpy(&header, message, sizeof header);
    if (span.offset > header.length || span.length > header.length - span.offset || span.length % element != 0 ||
        (element > 1 && span.offset % 8 != 0)) {
        return NULL;
    }
    return (const uint8_t *)message + span.offset;
}

/* Makes room for more bytes. Returns 1, or 0 without memory. */
static int reserve(runner_writer_t *writer, uint64_t more) {
    uint64_t capacity = writer->capacity ? writer->capacity : 1024;
    uint8_t *data;
    if (writer->failed || more > RUNNER_MESSAGE_MAX || writer->length > 2 * (uint64_t)RUNNER_MESSAGE_MAX) {
        writer->failed = 1;
        return 0;
    }
    if (writer->length + more <= writer->capacity) {
        return 1;
    }
    while (capacity < writer->length + more) {
        capacity *= 2;
    }
    data = realloc(writer->data, capacity);
    if (!data) {
        writer->failed = 1;
        return 0;
    }
    writer->data = data;
    writer->capacity = capacity;
    return 1;
}

void runner_begin(runner_writer_t *writer, uint32_t type, uint64_t call, uint32_t body_size) {
    runner_header_t header = {sizeof header, type, call, 0, 0, 0, 0};
    uint64_t size = sizeof header + ((uint64_t)body_size + 7) / 8 * 8;
    if (!reserve(writer, size)) {
        return;
    }
    writer->message = writer->length;
    memset(writer->data + writer->length, 0, size);
    memcpy(writer->data + writer->length, &header, sizeof header);
    writer->length += size;
}

void *runner_reserve(runner_writer_t *writer, uint64_t length, runner_span_t *span_out) {
    uint64_t start = writer->length - writer->message;
    uint64_t size = (length + 7) / 8 * 8;
    memset(span_out, 0, sizeof *span_out);
    if (length == 0) {
        return NULL;
    }
    if (length > RUNNER_MESSAGE_MAX || start + size > RUNNER_MESSAGE_MAX || !reserve(writer, size)) {
        writer->failed = 1;
        return NULL;
    }
    span_out->offset = (uint32_t)start;
    span_out->length = (uint32_t)length;
    memset(writer->data + writer->length + size - 8, 0, 8);
    writer->length += size;
    return writer->data + writer->length - size;
}

runner_span_t runner_put(runner_writer_t *writer, const void *bytes, uint64_t length) {
    runner_span_t span;
    void *room = runner_reserve(writer, length, &span);
    if (room) {
        memcpy(room, bytes, length);
    }
    return span;
}

void runner_end(runner_writer_t *writer, const void *body, uint32_t body_size) {
    uint32_t length = (uint32_t)(writer->length - writer->message);
    if (writer->failed) {
        return;
    }
    memcpy(writer->data + writer->message, &length, sizeof length);
    if (body_size) {
        memcpy(writer->data + writer->message + sizeof(runner_header_t), body, body_size);
    }
}

void runner_clear(runner_writer_t *writer) {
    writer->length = writer->message = 0;
    writer->failed = 0;
}

void runner_free(runner_writer_t *writer) {
    free(writer->data);
    memset(writer, 0, sizeof *writer);
}
