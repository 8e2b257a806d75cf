/* SPDX-License-Identifier: Apache-2.0
 *
 * grafana/sdk/frame.h: frames in C, built value by value. Part of grafana/sdk.h; not ABI.
 *
 *     gf_frame_t frame = gf_frame_make("cpu");
 *     gf_column_t *time = gf_frame_add(&frame, "time", GF_TYPE_TIME);
 *     gf_column_t *load = gf_frame_add(&frame, "load", GF_TYPE_FLOAT64 | GF_TYPE_NULLABLE);
 *     gf_column_label(load, "host", "a");
 *     gf_append_time(time, 1700000000000000000);
 *     gf_append_null(load);
 *     return gf_frame_send(context, &frame);
 *
 * Nothing here needs a check after each line: what goes wrong (no memory, a null in a column that takes none, columns
 * of different lengths) is kept in the frame and answered by gf_frame_send, which also frees the frame.
 */
#ifndef GRAFANA_SDK_FRAME_H
#define GRAFANA_SDK_FRAME_H

#include "arrow_export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gf_frame {
    gf_text_t name;
    gf_text_t meta; /* a JSON object, or empty */
    gf_column_t *first;
    gf_column_t *last;
    gf_status status; /* the first failure */
    uint32_t number;  /* in its call, once its schema is sent */
    int is_open;
} gf_frame_t;

static inline gf_frame_t gf_frame_make(const char *name) {
    gf_frame_t frame;
    memset(&frame, 0, sizeof frame);
    gf_text_put(&frame.name, name, strlen(name));
    return frame;
}

/* Adds a column; columns keep their order. type is GF_TYPE_…, with GF_TYPE_NULLABLE when it may hold nulls. Returns
 * NULL when there is no memory: every function takes that. */
static inline gf_column_t *gf_frame_add(gf_frame_t *frame, const char *name, uint32_t type) {
    gf_column_t *column = (gf_column_t *)calloc(1, sizeof *column);
    if (!column) {
        frame->status = GF_NOMEM;
        return NULL;
    }
    column->type = type & ~GF_TYPE_NULLABLE;
    column->is_nullable = (type & GF_TYPE_NULLABLE) != 0;
    gf_text_put(&column->name, name, strlen(name));
    if (frame->last) {
        frame->last->next = column;
    } else {
        frame->first = column;
    }
    frame->last = column;
    return column;
}

/* Sets the frame's meta, a JSON object as facts about frames name them: {"type":"timeseries-multi",…}. */
static inline void gf_frame_meta(gf_frame_t *frame, const char *json) {
    frame->meta.length = 0;
    gf_text_put(&frame->meta, json, strlen(json));
}

/* Sets the column's config, a JSON object such as {"unit":"bytes"}. */
static inline void gf_column_config(gf_column_t *column, const char *json) {
    if (column) {
        column->config.length = 0;
        gf_text_put(&column->config, json, strlen(json));
    }
}

/* Adds a label. Labels are written sorted by key. */
static inline void gf_column_label(gf_column_t *column, const char *key, const char *value) {
    gf_label_t *label;
    gf_label_t **place;
    if (!column) {
        return;
    }
    label = (gf_label_t *)calloc(1, sizeof *label);
    if (!label) {
        column->status = GF_NOMEM;
        return;
    }
    gf_text_put(&label->key, key, strlen(key) + 1);
    gf_text_put(&label->value, value, strlen(value) + 1);
    if (label->key.failed || label->value.failed) {
        column->status = GF_NOMEM;
    }
    for (place = &column->labels; *place && gf_text_compare(&(*place)->key, &label->key) < 0;) {
        place = &(*place)->next;
    }
    label->next = *place;
    *place = label;
}

/* Appends one row to a column: to each column the kind that it was made for. */
static inline void gf_append_time(gf_column_t *column, gf_time nanoseconds) {
    gf_column_put(column, GF_TYPE_TIME, &nanoseconds, sizeof nanoseconds);
}

static inline void gf_append_float64(gf_column_t *column, double value) {
    gf_column_put(column, GF_TYPE_FLOAT64, &value, sizeof value);
}

static inline void gf_append_int64(gf_column_t *column, int64_t value) {
    gf_column_put(column, GF_TYPE_INT64, &value, sizeof value);
}

static inline void gf_append_bool(gf_column_t *column, int value) {
    if (gf_column_begin(column, GF_TYPE_BOOL)) {
        gf_column_finish(column, gf_bits_put(&column->values, column->length, value != 0), 1);
    }
}

/* Appends UTF-8 text, or JSON text to a GF_TYPE_JSON column: copied. */
static inline void gf_append_str(gf_column_t *column, gf_str_t value) {
    gf_column_text(column, value.data, value.length, 1);
}

static inline void gf_append_string(gf_column_t *column, const char *value) {
    gf_append_str(column, gf_str_from(value));
}

static inline void gf_append_null(gf_column_t *column) {
    static const int64_t zero = 0;
    if (!column) {
        return;
    }
    if (!column->is_nullable) {
        column->status = GF_BAD_DATA;
    } else if (column->type == GF_TYPE_STRING || column->type == GF_TYPE_JSON) {
        gf_column_text(column, NULL, 0, 0);
    } else if (column->type == GF_TYPE_BOOL) {
        gf_column_finish(column, gf_bits_put(&column->values, column->length, 0), 0);
    } else {
        gf_column_finish(column, gf_text_put(&column->values, &zero, sizeof zero), 0);
    }
}

/* Frees a frame that is not sent. */
static inline void gf_frame_free(gf_frame_t *frame) {
    gf_column_t *column = frame->first;
    while (column) {
        gf_column_t *next = column->next;
        gf_column_free(column);
        column = next;
    }
    gf_text_free(&frame->name);
    gf_text_free(&frame->meta);
    memset(frame, 0, sizeof *frame);
}

/* The first failure of the frame or one of its columns, or GF_OK. */
static inline gf_status gf_frame_check(const gf_frame_t *frame) {
    const gf_column_t *column;
    if (frame->status != GF_OK || frame->name.failed || frame->meta.failed) {
        return frame->status != GF_OK ? frame->status : GF_NOMEM;
    }
    for (column = frame->first; column; column = column->next) {
        if (column->status != GF_OK || column->name.failed || column->config.failed) {
            return column->status != GF_OK ? column->status : GF_NOMEM;
        }
        if (column->length != frame->first->length) {
            return GF_BAD_DATA;
        }
    }
    return GF_OK;
}

/* The struct schema of the frame. GF_OK, or GF_NOMEM with a zeroed *schema_out. */
static inline gf_status gf_frame_export_schema(const gf_frame_t *frame, gf_str_t ref_id,
                                               struct ArrowSchema *schema_out) {
    gf_text_t metadata;
    const gf_column_t *column;
    int64_t count = 0;
    gf_status status;
    memset(&metadata, 0, sizeof metadata);
    gf_metadata_put(&metadata, "name", frame->name.data, frame->name.length);
    gf_metadata_put(&metadata, "refId", ref_id.data, ref_id.length);
    if (frame->meta.length) {
        gf_metadata_put(&metadata, "meta", frame->meta.data, frame->meta.length);
    }
    for (column = frame->first; column; column = column->next) {
        count++;
    }
    status = gf_schema_make("+s", "", 0, 0, &metadata, count, schema_out);
    count = 0;
    for (column = frame->first; column && status == GF_OK; column = column->next) {
        status = gf_column_schema(column, schema_out->children[count++]);
    }
    if (status != GF_OK && schema_out->release) {
        schema_out->release(schema_out);
    }
    return status;
}

/* Moves the rows of the frame to *array_out; the frame is then without rows. */
static inline gf_status gf_frame_export_rows(gf_frame_t *frame, struct ArrowArray *array_out) {
    gf_column_t *column;
    int64_t count = 0;
    gf_status status;
    for (column = frame->first; column; column = column->next) {
        count++;
    }
    status = gf_array_make(frame->first ? frame->first->length : 0, 0, 1, count, array_out);
    count = 0;
    for (column = frame->first; column && status == GF_OK; column = column->next) {
        status = gf_column_array(column, array_out->children[count++]);
    }
    if (status != GF_OK && array_out->release) {
        array_out->release(array_out);
    }
    return status;
}

#ifdef __cplusplus
}
#endif

#endif
