/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads bytes as a packet of the runner's protocol with the functions that both ends use: every struct, every span and
 * every array of every message. A byte outside of the packet is a finding of AddressSanitizer. */
#include <runner_protocol.h>

#include <stdlib.h>
#include <string.h>

static volatile uint8_t seen;

/* Touches all bytes of a span. */
static void touch(const uint8_t *message, runner_span_t span, uint32_t element) {
    const uint8_t *bytes = runner_read_span(message, span, element);
    for (uint32_t at = 0; bytes && at < span.length; at++) {
        seen ^= bytes[at];
    }
}

/* Touches an array of structs that consist of spans. */
static void touch_spans(const uint8_t *message, runner_span_t span, uint32_t element) {
    const uint8_t *array = runner_read_span(message, span, element);
    for (uint32_t at = 0; array && at + sizeof(runner_span_t) <= span.length; at += sizeof(runner_span_t)) {
        runner_span_t inner;
        memcpy(&inner, array + at, sizeof inner);
        touch(message, inner, 1);
    }
}

/* Takes any struct for spans: what is read with a wrong type must be as harmless. */
static void read_message(const uint8_t *message) {
    static const uint32_t sizes[] = {sizeof(runner_hello_ok_t), sizeof(runner_opened_t), sizeof(runner_create_t),
                                     sizeof(runner_start_t),    sizeof(runner_schema_t), sizeof(runner_batch_t),
                                     sizeof(runner_head_t),     sizeof(runner_error_t),  sizeof(runner_host_call_t)};
    uint8_t body[512];
    for (size_t index = 0; index < sizeof sizes / sizeof *sizes; index++) {
        if (!runner_read_body(message, body, sizes[index])) {
            continue;
        }
        for (uint32_t at = 0; at + sizeof(runner_span_t) <= sizes[index]; at += 4) {
            runner_span_t span;
            memcpy(&span, body + at, sizeof span);
            touch(message, span, 1);
            touch_spans(message, span, sizeof(runner_pair_t));
            touch_spans(message, span, sizeof(runner_field_t));
            touch(message, span, sizeof(runner_buffer_t));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* In memory of its exact size. */
    uint8_t *packet = malloc(size ? size : 1);
    runner_header_t header;
    size_t place = 0;
    if (!packet) {
        return 0;
    }
    memcpy(packet, data, size);
    while ( runner_read_header(packet + place, size - place, &header)) {
        if (header.flags & RUNNER_SPILLED) {
            break;
        }
        read_message(packet + place);
        place += header.length;
    }
    free(packet);
    return 0;
}
