/* SPDX-License-Identifier: Apache-2.0 */
#include "runner.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static rn_instance_t *instances;
/* Instances that are to be destroyed and still in use. */
static rn_instance_t *doomed;
/* How many are being destroyed; the library is closed after them. */
static uint32_t destroying;
static int is_closing;
/* An instance was destroyed, or given back while the library is closed. */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint8_t *hello_memory;

/* Says why the library cannot be used; the server then ends this process. */
static void fail(uint32_t number, const char *text) {
    runner_writer_t writer = {0};
    runner_text_t body = {sizeof body, number, {0, 0}};
    runner_begin(&writer, RUNNER_FAILED, 0, sizeof body);
    body.text = runner_put(&writer, text, strlen(text));
    runner_end(&writer, &body, sizeof body);
    rn_send(&writer, NULL, 0);
    rn_leave(0, NULL);
}

static uint32_t has_extension(gf_str_t id) {
    return rn_has_extension(id);
}

/* Maps the sealed library and asks its entry. */
static void map_library(void) {
    gf_host_info_t info;
    gf_entry_fn entry;
    char path[64];
    void *image;
    snprintf(path, sizeof path, "/proc/self/fd/%d", RUNNER_IMAGE);
    image = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!image) {
        const char *reason = dlerror();
        fail(RUNNER_FAILED_MAP, reason ? reason : "the library cannot be loaded");
    }
    close(RUNNER_IMAGE);
    *(void **)&entry = dlsym(image, "gf_entry_v1");
    if (!entry) {
        fail(RUNNER_FAILED_ENTRY, "the library has no gf_entry_v1");
    }
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    info.abi_minor = rn.hello.abi_minor;
    info.level = rn.hello.level;
    info.name = rn_text(hello_memory, rn.hello.server_name);
    info.version = rn_text(hello_memory, rn.hello.server_version);
    info.has_extension = has_extension;
    rn.desc = entry(&info);
    if (!rn_adopt(rn.desc, &rn.traits, sizeof rn.traits)) {
        fail(RUNNER_FAILED_HOST, "the entry refuses this server");
    }
    rn_adopt(rn.traits.library, &rn.library_api, sizeof rn.library_api);
    rn_adopt(rn.traits.instance, &rn.instance_api, sizeof rn.instance_api);
    rn_adopt(rn.traits.call, &rn.call_api, sizeof rn.call_api);
    rn.is_blocking = (rn.traits.capabilities & GF_CAP_BLOCKING) != 0;
}

/* Threads for calls, as a host that runs the plugin in its own process counts them. */
static uint32_t thread_count(void) {
    int is_parallel = rn.traits.concurrency == GF_CONCURRENCY_PARALLEL && rn.traits.max_parallel > 0;
    uint32_t count = rn.traits.concurrency == GF_CONCURRENCY_GLOBAL ? 1 : is_parallel ? rn.traits.max_parallel : 16;
    return count < 256 ? count : 256;
}

void rn_hello(const uint8_t *message) {
    runner_writer_t writer = {0};
    runner_hello_ok_t answer = {.struct_size = sizeof answer, .version = RUNNER_VERSION};
    runner_header_t header;
    const char *problem;
    memcpy(&header, message, sizeof header);
    hello_memory = malloc(header.length);
    if (!hello_memory || !runner_read_body(message, &rn.hello, sizeof rn.hello) ||
        rn.hello.version != RUNNER_VERSION) {
        rn_leave(1, "the server speaks another version of the protocol; install both from one package");
    }
    memcpy(hello_memory, message, header.length);
    problem = rn_limit(&rn.hello);
    if (!problem && rn.hello.level == GF_LEVEL_SANDBOX) {
        problem = rn_enter_sandbox(hello_memory, &rn.hello, &answer.sandbox);
    }
    if (problem) {
        fail(RUNNER_FAILED_SETUP, problem);
    }
    map_library();
    if (!rn.library_api.open || !rn.instance_api.create || !rn.call_api.start) {
        fail(RUNNER_FAILED_HOST, "its description lacks a table or a function");
    }
    /* Those that receive run most calls; these run the rest, so that calls that last never keep them all. */
    rn_work_open(rn.is_blocking ? thread_count() + 2 : 2);
    rn.parallel_lane.width = thread_count();
    rn_serve_limit(rn.is_blocking ? thread_count() + 1 : 1);
    runner_begin(&writer, RUNNER_HELLO_OK, 0, sizeof answer);
    answer.kinds = rn.traits.kinds;
    answer.abi_built = rn.traits.abi_built;
    answer.abi_needed = rn.traits.abi_needed;
    answer.capabilities = rn.traits.capabilities;
    answer.concurrency = rn.traits.concurrency;
    answer.max_parallel = rn.traits.max_parallel;
    answer.id = rn_put_text(&writer, rn.traits.id);
    answer.plugin_version = rn_put_text(&writer, rn.traits.version);
    runner_end(&writer, &answer, sizeof answer);
    rn_send(&writer, NULL, 0);
    runner_free(&writer);
}

/* ---------------------------------------------------------------------------------------------------------------
 * What the library has
 */

static const char *const known_extensions[] = {GF_DATASOURCE_EXT, GF_HEALTH_EXT, GF_RESOURCE_EXT,
                                               GF_STREAM_EXT,     GF_STATE_EXT,  GF_DESCRIBE_EXT};

static const gf_extension_t *find_extension(const char *id) {
    gf_str_t text = {id, strlen(id)};
    return rn.library_api.get_extension ? rn.library_api.get_extension(rn.library, text) : NULL;
}

static runner_span_t put_metrics(runner_writer_t *writer) {
    gf_metrics_ext_t table;
    runner_metric_t *wire;
    runner_span_t all = {0, 0};
    const uint8_t *next;
    if (!rn_adopt(find_extension(GF_METRICS_EXT), &table, sizeof table) || !table.metrics) {
        return all;
    }
    /* One more than is allowed tells the server that there are too many. */
    uint32_t count = table.metric_count <= GF_METRICS_MAX ? table.metric_count : GF_METRICS_MAX + 1;
    wire = calloc(count ? count : 1, sizeof *wire);
    next = (const uint8_t *)table.metrics;
    for (uint32_t index = 0; wire && index < count; index++) {
        gf_metric_t metric;
        if (!rn_adopt(next, &metric, sizeof metric)) {
            break;
        }
        wire[index].type = metric.type;
        wire[index].name = rn_put_text(writer, metric.name);
        wire[index].help = rn_put_text(writer, metric.help);
        wire[index].labels = rn_put_pairs(writer, metric.labels, metric.label_count);
        wire[index].bounds = runner_put(writer, metric.bounds, metric.bounds ? metric.bound_count * sizeof(double) : 0);
        if (index < GF_METRICS_MAX) {
            rn.metric_types[index] = metric.type;
            rn.metric_count = index + 1;
        }
        next += table.metrics->struct_size;
    }
    all = runner_put(writer, wire, (uint64_t)count * sizeof *wire);
    free(wire);
    return all;
}

static void open_library(void *context, uint64_t call) {
    runner_writer_t writer = {0};
    runner_opened_t answer = {.struct_size = sizeof answer};
    gf_describe_ext_t description;
    char names[512] = "";
    rn_call_t *lifecycle;
    (void)context;
    rn.host.struct_size = sizeof rn.host;
    rn.host.abi_minor = rn.hello.abi_minor;
    rn.host.core = &rn_core;
    rn.host.call = &rn_call_host;
    rn.host.sink = &rn_sink;
    lifecycle = rn_call_begin_lifecycle(call);
    answer.status = rn.library_api.open(rn.desc, &rn.host, (gf_call_t *)(uintptr_t)call, &rn.library);
    rn_call_end_lifecycle(lifecycle);
    runner_begin(&writer, RUNNER_OPENED, call, sizeof answer);
    if (answer.status == GF_OK && !rn.library) {
        answer.status = GF_INTERNAL;
    }
    if (answer.status == GF_OK) {
        for (size_t index = 0; index < sizeof known_extensions / sizeof *known_extensions; index++) {
            if (find_extension(known_extensions[index])) {
                strcat(strcat(names, known_extensions[index]), "\n");
            }
        }
        answer.extensions = runner_put(&writer, names, strlen(names));
        if (rn_adopt(find_extension(GF_DESCRIBE_EXT), &description, sizeof description)) {
            answer.description = rn_put_text(&writer, description.json);
        }
        answer.metrics = put_metrics(&writer);
    }
    runner_end(&writer, &answer, sizeof answer);
    rn_send(&writer, NULL, 0);
    runner_free(&writer);
}

static rn_instance_t *next_to_destroy(void);
static void destroy_instance(void *context, uint64_t number);

static void close_library(void *context, uint64_t number) {
    rn_instance_t *instance;
    (void)context;
    (void)number;
    pthread_mutex_lock(&lock);
    is_closing = 1;
    pthread_mutex_unlock(&lock);
    rn_free_all();
    /* The messages that destroy them may have been received by another thread, or not at all yet. */
    while ((instance = next_to_destroy())) {
        destroy_instance(instance, 0);
    }
    pthread_mutex_lock(&lock);
    /* Those of a GLOBAL library wait for the lane that this function runs in, and end with the process. */
    while (destroying && rn.traits.concurrency != GF_CONCURRENCY_GLOBAL) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
    if (rn.library && rn.library_api.close) {
        rn.library_api.close(rn.library);
    }
    rn_send_plain(RUNNER_BYE, 0);
    rn_leave(0, NULL);
}

/* ---------------------------------------------------------------------------------------------------------------
 * Instances
 */

rn_instance_t *rn_instance_take(uint64_t number) {
    rn_instance_t *found;
    pthread_mutex_lock(&lock);
    for (found = instances; found && found->number != number; found = found->next) {
    }
    if (found) {
        found->users++;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void rn_instance_hold(rn_instance_t *instance) {
    pthread_mutex_lock(&lock);
    instance->users++;
    pthread_mutex_unlock(&lock);
}

rn_lane_t *rn_lane_of(rn_instance_t *instance) {
    switch (rn.traits.concurrency) {
    case GF_CONCURRENCY_PARALLEL:
        return rn.is_blocking ? &rn.parallel_lane : NULL;
    case GF_CONCURRENCY_GLOBAL:
        return &rn.library_lane;
    default:
        return &instance->lane;
    }
}

static void create_instance(void *context, uint64_t call) {
    uint8_t *message = context;
    runner_create_t body;
    gf_instance_config_t config;
    rn_instance_t *instance = calloc(1, sizeof *instance);
    rn_call_t *lifecycle;
    gf_status status = GF_NOMEM;
    if (instance && runner_read_body(message, &body, sizeof body)) {
        memset(&config, 0, sizeof config);
        config.struct_size = sizeof config;
        config.basic_auth = body.basic_auth;
        config.handle = body.handle;
        config.id = body.id;
        config.org_id = body.org_id;
        config.updated = body.updated;
        config.uid = rn_text(message, body.uid);
        config.name = rn_text(message, body.name);
        config.plugin_id = rn_text(message, body.plugin_id);
        config.url = rn_text(message, body.url);
        config.user = rn_text(message, body.user);
        config.database = rn_text(message, body.database);
        config.basic_auth_user = rn_text(message, body.basic_auth_user);
        config.json_data = rn_text(message, body.json_data);
        instance->number = body.instance;
        lifecycle = rn_call_begin_lifecycle(call);
        status = rn.instance_api.create(rn.library, (gf_call_t *)(uintptr_t)call, &config, &instance->pointer);
        rn_call_end_lifecycle(lifecycle);
        if (status == GF_OK && !instance->pointer) {
            status = GF_INTERNAL;
        }
    }
    if (status == GF_OK) {
        pthread_mutex_lock(&lock);
        instance->next = instances;
        instances = instance;
        pthread_mutex_unlock(&lock);
    } else {
        free(instance);
    }
    rn_send_status(RUNNER_CREATED, call, status);
    free(message);
}

static void drain_instance(void *context, uint64_t number) {
    rn_instance_t *instance = context;
    (void)number;
    if (rn.instance_api.drain && !instance->is_destroyed) {
        rn.instance_api.drain(instance->pointer);
    }
    rn_instance_give(instance);
}

static void destroy_instance(void *context, uint64_t number) {
    rn_instance_t *instance = context;
    (void)number;
    instance->is_destroyed = 1;
    if (rn.instance_api.destroy) {
        rn.instance_api.destroy(instance->pointer);
    }
    rn_send_plain(RUNNER_DESTROYED, instance->number);
    pthread_mutex_lock(&lock);
    destroying--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    /* The lane that this job runs in is part of the record, so the record stays; it is small. */
}

static void destroy_later(rn_instance_t *instance) {
    int is_global = rn.traits.concurrency == GF_CONCURRENCY_GLOBAL;
    rn_work(is_global ? &rn.library_lane : &instance->lane, destroy_instance, instance, 0);
}

/* Takes an instance out of a list; with lock held. */
static int unlink_instance(rn_instance_t **list, const rn_instance_t *instance) {
    for (rn_instance_t **place = list; *place; place = &(*place)->next) {
        if (*place == instance) {
            *place = instance->next;
            return 1;
        }
    }
    return 0;
}

void rn_instance_give(rn_instance_t *instance) {
    int is_over;
    pthread_mutex_lock(&lock);
    instance->users--;
    is_over = instance->users == 0 && !is_closing && unlink_instance(&doomed, instance);
    destroying += (uint32_t)is_over;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    if (is_over) {
        destroy_later(instance);
    }
}

/* An instance is to be destroyed: now, or when its last call has been released and its last array given back. */
static void doom_instance(uint64_t number) {
    rn_instance_t *found;
    int is_idle = 0;
    pthread_mutex_lock(&lock);
    for (found = instances; found && found->number != number; found = found->next) {
    }
    if (found) {
        unlink_instance(&instances, found);
        is_idle = found->users == 0 && !is_closing;
        if (is_idle) {
            destroying++;
        } else {
            found->next = doomed;
            doomed = found;
        }
    }
    pthread_mutex_unlock(&lock);
    if (is_idle) {
        destroy_later(found);
    }
}

/* While the library is closed: the next instance to destroy, when nobody uses it any more; NULL when none is left. */
static rn_instance_t *next_to_destroy(void) {
    rn_instance_t *found;
    pthread_mutex_lock(&lock);
    while ((found = instances ? instances : doomed) && found->users) {
        pthread_cond_wait(&changed, &lock);
    }
    if (found) {
        unlink_instance(instances ? &instances : &doomed, found);
        destroying++;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

void rn_library_message(const runner_header_t *header, const uint8_t *message) {
    rn_instance_t *instance;
    rn_lane_t *lane;
    uint8_t *copy;
    switch (header->type) {
    case RUNNER_OPEN:
        rn_work(&rn.library_lane, open_library, NULL, header->call);
        return;
    case RUNNER_CREATE:
        copy = malloc(header->length);
        if (!copy) {
            rn_send_status(RUNNER_CREATED, header->call, GF_NOMEM);
            return;
        }
        memcpy(copy, message, header->length);
        rn_work(&rn.library_lane, create_instance, copy, header->call);
        return;
    case RUNNER_DRAIN:
        instance = rn_instance_take(header->call);
        if (instance) {
            lane = rn.traits.concurrency == GF_CONCURRENCY_GLOBAL ? &rn.library_lane : &instance->lane;
            (rn.is_blocking ? rn_work : rn_work_now)(lane, drain_instance, instance, 0);
        }
        return;
    case RUNNER_DESTROY:
        doom_instance(header->call);
        return;
    default:
        rn_work(&rn.library_lane, close_library, NULL, 0);
    }
}
