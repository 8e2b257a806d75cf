/* SPDX-License-Identifier: Apache-2.0
 *
 * The few Linux calls and constants that Swift's Glibc module does not show. */
#ifndef GRAFANA_LINUX_CALLS_H
#define GRAFANA_LINUX_CALLS_H

#include <stdint.h>

#include "linux_process.h"

/* A memory file that can be sealed; -1 and errno on failure. */
int linux_memfd_create(const char *name);

/* Forbids every further change of the memory file's size and content; -1 and errno on failure. */
int linux_seal(int fd);

/* The seals of a memory file as a bit set of F_SEAL_…; -1 and errno on failure. */
int linux_seals(int fd);

/* Takes an exclusive lock on the whole open file without waiting. Returns 0, or -1 with errno EAGAIN when another open
 * file description holds it. The lock ends with linux_unlock, or when all copies of the descriptor are closed, also
 * when the process is killed. */
int linux_try_lock(int fd);

/* Gives the lock back before the descriptor is closed: closing alone would leave it to a child process that is just
 * being started and still has a copy. */
void linux_unlock(int fd);

/* Exchanges what is at two paths of one file system, at once. Returns 0, or -1 and errno; EINVAL where the file system
 * cannot do that. */
int linux_exchange(const char *one, const char *other);

/* Renames a path unless something is at the new one already. Returns 0, or -1 and errno (EEXIST). */
int linux_rename_new(const char *from, const char *to);

/* Writes what the file system of a descriptor holds back to its disk; -1 and errno on failure. */
int linux_sync_file_system(int fd);

/* The type and permissions (st_mode) of what is at a path, or behind the symlink there, or of an open file; 0 and errno
 * on failure. */
uint32_t linux_mode(const char *path, int follows_symlinks);
uint32_t linux_mode_of(int fd);

/* Removes the socket at a path; anything else that lies there stays. */
void linux_remove_socket(const char *path);

/* Whether what is at a path has an extended attribute of that value. */
int linux_has_attribute(const char *path, const char *name, const char *value);

#endif
