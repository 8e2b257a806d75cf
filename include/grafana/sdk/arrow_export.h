/* SPDX-License-Identifier: Apache-2.0
 *
 * grafana/sdk/arrow_export.h: the columns of frame.h and their way into Arrow's C structs. Part of grafana/sdk.h; not
 * ABI. Authors need frame.h only.
 *
 * Every exported struct owns its memory alone, so that a receiver may move children out of a parent, and release runs
 * on any thread.
 */
#ifndef GRAFANA_SDK_ARROW_EXPORT_H
#define GRAFANA_SDK_ARROW_EXPORT_H

#include "host.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GF_TYPE_TIME 1u /* nanoseconds since 1970, UTC */
#define GF_TYPE_FLOAT64 2u
#define GF_TYPE_INT64 3u
#define GF_TYPE_STRING 4u
#define GF_TYPE_BOOL 5u
#define GF_TYPE_JSON 6u
#define GF_TYPE_NULLABLE 0x100u

/* Bytes that grow. failed: there was no memory, and what is put is dropped. */
typedef struct gf_text {
    char *data;
    size_t length;
    size_t capacity;
    int failed;
} gf_text_t;

/* Makes room for `more` bytes and one NUL after them. Returns 1, or 0 without memory. */
static inline int gf_text_reserve(gf_text_t *text, size_t more) {
    size_t capacity = text->capacity ? text->capacity : 64;
    char *data;
    if (text->failed || more > SIZE_MAX / 4 || text->length > SIZE_MAX / 4) {
        text->failed = 1;
        return 0;
    }
    if (text->data && text->length + more + 1 <= text->capacity) {
        return 1;
    }
    while (capacity < text->length + more + 1) {
        capacity *= 2;
    }
    data = (char *)realloc(text->data, capacity);
    if (!data) {
        text->failed = 1;
        return 0;
    }
    text->data = data;
    text->capacity = capacity;
    return 1;
}

static inline int gf_text_put(gf_text_t *text, const void *bytes, size_t length) {
    if (!gf_text_reserve(text, length)) {
        return 0;
    }
    if (length) {
        memcpy(text->data + text->length, bytes, length);
    }
    text->length += length;
    text->data[text->length] = 0;
    return 1;
}

static inline void gf_text_free(gf_text_t *text) {
    free(text->data);
    memset(text, 0, sizeof *text);
}

/* As strcmp of two NUL-terminated texts; one without memory comes first. */
static inline int gf_text_compare(const gf_text_t *a, const gf_text_t *b) {
    return strcmp(a->data ? a->data : "", b->data ? b->data : "");
}

/* Writes a JSON string with its quotes. */
static inline void gf_text_json_string(gf_text_t *text, const char *value) {
    char escape[8];
    gf_text_put(text, "\"", 1);
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (c == '"' || c == '\\') {
            escape[0] = '\\';
            escape[1] = (char)c;
            gf_text_put(text, escape, 2);
        } else if (c < 0x20) {
            snprintf(escape, sizeof escape, "\\u%04x", c);
            gf_text_put(text, escape, 6);
        } else {
            gf_text_put(text, value, 1);
        }
    }
    gf_text_put(text, "\"", 1);
}

/* Sets bit `index`, the next one, of a bitmap. */
static inline int gf_bits_put(gf_text_t *bits, int64_t index, int value) {
    static const char zero = 0;
    if (index % 8 == 0 && !gf_text_put(bits, &zero, 1)) {
        return 0;
    }
    if (bits->failed) {
        return 0;
    }
    if (value) {
        bits->data[index / 8] = (char)((unsigned char)bits->data[index / 8] | (1u << (index % 8)));
    }
    return 1;
}

typedef struct gf_label {
    gf_text_t key; /* with its NUL */
    gf_text_t value;
    struct gf_label *next;
} gf_label_t;

typedef struct gf_column {
    uint32_t type;
    int is_nullable;
    gf_text_t name;
    gf_text_t config;
    gf_label_t *labels;
    int64_t length;
    int64_t null_count;
    gf_text_t validity; /* a bitmap, from the first null on */
    gf_text_t offsets;  /* of texts: int32, one more than rows */
    gf_text_t values;
    gf_status status; /* the first failure */
    struct gf_column *next;
} gf_column_t;

/* Whether a value of the type may be appended. */
static inline int gf_column_begin(gf_column_t *column, uint32_t type) {
    if (column && column->type != type) {
        column->status = GF_BAD_DATA;
    }
    return column && column->status == GF_OK;
}

/* Counts the row that was stored. */
static inline void gf_column_finish(gf_column_t *column, int stored, int is_valid) {
    int64_t row;
    if (!is_valid && !column->null_count) {
        for (row = 0; row < column->length; row++) {
            stored = gf_bits_put(&column->validity, row, 1) && stored;
        }
    }
    column->null_count += !is_valid;
    if (column->null_count) {
        stored = gf_bits_put(&column->validity, column->length, is_valid) && stored;
    }
    column->length++;
    if (!stored) {
        column->status = GF_NOMEM;
    }
}

static inline void gf_column_put(gf_column_t *column, uint32_t type, const void *value, size_t size) {
    if (gf_column_begin(column, type)) {
        gf_column_finish(column, gf_text_put(&column->values, value, size), 1);
    }
}

static inline void gf_column_text(gf_column_t *column, const char *data, uint64_t length, int is_valid) {
    int32_t offset = 0;
    int stored = 1;
    if (!gf_column_begin(column, column && column->type == GF_TYPE_JSON ? GF_TYPE_JSON : GF_TYPE_STRING)) {
        return;
    }
    if (length > (uint64_t)INT32_MAX - column->values.length) {
        column->status = GF_LIMIT;
        return;
    }
    if (!column->offsets.length) {
        stored = gf_text_put(&column->offsets, &offset, sizeof offset);
    }
    stored = gf_text_put(&column->values, data, (size_t)length) && stored;
    offset = (int32_t)column->values.length;
    stored = gf_text_put(&column->offsets, &offset, sizeof offset) && stored;
    gf_column_finish(column, stored, is_valid);
}

static inline void gf_column_free(gf_column_t *column) {
    gf_label_t *label = column->labels;
    while (label) {
        gf_label_t *next = label->next;
        gf_text_free(&label->key);
        gf_text_free(&label->value);
        free(label);
        label = next;
    }
    gf_text_free(&column->name);
    gf_text_free(&column->config);
    gf_text_free(&column->validity);
    gf_text_free(&column->offsets);
    gf_text_free(&column->values);
    free(column);
}

/* Appends a pair to Arrow metadata: a count, then lengths and bytes, all in the machine's byte order. */
static inline void gf_metadata_put(gf_text_t *metadata, const char *key, const char *value, uint64_t length) {
    int32_t number = 0;
    if (!metadata->length) {
        gf_text_put(metadata, &number, sizeof number);
    }
    if (length > (uint64_t)INT32_MAX || metadata->failed) {
        metadata->failed = 1;
        return;
    }
    memcpy(&number, metadata->data, sizeof number);
    number++;
    memcpy(metadata->data, &number, sizeof number);
    number = (int32_t)strlen(key);
    gf_text_put(metadata, &number, sizeof number);
    gf_text_put(metadata, key, strlen(key));
    number = (int32_t)length;
    gf_text_put(metadata, &number, sizeof number);
    gf_text_put(metadata, value, (size_t)length);
}

static inline void gf_schema_release(struct ArrowSchema *schema) {
    int64_t index;
    for (index = 0; index < schema->n_children; index++) {
        if (schema->children[index] && schema->children[index]->release) {
            schema->children[index]->release(schema->children[index]);
        }
        free(schema->children[index]);
    }
    free(schema->children);
    free((void *)schema->name);
    free((void *)schema->metadata);
    schema->release = NULL;
}

/* Makes a schema of a static format and `count` empty children; takes the metadata. */
static inline gf_status gf_schema_make(const char *format, const char *name, size_t name_length, int64_t flags,
                                       gf_text_t *metadata, int64_t count, struct ArrowSchema *schema_out) {
    char *own_name = (char *)calloc(1, name_length + 1);
    int64_t index;
    memset(schema_out, 0, sizeof *schema_out);
    schema_out->children = (struct ArrowSchema **)calloc((size_t)count + 1, sizeof *schema_out->children);
    if (!own_name || !schema_out->children || metadata->failed) {
        free(own_name);
        free(schema_out->children);
        gf_text_free(metadata);
        memset(schema_out, 0, sizeof *schema_out);
        return GF_NOMEM;
    }
    if (name_length) {
        memcpy(own_name, name, name_length);
    }
    schema_out->format = format;
    schema_out->name = own_name;
    schema_out->metadata = metadata->data;
    schema_out->flags = flags;
    schema_out->n_children = count;
    schema_out->release = gf_schema_release;
    for (index = 0; index < count; index++) {
        schema_out->children[index] = (struct ArrowSchema *)calloc(1, sizeof *schema_out);
        if (!schema_out->children[index]) {
            schema_out->release(schema_out);
            return GF_NOMEM;
        }
    }
    return GF_OK;
}

static inline gf_status gf_column_schema(const gf_column_t *column, struct ArrowSchema *schema_out) {
    static const char *const formats[] = {"", "tsn:", "g", "l", "u", "b", "z"};
    static const char *const kinds[] = {"", "time", "number", "number", "string", "boolean", "other"};
    uint32_t type = column->type < sizeof formats / sizeof *formats ? column->type : 0;
    gf_text_t metadata, labels;
    const gf_label_t *label;
    if (!type) {
        return GF_BAD_DATA;
    }
    memset(&metadata, 0, sizeof metadata);
    memset(&labels, 0, sizeof labels);
    gf_metadata_put(&metadata, "tstype", kinds[type], strlen(kinds[type]));
    for (label = column->labels; label; label = label->next) {
        gf_text_put(&labels, labels.length ? "," : "{", 1);
        gf_text_json_string(&labels, label->key.data ? label->key.data : "");
        gf_text_put(&labels, ":", 1);
        gf_text_json_string(&labels, label->value.data ? label->value.data : "");
    }
    if (column->labels) {
        gf_text_put(&labels, "}", 1);
        gf_metadata_put(&metadata, "labels", labels.data, labels.length);
    }
    if (column->config.length) {
        gf_metadata_put(&metadata, "config", column->config.data, column->config.length);
    }
    metadata.failed |= labels.failed;
    gf_text_free(&labels);
    return gf_schema_make(formats[type], column->name.data, column->name.length,
                          column->is_nullable ? ARROW_FLAG_NULLABLE : 0, &metadata, 0, schema_out);
}

static inline void gf_array_release(struct ArrowArray *array) {
    int64_t index;
    for (index = 0; index < array->n_children; index++) {
        if (array->children[index] && array->children[index]->release) {
            array->children[index]->release(array->children[index]);
        }
        free(array->children[index]);
    }
    for (index = 0; index < array->n_buffers; index++) {
        free((void *)array->buffers[index]);
    }
    free(array->children);
    free((void *)array->buffers);
    array->release = NULL;
}

/* Makes an array with room for its buffers and children. */
static inline gf_status gf_array_make(int64_t length, int64_t null_count, int64_t buffers, int64_t count,
                                      struct ArrowArray *array_out) {
    int64_t index;
    memset(array_out, 0, sizeof *array_out);
    array_out->buffers = (const void **)calloc((size_t)buffers, sizeof *array_out->buffers);
    array_out->children = (struct ArrowArray **)calloc((size_t)count + 1, sizeof *array_out->children);
    if (!array_out->buffers || !array_out->children) {
        free((void *)array_out->buffers);
        free(array_out->children);
        memset(array_out, 0, sizeof *array_out);
        return GF_NOMEM;
    }
    array_out->length = length;
    array_out->null_count = null_count;
    array_out->n_buffers = buffers;
    array_out->n_children = count;
    array_out->release = gf_array_release;
    for (index = 0; index < count; index++) {
        array_out->children[index] = (struct ArrowArray *)calloc(1, sizeof *array_out);
        if (!array_out->children[index]) {
            array_out->release(array_out);
            return GF_NOMEM;
        }
    }
    return GF_OK;
}

/* The memory of a buffer, which is then empty; never NULL for what has no bytes, as Arrow asks. */
static inline void *gf_text_move(gf_text_t *text) {
    void *data = gf_text_reserve(text, 8) ? text->data : NULL;
    if (!data) {
        free(text->data);
    }
    memset(text, 0, sizeof *text);
    return data;
}

/* Moves the column's rows to *array_out. */
static inline gf_status gf_column_array(gf_column_t *column, struct ArrowArray *array_out) {
    int is_text = column->type == GF_TYPE_STRING || column->type == GF_TYPE_JSON;
    int32_t zero = 0;
    gf_status status = gf_array_make(column->length, column->null_count, is_text ? 3 : 2, 0, array_out);
    if (status != GF_OK) {
        return status;
    }
    if (column->null_count) {
        array_out->buffers[0] = gf_text_move(&column->validity);
    }
    if (is_text) {
        if (!column->offsets.length) {
            gf_text_put(&column->offsets, &zero, sizeof zero);
        }
        array_out->buffers[1] = gf_text_move(&column->offsets);
    }
    array_out->buffers[is_text ? 2 : 1] = gf_text_move(&column->values);
    column->length = 0;
    column->null_count = 0;
    return array_out->buffers[1] && array_out->buffers[is_text ? 2 : 1] ? GF_OK : GF_NOMEM;
}

#ifdef __cplusplus
}
#endif

#endif
