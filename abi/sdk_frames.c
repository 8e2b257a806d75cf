/* SPDX-License-Identifier: Apache-2.0
 * Frames built with grafana/sdk.h, for abi/sdk_frames.py to look at. */
#include <grafana/sdk.h>

GF_EXPORT gf_status sdk_full_frame(int rows, struct ArrowSchema *schema, struct ArrowArray *array);
GF_EXPORT gf_status sdk_bad_frame(int which);

/* Row i: time i s, i / 2, i * 3, "row i", i even, {"i":i}; in the nullable twins each third row is null. */
gf_status sdk_full_frame(int rows, struct ArrowSchema *schema, struct ArrowArray *array) {
    static const char *const names[] = {"time", "float", "int", "text", "bool", "json"};
    gf_frame_t frame = gf_frame_make("full");
    gf_column_t *columns[12];
    char text[32];
    gf_frame_meta(&frame, "{\"custom\":1}");
    for (uint32_t index = 0; index < 12; index++) {
        columns[index] = gf_frame_add(&frame, names[index / 2], (index / 2 + 1) | (index % 2 ? GF_TYPE_NULLABLE : 0));
    }
    gf_column_label(columns[2], "zone", "b\"\\\n");
    gf_column_label(columns[2], "host", "a");
    gf_column_config(columns[2], "{\"unit\":\"bytes\"}");
    for (int row = 0; row < rows; row++) {
        for (int index = 0; index < 12; index++) {
            gf_column_t *column = columns[index];
            if (index % 2 && row % 3 == 2) {
                gf_append_null(column);
                continue;
            }
            snprintf(text, sizeof text, index / 2 == 5 ? "{\"i\":%d}" : "row %d", row);
            switch (index / 2) {
            case 0: gf_append_time(column, row * 1000000000LL); break;
            case 1: gf_append_float64(column, row / 2.0); break;
            case 2: gf_append_int64(column, row * 3); break;
            case 4: gf_append_bool(column, row % 2 == 0); break;
            default: gf_append_string(column, text); break;
            }
        }
    }
    gf_status status = gf_frame_check(&frame);
    if (status == GF_OK && (status = gf_frame_export_schema(&frame, GF_STR("A"), schema)) == GF_OK) {
        status = gf_frame_export_rows(&frame, array);
    }
    gf_frame_free(&frame);
    return status;
}

/* Frames that the builder must refuse: 0 lengths that differ, 1 an unwanted null, 2 a value of another type. */
gf_status sdk_bad_frame(int which) {
    gf_frame_t frame = gf_frame_make("bad");
    gf_column_t *a = gf_frame_add(&frame, "a", GF_TYPE_INT64);
    gf_column_t *b = gf_frame_add(&frame, "b", GF_TYPE_STRING);
    gf_append_int64(a, 1);
    if (which == 1) {
        gf_append_null(b);
    } else if (which == 2) {
        gf_append_float64(b, 1);
    }
    gf_status status = gf_frame_check(&frame);
    gf_frame_free(&frame);
    return status;
}
