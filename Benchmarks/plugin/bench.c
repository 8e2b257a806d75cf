/* SPDX-License-Identifier: Apache-2.0
 * A data source that costs next to nothing, so that what is measured is the host: its health check answers at once, its
 * query hands over as many rows as it may, of those that it has held since its start; a query of type "packets" hands
 * them over one by one. The data source "without-rows" holds none. */
#include <grafana/sdk.h>

/* 64 MiB in two columns */
#define ROWS 4194304

#ifndef BENCH_ID
#define BENCH_ID "grafana-bench-datasource"
#endif

static int64_t times[ROWS];
static double values[ROWS];

/* The same rows in memory of the host, which it passes on without a copy; NULL when there is none. */
static void *pooled_times;
static void *pooled_values;

/* The same call without a host, for comparison. */
GF_EXPORT int32_t bench_bare(void *instance, uint32_t depth) {
    return instance && depth ? GF_HEALTH_OK : GF_HEALTH_UNKNOWN;
}

/* A time each second; values in 0…100 that need 16 or 17 digits. */
static gf_status create(gf_context_t *context, const gf_instance_config_t *config) {
    uint64_t seed = 88172645463325252u;
    if (gf_str_equal(config->uid, GF_STR("without-rows"))) {
        return GF_OK;
    }
    for (int64_t i = 0; i < ROWS; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        times[i] = (1700000000 + i) * 1000000000;
        values[i] = 100.0 * ((double)(seed >> 11) / 9007199254740992.0);
    }
    gf_buffer_t buffers[2];
    const gf_sdk_t *sdk = context->sdk;
    if (!pooled_times && sdk->core.buffer_alloc(sdk->host, sizeof times, &buffers[0]) == GF_OK &&
        sdk->core.buffer_alloc(sdk->host, sizeof values, &buffers[1]) == GF_OK) {
        pooled_times = memcpy(buffers[0].data, times, sizeof times);
        pooled_values = memcpy(buffers[1].data, values, sizeof values);
    }
    return GF_OK;
}

/* The Arrow structs of one batch; the rows themselves are static. */
typedef struct batch {
    struct ArrowArray columns[2];
    struct ArrowArray *children[2];
    const void *buffers[2][2];
    const void *none[1];
} batch_t;

static void release_column(struct ArrowArray *array) { array->release = NULL; }

static void release_batch(struct ArrowArray *array) {
    free(array->private_data);
    array->release = NULL;
}

static gf_status make_batch(int is_pooled, int64_t count, struct ArrowArray *rows) {
    const void *data[2] = {is_pooled ? pooled_times : times, is_pooled ? pooled_values : values};
    batch_t *batch = (batch_t *)calloc(1, sizeof *batch);
    if (!batch) {
        return GF_NOMEM;
    }
    memset(rows, 0, sizeof *rows);
    for (int i = 0; i < 2; i++) {
        batch->buffers[i][1] = data[i];
        batch->columns[i].length = count;
        batch->columns[i].n_buffers = 2;
        batch->columns[i].buffers = batch->buffers[i];
        batch->columns[i].release = release_column;
        batch->children[i] = &batch->columns[i];
    }
    rows->length = count;
    rows->n_buffers = 1;
    rows->buffers = batch->none;
    rows->n_children = 2;
    rows->children = batch->children;
    rows->release = release_batch;
    rows->private_data = batch;
    return GF_OK;
}

static gf_status query(gf_context_t *context, const gf_query_t *query) {
    struct ArrowArray rows;
    int64_t count = query->max_data_points < ROWS ? query->max_data_points : ROWS;
    int64_t packets = 1;
    gf_frame_t frame = gf_frame_make("rows");
    int is_pooled = query->json.length > 2 && pooled_values; /* {"pooled":true} */
    gf_frame_add(&frame, "time", GF_TYPE_TIME);
    gf_frame_add(&frame, "value", GF_TYPE_FLOAT64);
    gf_status status = gf_frame_flush(context, &frame); /* without rows: the schema alone */
    uint32_t number = frame.number;
    gf_frame_free(&frame);
    if (gf_str_equal(query->query_type, GF_STR("packets"))) {
        packets = count;
        count = 1;
    }
    for (int64_t i = 0; i < packets && (status == GF_OK || status == GF_AGAIN); i++) {
        status = make_batch(is_pooled, count, &rows);
        if (status == GF_OK) {
            status = context->sdk->sink.batch(context->sdk->host, context->call, number, &rows);
        }
    }
    return status == GF_AGAIN ? GF_OK : status;
}

static gf_status health(gf_context_t *context, uint32_t depth) {
    (void)depth;
    return gf_health(context, GF_HEALTH_OK, "ready");
}

static const gf_datasource_t bench = {.query = query, .health = health, .create = create};
GF_DATASOURCE_WITH(BENCH_ID, "1.0.0", bench, GF_CAP_NEVER_BLOCKS, GF_CONCURRENCY_PARALLEL)
