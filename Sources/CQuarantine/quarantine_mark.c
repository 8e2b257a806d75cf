/* SPDX-License-Identifier: Apache-2.0
 *
 * Which plugin a thread works for, and which one a crash is due to. */
#define _GNU_SOURCE
#include "quarantine_record.h"

#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_SIZE 65536
/* How far up a stack is searched. */
#define STACK_WORDS 2048

/* Volatile: nobody reads them but the handler, so a compiler would leave the writes out. */
static _Thread_local volatile quarantine_mark_t mark;
static _Thread_local int has_stack;

static _Atomic(quarantine_plugin_t *) plugins;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t stacks;

/* ---- Plugins --------------------------------------------------------------------------------------------------- */

static void copy_text(char *target, size_t size, const char *text) {
    size_t length = strlen(text);
    length = length < size ? length : size - 1;
    memcpy(target, text, length);
    target[length] = 0;
}

quarantine_plugin_t *quarantine_plugin(const char *id, const char *digest) {
    quarantine_plugin_t *plugin = calloc(1, sizeof *plugin);
    if (!plugin) {
        return NULL;
    }
    copy_text(plugin->id, sizeof plugin->id, id);
    copy_text(plugin->digest, sizeof plugin->digest, digest);
    plugin->next = atomic_load(&plugins);
    while (!atomic_compare_exchange_weak(&plugins, &plugin->next, plugin)) {
    }
    return plugin;
}

typedef struct search {
    uintptr_t symbol;
    uintptr_t low;
    uintptr_t high;
} search_t;

static int look_at(struct dl_phdr_info *info, size_t size, void *context) {
    search_t *search = context;
    uintptr_t low = UINTPTR_MAX;
    uintptr_t high = 0;
    (void)size;
    for (int index = 0; index < info->dlpi_phnum; index++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[index];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD) {
            low = start < low ? start : low;
            high = start + header->p_memsz > high ? start + header->p_memsz : high;
        }
    }
    if (search->symbol < low || search->symbol >= high) {
        return 0;
    }
    search->low = low;
    search->high = high;
    return 1;
}

void quarantine_mapped(quarantine_plugin_t *plugin, const void *symbol) {
    search_t search = {(uintptr_t)symbol, 0, 0};
    if (dl_iterate_phdr(look_at, &search) == 1) {
        atomic_store(&plugin->low, search.low);
        atomic_store(&plugin->high, search.high);
    }
}

/* ---- Threads --------------------------------------------------------------------------------------------------- */

static void end_stack(void *memory) {
    const stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
    munmap(memory, STACK_SIZE);
}

static void make_key(void) {
    pthread_key_create(&stacks, end_stack);
}

/* A thread whose own stack is used up runs the handler on this one. */
static void prepare_thread(void) {
    stack_t stack;
    void *memory;
    has_stack = 1;
    if (sigaltstack(NULL, &stack) == 0 && !(stack.ss_flags & SS_DISABLE)) {
        return;
    }
    pthread_once(&once, make_key);
    memory = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
        return;
    }
    stack.ss_sp = memory;
    stack.ss_size = STACK_SIZE;
    stack.ss_flags = 0;
    if (sigaltstack(&stack, NULL) != 0 || pthread_setspecific(stacks, memory) != 0) {
        end_stack(memory);
    }
}

int quarantine_is_inside(void) {
    return mark.plugin != NULL;
}

quarantine_mark_t quarantine_enter(const quarantine_plugin_t *plugin, int32_t hook, int32_t kind) {
    quarantine_mark_t old = {mark.plugin, mark.hook, mark.kind};
    if (!has_stack) {
        prepare_thread();
    }
    mark.hook = hook;
    mark.kind = kind;
    mark.plugin = plugin;
    return old;
}

void quarantine_leave(quarantine_mark_t before) {
    mark.plugin = before.plugin;
    mark.hook = before.hook;
    mark.kind = before.kind;
}

/* ---- Who it was ------------------------------------------------------------------------------------------------ */

static const quarantine_plugin_t *owner_of(uintptr_t address) {
    for (const quarantine_plugin_t *plugin = atomic_load(&plugins); plugin; plugin = plugin->next) {
        if (address >= atomic_load(&plugin->low) && address < atomic_load(&plugin->high)) {
            return plugin;
        }
    }
    return NULL;
}

/* Looks for return addresses; the kernel reads, since the stack may end anywhere. */
static const quarantine_plugin_t *owner_on_stack(uintptr_t pointer) {
    static uintptr_t words[STACK_WORDS];
    struct iovec local = {words, sizeof words};
    struct iovec remote = {(void *)(pointer & ~(uintptr_t)7), sizeof words};
    ssize_t length;
    while ((length = process_vm_readv(getpid(), &local, 1, &remote, 1, 0)) <= 0 && remote.iov_len > 512) {
        remote.iov_len /= 2;
    }
    for (ssize_t index = 0; index < length / (ssize_t)sizeof *words; index++) {
        const quarantine_plugin_t *plugin = owner_of(words[index]);
        if (plugin) {
            return plugin;
        }
    }
    return NULL;
}

static void registers(const ucontext_t *context, uintptr_t *counter_out, uintptr_t *stack_out) {
#if defined(__x86_64__)
    *counter_out = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    *stack_out = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    *counter_out = (uintptr_t)context->uc_mcontext.pc;
    *stack_out = (uintptr_t)context->uc_mcontext.sp;
#else
    (void)context;
    *counter_out = 0;
    *stack_out = 0;
#endif
}

void quarantine_note(int number, const void *info, const void *context) {
    const siginfo_t *signal = info;
    const quarantine_plugin_t *culprit;
    quarantine_crash_t *crash = &quarantine_record->ring[quarantine_record->count % QUARANTINE_HISTORY];
    struct timespec now;
    uintptr_t counter;
    uintptr_t stack;
    memset(crash, 0, sizeof *crash);
    clock_gettime(CLOCK_MONOTONIC, &now);
    crash->monotonic = now.tv_sec * 1000000000LL + now.tv_nsec;
    clock_gettime(CLOCK_REALTIME, &now);
    crash->wall = now.tv_sec;
    crash->signal = number;
    crash->address = signal->si_code > 0 ? (uint64_t)(uintptr_t)signal->si_addr : 0;
    registers(context, &counter, &stack);
    culprit = owner_of(counter);
    crash->clue = QUARANTINE_CLUE_CODE;
    if (!culprit) {
        culprit = mark.plugin;
        crash->clue = QUARANTINE_CLUE_CALL;
    }
    if (!culprit) {
        culprit = owner_on_stack(stack);
        crash->clue = QUARANTINE_CLUE_STACK;
    }
    if (culprit) {
        memcpy(crash->plugin, culprit->id, sizeof crash->plugin);
        memcpy(crash->digest, culprit->digest, sizeof crash->digest);
    } else {
        crash->clue = QUARANTINE_CLUE_NONE;
    }
    if (mark.plugin == culprit && culprit) {
        crash->hook = mark.hook;
        crash->kind = mark.kind;
    }
    quarantine_record->count++;
}
