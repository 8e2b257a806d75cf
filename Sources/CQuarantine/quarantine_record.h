/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of this module share. */
#ifndef GRAFANA_QUARANTINE_RECORD_H
#define GRAFANA_QUARANTINE_RECORD_H

#include "quarantine.h"

#include <stdatomic.h>
#include <sys/types.h>

/* The variables that lead a new image to what the crashed one left. */
#define RECORD_VARIABLE "GRAFANA_QUARANTINE"
#define SOCKETS_VARIABLE "GRAFANA_LISTEN_FDS"

#define SOCKETS_MAX 8
#define ADDRESS_SIZE 128

/* The content of the memory file. */
typedef struct quarantine_record {
    uint64_t magic;
    int32_t pid;
    uint32_t count; /* of all crashes ever; the last ones are in the ring */
    quarantine_crash_t ring[QUARANTINE_HISTORY];
} quarantine_record_t;

#define RECORD_MAGIC 0x31544e5241555147ull

struct quarantine_plugin {
    char id[sizeof((quarantine_crash_t *)0)->plugin];
    char digest[sizeof((quarantine_crash_t *)0)->digest];
    _Atomic(uintptr_t) low;
    _Atomic(uintptr_t) high;
    struct quarantine_plugin *next; /* written before the plugin is published */
};

/* The memory file and its mapping; -1 and NULL before there is one. */
extern int quarantine_record_fd;
extern quarantine_record_t *quarantine_record;

/* Makes the memory file if there is none. Returns 0 or an errno. */
int quarantine_make_record(void);

/* SOCKETS_VARIABLE=…, always valid; and the descriptors that it names, -1 for none. */
extern char quarantine_sockets_text[sizeof SOCKETS_VARIABLE + 1 + SOCKETS_MAX * (ADDRESS_SIZE + 16)];
extern _Atomic int quarantine_sockets[SOCKETS_MAX];

/* Whether the calling thread is in a call to a plugin. */
int quarantine_is_inside(void);

/* Notes a crash; the context is that of the signal handler. */
void quarantine_note(int number, const void *info, const void *context);

#endif
