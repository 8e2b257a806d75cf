/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts what SQLite allocates for one statement. SQLite itself counts for the whole program, in which others use it.
 */
#include "arrow_table.h"

static sqlite3_mem_methods plain;
static _Thread_local int64_t used;
static _Thread_local int is_counting;

static void *count(void *memory) {
    if (is_counting && memory) used += plain.xSize(memory);
    return memory;
}

static void *allocate(int size) { return count(plain.xMalloc(size)); }

static void release(void *memory) {
    if (is_counting && memory) used -= plain.xSize(memory);
    plain.xFree(memory);
}

static void *resize(void *memory, int size) {
    int64_t before = is_counting && memory ? plain.xSize(memory) : 0;
    void *moved = plain.xRealloc(memory, size);
    if (moved) used -= before;
    return count(moved);
}

/* Before main, as SQLite takes no other allocator once it has begun. */
__attribute__((constructor)) static void install(void) {
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain) != SQLITE_OK || !plain.xMalloc) return;
    sqlite3_mem_methods counting = plain;
    counting.xMalloc = allocate;
    counting.xFree = release;
    counting.xRealloc = resize;
    (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &counting);
}

void arrow_memory_begin(void) {
    used = 0;
    is_counting = 1;
}

void arrow_memory_end(void) { is_counting = 0; }

int64_t arrow_memory_used(void) { return used; }
