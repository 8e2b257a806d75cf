/* SPDX-License-Identifier: Apache-2.0
 * A plugin for the tests of isolation that is correct and slow to let go: it completes a call before start returns,
 * and keeps the memory of frames until the host gives it back. What comes after its instance was destroyed ends the
 * process.
 *
 * Queries name what to do: "late", "frame", "parallel", "count" (the instances destroyed so far). */
#define _GNU_SOURCE
#include <grafana/ext/datasource.h>
#include <grafana/ext/kv.h>
#include <grafana/plugin.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS 10000

struct gf_instance {
    uint64_t config;
    atomic_int is_destroyed;
};

struct gf_library {
    int unused;
};

static const gf_host_t *host;
static gf_library_t library;
static atomic_int destroyed, running, most;

static void expect_alive(gf_instance_t *instance) {
    if (atomic_load(&instance->is_destroyed)) {
        abort();
    }
}

static void pause_shortly(void) {
    struct timespec time = {0, 1000000};
    nanosleep(&time, NULL);
}

/* ---------------------------------------------------------------------------------------------------------------
 * A frame of one column of numbers
 */

typedef struct numbers {
    gf_instance_t *instance;
    gf_buffer_t buffer;
    const void *root[1];
    const void *buffers[2];
    struct ArrowArray child;
    struct ArrowArray *children[1];
} numbers_t;

static void release_schema(struct ArrowSchema *schema) {
    schema->release = NULL;
}

static void release_child(struct ArrowArray *array) {
    array->release = NULL;
}

static void release_array(struct ArrowArray *array) {
    numbers_t *numbers = array->private_data;
    expect_alive(numbers->instance);
    host->core->buffer_release(host, &numbers->buffer);
    array->release = NULL;
    free(numbers);
}

static gf_status send_numbers(gf_instance_t *instance, gf_call_t *call, double first) {
    struct ArrowSchema field = {.format = "g", .name = "v", .release = release_schema};
    struct ArrowSchema *fields[] = {&field};
    struct ArrowSchema schema = {
        .format = "+s", .name = "", .n_children = 1, .children = fields, .release = release_schema};
    numbers_t *numbers = calloc(1, sizeof *numbers);
    struct ArrowArray array = {.length = ROWS, .n_buffers = 1, .n_children = 1, .release = release_array};
    host->core->buffer_alloc(host, ROWS * sizeof(double), &numbers->buffer);
    for (int row = 0; row < ROWS; row++) {
        ((double *)(void *)numbers->buffer.data)[row] = first + row;
    }
    numbers->instance = instance;
    numbers->buffers[1] = numbers->buffer.data;
    numbers->child = (struct ArrowArray){
        .length = ROWS, .n_buffers = 2, .buffers = numbers->buffers, .release = release_child};
    numbers->children[0] = &numbers->child;
    array.buffers = numbers->root;
    array.children = numbers->children;
    array.private_data = numbers;
    host->sink->schema(host, call, 0, (gf_str_t){"A", 1}, &schema);
    return host->sink->batch(host, call, 0, &array);
}

/* ---------------------------------------------------------------------------------------------------------------
 * Calls
 */

/* One number; its memory is the frame's until the host gives it back. */
typedef struct told {
    double number;
    const void *root[1];
    const void *buffers[2];
    struct ArrowArray child;
    struct ArrowArray *children[1];
} told_t;

static void release_told(struct ArrowArray *array) {
    array->release = NULL;
    free(array->private_data);
}

static void tell(gf_call_t *call, int value) {
    struct ArrowSchema field = {.format = "g", .name = "v", .release = release_schema};
    struct ArrowSchema *fields[] = {&field};
    struct ArrowSchema schema = {
        .format = "+s", .name = "", .n_children = 1, .children = fields, .release = release_schema};
    told_t *told = calloc(1, sizeof *told);
    struct ArrowArray array = {
        .length = 1, .n_buffers = 1, .n_children = 1, .release = release_told, .private_data = told};
    told->number = value;
    told->buffers[1] = &told->number;
    told->child = (struct ArrowArray){.length = 1, .n_buffers = 2, .buffers = told->buffers, .release = release_child};
    told->children[0] = &told->child;
    array.buffers = told->root;
    array.children = told->children;
    host->sink->schema(host, call, 0, (gf_str_t){"A", 1}, &schema);
    host->sink->batch(host, call, 0, &array);
}

/* Shows how many calls run at once. */
static void run_beside_others(gf_call_t *call) {
    int now = atomic_fetch_add(&running, 1) + 1;
    int before = atomic_load(&most);
    while (now > before && !atomic_compare_exchange_weak(&most, &before, now)) {
    }
    for (int round = 0; round < 20; round++) {
        pause_shortly();
    }
    atomic_fetch_sub(&running, 1);
    tell(call, atomic_load(&most));
}

static int asks(const gf_query_request_t *request, const char *what) {
    gf_str_t json = request->queries[0].json;
    return memmem(json.data, json.length, what, strlen(what)) != NULL;
}

static gf_status start(gf_instance_t *instance, gf_call_t *call, uint32_t kind, const void *request) {
    if (kind != GF_CALL_QUERY) {
        return GF_UNSUPPORTED;
    }
    expect_alive(instance);
    host->call->state_set(host, call, instance);
    int is_late = asks(request, "late");
    if (asks(request, "frame")) {
        send_numbers(instance, call, 0.5);
    } else if (asks(request, "count")) {
        tell(call, atomic_load(&destroyed));
    } else if (asks(request, "parallel")) {
        run_beside_others(call);
    }
    host->sink->complete(host, call, GF_OK);
    for (int round = 0; is_late && round < 200; round++) {
        expect_alive(instance);
        pause_shortly();
    }
    return GF_OK;
}

static void release(gf_instance_t *instance, void *state) {
    (void)state;
    expect_alive(instance);
}

/* ---------------------------------------------------------------------------------------------------------------
 * Life
 */

static gf_status create(gf_library_t *from, gf_call_t *call, const gf_instance_config_t *config,
                        gf_instance_t **instance_out) {
    gf_instance_t *instance = calloc(1, sizeof *instance);
    (void)from;
    (void)call;
    instance->config = config->handle;
    *instance_out = instance;
    return GF_OK;
}

/* Keeps a word in the store. The record stays, so that a late use of it is seen and not undefined. */
static void destroy(gf_instance_t *instance) {
    static const uint8_t word[] = {'l', 'a', 's', 't'};
    const gf_kv_host_t *kv = (const void *)host->core->get_extension(host, (gf_str_t){GF_KV_EXT, strlen(GF_KV_EXT)});
    int64_t version;
    atomic_store(&instance->is_destroyed, 1);
    kv->put(host, instance->config, (gf_str_t){"word", 4}, (gf_bytes_t){word, sizeof word}, GF_KV_ANY_VERSION,
            &version);
    atomic_fetch_add(&destroyed, 1);
}

static gf_status open_library(const gf_plugin_desc_t *self, const gf_host_t *given, gf_call_t *call,
                              gf_library_t **library_out) {
    (void)self;
    (void)call;
    host = given;
    *library_out = &library;
    return GF_OK;
}

static void close_library(gf_library_t *closed) {
    (void)closed;
}

static const gf_extension_t *get_extension(gf_library_t *from, gf_str_t id) {
    static const gf_datasource_ext_t datasource = {sizeof datasource, 0};
    (void)from;
    return id.length == strlen(GF_DATASOURCE_EXT) && memcmp(id.data, GF_DATASOURCE_EXT, id.length) == 0
               ? (const gf_extension_t *)(const void *)&datasource
               : NULL;
}

static const gf_library_api_t library_api = {
    .struct_size = sizeof library_api, .open = open_library, .close = close_library, .get_extension = get_extension};
static const gf_instance_api_t instance_api = {
    .struct_size = sizeof instance_api, .create = create, .destroy = destroy};
static const gf_call_api_t call_api = {.struct_size = sizeof call_api, .start = start, .release = release};

const gf_plugin_desc_t *gf_entry_v1(const gf_host_info_t *info) {
    static const gf_plugin_desc_t description = {
        .struct_size = sizeof description,
        .kinds = GF_KIND_DATASOURCE,
        .id = {"test-prying-datasource", 22},
        .version = {"1.0.0", 5},
        .abi_built = GF_ABI_MINOR,
        .abi_needed = 1,
        .capabilities = GF_CAP_BLOCKING,
        .concurrency = GF_CONCURRENCY_PARALLEL,
        .max_parallel = 2,
        .library = &library_api,
        .instance = &instance_api,
        .call = &call_api,
    };
    (void)info;
    return &description;
}
