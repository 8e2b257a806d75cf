/* SPDX-License-Identifier: Apache-2.0
 *
 * An ADBC driver for tests, good and bad. What its statements answer is named by their SQL; how it starts is chosen
 * when it is compiled: START_MISSING leaves the entry out, START_UNKNOWN knows no version, START_OLD knows 1.0.0 alone,
 * START_FAILS fails, START_EMPTY fills nothing in. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../Sources/CADBC/adbc.h"
#include "adbc_arrays.h"

typedef struct statement {
    char sql[256];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int is_cancelled;
} statement_t;

/* ---------------------------------------------------------------------------------------------------------------
 * Errors
 */

static void release_error(struct AdbcError *error) {
    free(error->message);
    error->message = NULL;
    error->release = NULL;
}

static AdbcStatusCode fail(struct AdbcError *error, AdbcStatusCode status, const char *state, const char *message) {
    error->message = strdup(message);
    memcpy(error->sqlstate, state, 5);
    error->release = release_error;
    return status;
}

static int detail_count(const struct AdbcError *error) { return error->private_data ? 2 : 0; }

static struct AdbcErrorDetail detail(const struct AdbcError *error, int index) {
    static const uint8_t bytes[] = {'4', '2', 0};
    struct AdbcErrorDetail found = {index ? "hint" : "position", bytes, sizeof bytes};
    struct AdbcErrorDetail none = {NULL, NULL, 0};
    (void)error;
    if (index == 1) {
        found.value = (const uint8_t *)"ask s3cret-token";
        found.value_length = strlen("ask s3cret-token");
    }
    return index < 2 ? found : none;
}

/* ---------------------------------------------------------------------------------------------------------------
 * Streams
 */

typedef struct source {
    made_t made;
    int columns; /* of the schema */
    int batches;
    int is_failing;
    int is_schemaless;
    statement_t *statement; /* whose cancellation ends the wait of a slow stream */
    const char *error;
    struct AdbcError detailed;
} source_t;

static void free_schema(struct ArrowSchema *schema) { schema->release = NULL; }
static void free_array(struct ArrowArray *array) { array->release = NULL; }

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    source_t *source = stream->private_data;
    if (source->is_schemaless) {
        source->error = "there is no schema today";
        return EIO;
    }
    *out = schema_of("+s", "");
    out->n_children = source->columns;
    out->children = source->made.schema_children;
    out->release = free_schema;
    return 0;
}

static int wait_for_cancel(statement_t *statement) {
    pthread_mutex_lock(&statement->lock);
    while (!statement->is_cancelled) {
        pthread_cond_wait(&statement->changed, &statement->lock);
    }
    pthread_mutex_unlock(&statement->lock);
    return ECANCELED;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    source_t *source = stream->private_data;
    memset(out, 0, sizeof *out);
    if (source->statement) {
        source->error = "the statement was cancelled";
        return wait_for_cancel(source->statement);
    }
    if (source->is_failing && source->batches == 0) {
        source->error = "the disk is gone";
        source->detailed.private_data = source;
        fail(&source->detailed, ADBC_STATUS_INVALID_DATA, "22012", "division by zero");
        source->detailed.vendor_code = INT32_MIN;
        return EIO;
    }
    if (source->batches == 0) {
        return 0;
    }
    source->batches--;
    *out = array_of(source->made.length, 0, 1, source->made.root_buffers);
    out->n_children = source->made.count;
    out->children = source->made.array_children;
    out->release = free_array;
    return 0;
}

static const char *get_last_error(struct ArrowArrayStream *stream) { return ((source_t *)stream->private_data)->error; }

static void release_stream(struct ArrowArrayStream *stream) {
    source_t *source = stream->private_data;
    free(source->detailed.message);
    free(source);
    stream->release = NULL;
}

static const struct AdbcError *stream_error(struct ArrowArrayStream *stream, AdbcStatusCode *status) {
    source_t *source = stream->private_data;
    if (!source->detailed.message) {
        return NULL;
    }
    *status = ADBC_STATUS_INVALID_DATA;
    return &source->detailed;
}

static void open_stream(struct ArrowArrayStream *out, source_t *source) {
    out->get_schema = get_schema;
    out->get_next = get_next;
    out->get_last_error = get_last_error;
    out->release = release_stream;
    out->private_data = source;
}

static AdbcStatusCode execute(struct AdbcStatement *handle, struct ArrowArrayStream *out, int64_t *rows,
                              struct AdbcError *error) {
    static const int64_t one[] = {1};
    static const void *one_buffers[] = {NULL, one};
    statement_t *statement = handle->private_data;
    const char *sql = statement->sql + strlen("SELECT ");
    source_t *source;
    (void)rows;
    if (!strcmp(sql, "error")) {
        AdbcStatusCode status = fail(error, ADBC_STATUS_INVALID_ARGUMENT, "42601", "syntax error, token s3cret-token");
        if (error->vendor_code == INT32_MIN) {
            error->private_data = statement;
        } else {
            error->vendor_code = 17;
        }
        return status;
    }
    if (!strcmp(sql, "unknown status")) {
        return 99;
    }
    if (!strcmp(sql, "nothing")) {
        return ADBC_STATUS_OK;
    }
    if (!strcmp(sql, "crash")) {
        *(volatile int *)8 = 1;
    }
    if (!strncmp(sql, "deaf ", 5)) {
        /* Hears no cancellation; the file tells that it is here. */
        FILE *file = fopen(sql + 5, "w");
        if (file) {
            fclose(file);
        }
        for (;;) {
            pause();
        }
    }
    source = calloc(1, sizeof *source);
    source->batches = 1;
    source->made.length = 1;
    if (!strcmp(sql, "layouts")) {
        make_layouts(&source->made);
        source->columns = source->made.count;
    } else if (!strncmp(sql, "lie about ", 10)) {
        source->columns = make_lie(&source->made, sql + 10);
    } else {
        add(&source->made, "l", "x", 2, one_buffers);
        source->columns = 1;
    }
    if (source->columns < 0) {
        free(source);
        return fail(error, ADBC_STATUS_INVALID_ARGUMENT, "\0\0\0\0\0", "there is no such lie");
    }
    source->is_failing = !strcmp(sql, "broken");
    source->is_schemaless = !strcmp(sql, "no schema");
    if (!strcmp(sql, "slow")) {
        source->statement = statement;
    }
    if (!strcmp(sql, "endless")) {
        source->batches = INT32_MAX;
    }
    open_stream(out, source);
    return ADBC_STATUS_OK;
}

/* ---------------------------------------------------------------------------------------------------------------
 * The table
 */

static AdbcStatusCode database_done(struct AdbcDatabase *database, struct AdbcError *error) {
    (void)database;
    (void)error;
    return ADBC_STATUS_OK;
}

static AdbcStatusCode database_option(struct AdbcDatabase *database, const char *key, const char *value,
                                      struct AdbcError *error) {
    (void)database;
    if (!strcmp(key, "refused")) {
        char text[256];
        snprintf(text, sizeof text, "bad value %s", value);
        return fail(error, ADBC_STATUS_INVALID_ARGUMENT, "\0\0\0\0\0", text);
    }
    return ADBC_STATUS_OK;
}

static AdbcStatusCode connection_done(struct AdbcConnection *connection, struct AdbcError *error) {
    (void)connection;
    (void)error;
    return ADBC_STATUS_OK;
}

static AdbcStatusCode connection_init(struct AdbcConnection *connection, struct AdbcDatabase *database,
                                      struct AdbcError *error) {
    (void)connection;
    (void)database;
    (void)error;
    return ADBC_STATUS_OK;
}

static AdbcStatusCode statement_new(struct AdbcConnection *connection, struct AdbcStatement *handle,
                                    struct AdbcError *error) {
    statement_t *statement = calloc(1, sizeof *statement);
    (void)connection;
    (void)error;
    pthread_mutex_init(&statement->lock, NULL);
    pthread_cond_init(&statement->changed, NULL);
    handle->private_data = statement;
    return ADBC_STATUS_OK;
}

static AdbcStatusCode statement_query(struct AdbcStatement *handle, const char *sql, struct AdbcError *error) {
    statement_t *statement = handle->private_data;
    (void)error;
    strncpy(statement->sql, sql, sizeof statement->sql - 1);
    return ADBC_STATUS_OK;
}

static AdbcStatusCode statement_cancel(struct AdbcStatement *handle, struct AdbcError *error) {
    statement_t *statement = handle->private_data;
    (void)error;
    pthread_mutex_lock(&statement->lock);
    statement->is_cancelled = 1;
    pthread_cond_broadcast(&statement->changed);
    pthread_mutex_unlock(&statement->lock);
    return ADBC_STATUS_OK;
}

static AdbcStatusCode statement_release(struct AdbcStatement *handle, struct AdbcError *error) {
    (void)error;
    free(handle->private_data);
    handle->private_data = NULL;
    return ADBC_STATUS_OK;
}

#ifndef START_MISSING
AdbcStatusCode AdbcDriverInit(int version, void *out, struct AdbcError *error);

AdbcStatusCode AdbcDriverInit(int version, void *out, struct AdbcError *error) {
    struct AdbcDriver *driver = out;
    (void)version;
#ifdef START_UNKNOWN
    return fail(error, ADBC_STATUS_NOT_IMPLEMENTED, "\0\0\0\0\0", "only version 9.9.9");
#endif
#ifdef START_FAILS
    return fail(error, ADBC_STATUS_INTERNAL, "\0\0\0\0\0", "no licence");
#endif
#ifdef START_OLD
    if (version != ADBC_VERSION_1_0_0) {
        return fail(error, ADBC_STATUS_NOT_IMPLEMENTED, "\0\0\0\0\0", "only version 1.0.0");
    }
#endif
#ifndef START_EMPTY
    driver->DatabaseNew = database_done;
    driver->DatabaseInit = database_done;
    driver->DatabaseRelease = database_done;
    driver->DatabaseSetOption = database_option;
    driver->ConnectionNew = connection_done;
    driver->ConnectionInit = connection_init;
    driver->ConnectionRelease = connection_done;
    driver->StatementNew = statement_new;
    driver->StatementSetSqlQuery = statement_query;
    driver->StatementExecuteQuery = execute;
    driver->StatementRelease = statement_release;
    if (version >= ADBC_VERSION_1_1_0) {
        driver->ErrorGetDetailCount = detail_count;
        driver->ErrorGetDetail = detail;
        driver->ErrorFromArrayStream = stream_error;
        driver->StatementCancel = statement_cancel;
    }
#endif
    (void)driver;
    (void)error;
    return ADBC_STATUS_OK;
}
#endif
