/* SPDX-License-Identifier: Apache-2.0
 *
 * When code of a plugin crashes in the server's own process, nothing in that process can be trusted any more. A signal
 * handler therefore notes what it knows in a memory file and executes the server's program once more: the new image has
 * the same process id, the listening sockets with whoever waits there, and the note. It believes the note as a hint and
 * runs that plugin in a process of its own.
 *
 * Everything that happens in the handler is async-signal-safe: no lock, no allocation, system calls only. */
#ifndef GRAFANA_QUARANTINE_H
#define GRAFANA_QUARANTINE_H

#include <stdint.h>

/* Crashes that are remembered. So many within QUARANTINE_MEMORY end the program instead of beginning it anew. */
#define QUARANTINE_HISTORY 8
/* Ten minutes, in nanoseconds. */
#define QUARANTINE_MEMORY 600000000000LL

/* How a plugin was found to be the cause. */
enum {
    QUARANTINE_CLUE_NONE,
    QUARANTINE_CLUE_CODE,  /* the instruction is one of its library */
    QUARANTINE_CLUE_CALL,  /* the thread was in a call to it */
    QUARANTINE_CLUE_STACK, /* its library is on the thread's stack */
};

/* What a function of a plugin was called for. */
enum {
    QUARANTINE_HOOK_NONE,
    QUARANTINE_HOOK_LOAD,
    QUARANTINE_HOOK_LIBRARY,
    QUARANTINE_HOOK_CREATE,
    QUARANTINE_HOOK_START,
    QUARANTINE_HOOK_RESUME,
    QUARANTINE_HOOK_CANCEL,
    QUARANTINE_HOOK_RELEASE,
    QUARANTINE_HOOK_DESTROY,
};

/* One crash, as the handler noted it. */
typedef struct quarantine_crash {
    int64_t monotonic; /* nanoseconds of CLOCK_MONOTONIC */
    int64_t wall;      /* seconds since the epoch */
    uint64_t address;  /* what was accessed, for signals that say so */
    int32_t signal;
    int32_t clue;
    int32_t hook;
    int32_t kind;      /* GF_CALL_… of the call */
    char plugin[192];  /* its id; empty when no plugin was found */
    char digest[72];   /* of its library */
} quarantine_crash_t;

/* ---- The beginning of the program ------------------------------------------------------------------------------ */

/* Takes over what a crashed image left: its children are ended and waited for, its descriptors and variables are hidden
 * from whatever the program starts. Called once, before anything else is started.
 *
 * Returns 0 after an ordinary start, 1 after a crash, -1 after a crash whose note cannot be read. */
int quarantine_begin(void);

/* Copies the crashes that are remembered, the oldest first, and returns their number. */
uint32_t quarantine_crashes(quarantine_crash_t crashes_out[QUARANTINE_HISTORY]);

/* ---- Listening sockets ----------------------------------------------------------------------------------------- */

/* Takes the socket that the crashed image had at an address, or -1. */
int quarantine_inherited(const char *address);

/* Lets a socket survive a crash under the name of its address. Returns 0, or ENOSPC when there are too many. */
int quarantine_listens(const char *address, int fd);

/* The socket is about to be closed. */
void quarantine_closes(int fd);

/* ---- Plugins --------------------------------------------------------------------------------------------------- */

/* Installs the handlers, unless a debugger watches the process. The arguments must live for ever.
 *
 * Returns 0, or an errno: EBUSY for the debugger. A second call does nothing. */
int quarantine_arm(char **arguments);

/* A plugin whose code runs in this process; lives for ever. */
typedef struct quarantine_plugin quarantine_plugin_t;

/* Makes one known; NULL without memory. */
quarantine_plugin_t *quarantine_plugin(const char *id, const char *digest);

/* Tells where its library lies: in the object that has the symbol. */
void quarantine_mapped(quarantine_plugin_t *plugin, const void *symbol);

/* What a thread is doing for which plugin. */
typedef struct quarantine_mark {
    const quarantine_plugin_t *plugin;
    int32_t hook;
    int32_t kind;
} quarantine_mark_t;

/* Marks that the thread enters a plugin's code, and gives it a stack for the handler when it has none. Returns the mark
 * before, which quarantine_leave restores. */
quarantine_mark_t quarantine_enter(const quarantine_plugin_t *plugin, int32_t hook, int32_t kind);
void quarantine_leave(quarantine_mark_t before);

#endif
