/* gf.json/1
 * SPDX-License-Identifier: Apache-2.0
 *
 * JSON for plugins in C. Provided by the host; values are opaque, JSON crosses as UTF-8. Duplicate keys, integers past
 * int64 and nesting over 2048 are errors. */
#ifndef GRAFANA_EXT_JSON_H
#define GRAFANA_EXT_JSON_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GF_JSON_EXT "gf.json/1"

#define GF_JSON_NULL 0u
#define GF_JSON_BOOL 1u
#define GF_JSON_INTEGER 2u
#define GF_JSON_REAL 3u
#define GF_JSON_STRING 4u
#define GF_JSON_ARRAY 5u
#define GF_JSON_OBJECT 6u

typedef struct gf_json gf_json_t;

/* All: Thread: [any-thread] [no-block]; one value is used by one thread at a time. */
typedef struct gf_json_host {
    uint32_t struct_size;
    uint32_t reserved;

    /* Ownership: *json_out is the plugin's until release. Errors: GF_INVALID; *error_offset_out (may be NULL) is then
     * the byte where parsing stopped. */
    gf_status (*parse)(const gf_host_t *host, gf_str_t text, gf_json_t **json_out, uint64_t *error_offset_out);
    void (*release)(const gf_host_t *host, gf_json_t *json);

    /* GF_JSON_…; of a NULL value GF_JSON_NULL. */
    uint32_t (*kind)(const gf_host_t *host, const gf_json_t *json);

    /* Members of an array or object, else 0. */
    uint64_t (*count)(const gf_host_t *host, const gf_json_t *json);

    /* A value by its path: names and indices with dots, "a.b.0". NULL when there is none. Borrowed from json. */
    const gf_json_t *(*get)(const gf_host_t *host, const gf_json_t *json, gf_str_t path);

    /* The scalar as a value: null, bool, i64, f64 or str (borrowed from json). Errors: GF_INVALID for an array or an
     * object. */
    gf_status (*scalar)(const gf_host_t *host, const gf_json_t *json, gf_value_t *value_out);

    /* Canonical text: no spaces, keys sorted. */
    gf_status (*canonical)(const gf_host_t *host, const gf_json_t *json, gf_buffer_t *text_out, uint64_t *length_out);

    /* An object of the given members; bytes are written as base64. */
    gf_status (*pack)(const gf_host_t *host, const gf_field_t *fields, uint32_t count, gf_buffer_t *text_out,
                      uint64_t *length_out);
} gf_json_host_t;

#ifdef __cplusplus
}
#endif

#endif
