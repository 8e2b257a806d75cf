/* SPDX-License-Identifier: Apache-2.0
 * A host of one file for plugins in C: opens a library, makes an instance, asks for its health, runs one query and one
 * resource, and ends everything in order. For valgrind and debuggers; it checks little, the server checks the rest.
 *
 * trial LIBRARY [QUERY-JSON [PATH]]; status 0 when every call completed exactly once. */
#include <dlfcn.h>
#include <grafana/ext/datasource.h>
#include <grafana/ext/health.h>
#include <grafana/ext/json.h>
#include <grafana/ext/resource.h>
#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int completions;

static gf_str_t text(const char *value) {
    gf_str_t str = {value, strlen(value)};
    return str;
}

static void host_log(const gf_host_t *host, uint32_t level, gf_str_t message, const gf_field_t *fields,
                     uint32_t count) {
    (void)host, (void)fields, (void)count;
    printf("log %u: %.*s\n", level, (int)message.length, message.data);
}

static gf_status host_error_set(const gf_host_t *host, gf_call_t *call, const gf_error_t *error) {
    (void)host, (void)call;
    printf("error %d of '%.*s': %.*s\n", error->code, (int)error->ref_id.length, error->ref_id.data,
           (int)error->message.length, error->message.data);
    return GF_OK;
}

static gf_time host_now(const gf_host_t *host) {
    (void)host;
    return 1700000000000000000;
}

static gf_status json_parse(const gf_host_t *host, gf_str_t source, gf_json_t **json_out, uint64_t *offset_out) {
    json_error_t error;
    (void)host;
    *json_out = (gf_json_t *)json_loadb(source.data, source.length, JSON_REJECT_DUPLICATES, &error);
    *offset_out = *json_out ? 0 : (uint64_t)error.position;
    return *json_out ? GF_OK : GF_INVALID;
}

static void json_release(const gf_host_t *host, gf_json_t *json) {
    (void)host;
    json_decref((json_t *)json);
}

static const gf_json_t *json_get_path(const gf_host_t *host, const gf_json_t *json, gf_str_t path) {
    char name[64];
    (void)host;
    snprintf(name, sizeof name, "%.*s", (int)path.length, path.data);
    return (const gf_json_t *)json_object_get((const json_t *)json, name);
}

static gf_status json_scalar(const gf_host_t *host, const gf_json_t *json, gf_value_t *value_out) {
    const json_t *value = (const json_t *)json;
    (void)host;
    memset(value_out, 0, sizeof *value_out);
    if (json_is_real(value)) {
        value_out->type = GF_VALUE_F64;
        value_out->as.f64 = json_real_value(value);
    } else if (json_is_integer(value)) {
        value_out->type = GF_VALUE_I64;
        value_out->as.i64 = json_integer_value(value);
    } else if (json_is_string(value)) {
        value_out->type = GF_VALUE_STR;
        value_out->as.str = text(json_string_value(value));
    } else {
        return GF_INVALID;
    }
    return GF_OK;
}

static const gf_json_host_t json_table = {
    .struct_size = sizeof json_table, .parse = json_parse, .release = json_release, .get = json_get_path,
    .scalar = json_scalar};

static const gf_extension_t *host_get_extension(const gf_host_t *host, gf_str_t id) {
    (void)host;
    if (id.length == strlen(GF_JSON_EXT) && memcmp(id.data, GF_JSON_EXT, id.length) == 0) {
        return (const gf_extension_t *)&json_table;
    }
    return NULL;
}

static uint32_t call_is_cancelled(const gf_host_t *host, gf_call_t *call) {
    (void)host, (void)call;
    return 0;
}

static gf_status sink_schema(const gf_host_t *host, gf_call_t *call, uint32_t frame, gf_str_t ref_id,
                             struct ArrowSchema *schema) {
    (void)host, (void)call;
    printf("frame %u of '%.*s':", frame, (int)ref_id.length, ref_id.data);
    for (int64_t index = 0; index < schema->n_children; index++) {
        printf(" %s %s", schema->children[index]->name, schema->children[index]->format);
    }
    printf("\n");
    schema->release(schema);
    return GF_OK;
}

static gf_status sink_batch(const gf_host_t *host, gf_call_t *call, uint32_t frame, struct ArrowArray *rows) {
    struct ArrowArray child;
    (void)host, (void)call;
    printf("frame %u: %" PRId64 " rows\n", frame, rows->length);
    if (rows->n_children > 0 && rows->children[0]) { /* moves a child out, as a host may, and releases it last */
        child = *rows->children[0];
        rows->children[0]->release = NULL;
        rows->release(rows);
        if (child.release) {
            child.release(&child);
        }
    } else {
        rows->release(rows);
    }
    return GF_AGAIN;
}

static gf_status sink_bytes(const gf_host_t *host, gf_call_t *call, gf_bytes_t bytes) {
    (void)host, (void)call;
    printf("bytes: %.*s\n", (int)bytes.length, (const char *)bytes.data);
    return GF_OK;
}

static gf_status sink_head(const gf_host_t *host, gf_call_t *call, const gf_head_t *head) {
    (void)host, (void)call;
    printf("head %d %.*s\n", head->status, (int)head->message.length, head->message.data);
    return GF_OK;
}

static gf_status sink_wait_ready(const gf_host_t *host, gf_call_t *call, gf_time timeout) {
    (void)host, (void)call, (void)timeout;
    return GF_OK;
}

static gf_status sink_complete(const gf_host_t *host, gf_call_t *call, gf_status status) {
    (void)host, (void)call;
    completions++;
    printf("complete %d\n", status);
    return GF_OK;
}

static int run(const gf_plugin_desc_t *plugin, gf_instance_t *instance, uint32_t kind, const void *request) {
    completions = 0;
    gf_status status = plugin->call->start(instance, (gf_call_t *)(uintptr_t)(kind + 1), kind, request);
    printf("start %d\n", status);
    return completions == (status == GF_OK) ? 0 : 1;
}

int main(int argc, char **argv) {
    gf_host_core_t core = {.struct_size = sizeof core, .log = host_log, .error_set = host_error_set, .now = host_now,
                           .get_extension = host_get_extension};
    gf_call_host_t calls = {.struct_size = sizeof calls, .is_cancelled = call_is_cancelled};
    gf_sink_t sink = {.struct_size = sizeof sink, .schema = sink_schema, .batch = sink_batch, .bytes = sink_bytes,
                      .head = sink_head, .wait_ready = sink_wait_ready, .complete = sink_complete};
    gf_host_t host = {sizeof host, GF_ABI_MINOR, NULL, &core, &calls, &sink};
    gf_host_info_t info = {.struct_size = sizeof info, .abi_minor = GF_ABI_MINOR, .level = GF_LEVEL_IN_PROCESS};
    gf_query_t query = {.struct_size = sizeof query, .ref_id = text("A"), .json = text(argc > 2 ? argv[2] : "{}"),
                        .from = 1700000000000000000, .to = 1700003600000000000, .interval = 60000000000,
                        .max_data_points = 1000};
    gf_query_request_t queries = {sizeof queries, 1, &query};
    gf_health_request_t health = {sizeof health, GF_HEALTH_FULL};
    gf_resource_request_t resource = {.struct_size = sizeof resource, .method = text("GET"),
                                      .path = text(argc > 3 ? argv[3] : "greeting")};
    gf_instance_config_t config = {.struct_size = sizeof config, .handle = 1, .json_data = text("{}")};
    gf_library_t *library;
    gf_instance_t *instance;
    void *image = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    void *symbol = image ? dlsym(image, "gf_entry_v1") : NULL;
    gf_entry_fn entry;
    int failed = 0;
    if (!symbol) {
        fprintf(stderr, "trial: no plugin: %s\n", argc > 1 ? dlerror() : "usage: trial LIBRARY [QUERY-JSON [PATH]]");
        return 2;
    }
    if (getenv("TRIAL_OLD_HOST")) { /* as if older: the SDK must put stubs where the tables end */
        sink.struct_size = offsetof(gf_sink_t, head);
        core.struct_size = offsetof(gf_host_core_t, get_extension);
    }
    memcpy(&entry, &symbol, sizeof entry);
    const gf_plugin_desc_t *plugin = entry(&info);
    if (!plugin || plugin->library->open(plugin, &host, (gf_call_t *)1, &library) != GF_OK ||
        plugin->instance->create(library, (gf_call_t *)1, &config, &instance) != GF_OK) {
        fprintf(stderr, "trial: the plugin refused\n");
        return 1;
    }
    failed |= run(plugin, instance, GF_CALL_HEALTH, &health);
    failed |= run(plugin, instance, GF_CALL_QUERY, &queries);
    failed |= run(plugin, instance, GF_CALL_RESOURCE, &resource);
    failed |= run(plugin, instance, 4711, NULL);
    plugin->instance->destroy(instance);
    plugin->library->close(library);
    return failed;
}
