/* SPDX-License-Identifier: Apache-2.0
 *
 * grafana/sdk/entry.h: the tables and the entry of a plugin from its handlers. Part of grafana/sdk.h; not ABI.
 */
#ifndef GRAFANA_SDK_ENTRY_H
#define GRAFANA_SDK_ENTRY_H

#include "../sdk.h"

#ifdef __cplusplus
extern "C" {
#endif

static inline gf_status gf_sdk_library_open(const gf_plugin_desc_t *self, const gf_host_t *host, gf_call_t *call,
                                            gf_library_t **library_out) {
    gf_library_t *library = (gf_library_t *)calloc(1, sizeof *library);
    (void)call;
    *library_out = library;
    if (!library) {
        return GF_NOMEM;
    }
    library->source = (const gf_datasource_t *)self->context;
    library->capabilities = self->capabilities;
    gf_sdk_open(&library->sdk, host);
    return GF_OK;
}

static inline void gf_sdk_library_close(gf_library_t *library) {
    free(library);
}

static inline const gf_extension_t *gf_sdk_library_extension(gf_library_t *library, gf_str_t id) {
    static const gf_extension_t present = {sizeof present, 0};
    const gf_datasource_t *source = library->source;
    int is_known = (gf_str_equal(id, GF_STR(GF_DATASOURCE_EXT)) && source->query) ||
                   (gf_str_equal(id, GF_STR(GF_HEALTH_EXT)) && source->health) ||
                   (gf_str_equal(id, GF_STR(GF_RESOURCE_EXT)) && source->resource);
    return is_known ? &present : NULL;
}

static inline gf_context_t gf_sdk_context(gf_instance_t *instance, gf_call_t *call) {
    gf_context_t context;
    memset(&context, 0, sizeof context);
    context.sdk = &instance->library->sdk;
    context.call = call;
    context.instance = instance;
    context.capabilities = instance->library->capabilities;
    return context;
}

static inline void gf_sdk_instance_destroy(gf_instance_t *instance) {
    if (instance->library->source->destroy) {
        instance->library->source->destroy(instance);
    }
    free(instance);
}

static inline gf_status gf_sdk_instance_create(gf_library_t *library, gf_call_t *call,
                                               const gf_instance_config_t *config, gf_instance_t **instance_out) {
    gf_instance_t *instance = (gf_instance_t *)calloc(1, sizeof *instance);
    gf_context_t context;
    gf_status status = GF_OK;
    *instance_out = NULL;
    if (!instance) {
        return GF_NOMEM;
    }
    instance->library = library;
    instance->config = config->handle;
    if (library->source->create) {
        context = gf_sdk_context(instance, call);
        status = library->source->create(&context, config);
    }
    if (status != GF_OK) {
        free(instance);
        return status;
    }
    *instance_out = instance;
    return GF_OK;
}

/* Runs the queries of a request one after another; each fails alone. */
static inline gf_status gf_sdk_run_queries(gf_context_t *context, const gf_query_request_t *request) {
    const gf_datasource_t *source = context->instance->library->source;
    const char *next = (const char *)request->queries;
    uint32_t index;
    for (index = 0; index < request->query_count; index++) {
        const gf_query_t *query = (const gf_query_t *)(const void *)next;
        gf_status status;
        if (gf_is_cancelled(context)) {
            return GF_CANCELLED;
        }
        context->ref_id = query->ref_id;
        context->has_failed = 0;
        status = source->query(context, query);
        if (status != GF_OK && !context->has_failed) {
            gf_fail(context, status, "the query failed with status %d", (int)status);
        }
        next += request->queries[0].struct_size;
    }
    return GF_OK;
}

static inline gf_status gf_sdk_call_start(gf_instance_t *instance, gf_call_t *call, uint32_t kind,
                                          const void *request) {
    const gf_datasource_t *source = instance->library->source;
    gf_context_t context = gf_sdk_context(instance, call);
    gf_status status;
    if (kind == GF_CALL_QUERY && source->query) {
        status = gf_sdk_run_queries(&context, (const gf_query_request_t *)request);
    } else if (kind == GF_CALL_HEALTH && source->health) {
        status = source->health(&context, ((const gf_health_request_t *)request)->depth);
    } else if (kind == GF_CALL_RESOURCE && source->resource) {
        status = source->resource(&context, (const gf_resource_request_t *)request);
    } else {
        return GF_UNSUPPORTED;
    }
    context.sdk->sink.complete(context.sdk->host, call, status);
    return GF_OK;
}

/* Defines gf_entry_v1 for one data source. id and version are literals, equal to those in plugin.json; source is a
 * static const gf_datasource_t. capabilities: GF_CAP_BLOCKING, or GF_CAP_NEVER_BLOCKS when all handlers return within a
 * millisecond. Once in a library, at file scope. */
#define GF_DATASOURCE_WITH(id, version, source, capabilities, concurrency)                                             \
    static const gf_library_api_t gf_sdk_library_table = {                                                             \
        sizeof(gf_library_api_t), 0, gf_sdk_library_open, gf_sdk_library_close, gf_sdk_library_extension};             \
    static const gf_instance_api_t gf_sdk_instance_table = {                                                           \
        sizeof(gf_instance_api_t), 0, gf_sdk_instance_create, NULL, NULL, gf_sdk_instance_destroy};                    \
    static const gf_call_api_t gf_sdk_call_table = {sizeof(gf_call_api_t), 0, gf_sdk_call_start, NULL, NULL, NULL};    \
    GF_EXPORT const gf_plugin_desc_t *gf_entry_v1(const gf_host_info_t *info) {                                        \
        static const gf_plugin_desc_t desc = {                                                                         \
            sizeof(gf_plugin_desc_t), GF_KIND_DATASOURCE, GF_STR_INIT(id), GF_STR_INIT(version), GF_ABI_MINOR, 1,      \
            (capabilities), (concurrency), 0, 0, &gf_sdk_library_table, &gf_sdk_instance_table,                        \
            &gf_sdk_call_table, (void *)&(source)};                                                                    \
        return info && info->abi_minor >= desc.abi_needed ? &desc : NULL;                                              \
    }

/* The same for handlers that may block, one call at a time on each instance. */
#define GF_DATASOURCE(id, version, source) \
    GF_DATASOURCE_WITH(id, version, source, GF_CAP_BLOCKING, GF_CONCURRENCY_PER_INSTANCE)

#ifdef __cplusplus
}
#endif

#endif
