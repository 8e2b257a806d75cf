/* SPDX-License-Identifier: Apache-2.0
 *
 * gf.json with jansson behind it, in the plugin's own process. A gf_json_t is a json_t that no plugin sees into. */
#include "runner.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PARSE_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY)
#define CANONICAL_FLAGS (JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY)
#define PACK_MAX 65536u

static const json_t *value_of(const gf_json_t *json) {
    return (const json_t *)json;
}

static gf_status parse(const gf_host_t *host, gf_str_t text, gf_json_t **json_out, uint64_t *error_offset_out) {
    json_error_t error;
    json_t *json;
    (void)host;
    if (!json_out) {
        return GF_STATE;
    }
    *json_out = NULL;
    if (!text.data || !text.length) {
        return GF_INVALID;
    }
    json = json_loadb(text.data, text.length, PARSE_FLAGS, &error);
    if (!json) {
        if (error_offset_out) {
            *error_offset_out = error.position > 0 ? (uint64_t)error.position : 0;
        }
        return GF_INVALID;
    }
    *json_out = (gf_json_t *)json;
    return GF_OK;
}

static void release(const gf_host_t *host, gf_json_t *json) {
    (void)host;
    json_decref((json_t *)json);
}

static uint32_t kind(const gf_host_t *host, const gf_json_t *json) {
    (void)host;
    if (!json) {
        return GF_JSON_NULL;
    }
    switch (json_typeof(value_of(json))) {
    case JSON_TRUE:
    case JSON_FALSE:
        return GF_JSON_BOOL;
    case JSON_INTEGER:
        return GF_JSON_INTEGER;
    case JSON_REAL:
        return GF_JSON_REAL;
    case JSON_STRING:
        return GF_JSON_STRING;
    case JSON_ARRAY:
        return GF_JSON_ARRAY;
    case JSON_OBJECT:
        return GF_JSON_OBJECT;
    default:
        return GF_JSON_NULL;
    }
}

static uint64_t count(const gf_host_t *host, const gf_json_t *json) {
    (void)host;
    return json_is_array(value_of(json)) ? json_array_size(value_of(json)) : json_object_size(value_of(json));
}

/* The member of a value that a part of a path names. */
static const json_t *member(const json_t *json, const char *name, size_t length) {
    char *copy = strndup(name, length);
    char *end = NULL;
    const json_t *found = NULL;
    if (copy && json_is_array(json)) {
        unsigned long index = strtoul(copy, &end, 10);
        found = *end == 0 && *copy != '-' ? json_array_get(json, index) : NULL;
    } else if (copy) {
        found = json_object_get(json, copy);
    }
    free(copy);
    return found;
}

static const gf_json_t *get(const gf_host_t *host, const gf_json_t *json, gf_str_t path) {
    const json_t *current = value_of(json);
    uint64_t start = 0;
    (void)host;
    while (current && start < path.length) {
        uint64_t end = start;
        while (end < path.length && path.data[end] != '.') {
            end++;
        }
        if (end > start) {
            current = member(current, path.data + start, end - start);
        }
        start = end + 1;
    }
    return (const gf_json_t *)current;
}

static gf_status scalar(const gf_host_t *host, const gf_json_t *json, gf_value_t *value_out) {
    const json_t *value = value_of(json);
    if (!value_out) {
        return GF_STATE;
    }
    memset(value_out, 0, sizeof *value_out);
    switch (kind(host, json)) {
    case GF_JSON_BOOL:
        value_out->type = GF_VALUE_BOOL;
        value_out->as.i64 = json_is_true(value);
        return GF_OK;
    case GF_JSON_INTEGER:
        value_out->type = GF_VALUE_I64;
        value_out->as.i64 = json_integer_value(value);
        return GF_OK;
    case GF_JSON_REAL:
        value_out->type = GF_VALUE_F64;
        value_out->as.f64 = json_real_value(value);
        return GF_OK;
    case GF_JSON_STRING:
        value_out->type = GF_VALUE_STR;
        value_out->as.str.data = json_string_value(value);
        value_out->as.str.length = json_string_length(value);
        return GF_OK;
    case GF_JSON_NULL:
        return GF_OK;
    default:
        return GF_INVALID;
    }
}

static gf_status give_text(char *text, gf_buffer_t *text_out, uint64_t *length_out) {
    gf_bytes_t bytes = {(const uint8_t *)text, text ? strlen(text) : 0};
    gf_status status = text ? rn_buffer_copy(bytes, 0, text_out, length_out) : GF_NOMEM;
    free(text);
    return status;
}

static gf_status canonical(const gf_host_t *host, const gf_json_t *json, gf_buffer_t *text_out, uint64_t *length_out) {
    (void)host;
    if (text_out) {
        memset(text_out, 0, sizeof *text_out);
    }
    return json ? give_text(json_dumps(value_of(json), CANONICAL_FLAGS), text_out, length_out) : GF_INVALID;
}

static json_t *base64(gf_bytes_t bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc(bytes.length / 3 * 4 + 5);
    size_t length = 0;
    json_t *json;
    for (uint64_t at = 0; text && at < bytes.length; at += 3) {
        uint32_t left = (uint32_t)(bytes.length - at);
        uint32_t group = (uint32_t)bytes.data[at] << 16 | (left > 1 ? (uint32_t)bytes.data[at + 1] << 8 : 0) |
                         (left > 2 ? bytes.data[at + 2] : 0);
        text[length++] = digits[group >> 18];
        text[length++] = digits[group >> 12 & 63];
        text[length++] = left > 1 ? digits[group >> 6 & 63] : '=';
        text[length++] = left > 2 ? digits[group & 63] : '=';
    }
    json = text ? json_stringn(text, length) : NULL;
    free(text);
    return json;
}

static json_t *packed(const gf_value_t *value) {
    switch (value->type) {
    case GF_VALUE_NULL:
        return json_null();
    case GF_VALUE_BOOL:
        return json_boolean(value->as.i64);
    case GF_VALUE_I64:
        return json_integer(value->as.i64);
    case GF_VALUE_F64:
        return isfinite(value->as.f64) ? json_real(value->as.f64) : json_null();
    case GF_VALUE_STR:
        return json_stringn(value->as.str.data ? value->as.str.data : "", value->as.str.length);
    case GF_VALUE_BYTES:
        return base64(value->as.bytes);
    default:
        return NULL;
    }
}

static gf_status pack(const gf_host_t *host, const gf_field_t *fields, uint32_t field_count, gf_buffer_t *text_out,
                      uint64_t *length_out) {
    json_t *object = json_object();
    gf_status status = GF_OK;
    (void)host;
    if (text_out) {
        memset(text_out, 0, sizeof *text_out);
    }
    if (!fields && field_count) {
        status = GF_STATE;
    }
    for (uint32_t index = 0; status == GF_OK && index < field_count && index < PACK_MAX; index++) {
        char *key = strndup(fields[index].key.data ? fields[index].key.data : "", fields[index].key.length);
        json_t *value = packed(&fields[index].value);
        if (!key || !value || json_object_set_new(object, key, value) != 0) {
            status = GF_INVALID;
        }
        free(key);
    }
    if (status == GF_OK) {
        status = give_text(json_dumps(object, JSON_COMPACT | JSON_ENCODE_ANY), text_out, length_out);
    }
    json_decref(object);
    return status;
}

const gf_json_host_t rn_json = {sizeof rn_json, 0, parse, release, kind, count, get, scalar, canonical, pack};
