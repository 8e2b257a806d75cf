/* gf.metrics/1
 * SPDX-License-Identifier: Apache-2.0
 *
 * The plugin declares its metrics once, in a static table with complete label sets; afterwards it only names them by
 * index, so that a metric can never grow labels at run time. The host prefixes names with "grafana_plugin_" and adds
 * the label plugin_id. */
#ifndef GRAFANA_EXT_METRICS_H
#define GRAFANA_EXT_METRICS_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GF_METRICS_EXT "gf.metrics/1"
#define GF_METRICS_HOST_EXT "gf.metrics_host/1"

#define GF_METRIC_COUNTER 0u
#define GF_METRIC_GAUGE 1u
#define GF_METRIC_HISTOGRAM 2u

/* The most metrics of one plugin. */
#define GF_METRICS_MAX 1024u

typedef struct gf_metric {
    uint32_t struct_size;
    uint32_t type; /* GF_METRIC_… */
    gf_str_t name; /* [a-z_][a-z0-9_]* */
    gf_str_t help;
    const gf_pair_t *labels;
    uint32_t label_count;
    uint32_t bound_count;  /* histogram: upper bounds, ascending, without +Inf */
    const double *bounds;
} gf_metric_t;

/* The plugin's extension. */
typedef struct gf_metrics_ext {
    uint32_t struct_size;
    uint32_t metric_count;
    const gf_metric_t *metrics; /* static; elements are metrics[0].struct_size bytes apart */
} gf_metrics_ext_t;

/* The host's table. Thread: [any-thread] [no-block]. Errors: GF_INVALID for an index or a value that does not fit. */
typedef struct gf_metrics_host {
    uint32_t struct_size;
    uint32_t reserved;
    gf_status (*add)(const gf_host_t *host, uint32_t index, double value);     /* counter (value >= 0), gauge */
    gf_status (*set)(const gf_host_t *host, uint32_t index, double value);     /* gauge */
    gf_status (*observe)(const gf_host_t *host, uint32_t index, double value); /* histogram */
} gf_metrics_host_t;

#ifdef __cplusplus
}
#endif

#endif
