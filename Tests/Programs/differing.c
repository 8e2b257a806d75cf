/* SPDX-License-Identifier: Apache-2.0
 * A plugin that behaves in one way in the server's process and in another elsewhere, for the tests of the conformance
 * kit: the mode of a query, of a path or of the settings names what differs. */
#define _POSIX_C_SOURCE 200809L
#include <grafana/sdk.h>

#include <pthread.h>
#include <time.h>

/* Whether this copy runs elsewhere, and so has to differ. */
static int is_elsewhere;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int running;
static int calls;

static int is_mode(gf_str_t text, const char *mode) {
    size_t length = strlen(mode);
    for (uint64_t at = 0; at + length <= text.length; at++) {
        if (memcmp(text.data + at, mode, length) == 0) {
            return 1;
        }
    }
    return 0;
}

static int differs(gf_str_t text, const char *mode) {
    return is_elsewhere && is_mode(text, mode);
}

static void pause_for(long milliseconds) {
    struct timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0) {
    }
}

static void notice(gf_context_t *context, const char *text) {
    gf_notice_t notice = {sizeof notice, GF_SEVERITY_WARNING, context->ref_id, gf_str_from(text), GF_STR("")};
    context->sdk->sink.notice(context->sdk->host, context->call, &notice);
}

/* A number that is the same in each copy, but for the modes that say otherwise. */
static double number_of(gf_str_t mode, int row) {
    uint64_t bits = 0x7ff8000000000000u;
    double value = row + 0.5;
    if (row == 1 && differs(mode, "value")) {
        value = 2.25;
    }
    if (row == 2 && is_mode(mode, "nan")) {
        bits += (uint64_t)is_elsewhere;
        memcpy(&value, &bits, sizeof value);
    }
    if (is_mode(mode, "random")) {
        pthread_mutex_lock(&lock);
        value += ++calls;
        pthread_mutex_unlock(&lock);
    }
    return value;
}

static gf_status send_frame(gf_context_t *context, gf_str_t mode, int rows, int is_crowded) {
    gf_frame_t frame = gf_frame_make("numbers");
    gf_column_t *number, *text;
    gf_frame_meta(&frame, differs(mode, "meta") ? "{\"custom\":2}" : "{\"custom\":1}");
    number = gf_frame_add(&frame, "value", GF_TYPE_FLOAT64 | GF_TYPE_NULLABLE);
    text = gf_frame_add(&frame, "text", GF_TYPE_STRING);
    gf_column_label(number, "host", differs(mode, "label") ? "b" : "a");
    for (int row = 0; row < rows; row++) {
        if (row == 1 && differs(mode, "null")) {
            gf_append_null(number);
        } else {
            gf_append_float64(number, number_of(mode, row) + is_crowded);
        }
        gf_append_string(text, differs(mode, "text") ? "other" : "text");
    }
    return gf_frame_send(context, &frame);
}

/* More than the window of a slow reader. Elsewhere it does not wait for room, and its caller then forgets the rest. */
static gf_status send_much(gf_context_t *context) {
    gf_frame_t frame = gf_frame_make("much");
    gf_column_t *number = gf_frame_add(&frame, "value", GF_TYPE_FLOAT64);
    struct ArrowSchema schema;
    struct ArrowArray rows;
    uint32_t place = context->next_frame++;
    gf_status status = GF_NOMEM;
    for (int row = 0; row < 2000; row++) {
        gf_append_float64(number, row);
    }
    if (gf_frame_export_schema(&frame, context->ref_id, &schema) == GF_OK) {
        context->sdk->sink.schema(context->sdk->host, context->call, place, context->ref_id, &schema);
        if (gf_frame_export_rows(&frame, &rows) == GF_OK) {
            status = context->sdk->sink.batch(context->sdk->host, context->call, place, &rows);
        }
    }
    gf_frame_free(&frame);
    return is_elsewhere ? status : gf_sdk_credit(context, status);
}

static gf_status query(gf_context_t *context, const gf_query_t *query) {
    gf_str_t mode = query->json;
    gf_status status;
    int is_crowded = 0;
    if (is_mode(mode, "fails")) {
        return gf_fail(context, differs(mode, "code") ? GF_NOT_FOUND : GF_INVALID, "%s",
                       differs(mode, "words") ? "no" : "never");
    }
    if (differs(mode, "crowd")) {
        pthread_mutex_lock(&lock);
        is_crowded = running++ > 0;
        pthread_mutex_unlock(&lock);
        pause_for(2);
    }
    if (is_mode(mode, "order") && is_elsewhere) {
        notice(context, "a remark");
    }
    status = send_frame(context, mode, 3, is_crowded);
    if (is_mode(mode, "order") && !is_elsewhere) {
        notice(context, "a remark");
    }
    if (differs(mode, "more")) {
        status = send_frame(context, mode, 1, 0);
    }
    if (is_mode(mode, "slow") && send_much(context) != GF_AGAIN) {
        status = send_frame(context, mode, 1, 0);
    }
    if (differs(mode, "deaf")) {
        /* Does not end when it is cancelled, and says in the end that all is well. */
        for (int round = 0; round < 20; round++) {
            pause_for(1);
        }
        if (gf_is_cancelled(context)) {
            status = GF_OK;
        }
    }
    if (differs(mode, "crowd")) {
        pthread_mutex_lock(&lock);
        running--;
        pthread_mutex_unlock(&lock);
    }
    if (differs(mode, "twice")) {
        context->sdk->sink.complete(context->sdk->host, context->call, GF_OK);
    }
    return status;
}

static gf_status health(gf_context_t *context, uint32_t depth) {
    const gf_instance_t *instance = context->instance;
    (void)depth;
    return gf_health(context, GF_HEALTH_OK, is_elsewhere && instance->data ? "ill" : "well");
}

static gf_status resource(gf_context_t *context, const gf_resource_request_t *request) {
    int is_other = is_elsewhere && is_mode(request->path, "status");
    if (differs(request->path, "type")) {
        return gf_respond_text(context, 200, "{\"a\":1}");
    }
    return gf_respond_json(context, is_other ? 404 : 200, differs(request->path, "body") ? "{\"a\":2}" : "{\"a\":1}");
}

static gf_status create(gf_context_t *context, const gf_instance_config_t *config) {
    if (is_mode(config->json_data, "refuse")) {
        return gf_fail(context, GF_INVALID, "%s", is_elsewhere ? "no" : "never");
    }
    if (is_mode(config->json_data, "health")) {
        context->instance->data = &is_elsewhere;
    }
    return GF_OK;
}

static const gf_datasource_t source = {.query = query, .health = health, .resource = resource, .create = create};
static const gf_library_api_t library_api = {
    sizeof library_api, 0, gf_sdk_library_open, gf_sdk_library_close, gf_sdk_library_extension};
static const gf_instance_api_t instance_api = {
    sizeof instance_api, 0, gf_sdk_instance_create, NULL, NULL, gf_sdk_instance_destroy};
static const gf_call_api_t call_api = {sizeof call_api, 0, gf_sdk_call_start, NULL, NULL, NULL};

GF_EXPORT const gf_plugin_desc_t *gf_entry_v1(const gf_host_info_t *info) {
    static const gf_plugin_desc_t desc = {
        sizeof desc, GF_KIND_DATASOURCE, GF_STR_INIT("test-differing-datasource"), GF_STR_INIT("1.0.0"),
        GF_ABI_MINOR, 1, GF_CAP_BLOCKING, GF_CONCURRENCY_PARALLEL, 64, 0, &library_api, &instance_api, &call_api,
        (void *)&source};
    is_elsewhere = info && info->level >= GF_LEVEL_PROCESS;
    return info ? &desc : NULL;
}
