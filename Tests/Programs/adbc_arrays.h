/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrow arrays by hand for adbc_driver.c, true ones and lies: a struct with columns, made of static parts. */
#ifndef TEST_ADBC_ARRAYS_H
#define TEST_ADBC_ARRAYS_H

#include <stdint.h>
#include <string.h>

#include "../../Sources/CADBC/adbc.h"

#define COLUMNS_MAX 16

typedef struct made {
    struct ArrowSchema schemas[COLUMNS_MAX];
    struct ArrowSchema *schema_children[COLUMNS_MAX];
    struct ArrowArray arrays[COLUMNS_MAX];
    struct ArrowArray *array_children[COLUMNS_MAX];
    int count;
    int64_t length;
    const void *root_buffers[1];
    struct ArrowSchema parts[2 * COLUMNS_MAX];
    struct ArrowSchema *part_children[2 * COLUMNS_MAX];
    struct ArrowArray part_arrays[2 * COLUMNS_MAX];
    struct ArrowArray *part_array_children[2 * COLUMNS_MAX];
    int parts_used;
} made_t;

static void keep_schema(struct ArrowSchema *schema) { schema->release = NULL; }
static void keep_array(struct ArrowArray *array) { array->release = NULL; }

static struct ArrowSchema schema_of(const char *format, const char *name) {
    struct ArrowSchema schema = {format, name, NULL, ARROW_FLAG_NULLABLE, 0, NULL, NULL, keep_schema, NULL};
    return schema;
}

static struct ArrowArray array_of(int64_t length, int64_t nulls, int64_t buffer_count, const void **buffers) {
    struct ArrowArray array = {length, nulls, 0, buffer_count, 0, buffers, NULL, NULL, keep_array, NULL};
    return array;
}

/* Adds a column and returns its place. */
static int add(made_t *made, const char *format, const char *name, int64_t buffer_count, const void **buffers) {
    int place = made->count++;
    made->schemas[place] = schema_of(format, name);
    made->arrays[place] = array_of(made->length, -1, buffer_count, buffers);
    made->schema_children[place] = &made->schemas[place];
    made->array_children[place] = &made->arrays[place];
    return place;
}

/* Gives a column a child. */
static void add_part(made_t *made, int column, const char *format, const char *name, struct ArrowArray array) {
    int place = made->parts_used++;
    made->parts[place] = schema_of(format, name);
    made->part_arrays[place] = array;
    made->part_children[place] = &made->parts[place];
    made->part_array_children[place] = &made->part_arrays[place];
    if (!made->schemas[column].n_children) {
        made->schemas[column].children = &made->part_children[place];
        made->arrays[column].children = &made->part_array_children[place];
    }
    made->schemas[column].n_children++;
    made->arrays[column].n_children++;
}

static const uint8_t two_of_three[] = {5};
static const int32_t narrow[] = {0, 1, 1, 3};
static const int64_t wide[] = {0, 1, 1, 3};
static const char letters[] = "a\xc3\xa9";
static const int32_t numbers[] = {7, 8, 9, 10, 11, 12};

/* Every layout that real drivers seldom have; three rows, the one in the middle null where it can be. */
static void make_layouts(made_t *made) {
    static const int32_t views[] = {5, 0x6c6c6568, 'o', 0, 0, 0, 0, 0, 18, 0x65742061, 0, 2};
    static const char block[] = "--a text of 18 bytes";
    static const int64_t block_sizes[] = {20};
    static const uint16_t halves[] = {0x3c00, 0, 0xc100};
    static const int64_t decimal256[12] = {-12345, -1, -1, -1, 0, 0, 0, 0, 1, 0, 0, 1};
    static const int32_t decimal32[] = {15, 0, -15};
    static const int32_t ends[] = {2, 3};
    static const int8_t indexes[] = {1, 0, 0};
    static const int32_t sizes[] = {2, 0, 1};
    static const int32_t starts[] = {4, 0, 0};
    static const int8_t types[] = {0, 5, 5};
    static const int32_t places[] = {1, 0, 1};
    static const int32_t months[] = {14, 0, -1};
    static const int32_t day_time[] = {1, 1500, 0, 0, -1, -500};
    static const int64_t nanos[] = {1, 0, 3600000000001};
    static const int64_t dates[] = {86400000, 0, 1};
    static const void *view_buffers[] = {two_of_three, views, block, block_sizes};
    static const void *large_buffers[] = {two_of_three, wide, letters};
    static const void *half_buffers[] = {two_of_three, halves};
    static const void *decimal256_buffers[] = {two_of_three, decimal256};
    static const void *decimal32_buffers[] = {two_of_three, decimal32};
    static const void *index_buffers[] = {two_of_three, indexes};
    static const void *text_buffers[] = {NULL, narrow, letters};
    static const void *end_buffers[] = {NULL, ends};
    static const void *number_buffers[] = {NULL, numbers};
    static const void *validity[] = {two_of_three};
    static const void *list_view_buffers[] = {two_of_three, starts, sizes};
    static const void *large_list_buffers[] = {two_of_three, wide};
    static const void *dense_buffers[] = {types, places};
    static const void *month_buffers[] = {two_of_three, months};
    static const void *day_buffers[] = {two_of_three, day_time};
    static const void *nano_buffers[] = {two_of_three, nanos};
    static const void *date_buffers[] = {two_of_three, dates};
    int place;
    made->length = 3;
    add(made, "vu", "view", 4, view_buffers);
    add(made, "U", "large", 3, large_buffers);
    add(made, "e", "half", 2, half_buffers);
    add(made, "d:40,2,256", "decimal256", 2, decimal256_buffers);
    add(made, "d:5,1,32", "decimal32", 2, decimal32_buffers);
    place = add(made, "c", "dictionary", 2, index_buffers);
    made->parts[made->parts_used] = schema_of("u", "values");
    made->part_arrays[made->parts_used] = array_of(3, 0, 3, text_buffers);
    made->schemas[place].dictionary = &made->parts[made->parts_used];
    made->arrays[place].dictionary = &made->part_arrays[made->parts_used++];
    place = add(made, "+r", "runs", 0, NULL);
    add_part(made, place, "i", "run_ends", array_of(2, 0, 2, end_buffers));
    add_part(made, place, "i", "values", array_of(2, 0, 2, number_buffers));
    place = add(made, "+w:2", "fixed", 1, validity);
    add_part(made, place, "i", "item", array_of(6, 0, 2, number_buffers));
    place = add(made, "+vl", "listview", 3, list_view_buffers);
    add_part(made, place, "i", "item", array_of(6, 0, 2, number_buffers));
    place = add(made, "+L", "largelist", 2, large_list_buffers);
    add_part(made, place, "i", "item", array_of(6, 0, 2, number_buffers));
    place = add(made, "+ud:0,5", "union", 2, dense_buffers);
    add_part(made, place, "u", "text", array_of(3, 0, 3, text_buffers));
    add_part(made, place, "i", "number", array_of(6, 0, 2, number_buffers));
    add(made, "tiM", "months", 2, month_buffers);
    add(made, "tiD", "daytime", 2, day_buffers);
    add(made, "ttn", "clock", 2, nano_buffers);
    add(made, "tdm", "date", 2, date_buffers);
    place = add(made, "+s", "struct", 1, validity);
    add_part(made, place, "i", "n", array_of(3, 0, 2, number_buffers));
}

/* One column of three rows that lies; the word says about what. */
static int make_lie(made_t *made, const char *word) {
    static const int32_t falling[] = {0, 3, 1, 3};
    static const int32_t negative[] = {-5, 0, 1, 3};
    static const int8_t beyond[] = {0, 1, 9};
    static const int32_t short_runs[] = {1, 2};
    static const int64_t bad_views[] = {20, 99, 0, 0, 0, 0};
    static const int32_t bad_places[] = {0, 0, 77};
    static const int8_t types[] = {0, 0, 0};
    static const int8_t odd_types[] = {0, 3, 0};
    static const void *number_buffers[] = {NULL, numbers};
    static const void *missing_buffers[] = {NULL, NULL};
    static const void *falling_buffers[] = {NULL, falling, letters};
    static const void *negative_buffers[] = {NULL, negative, letters};
    static const void *textless_buffers[] = {NULL, narrow, NULL};
    static const void *beyond_buffers[] = {NULL, beyond};
    static const void *text_buffers[] = {NULL, narrow, letters};
    static const void *run_buffers[] = {NULL, short_runs};
    static const void *list_buffers[] = {NULL, narrow};
    static const void *view_buffers[] = {NULL, bad_views, letters, NULL};
    static const void *validity[] = {NULL};
    static const void *dense_buffers[] = {types, bad_places};
    static const void *odd_buffers[] = {odd_types};
    int place;
    made->length = 3;
    if (!strcmp(word, "length")) {
        made->arrays[add(made, "i", "x", 2, number_buffers)].length = 2;
    } else if (!strcmp(word, "negative length")) {
        made->arrays[add(made, "i", "x", 2, number_buffers)].length = -1;
    } else if (!strcmp(word, "offset")) {
        made->arrays[add(made, "i", "x", 2, number_buffers)].offset = INT64_MAX - 1;
    } else if (!strcmp(word, "buffers")) {
        made->arrays[add(made, "i", "x", 2, number_buffers)].n_buffers = 1;
    } else if (!strcmp(word, "missing buffer")) {
        add(made, "i", "x", 2, missing_buffers);
    } else if (!strcmp(word, "nulls")) {
        made->arrays[add(made, "i", "x", 2, number_buffers)].null_count = 2;
    } else if (!strcmp(word, "falling offsets")) {
        add(made, "u", "x", 3, falling_buffers);
    } else if (!strcmp(word, "negative offset")) {
        add(made, "u", "x", 3, negative_buffers);
    } else if (!strcmp(word, "no text")) {
        add(made, "u", "x", 3, textless_buffers);
    } else if (!strcmp(word, "view")) {
        add(made, "vu", "x", 4, view_buffers);
    } else if (!strcmp(word, "index")) {
        place = add(made, "c", "x", 2, beyond_buffers);
        made->parts[0] = schema_of("u", "values");
        made->part_arrays[0] = array_of(2, 0, 3, text_buffers);
        made->schemas[place].dictionary = &made->parts[0];
        made->arrays[place].dictionary = &made->part_arrays[0];
    } else if (!strcmp(word, "no dictionary")) {
        place = add(made, "c", "x", 2, beyond_buffers);
        made->parts[0] = schema_of("u", "values");
        made->schemas[place].dictionary = &made->parts[0];
    } else if (!strcmp(word, "runs")) {
        place = add(made, "+r", "x", 0, NULL);
        add_part(made, place, "i", "run_ends", array_of(2, 0, 2, run_buffers));
        add_part(made, place, "i", "values", array_of(2, 0, 2, number_buffers));
    } else if (!strcmp(word, "list")) {
        place = add(made, "+l", "x", 2, list_buffers);
        add_part(made, place, "i", "item", array_of(1, 0, 2, number_buffers));
    } else if (!strcmp(word, "fixed list")) {
        place = add(made, "+w:1000000", "x", 1, validity);
        add_part(made, place, "i", "item", array_of(3, 0, 2, number_buffers));
    } else if (!strcmp(word, "union place")) {
        place = add(made, "+ud:0", "x", 2, dense_buffers);
        add_part(made, place, "i", "n", array_of(3, 0, 2, number_buffers));
    } else if (!strcmp(word, "union type")) {
        place = add(made, "+us:0", "x", 1, odd_buffers);
        add_part(made, place, "i", "n", array_of(3, 0, 2, number_buffers));
    } else if (!strcmp(word, "children")) {
        add(made, "i", "x", 2, number_buffers);
        made->count = 0;
        made->schema_children[0] = &made->schemas[0];
        return 1;
    } else if (!strcmp(word, "type")) {
        add(made, "?!", "x", 2, number_buffers);
    } else if (!strcmp(word, "released")) {
        made->arrays[add(made, "i", "x", 2, number_buffers)].release = NULL;
    } else {
        return -1;
    }
    return made->count;
}

#endif
