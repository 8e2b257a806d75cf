/* gf.datasource/1
 * SPDX-License-Identifier: Apache-2.0
 *
 * GF_CALL_QUERY: the queries of one request to one data source. For each query the plugin opens zero or more frames
 * under the query's ref_id. A query that fails is told by error_set with its ref_id and fails alone; the call as a
 * whole then still completes with GF_OK. */
#ifndef GRAFANA_EXT_DATASOURCE_H
#define GRAFANA_EXT_DATASOURCE_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GF_DATASOURCE_EXT "gf.datasource/1"

typedef struct gf_query {
    uint32_t struct_size;
    uint32_t reserved;
    gf_str_t ref_id;      /* unique in the request, not empty */
    gf_str_t query_type;  /* may be empty */
    gf_str_t json;        /* the query as the user saved it: a JSON object */
    gf_time from;         /* time range, UTC */
    gf_time to;
    gf_time interval;     /* spacing of points that the panel can show: a duration, more than 0 */
    int64_t max_data_points;
    int64_t max_rows;     /* over all frames of this query; 0: no bound but the call's budget */
} gf_query_t;

typedef struct gf_query_request {
    uint32_t struct_size;
    uint32_t query_count;
    const gf_query_t *queries; /* elements are queries[0].struct_size bytes apart */
} gf_query_request_t;

/* The plugin's extension: having it says that GF_CALL_QUERY is answered. */
typedef struct gf_datasource_ext {
    uint32_t struct_size;
    uint32_t reserved;
} gf_datasource_ext_t;

#ifdef __cplusplus
}
#endif

#endif
