/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <sqlite3.h>

/* For files that others wrote: their schema may not be rewritten by hand and runs no code. Swift cannot call functions
 * with a variable number of arguments. */
static inline void gf_sqlite_harden(sqlite3 *handle) {
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)0);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)0);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, (int *)0);
}

/* memmem of the C library, which is declared for GNU sources only. */
extern void *memmem(const void *whole, size_t whole_length, const void *part, size_t part_length);

static inline const void *gf_sqlite_find(const void *whole, size_t whole_length, const void *part, size_t part_length) {
    return memmem(whole, whole_length, part, part_length);
}
