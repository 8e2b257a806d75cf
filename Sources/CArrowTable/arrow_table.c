/* SPDX-License-Identifier: Apache-2.0 */
#include "arrow_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows by the hash of one column's value; made when a column is looked up for the second time, as in a join. */
struct arrow_index {
    uint32_t look_ups;
    uint32_t mask;
    uint32_t *heads; /* row + 1, or 0 */
    uint32_t *next;  /* by row */
};

typedef struct {
    sqlite3_vtab base; /* first */
    arrow_table_t *table;
} virtual_table_t;

typedef struct {
    sqlite3_vtab_cursor base; /* first */
    arrow_table_t *table;
    int64_t row;
    const arrow_index_t *index; /* NULL: all rows in their order */
} cursor_t;

/* ---- Values ---- */

static inline int is_valid(const arrow_column_t *column, int64_t row) {
    if (column->validity == NULL) return 1;
    int64_t bit = column->first_bit + row;
    return column->validity[bit >> 3] >> (bit & 7) & 1;
}

static inline int bool_at(const arrow_column_t *column, int64_t row) {
    int64_t bit = column->first_bit + row;
    return ((const uint8_t *)column->values)[bit >> 3] >> (bit & 7) & 1;
}

/* The bytes of a text; offsets that point outside give none. */
static inline const char *text_at(const arrow_column_t *column, int64_t row, int *length) {
    int64_t start = column->offsets[row], end = column->offsets[row + 1];
    if (start < 0 || end < start || end > column->value_bytes || column->values == NULL) {
        *length = 0;
        return "";
    }
    *length = (int)(end - start);
    return (const char *)column->values + start;
}

static inline double number_at(const arrow_column_t *column, int64_t row) {
    switch (column->type) {
    case ARROW_INT8: return ((const int8_t *)column->values)[row];
    case ARROW_INT16: return ((const int16_t *)column->values)[row];
    case ARROW_INT32: return ((const int32_t *)column->values)[row];
    case ARROW_INT64: return (double)((const int64_t *)column->values)[row];
    case ARROW_UINT8: return ((const uint8_t *)column->values)[row];
    case ARROW_UINT16: return ((const uint16_t *)column->values)[row];
    case ARROW_UINT32: return ((const uint32_t *)column->values)[row];
    case ARROW_UINT64: return (double)((const uint64_t *)column->values)[row];
    case ARROW_FLOAT32: return ((const float *)column->values)[row];
    case ARROW_FLOAT64: return ((const double *)column->values)[row];
    default: return bool_at(column, row);
    }
}

static void result(sqlite3_context *context, const arrow_column_t *column, int64_t row) {
    switch (column->type) {
    case ARROW_FLOAT64: sqlite3_result_double(context, ((const double *)column->values)[row]); return;
    case ARROW_FLOAT32: sqlite3_result_double(context, ((const float *)column->values)[row]); return;
    case ARROW_INT64: sqlite3_result_int64(context, ((const int64_t *)column->values)[row]); return;
    case ARROW_UINT64: {
        uint64_t value = ((const uint64_t *)column->values)[row];
        if (value > INT64_MAX) sqlite3_result_double(context, (double)value);
        else sqlite3_result_int64(context, (int64_t)value);
        return;
    }
    case ARROW_TEXT: {
        int length;
        const char *text = text_at(column, row, &length);
        sqlite3_result_text(context, text, length, SQLITE_STATIC);
        return;
    }
    case ARROW_TIME: {
        char text[32];
        int length = arrow_time_text(((const int64_t *)column->values)[row], text);
        sqlite3_result_text(context, text, length, SQLITE_TRANSIENT);
        return;
    }
    default: sqlite3_result_int64(context, (int64_t)number_at(column, row)); return;
    }
}

/* ---- Look-ups ---- */

static uint32_t hash_bytes(const char *bytes, int length) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (int index = 0; index < length; index++) hash = (hash ^ (uint8_t)bytes[index]) * 0x100000001b3u;
    return (uint32_t)(hash ^ hash >> 32);
}

static uint32_t hash_number(double number) {
    uint64_t bits;
    if (number == 0) number = 0; /* -0 is 0 */
    memcpy(&bits, &number, sizeof bits);
    bits *= 0x9e3779b97f4a7c15u;
    return (uint32_t)(bits >> 32);
}

/* Of the moment, as several texts name it. */
static uint32_t hash_time(int64_t nanoseconds) {
    return (uint32_t)((uint64_t)nanoseconds * 0x9e3779b97f4a7c15u >> 32);
}

static uint32_t hash_row(const arrow_column_t *column, int64_t row) {
    int length;
    if (column->type == ARROW_TEXT) {
        const char *text = text_at(column, row, &length);
        return hash_bytes(text, length);
    }
    if (column->type == ARROW_TIME) return hash_time(((const int64_t *)column->values)[row]);
    return hash_number(number_at(column, row));
}

static int has_text(const arrow_column_t *column) {
    return column->type == ARROW_TEXT || column->type == ARROW_TIME;
}

/* Rows of a chain come in ascending order: they are put in front from the last to the first. */
static int make_index(arrow_index_t *index, const arrow_column_t *column, int64_t rows) {
    uint32_t size = 16;
    while (size < rows) size *= 2;
    index->heads = calloc(size, sizeof *index->heads);
    index->next = malloc((size_t)rows * sizeof *index->next);
    if (index->heads == NULL || index->next == NULL) {
        free(index->heads);
        free(index->next);
        index->heads = index->next = NULL;
        return 0;
    }
    index->mask = size - 1;
    for (int64_t row = rows - 1; row >= 0; row--) {
        if (!is_valid(column, row)) continue;
        uint32_t place = hash_row(column, row) & index->mask;
        index->next[row] = index->heads[place];
        index->heads[place] = (uint32_t)row + 1;
    }
    return 1;
}

static int time_of(sqlite3_value *value, int64_t *nanoseconds) {
    if (sqlite3_value_type(value) != SQLITE_TEXT) return 0;
    const char *text = (const char *)sqlite3_value_text(value);
    return text != NULL && arrow_time_read(text, (size_t)sqlite3_value_bytes(value), nanoseconds);
}

static uint32_t hash_value(const arrow_column_t *column, sqlite3_value *value) {
    int64_t time;
    if (column->type == ARROW_TIME && time_of(value, &time)) return hash_time(time);
    return sqlite3_value_type(value) == SQLITE_TEXT
        ? hash_bytes((const char *)sqlite3_value_text(value), sqlite3_value_bytes(value))
        : hash_number(sqlite3_value_double(value));
}

/* The index to find `value` with; NULL when looking at all rows is right or cheaper. SQLite checks the rows itself. */
static const arrow_index_t *index_for(arrow_table_t *table, int column_number, sqlite3_value *value) {
    const arrow_column_t *column = &table->columns[column_number];
    arrow_index_t *index = &table->indexes[column_number];
    int type = sqlite3_value_type(value);
    int is_text = type == SQLITE_TEXT;
    int64_t time;
    if (column->type == ARROW_TIME && !time_of(value, &time)) return NULL;
    if (type == SQLITE_BLOB || is_text != has_text(column) || table->rows >= UINT32_MAX) return NULL;
    if (index->heads == NULL && (++index->look_ups < 2 || !make_index(index, column, table->rows))) return NULL;
    return index;
}

/* ---- The module ---- */

static int connect_table(
    sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **out, char **error) {
    (void)argc, (void)argv, (void)error;
    arrow_table_t *table = aux;
    sqlite3_str *text = sqlite3_str_new(db);
    sqlite3_str_appendall(text, "CREATE TABLE x(");
    for (int32_t index = 0; index < table->column_count; index++) {
        const arrow_column_t *column = &table->columns[index];
        sqlite3_str_appendf(
            text, "%s\"%w\" %s%s", index > 0 ? ", " : "", column->name, column->declared,
            column->type == ARROW_TIME ? " COLLATE " ARROW_TIME_COLLATION : "");
    }
    sqlite3_str_appendall(text, ")");
    char *declaration = sqlite3_str_finish(text);
    if (declaration == NULL) return SQLITE_NOMEM;
    int code = sqlite3_declare_vtab(db, declaration);
    sqlite3_free(declaration);
    if (code != SQLITE_OK) return code;
    virtual_table_t *made = sqlite3_malloc(sizeof *made);
    if (made == NULL) return SQLITE_NOMEM;
    memset(made, 0, sizeof *made);
    made->table = table;
    *out = &made->base;
    return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *table) {
    sqlite3_free(table);
    return SQLITE_OK;
}

/* One equality can be answered; `idxNum` is its column + 1. */
static int best_index(sqlite3_vtab *base, sqlite3_index_info *plan) {
    arrow_table_t *table = ((virtual_table_t *)base)->table;
    double rows = (double)table->rows + 1;
    plan->estimatedCost = rows;
    plan->estimatedRows = table->rows + 1;
    for (int number = 0; number < plan->nConstraint; number++) {
        const struct sqlite3_index_constraint *constraint = &plan->aConstraint[number];
        if (!constraint->usable || constraint->op != SQLITE_INDEX_CONSTRAINT_EQ || constraint->iColumn < 0) continue;
        const char *collation = sqlite3_vtab_collation(plan, number);
        /* Times are found by what they mean, and what has the same bytes means the same. */
        int is_time = table->columns[constraint->iColumn].type == ARROW_TIME;
        if (collation != NULL && sqlite3_stricmp(collation, "BINARY") != 0
            && !(is_time && sqlite3_stricmp(collation, ARROW_TIME_COLLATION) == 0))
            continue;
        plan->idxNum = constraint->iColumn + 1;
        plan->aConstraintUsage[number].argvIndex = 1;
        plan->estimatedCost = 10;
        plan->estimatedRows = 10;
        break;
    }
    return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **out) {
    cursor_t *cursor = sqlite3_malloc(sizeof *cursor);
    if (cursor == NULL) return SQLITE_NOMEM;
    memset(cursor, 0, sizeof *cursor);
    cursor->table = ((virtual_table_t *)base)->table;
    *out = &cursor->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *cursor) {
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv) {
    (void)text;
    cursor_t *cursor = (cursor_t *)base;
    cursor->index = NULL;
    cursor->row = 0;
    if (number == 0 || argc == 0) return SQLITE_OK;
    if (sqlite3_value_type(argv[0]) == SQLITE_NULL) {
        cursor->row = cursor->table->rows; /* nothing equals NULL */
        return SQLITE_OK;
    }
    cursor->index = index_for(cursor->table, number - 1, argv[0]);
    if (cursor->index == NULL) return SQLITE_OK;
    uint32_t hash = hash_value(&cursor->table->columns[number - 1], argv[0]);
    uint32_t head = cursor->index->heads[hash & cursor->index->mask];
    cursor->row = head == 0 ? cursor->table->rows : head - 1;
    return SQLITE_OK;
}

static int next_row(sqlite3_vtab_cursor *base) {
    cursor_t *cursor = (cursor_t *)base;
    if (cursor->index == NULL) {
        cursor->row++;
    } else {
        uint32_t next = cursor->index->next[cursor->row];
        cursor->row = next == 0 ? cursor->table->rows : next - 1;
    }
    return SQLITE_OK;
}

static int is_at_end(sqlite3_vtab_cursor *base) {
    cursor_t *cursor = (cursor_t *)base;
    return cursor->row >= cursor->table->rows;
}

static int column_value(sqlite3_vtab_cursor *base, sqlite3_context *context, int number) {
    cursor_t *cursor = (cursor_t *)base;
    const arrow_column_t *column = &cursor->table->columns[number];
    if (is_valid(column, cursor->row)) result(context, column, cursor->row);
    return SQLITE_OK;
}

static int row_id(sqlite3_vtab_cursor *base, sqlite3_int64 *id) {
    *id = ((cursor_t *)base)->row + 1;
    return SQLITE_OK;
}

/* Without xCreate a table exists by its name alone, and without xUpdate it cannot be changed. */
static const sqlite3_module module = {
    .xConnect = connect_table,
    .xBestIndex = best_index,
    .xDisconnect = disconnect_table,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next_row,
    .xEof = is_at_end,
    .xColumn = column_value,
    .xRowid = row_id,
};

int arrow_table_register(sqlite3 *db, arrow_table_t *table) {
    table->indexes = calloc(table->column_count > 0 ? (size_t)table->column_count : 1, sizeof *table->indexes);
    if (table->indexes == NULL) return SQLITE_NOMEM;
    int code = sqlite3_create_module_v2(db, table->name, &module, table, NULL);
    if (code != SQLITE_OK) return code;
    /* Connects the table now: later an authorizer would have to allow what declaring it does. */
    char *text = sqlite3_mprintf("SELECT 1 FROM \"%w\"", table->name);
    if (text == NULL) return SQLITE_NOMEM;
    sqlite3_stmt *statement = NULL;
    code = sqlite3_prepare_v2(db, text, -1, &statement, NULL);
    sqlite3_finalize(statement);
    sqlite3_free(text);
    return code;
}

void arrow_table_release(arrow_table_t *table) {
    if (table->indexes == NULL) return;
    for (int32_t index = 0; index < table->column_count; index++) {
        free(table->indexes[index].heads);
        free(table->indexes[index].next);
    }
    free(table->indexes);
    table->indexes = NULL;
}

int arrow_database_harden(sqlite3 *db, int32_t sql_bytes) {
    static const int limits[][2] = {
        /* So long that one call of a function stays short: within one, nothing stops a statement. */
        {SQLITE_LIMIT_LENGTH, 1 << 20},
        {SQLITE_LIMIT_COLUMN, 2000},
        {SQLITE_LIMIT_EXPR_DEPTH, 200},
        {SQLITE_LIMIT_COMPOUND_SELECT, 50},
        {SQLITE_LIMIT_VDBE_OP, 250000},
        {SQLITE_LIMIT_FUNCTION_ARG, 100},
        {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200},
        {SQLITE_LIMIT_VARIABLE_NUMBER, 0},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 0},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    for (size_t index = 0; index < sizeof limits / sizeof limits[0]; index++)
        sqlite3_limit(db, limits[index][0], limits[index][1]);
    if (sql_bytes > 0) sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, sql_bytes);
    int code = sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    if (code == SQLITE_OK) code = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (code == SQLITE_OK) code = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    /* A text in double quotes would be one silently where a name is misspelt. */
    if (code == SQLITE_OK) code = sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    if (code == SQLITE_OK) code = sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_create_collation_v2(db, ARROW_TIME_COLLATION, SQLITE_UTF8, NULL, arrow_time_compare, NULL);
    /* Sorting in memory: nothing of the data is written to a disk. */
    if (code == SQLITE_OK) code = sqlite3_exec(db, "PRAGMA temp_store = MEMORY", NULL, NULL, NULL);
    return code;
}
