/* SPDX-License-Identifier: Apache-2.0
 * A complete data source: queries draw a sine, the health check says hello, the resource "greeting" answers JSON. */
#include <grafana/sdk.h>

#include <math.h>

static gf_status query(gf_context_t *context, const gf_query_t *query) {
    gf_json_t *json = gf_json_parse(context, query->json);
    double amplitude = gf_json_f64(context, json, "amplitude", 1);
    double period = gf_json_f64(context, json, "period", 600) * 1e9;
    gf_json_free(context, json);
    if (!json) {
        return GF_INVALID;
    }
    if (!(period > 0)) {
        return gf_fail(context, GF_INVALID, "period is %g seconds; give more than 0", period / 1e9);
    }

    gf_frame_t frame = gf_frame_make("sine");
    gf_frame_meta(&frame, "{\"type\":\"timeseries-multi\",\"typeVersion\":[0,1]}");
    gf_column_t *time = gf_frame_add(&frame, "time", GF_TYPE_TIME);
    gf_column_t *value = gf_frame_add(&frame, "value", GF_TYPE_FLOAT64 | GF_TYPE_NULLABLE);
    gf_column_label(value, "plugin", "hello");
    gf_time step = query->interval > 0 ? query->interval : 1000000000;
    int64_t points = (query->to - query->from) / step;
    if (query->max_data_points > 0 && points > query->max_data_points) {
        points = query->max_data_points;
    }
    for (int64_t i = 0; i < points; i++) {
        gf_time now = query->from + i * step;
        gf_append_time(time, now);
        gf_append_float64(value, amplitude * sin(2 * 3.14159265358979323846 * fmod((double)now, period) / period));
    }
    return gf_frame_send(context, &frame);
}

static gf_status health(gf_context_t *context, uint32_t depth) {
    (void)depth;
    return gf_health(context, GF_HEALTH_OK, "Hello from C");
}

static gf_status resource(gf_context_t *context, const gf_resource_request_t *request) {
    if (gf_str_equal(request->path, GF_STR("greeting"))) {
        return gf_respond_json(context, 200, "{\"greeting\":\"Hello from C\"}");
    }
    return gf_respond_text(context, 404, "no such resource; there is only \"greeting\"");
}

static const gf_datasource_t hello = {.query = query, .health = health, .resource = resource};
GF_DATASOURCE("grafana-helloc-datasource", "1.0.0", hello)
