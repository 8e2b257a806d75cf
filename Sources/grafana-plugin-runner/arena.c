/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that the server sees: arenas, cut into pieces. An arena stays when its pieces come back, so that its pages are
 * there already when the next frame is written. */
#include "runner.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u
#define ARENA_LEAST (4u << 20)
/* Free arenas beyond this are given back to the system. */
#define ARENA_KEEP (128u << 20)

/* A free part of an arena, in the order of the offsets. */
typedef struct extent {
    uint64_t offset;
    uint64_t length;
    struct extent *next;
} extent_t;

typedef struct arena {
    uint8_t *start; /* NULL: the number is free */
    uint64_t size;
    extent_t *free;
} arena_t;

/* What the server gives back by its number. */
typedef struct held {
    uint64_t number;
    rn_piece_t piece;
    struct ArrowArray array;
    rn_instance_t *instance; /* of the array; NULL for one that was made while its instance was */
    struct held *next;
} held_t;

/* A buffer that the plugin has, by its token. */
typedef struct lent {
    uint64_t token;
    rn_piece_t piece;
    int is_secret;
    struct lent *next;
} lent_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static arena_t arenas[RUNNER_ARENAS_MAX];
static uint64_t arena_bytes;
static uint64_t last_number;
static held_t *all_held;
static int is_closing;
static lent_t *all_lent;

/* Cuts a piece out of an arena; with the lock held. */
static int cut(uint32_t number, uint64_t size, rn_piece_t *piece_out) {
    arena_t *arena = &arenas[number];
    for (extent_t **place = &arena->free; *place; place = &(*place)->next) {
        extent_t *extent = *place;
        if (extent->length < size) {
            continue;
        }
        piece_out->arena = number + 1;
        piece_out->offset = extent->offset;
        piece_out->capacity = size;
        piece_out->data = arena->start + extent->offset;
        extent->offset += size;
        extent->length -= size;
        if (extent->length == 0) {
            *place = extent->next;
            free(extent);
        }
        return 1;
    }
    return 0;
}

/* Tells the server of an arena, or that it is gone. */
static void tell_arena(uint32_t type, uint32_t number, uint64_t size, int fd) {
    runner_writer_t writer = {0};
    runner_arena_t body = {sizeof body, number + 1, size};
    runner_begin(&writer, type, 0, sizeof body);
    runner_end(&writer, &body, sizeof body);
    rn_send(&writer, &fd, fd >= 0 ? 1 : 0);
    runner_free(&writer);
}

/* Makes an arena; with the lock held. Returns 1, or 0 without room. */
static int add_arena(uint64_t size, uint32_t *number_out) {
    uint32_t number = 0;
    extent_t *all;
    void *start;
    int fd;
    size = size > ARENA_LEAST ? size : ARENA_LEAST;
    while (number < RUNNER_ARENAS_MAX && arenas[number].start) {
        number++;
    }
    if (number == RUNNER_ARENAS_MAX || size > rn.hello.arena_bytes || arena_bytes > rn.hello.arena_bytes - size) {
        return 0;
    }
    all = calloc(1, sizeof *all);
    fd = all ? runner_make_arena(size) : -1;
    start = fd >= 0 ? runner_map_arena(fd, size, 1) : NULL;
    if (!start) {
        free(all);
        if (fd >= 0) {
            close(fd);
        }
        return 0;
    }
    all->length = size;
    arenas[number].start = start;
    arenas[number].size = size;
    arenas[number].free = all;
    arena_bytes += size;
    tell_arena(RUNNER_ARENA_ADD, number, size, fd);
    close(fd);
    *number_out = number;
    return 1;
}

static int is_free(const arena_t *arena) {
    return arena->start && arena->free && arena->free->length == arena->size;
}

/* Gives a free arena back to the system; with the lock held. */
static void drop_arena(uint32_t number) {
    arena_t *arena = &arenas[number];
    munmap(arena->start, arena->size);
    free(arena->free);
    arena_bytes -= arena->size;
    memset(arena, 0, sizeof *arena);
    tell_arena(RUNNER_ARENA_DROP, number, 0, -1);
}

/* Bytes of the arenas of which nothing is in use; with the lock held. */
static uint64_t free_bytes(void) {
    uint64_t bytes = 0;
    for (uint32_t number = 0; number < RUNNER_ARENAS_MAX; number++) {
        bytes += is_free(&arenas[number]) ? arenas[number].size : 0;
    }
    return bytes;
}

/* Makes room for an arena that is larger than the free ones, if that helps; with the lock held. */
static void make_room(uint64_t size) {
    uint64_t room = rn.hello.arena_bytes - arena_bytes;
    if (size <= room || size > room + free_bytes()) {
        return;
    }
    for (uint32_t number = 0; number < RUNNER_ARENAS_MAX && size > rn.hello.arena_bytes - arena_bytes; number++) {
        if (is_free(&arenas[number])) {
            drop_arena(number);
        }
    }
}

int rn_piece_take(uint64_t capacity, rn_piece_t *piece_out) {
    uint64_t size = (capacity + PAGE - 1) / PAGE * PAGE;
    uint32_t number;
    int is_found = 0;
    memset(piece_out, 0, sizeof *piece_out);
    if (capacity == 0 || capacity > rn.hello.arena_bytes) {
        return 0;
    }
    pthread_mutex_lock(&lock);
    for (number = 0; number < RUNNER_ARENAS_MAX && !is_found; number++) {
        is_found = arenas[number].start && cut(number, size, piece_out);
    }
    if (!is_found) {
        make_room(size > ARENA_LEAST ? size : ARENA_LEAST);
        is_found = add_arena(size, &number) && cut(number, size, piece_out);
    }
    pthread_mutex_unlock(&lock);
    return is_found;
}

/* Puts a piece back among the free parts, joined with its neighbours; with the lock held. */
static void put_back(arena_t *arena, uint64_t offset, uint64_t length) {
    extent_t *before = NULL;
    extent_t *next = arena->free;
    extent_t *extent;
    while (next && next->offset < offset) {
        before = next;
        next = next->next;
    }
    if (before && before->offset + before->length == offset) {
        before->length += length;
        extent = before;
    } else {
        extent = calloc(1, sizeof *extent);
        if (!extent) {
            return; /* lost until the process ends */
        }
        extent->offset = offset;
        extent->length = length;
        extent->next = next;
        *(before ? &before->next : &arena->free) = extent;
    }
    if (next && extent->offset + extent->length == next->offset) {
        extent->length += next->length;
        extent->next = next->next;
        free(next);
    }
}

void rn_piece_give(const rn_piece_t *piece) {
    arena_t *arena;
    if (!piece->arena) {
        free(piece->data);
        return;
    }
    pthread_mutex_lock(&lock);
    if (is_closing) {
        /* The server may still read it. */
        pthread_mutex_unlock(&lock);
        return;
    }
    arena = &arenas[piece->arena - 1];
    put_back(arena, piece->offset, piece->capacity);
    if (is_free(arena) && free_bytes() > ARENA_KEEP) {
        drop_arena(piece->arena - 1);
    }
    pthread_mutex_unlock(&lock);
}

int rn_find_arena(const void *data, uint64_t length, runner_buffer_t *place_out) {
    uintptr_t address = (uintptr_t)data;
    int is_found = 0;
    pthread_mutex_lock(&lock);
    for (uint32_t number = 0; number < RUNNER_ARENAS_MAX && !is_found; number++) {
        uintptr_t start = (uintptr_t)arenas[number].start;
        if (start && address >= start && address - start < arenas[number].size &&
            length <= arenas[number].size - (address - start)) {
            place_out->arena = number + 1;
            place_out->offset = address - start;
            is_found = 1;
        }
    }
    pthread_mutex_unlock(&lock);
    return is_found;
}

uint64_t rn_hold(const rn_piece_t *piece, struct ArrowArray *array_move, rn_instance_t *instance) {
    held_t *held = calloc(1, sizeof *held);
    uint64_t number;
    if (!held) {
        rn_leave(1, "no memory for a batch");
    }
    held->piece = *piece;
    if (array_move) {
        held->array = *array_move;
        held->instance = instance;
        if (instance) {
            rn_instance_hold(instance);
        }
        array_move->release = NULL;
    }
    pthread_mutex_lock(&lock);
    number = held->number = ++last_number;
    held->next = all_held;
    all_held = held;
    pthread_mutex_unlock(&lock);
    return number;
}

/* Takes one out of the list; 0: any. NULL when there is none. */
static held_t *take_held(uint64_t number) {
    held_t *found = NULL;
    pthread_mutex_lock(&lock);
    for (held_t **place = &all_held; *place; place = &(*place)->next) {
        if ((*place)->number == number || number == 0) {
            found = *place;
            *place = found->next;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static void give_back(void *context, uint64_t number) {
    held_t *held = context;
    (void)number;
    if (held->array.release) {
        held->array.release(&held->array);
    }
    if (held->instance) {
        rn_instance_give(held->instance);
    }
    if (held->piece.data) {
        rn_piece_give(&held->piece);
    }
    free(held);
}

void rn_free(const uint64_t *released, uint64_t count) {
    for (uint64_t index = 0; index < count; index++) {
        held_t *found = released[index] ? take_held(released[index]) : NULL;
        if (found && found->array.release && rn.is_blocking) {
            /* The plugin may block in it, and this thread may be the only one that receives. */
            rn_work(NULL, give_back, found, 0);
        } else if (found) {
            give_back(found, 0);
        }
    }
}

void rn_free_all(void) {
    held_t *found;
    pthread_mutex_lock(&lock);
    is_closing = 1;
    pthread_mutex_unlock(&lock);
    while ((found = take_held(0))) {
        give_back(found, 0);
    }
}

/* ---------------------------------------------------------------------------------------------------------------
 * Buffers of the plugin
 */

gf_status rn_buffer_alloc(uint64_t capacity, int is_secret, gf_buffer_t *buffer_out) {
    lent_t *lent = calloc(1, sizeof *lent);
    memset(buffer_out, 0, sizeof *buffer_out);
    if (!lent) {
        return GF_NOMEM;
    }
    lent->is_secret = is_secret;
    if (capacity > RUNNER_INLINE_MAX && !is_secret) {
        if (!rn_piece_take(capacity, &lent->piece)) {
            free(lent);
            return GF_LIMIT;
        }
    } else {
        lent->piece.data = aligned_alloc(64, (capacity / 64 + 1) * 64);
        lent->piece.capacity = capacity;
        if (!lent->piece.data) {
            free(lent);
            return GF_NOMEM;
        }
    }
    pthread_mutex_lock(&lock);
    lent->token = ++last_number;
    lent->next = all_lent;
    all_lent = lent;
    pthread_mutex_unlock(&lock);
    buffer_out->data = lent->piece.data;
    buffer_out->capacity = capacity;
    buffer_out->token = lent->token;
    return GF_OK;
}

gf_status rn_buffer_copy(gf_bytes_t bytes, int is_secret, gf_buffer_t *buffer_out, uint64_t *length_out) {
    gf_status status = buffer_out ? rn_buffer_alloc(bytes.length, is_secret, buffer_out) : GF_STATE;
    if (status == GF_OK) {
        if (bytes.length) {
            memcpy(buffer_out->data, bytes.data, bytes.length);
        }
        if (length_out) {
            *length_out = bytes.length;
        }
    }
    return status;
}

/* Takes the record of a token; NULL when it names nothing. */
static lent_t *take_lent(gf_buffer_t *buffer) {
    lent_t *found = NULL;
    pthread_mutex_lock(&lock);
    for (lent_t **place = &all_lent; *place; place = &(*place)->next) {
        if ((*place)->token == buffer->token) {
            found = *place;
            *place = found->next;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    memset(buffer, 0, sizeof *buffer);
    return found;
}

int rn_buffer_take(gf_buffer_t *buffer, rn_piece_t *piece_out) {
    lent_t *lent = take_lent(buffer);
    if (!lent) {
        return 0;
    }
    *piece_out = lent->piece;
    free(lent);
    return 1;
}

void rn_buffer_release(gf_buffer_t *buffer) {
    lent_t *lent = take_lent(buffer);
    if (!lent) {
        return;
    }
    if (lent->is_secret) {
        explicit_bzero(lent->piece.data, lent->piece.capacity);
    }
    rn_piece_give(&lent->piece);
    free(lent);
}
