/* gf.health/1
 * SPDX-License-Identifier: Apache-2.0
 *
 * GF_CALL_HEALTH: is the instance usable? The answer is a head (status GF_HEALTH_…, message for a person) and,
 * optionally, a JSON object as bytes for the details. Completing with an error means that the check itself failed. */
#ifndef GRAFANA_EXT_HEALTH_H
#define GRAFANA_EXT_HEALTH_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GF_HEALTH_EXT "gf.health/1"

#define GF_HEALTH_UNKNOWN 0
#define GF_HEALTH_OK 1
#define GF_HEALTH_ERROR 2

#define GF_HEALTH_CHEAP 0u /* no network: the reload gate uses it */
#define GF_HEALTH_FULL 1u

typedef struct gf_health_request {
    uint32_t struct_size;
    uint32_t depth; /* GF_HEALTH_CHEAP or GF_HEALTH_FULL */
} gf_health_request_t;

/* The plugin's extension: having it says that GF_CALL_HEALTH is answered. */
typedef struct gf_health_ext {
    uint32_t struct_size;
    uint32_t reserved;
} gf_health_ext_t;

#ifdef __cplusplus
}
#endif

#endif
