/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames on their way out. What cannot be read safely is refused here, since only the plugin's own process can look at
 * its structs; whether the data make sense the server judges, from copies of its own. */
#include "runner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 100000
#define METADATA_PAIRS_MAX 10000
#define METADATA_BYTES_MAX (256 << 20)
#define ROWS_MAX ((int64_t)1 << 40)
#define VIEW_BLOCKS_MAX 65536
#define PROBLEM_MAX 384
#define NO_MEMORY "there is no memory for its description"

/* ---------------------------------------------------------------------------------------------------------------
 * Schemas
 */

static rn_column_t column_of(const char *format) {
    static const struct {
        const char *format;
        rn_column_t column;
    } known[] = {{"c", {RN_FIXED, 1, NULL}},      {"C", {RN_FIXED, 1, NULL}},  {"s", {RN_FIXED, 2, NULL}},
                 {"S", {RN_FIXED, 2, NULL}},      {"i", {RN_FIXED, 4, NULL}},  {"I", {RN_FIXED, 4, NULL}},
                 {"f", {RN_FIXED, 4, NULL}},      {"l", {RN_FIXED, 8, NULL}},  {"L", {RN_FIXED, 8, NULL}},
                 {"g", {RN_FIXED, 8, NULL}},      {"b", {RN_BITS, 0, NULL}},   {"u", {RN_TEXT, 4, NULL}},
                 {"z", {RN_TEXT, 4, NULL}},       {"U", {RN_LARGE_TEXT, 8, NULL}},
                 {"Z", {RN_LARGE_TEXT, 8, NULL}}, {"vu", {RN_VIEW, 16, NULL}}, {"vz", {RN_VIEW, 16, NULL}}};
    rn_column_t column = {RN_FIXED, strncmp(format, "ts", 2) == 0 ? 8 : 0, NULL};
    for (size_t index = 0; index < sizeof known / sizeof *known; index++) {
        if (strcmp(format, known[index].format) == 0) {
            return known[index].column;
        }
    }
    return column;
}

/* Notes why a frame cannot be read; returns 0. */
static int __attribute__((format(printf, 2, 3))) fault(char *problem, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, PROBLEM_MAX, format, arguments);
    va_end(arguments);
    return 0;
}

/* Reads a number of a metadata blob. Returns 1, or 0 when it is out of range. */
static int metadata_number(const char **place, int32_t limit, int32_t *number_out, char *problem) {
    memcpy(number_out, *place, sizeof *number_out);
    *place += sizeof *number_out;
    return (*number_out >= 0 && *number_out <= limit) ||
           fault(problem, "invalid-arrow: metadata with a count or length of %d", (int)*number_out);
}

/* Appends the pairs of a metadata blob. Returns 1, or 0 when it is malformed. */
static int put_metadata(runner_writer_t *writer, const char *blob, runner_span_t *span_out, char *problem) {
    runner_pair_t *pairs;
    int32_t count = 0;
    int32_t length;
    int is_good = 1;
    memset(span_out, 0, sizeof *span_out);
    if (!blob) {
        return 1;
    }
    if (!metadata_number(&blob, METADATA_PAIRS_MAX, &count, problem)) {
        return 0;
    }
    pairs = calloc(count ? (size_t)count : 1, sizeof *pairs);
    for (int32_t index = 0; pairs && is_good && index < count * 2; index++) {
        is_good = metadata_number(&blob, METADATA_BYTES_MAX, &length, problem);
        if (is_good) {
            *(index % 2 ? &pairs[index / 2].value : &pairs[index / 2].key) = runner_put(writer, blob, (uint64_t)length);
            blob += length;
        }
    }
    if (pairs && is_good) {
        *span_out = runner_put(writer, pairs, (uint64_t)count * sizeof *pairs);
    }
    is_good = is_good && (pairs || fault(problem, "%s", NO_MEMORY));
    free(pairs);
    return is_good;
}

/* Why a schema cannot be read, in the words of the server for a plugin in its own process. Returns 1 when it can. */
static int check_schema(const struct ArrowSchema *schema, char *problem) {
    if (!schema->release || !schema->format) {
        return fault(problem, "invalid-arrow: the schema was released before; every struct is passed on once");
    }
    if (strcmp(schema->format, "+s") != 0) {
        return fault(problem, "invalid-arrow: a frame is a struct (+s) with one child a field, not '%.64s'",
                     schema->format);
    }
    if (schema->n_children < 0 || schema->n_children > FIELDS_MAX || (schema->n_children && !schema->children)) {
        return fault(problem, "invalid-arrow: a schema with %lld children", (long long)schema->n_children);
    }
    for (int64_t index = 0; index < schema->n_children; index++) {
        const struct ArrowSchema *child = schema->children[index];
        const char *name = child && child->name ? child->name : "";
        if (!child || !child->release) {
            return fault(problem, "invalid-arrow: field %lld of the schema is missing or was released before",
                         (long long)index);
        }
        if (!child->format) {
            return fault(problem, "invalid-arrow: field '%.128s' has no format", name);
        }
        if (child->dictionary) {
            return fault(problem, "unsupported-type: field '%.128s' is a dictionary, which frames do not have", name);
        }
    }
    return 1;
}

/* Writes the fields of a schema. Returns 1, or 0 when metadata are malformed. */
static int put_fields(runner_writer_t *writer, const struct ArrowSchema *schema, rn_frame_t *frame,
                      runner_schema_t *body, char *problem) {
    runner_field_t *fields = calloc(frame->column_count ? frame->column_count : 1, sizeof *fields);
    int is_good = (fields || fault(problem, "%s", NO_MEMORY)) &&
                  put_metadata(writer, schema->metadata, &body->metadata, problem);
    for (uint32_t index = 0; is_good && index < frame->column_count; index++) {
        const struct ArrowSchema *child = schema->children[index];
        frame->columns[index] = column_of(child->format);
        frame->columns[index].name = strdup(child->name ? child->name : "");
        fields[index].flags = child->flags;
        fields[index].format = runner_put(writer, child->format, strlen(child->format));
        fields[index].name = runner_put(writer, child->name, child->name ? strlen(child->name) : 0);
        is_good = put_metadata(writer, child->metadata, &fields[index].metadata, problem);
    }
    if (is_good) {
        body->fields = runner_put(writer, fields, frame->column_count * sizeof *fields);
    }
    free(fields);
    return is_good;
}

static void free_frame(rn_frame_t *frame) {
    for (uint32_t index = 0; index < frame->column_count; index++) {
        free(frame->columns[index].name);
    }
    free(frame);
}

static gf_status reject_schema(rn_call_t *call, uint32_t number, gf_str_t ref_id, const char *problem) {
    int length = ref_id.data && ref_id.length < 128 ? (int)ref_id.length : 0;
    return rn_reject(call, "frame %u of query '%.*s': %s", number, length, length ? ref_id.data : "", problem);
}

gf_status rn_send_schema(rn_call_t *call, uint32_t number, gf_str_t ref_id, struct ArrowSchema *schema) {
    runner_writer_t message = {0};
    runner_schema_t body = {.struct_size = sizeof body, .frame = number};
    char problem[PROBLEM_MAX];
    rn_frame_t *frame;
    runner_writer_t *writer;
    if (!check_schema(schema, problem)) {
        return reject_schema(call, number, ref_id, problem);
    }
    frame = calloc(1, sizeof *frame + (size_t)schema->n_children * sizeof *frame->columns);
    if (!frame) {
        return GF_NOMEM;
    }
    frame->number = number;
    frame->column_count = (uint32_t)schema->n_children;
    runner_begin(&message, RUNNER_SCHEMA, call->handle, sizeof body);
    body.ref_id = rn_put_text(&message, ref_id);
    if (!put_fields(&message, schema, frame, &body, problem)) {
        free_frame(frame);
        runner_free(&message);
        return reject_schema(call, number, ref_id, problem);
    }
    runner_end(&message, &body, sizeof body);
    writer = rn_emit(call);
    frame->next = call->frames;
    call->frames = frame;
    if (writer->length == 0) {
        runner_free(writer);
        *writer = message;
    } else {
        rn_send(writer, NULL, 0);
        rn_send(&message, NULL, 0);
        runner_free(&message);
    }
    rn_emitted(call, 256, 0, RN_BEGINNING);
    return GF_OK;
}

void rn_free_frames(rn_call_t *call) {
    while (call->frames) {
        rn_frame_t *next = call->frames->next;
        free_frame(call->frames);
        call->frames = next;
    }
}

/* ---------------------------------------------------------------------------------------------------------------
 * Batches
 */

/* The buffers of a batch, in the order in which they are sent. */
typedef struct parts {
    runner_column_t *columns;
    runner_buffer_t *buffers;
    const void **sources;
    uint32_t buffer_count;
    uint32_t capacity;
    uint64_t bytes;
    int failed;
    char problem[PROBLEM_MAX];
} parts_t;

static void add_buffer(parts_t *parts, const void *source, uint64_t length) {
    if (parts->buffer_count == parts->capacity) {
        uint32_t capacity = parts->capacity ? parts->capacity * 2 : 16;
        runner_buffer_t *buffers = realloc(parts->buffers, capacity * sizeof *buffers);
        const void **sources = buffers ? realloc(parts->sources, capacity * sizeof *sources) : NULL;
        parts->buffers = buffers ? buffers : parts->buffers;
        if (!sources) {
            parts->failed = 1;
            return;
        }
        parts->sources = sources;
        parts->capacity = capacity;
    }
    length = source ? length : 0;
    memset(&parts->buffers[parts->buffer_count], 0, sizeof *parts->buffers);
    parts->buffers[parts->buffer_count].length = length;
    parts->sources[parts->buffer_count++] = source;
    parts->bytes += length;
}

static uint64_t text_bytes(const void *offsets, int64_t end, uint32_t width) {
    int64_t wide = 0;
    int32_t narrow = 0;
    if (!offsets) {
        return 0;
    }
    if (width == 8) {
        memcpy(&wide, (const uint8_t *)offsets + end * 8, sizeof wide);
    } else {
        memcpy(&narrow, (const uint8_t *)offsets + end * 4, sizeof narrow);
        wide = narrow;
    }
    return wide > 0 ? (uint64_t)wide : 0;
}

/* Adds the buffers of one column. Returns 1, or 0 when it cannot be read. */
static int add_column(parts_t *parts, const rn_column_t *layout, int64_t index, const struct ArrowArray *batch,
                      runner_column_t *column_out) {
    const struct ArrowArray *child = batch->children[index];
    const char *name = layout->name ? layout->name : "";
    int64_t end;
    uint32_t before = parts->buffer_count;
    int64_t needed = layout->layout == RN_FIXED || layout->layout == RN_BITS ? 2 : 3;
    if (!child || !child->release) {
        return fault(parts->problem, "column %lld of the batch is missing or was released before", (long long)index);
    }
    if (child->length < 0 || child->length > ROWS_MAX || child->offset < 0 || child->offset > ROWS_MAX ||
        child->length < batch->offset + batch->length || child->dictionary) {
        return fault(parts->problem, "field '%.128s': length %lld at offset %lld in a batch of %lld rows at %lld", name,
                     (long long)child->length, (long long)child->offset, (long long)batch->length,
                     (long long)batch->offset);
    }
    if (child->n_buffers < needed || child->n_buffers > VIEW_BLOCKS_MAX || !child->buffers) {
        return fault(parts->problem, "field '%.128s' has %lld buffers and needs %lld", name,
                     (long long)child->n_buffers, (long long)needed);
    }
    end = child->offset + batch->offset + batch->length;
    column_out->length = child->length;
    column_out->offset = child->offset;
    column_out->null_count = child->null_count;
    add_buffer(parts, child->null_count == 0 ? NULL : child->buffers[0], (uint64_t)(end + 7) / 8);
    switch (layout->layout) {
    case RN_FIXED:
        add_buffer(parts, child->buffers[1], (uint64_t)end * layout->width);
        break;
    case RN_BITS:
        add_buffer(parts, child->buffers[1], (uint64_t)(end + 7) / 8);
        break;
    case RN_TEXT:
    case RN_LARGE_TEXT:
        add_buffer(parts, child->buffers[1], end ? (uint64_t)(end + 1) * layout->width : 0);
        add_buffer(parts, child->buffers[2], end ? text_bytes(child->buffers[1], end, layout->width) : 0);
        break;
    case RN_VIEW:
        add_buffer(parts, child->buffers[1], (uint64_t)end * 16);
        for (int64_t block = 2; block + 1 < child->n_buffers && child->buffers[child->n_buffers - 1]; block++) {
            int64_t size = ((const int64_t *)child->buffers[child->n_buffers - 1])[block - 2];
            add_buffer(parts, child->buffers[block], size > 0 ? (uint64_t)size : 0);
        }
        break;
    }
    column_out->buffer_count = parts->buffer_count - before;
    return !parts->failed || fault(parts->problem, "%s", NO_MEMORY);
}

static int has_null_rows(const struct ArrowArray *array) {
    const uint8_t *bits = array->null_count != 0 && array->n_buffers > 0 && array->buffers ? array->buffers[0] : NULL;
    for (int64_t row = array->offset; bits && row < array->offset + array->length; row++) {
        if (!(bits[row / 8] >> (row % 8) & 1)) {
            return 1;
        }
    }
    return 0;
}

/* Finds all buffers of a batch. Returns 1, or 0 when it cannot be read. */
static int find_parts(const rn_frame_t *frame, const struct ArrowArray *array, parts_t *parts) {
    int is_good = 1;
    if (!array->release) {
        return fault(parts->problem, "the array was released before; every struct is passed on once");
    }
    if (array->n_children != frame->column_count || (frame->column_count && !array->children)) {
        return fault(parts->problem, "a batch of %lld columns for a frame of %u fields; they have to match",
                     (long long)array->n_children, (unsigned)frame->column_count);
    }
    if (array->length < 0 || array->length > ROWS_MAX || array->offset < 0 || array->offset > ROWS_MAX) {
        return fault(parts->problem, "a batch of length %lld at offset %lld", (long long)array->length,
                     (long long)array->offset);
    }
    if (has_null_rows(array)) {
        return fault(parts->problem, "a batch with null rows; only values of fields can be null");
    }
    parts->columns = calloc(frame->column_count ? frame->column_count : 1, sizeof *parts->columns);
    if (!parts->columns) {
        return fault(parts->problem, "%s", NO_MEMORY);
    }
    for (uint32_t index = 0; is_good && index < frame->column_count; index++) {
        is_good = add_column(parts, &frame->columns[index], index, array, &parts->columns[index]);
    }
    return is_good;
}

static void free_parts(parts_t *parts) {
    free(parts->columns);
    free(parts->buffers);
    free(parts->sources);
}

/* Moves what does not lie in an arena into one. Returns 1, or 0 when the arenas are full. */
static int place_buffers(parts_t *parts, rn_piece_t *piece_out, int *is_shared_out) {
    uint64_t room = 0;
    uint64_t used = 0;
    memset(piece_out, 0, sizeof *piece_out);
    *is_shared_out = 0;
    for (uint32_t index = 0; index < parts->buffer_count; index++) {
        runner_buffer_t *buffer = &parts->buffers[index];
        if (buffer->length && rn_find_arena(parts->sources[index], buffer->length, buffer)) {
            *is_shared_out = 1;
        } else {
            room += (buffer->length + 63) / 64 * 64;
        }
    }
    if (room && !rn_piece_take(room, piece_out)) {
        return 0;
    }
    for (uint32_t index = 0; index < parts->buffer_count; index++) {
        runner_buffer_t *buffer = &parts->buffers[index];
        if (!buffer->arena && buffer->length) {
            memcpy(piece_out->data + used, parts->sources[index], buffer->length);
            buffer->arena = piece_out->arena;
            buffer->offset = piece_out->offset + used;
            used += (buffer->length + 63) / 64 * 64;
        }
    }
    return 1;
}

/* Puts small buffers into the message itself. */
static void inline_buffers(runner_writer_t *writer, parts_t *parts) {
    for (uint32_t index = 0; index < parts->buffer_count; index++) {
        runner_span_t span = runner_put(writer, parts->sources[index], parts->buffers[index].length);
        parts->buffers[index].offset = span.offset;
    }
}

/* Says that there is no room for more; the call fails with it. */
static gf_status arenas_are_full(rn_call_t *call) {
    gf_error_t error = {.struct_size = sizeof error, .source = GF_SOURCE_LIMIT, .code = GF_LIMIT};
    static const char text[] = "the memory that the plugin shares with the server is full; ask for less data or raise "
                               "[plugins] max_shared_memory_mib";
    error.message.data = text;
    error.message.length = sizeof text - 1;
    rn_core.error_set(&rn.host, (gf_call_t *)(uintptr_t)call->handle, &error);
    return GF_LIMIT;
}

static void write_batch(runner_writer_t *writer, rn_call_t *call, const rn_frame_t *frame,
                        const struct ArrowArray *array, parts_t *parts, uint64_t release) {
    runner_batch_t body = {.struct_size = sizeof body, .frame = frame->number, .release = release};
    runner_begin(writer, RUNNER_BATCH, call->handle, sizeof body);
    body.rows = array->length;
    body.offset = array->offset;
    if (!release) {
        inline_buffers(writer, parts);
    }
    body.columns = runner_put(writer, parts->columns, frame->column_count * sizeof *parts->columns);
    body.buffers = runner_put(writer, parts->buffers, parts->buffer_count * sizeof *parts->buffers);
    runner_end(writer, &body, sizeof body);
}

/* The frame of a number; NULL when no schema came for it. */
static rn_frame_t *find_frame(rn_call_t *call, uint32_t number) {
    rn_frame_t *frame;
    pthread_mutex_lock(&call->lock);
    for (frame = call->frames; frame && frame->number != number; frame = frame->next) {
    }
    pthread_mutex_unlock(&call->lock);
    return frame;
}

gf_status rn_send_batch(rn_call_t *call, uint32_t number, struct ArrowArray *array) {
    const rn_frame_t *frame = find_frame(call, number);
    parts_t parts = {0};
    rn_piece_t piece;
    uint64_t release = 0;
    int is_shared = 0;
    int64_t rows = array->length;
    if (!frame) {
        return rn_reject(call, "rows came for frame %u, which has no schema", number);
    }
    if (!find_parts(frame, array, &parts)) {
        free_parts(&parts);
        return rn_reject(call, "frame %u: invalid-arrow: %s", number, parts.problem);
    }
    if (parts.bytes > RUNNER_INLINE_MAX) {
        if (!place_buffers(&parts, &piece, &is_shared)) {
            free_parts(&parts);
            return arenas_are_full(call);
        }
        release = rn_hold(&piece, is_shared ? array : NULL, call->instance);
        write_batch(rn_emit(call), call, frame, array, &parts, release);
    } else {
        write_batch(rn_emit(call), call, frame, array, &parts, 0);
    }
    free_parts(&parts);
    return rn_emitted(call, parts.bytes + 256, rows, RN_WHOLE);
}
