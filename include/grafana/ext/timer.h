/* gf.timer/1
 * SPDX-License-Identifier: Apache-2.0
 *
 * Timers, so that a plugin needs no thread to wait. Provided by the host. */
#ifndef GRAFANA_EXT_TIMER_H
#define GRAFANA_EXT_TIMER_H

#include "../plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GF_TIMER_EXT "gf.timer/1"

typedef struct gf_timer_host {
    uint32_t struct_size;
    uint32_t reserved;

    /* GF_EVENT_TIMER (source = the timer) comes once, not before `delay` nanoseconds have passed, unless the call
     * completes first. Errors: GF_INVALID (negative), GF_STATE, GF_LIMIT (more than 1024 of a call at a time).
     * Thread: [any-thread] [no-block]. */
    gf_status (*arm)(const gf_host_t *host, gf_call_t *call, gf_time delay, uint64_t *timer_out);

    /* After it the event does not come, unless it is on its way already. Thread: [any-thread] [no-block]. */
    void (*disarm)(const gf_host_t *host, uint64_t timer);
} gf_timer_host_t;

#ifdef __cplusplus
}
#endif

#endif
