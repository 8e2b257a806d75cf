/* SPDX-License-Identifier: Apache-2.0
 * THIS PLUGIN MISBEHAVES ON PURPOSE: each query breaks the rule that its "mode" names. Never install it.
 *
 * {"mode":"completes-twice"} and so on; "milliseconds" says how long the modes that wait do wait. An instance whose
 * jsonData has the mode "create-fails" or "create-hangs" breaks a rule earlier. README.md lists every mode. */
#define _POSIX_C_SOURCE 200809L
#include <grafana/sdk.h>

#include <pthread.h>
#include <time.h>

static gf_str_t find(gf_str_t json, const char *key, const char *stop) {
    char quoted[32];
    uint64_t length = (uint64_t)snprintf(quoted, sizeof quoted, "\"%s\"", key), at, end;
    for (at = 0; at + length < json.length; at++) {
        if (memcmp(json.data + at, quoted, (size_t)length) == 0) {
            for (at += length; at < json.length && strchr(": \"", json.data[at]); at++) {
            }
            for (end = at; end < json.length && !strchr(stop, json.data[end]); end++) {
            }
            return gf_str_make(json.data + at, end - at);
        }
    }
    return gf_str_make("", 0);
}

static long milliseconds_of(gf_str_t json, long fallback) {
    char digits[16];
    gf_str_t found = find(json, "milliseconds", ", }");
    snprintf(digits, sizeof digits, "%.*s", (int)found.length, found.data);
    return found.length ? atol(digits) : fallback;
}

static void wait_for(long milliseconds) {
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0) {
    }
}

static gf_status complete(gf_context_t *context, gf_status status) {
    return context->sdk->sink.complete(context->sdk->host, context->call, status);
}

/* Frames that break a rule: a good frame of three rows (time, number, text), changed before it is sent. */

static void child_is_shorter(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)schema;
    rows->children[1]->length = 1;
}
static void parent_is_longer(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)schema;
    rows->length = 1000000;
}
static void length_is_negative(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)schema;
    rows->length = -1;
}
static void offset_overflows(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)schema;
    rows->children[1]->offset = INT64_MAX - 1;
}
static void length_overflows(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)schema;
    rows->length = rows->children[0]->length = rows->children[1]->length = rows->children[2]->length = INT64_MAX;
}
static void buffer_is_null(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)schema;
    free((void *)rows->children[1]->buffers[1]);
    rows->children[1]->buffers[1] = NULL;
}
static void child_is_null(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)schema;
    rows->children[1]->release(rows->children[1]);
    free(rows->children[1]);
    rows->children[1] = NULL;
}
static void child_is_missing(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)schema;
    rows->children[2]->release(rows->children[2]);
    free(rows->children[2]);
    rows->n_children = 2;
}
static void nulls_are_uncovered(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)schema;
    rows->children[1]->null_count = 2;
}
static void offsets_descend(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)schema;
    ((int32_t *)(uintptr_t)rows->children[2]->buffers[1])[1] = 1000000;
}
static void offsets_are_negative(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)schema;
    ((int32_t *)(uintptr_t)rows->children[2]->buffers[1])[0] = -8;
}
static void utf8_is_invalid(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)schema;
    memcpy((void *)(uintptr_t)rows->children[2]->buffers[2], "\xff\xfe", 2);
}
static void keep_memory(struct ArrowArray *rows) { rows->release = NULL; }
static void memory_leaks(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)schema;
    rows->release = keep_memory;
}
static void format_is_unknown(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)rows;
    schema->children[1]->format = "q!";
}
static void format_is_null(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)rows;
    schema->children[1]->format = NULL;
}
static void metadata_is_negative(struct ArrowSchema *schema, struct ArrowArray *rows) {
    (void)rows;
    memset((char *)(uintptr_t)schema->children[1]->metadata, 0xff, 4);
}

static void make_frame(gf_frame_t *frame) {
    *frame = gf_frame_make("misbehaving");
    gf_column_t *time = gf_frame_add(frame, "time", GF_TYPE_TIME);
    gf_column_t *number = gf_frame_add(frame, "number", GF_TYPE_FLOAT64 | GF_TYPE_NULLABLE);
    gf_column_t *text = gf_frame_add(frame, "text", GF_TYPE_STRING);
    for (int row = 0; row < 3; row++) {
        gf_append_time(time, 1700000000000000000 + row * 1000000000LL);
        gf_append_float64(number, row);
        gf_append_string(text, "row");
    }
}

static gf_status emit(gf_context_t *context, void (*change)(struct ArrowSchema *, struct ArrowArray *)) {
    gf_frame_t frame;
    struct ArrowSchema schema;
    struct ArrowArray rows;
    make_frame(&frame);
    if (gf_frame_export_schema(&frame, context->ref_id, &schema) != GF_OK) {
        return GF_NOMEM;
    }
    if (gf_frame_export_rows(&frame, &rows) != GF_OK) {
        schema.release(&schema);
        return GF_NOMEM;
    }
    if (change) {
        change(&schema, &rows);
    }
    uint32_t number = context->next_frame++;
    context->sdk->sink.schema(context->sdk->host, context->call, number, context->ref_id, &schema);
    gf_status status = context->sdk->sink.batch(context->sdk->host, context->call, number, &rows);
    gf_frame_free(&frame);
    return status;
}

/* Calls that break a rule. Each returns what start returns. */

static gf_status behaves(gf_context_t *context, gf_str_t json) {
    (void)json;
    emit(context, NULL);
    complete(context, GF_OK);
    return GF_OK;
}
static gf_status never_completes(gf_context_t *context, gf_str_t json) { (void)context; (void)json; return GF_OK; }
static gf_status hangs_in_start(gf_context_t *context, gf_str_t json) {
    wait_for(milliseconds_of(json, 60000));
    return behaves(context, json);
}
static gf_status completes_twice(gf_context_t *context, gf_str_t json) {
    behaves(context, json);
    complete(context, GF_INTERNAL);
    return GF_OK;
}
static gf_status emits_after_complete(gf_context_t *context, gf_str_t json) {
    behaves(context, json);
    emit(context, NULL);
    gf_fail(context, GF_INTERNAL, "this text comes too late");
    return GF_OK;
}
static gf_status error_and_completes(gf_context_t *context, gf_str_t json) {
    behaves(context, json);
    return GF_INTERNAL;
}
static gf_status unknown_status(gf_context_t *context, gf_str_t json) {
    (void)json;
    complete(context, 4711);
    return GF_OK;
}
static gf_status floods_log(gf_context_t *context, gf_str_t json) {
    for (int line = 0; line < 100000; line++) {
        gf_log(context->sdk, GF_LOG_ERROR, "line %d of a flood", line);
    }
    return behaves(context, json);
}
static gf_status aborts(gf_context_t *context, gf_str_t json) { (void)context; (void)json; abort(); }
static gf_status segfaults(gf_context_t *context, gf_str_t json) {
    volatile int *nowhere = NULL;
    (void)context; (void)json;
    return *nowhere;
}
static gf_status exits(gf_context_t *context, gf_str_t json) { (void)context; (void)json; exit(3); }
static gf_status ignores_credit(gf_context_t *context, gf_str_t json) { /* and every budget: 80 GB if they let it */
    gf_status status = GF_OK;
    (void)json;
    for (int round = 0; round < 10000 && (status == GF_OK || status == GF_AGAIN); round++) {
        struct ArrowSchema schema;
        struct ArrowArray rows;
        gf_frame_t frame = gf_frame_make("huge");
        gf_column_t *number = gf_frame_add(&frame, "number", GF_TYPE_FLOAT64);
        for (int row = 0; row < 1000000; row++) {
            gf_append_float64(number, row);
        }
        if (round == 0 && gf_frame_export_schema(&frame, context->ref_id, &schema) == GF_OK) {
            context->sdk->sink.schema(context->sdk->host, context->call, 0, context->ref_id, &schema);
        }
        if (gf_frame_export_rows(&frame, &rows) == GF_OK) {
            status = context->sdk->sink.batch(context->sdk->host, context->call, 0, &rows);
        }
        gf_frame_free(&frame);
    }
    complete(context, GF_OK);
    return GF_OK;
}

typedef struct later {
    gf_context_t context;
    long milliseconds;
} later_t;

static void *complete_later(void *argument) {
    later_t *later = (later_t *)argument;
    wait_for(later->milliseconds);
    complete(&later->context, GF_OK);
    free(later);
    return NULL;
}
/* A thread that may outlive its call, even its instance, and then completes. */
static gf_status completes_late(gf_context_t *context, gf_str_t json) {
    later_t *later = (later_t *)calloc(1, sizeof *later);
    pthread_t thread;
    if (!later) {
        return GF_NOMEM;
    }
    later->context = *context;
    later->milliseconds = milliseconds_of(json, 2000);
    if (pthread_create(&thread, NULL, complete_later, later) != 0) {
        free(later);
        return GF_LIMIT;
    }
    pthread_detach(thread);
    return GF_OK;
}
/* release completes once more, with a handle whose call is over. */
static gf_status completes_after_release(gf_context_t *context, gf_str_t json) {
    context->sdk->call.state_set(context->sdk->host, context->call, context->call);
    return behaves(context, json);
}
static void release(gf_instance_t *instance, void *state) {
    const gf_sdk_t *sdk = &instance->library->sdk;
    sdk->sink.complete(sdk->host, (gf_call_t *)state, GF_OK);
}

static const struct {
    const char *mode;
    gf_status (*run)(gf_context_t *context, gf_str_t json);
    void (*change)(struct ArrowSchema *schema, struct ArrowArray *rows);
} modes[] = {
    {"behaves", behaves, NULL}, {"never-completes", never_completes, NULL}, {"ignores-cancel", hangs_in_start, NULL},
    {"hangs-in-start", hangs_in_start, NULL}, {"completes-twice", completes_twice, NULL},
    {"completes-late", completes_late, NULL}, {"completes-after-release", completes_after_release, NULL},
    {"emits-after-complete", emits_after_complete, NULL}, {"error-and-completes", error_and_completes, NULL},
    {"unknown-status", unknown_status, NULL}, {"floods-log", floods_log, NULL},
    {"ignores-credit", ignores_credit, NULL}, {"aborts", aborts, NULL}, {"segfaults", segfaults, NULL},
    {"exits", exits, NULL},
    {"child-is-shorter", NULL, child_is_shorter}, {"parent-is-longer", NULL, parent_is_longer},
    {"length-is-negative", NULL, length_is_negative}, {"length-overflows", NULL, length_overflows},
    {"offset-overflows", NULL, offset_overflows}, {"buffer-is-null", NULL, buffer_is_null},
    {"child-is-null", NULL, child_is_null}, {"child-is-missing", NULL, child_is_missing},
    {"nulls-are-uncovered", NULL, nulls_are_uncovered}, {"offsets-descend", NULL, offsets_descend},
    {"offsets-are-negative", NULL, offsets_are_negative}, {"utf8-is-invalid", NULL, utf8_is_invalid},
    {"leaks-batches", NULL, memory_leaks}, {"format-is-unknown", NULL, format_is_unknown},
    {"format-is-null", NULL, format_is_null}, {"metadata-is-negative", NULL, metadata_is_negative},
};

static gf_status start(gf_instance_t *instance, gf_call_t *call, uint32_t kind, const void *request) {
    if (kind != GF_CALL_QUERY) {
        return gf_sdk_call_start(instance, call, kind, request);
    }
    const gf_query_t *query = ((const gf_query_request_t *)request)->queries;
    gf_context_t context = gf_sdk_context(instance, call);
    gf_str_t mode = find(query->json, "mode", "\"");
    context.ref_id = query->ref_id;
    for (size_t index = 0; index < sizeof modes / sizeof *modes; index++) {
        if (gf_str_equal(mode, gf_str_from(modes[index].mode))) {
            if (modes[index].run) {
                return modes[index].run(&context, query->json);
            }
            emit(&context, modes[index].change);
            complete(&context, GF_OK);
            return GF_OK;
        }
    }
    return gf_fail(&context, GF_INVALID, "there is no mode '%.*s'", (int)mode.length, mode.data);
}

static gf_status create(gf_context_t *context, const gf_instance_config_t *config) {
    gf_str_t mode = find(config->json_data, "mode", "\"");
    if (gf_str_equal(mode, GF_STR("create-hangs"))) {
        wait_for(milliseconds_of(config->json_data, 60000));
    }
    return gf_str_equal(mode, GF_STR("create-fails")) ? gf_fail(context, GF_INVALID, "create fails on purpose") : GF_OK;
}
static gf_status query(gf_context_t *context, const gf_query_t *one) { (void)context; (void)one; return GF_STATE; }
static gf_status health(gf_context_t *context, uint32_t depth) {
    (void)depth;
    return gf_health(context, GF_HEALTH_ERROR, "Misbehaving, as it should");
}

static const gf_datasource_t source = {.query = query, .health = health, .create = create};
static const gf_library_api_t library_api = {
    sizeof library_api, 0, gf_sdk_library_open, gf_sdk_library_close, gf_sdk_library_extension};
static const gf_instance_api_t instance_api = {
    sizeof instance_api, 0, gf_sdk_instance_create, NULL, NULL, gf_sdk_instance_destroy};
static const gf_call_api_t call_api = {sizeof call_api, 0, start, NULL, NULL, release};

GF_EXPORT const gf_plugin_desc_t *gf_entry_v1(const gf_host_info_t *info) {
    static const gf_plugin_desc_t desc = {
        sizeof desc, GF_KIND_DATASOURCE, GF_STR_INIT("grafana-misbehaving-datasource"), GF_STR_INIT("1.0.0"),
        GF_ABI_MINOR, 1, GF_CAP_BLOCKING, GF_CONCURRENCY_PARALLEL, 64, 0, &library_api, &instance_api, &call_api,
        (void *)&source};
    return info ? &desc : NULL;
}
