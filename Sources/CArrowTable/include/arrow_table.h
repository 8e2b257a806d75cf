/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrow columns as tables of SQLite, read where they lie. */
#ifndef GRAFANA_ARROW_TABLE_H
#define GRAFANA_ARROW_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <sqlite3.h>

/* How the values of a column lie, and what SQLite gets for one. */
enum {
    ARROW_INT8 = 1, /* INTEGER, as all integers; an unsigned one past 2^63 - 1 is REAL */
    ARROW_INT16,
    ARROW_INT32,
    ARROW_INT64,
    ARROW_UINT8,
    ARROW_UINT16,
    ARROW_UINT32,
    ARROW_UINT64,
    ARROW_FLOAT32, /* REAL; NaN is NULL */
    ARROW_FLOAT64,
    ARROW_TEXT, /* TEXT */
    ARROW_BOOL, /* INTEGER 0 or 1 */
    ARROW_TIME, /* TEXT: 2026-11-28 00:30:00.25, in UTC, from nanoseconds since 1970 */
};

/* One column. Row 0 is the first value, offset or byte at the pointers; bits start at `first_bit`. */
typedef struct arrow_column {
    const char *name;          /* UTF-8, ends with a zero byte */
    const char *declared;      /* the type that the column declares */
    int32_t type;              /* ARROW_... */
    int64_t first_bit;         /* of `validity`, and of the values of ARROW_BOOL */
    const uint8_t *validity;   /* NULL: no row is null */
    const int32_t *offsets;    /* ARROW_TEXT only: rows + 1 */
    const void *values;
    int64_t value_bytes;       /* ARROW_TEXT only: the bytes at `values` */
} arrow_column_t;

typedef struct arrow_index arrow_index_t;

/* One table. Everything that it points to stays until the database is closed. */
typedef struct arrow_table {
    const char *name;
    int64_t rows;
    int32_t column_count;
    const arrow_column_t *columns;
    arrow_index_t *indexes; /* made by arrow_table_register */
} arrow_table_t;

/* Makes the table known to a database under its name, for reading.
 * Returns an SQLite result code. */
int arrow_table_register(sqlite3 *db, arrow_table_t *table);

/* Frees what registering and reading allocated; after the database is closed. */
void arrow_table_release(arrow_table_t *table);

/* Writes a time as SQLite gets it. `out` has room for 32 bytes. Returns the length. */
int arrow_time_text(int64_t nanoseconds, char *out);

/* Reads such a text. Returns 1, or 0 when it is none. */
int arrow_time_parse(const char *text, size_t length, int64_t *nanoseconds);

/* Reads those and the usual others: a date alone, without seconds, with T, with Z or +01:00. Returns 1, or 0. */
int arrow_time_read(const char *text, size_t length, int64_t *nanoseconds);

/* The collation ARROW_TIME_COLLATION: texts that arrow_time_read reads by what they mean, others by their bytes. */
#define ARROW_TIME_COLLATION "moment"
int arrow_time_compare(void *unused, int left_length, const void *left, int right_length, const void *right);

/* Begins, ends: counts the bytes that SQLite allocates on this thread and has not freed. Not nested. */
void arrow_memory_begin(void);
void arrow_memory_end(void);

/* The bytes since arrow_memory_begin on this thread. */
int64_t arrow_memory_used(void);

/* Finds the first place of `part` in `text`, or -1, in a time that grows with the sum of the lengths and not with
 * their product. An empty part is at 0. */
int64_t arrow_text_find(const void *text, size_t length, const void *part, size_t part_length);

/* Takes from a database what reading does not need, and bounds what a statement may be. */
int arrow_database_harden(sqlite3 *db, int32_t sql_bytes);

#endif
