/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes by descriptor, so that no number that was used again is ever meant. */
#ifndef GRAFANA_LINUX_PROCESS_H
#define GRAFANA_LINUX_PROCESS_H

#include <stdint.h>

/* Starts a program in a process group of its own, with default signals, /dev/null as standard input, out and error as
 * given, and fds[0…] as descriptors 3… . It inherits nothing else. Returns 0 or an errno; the caller closes
 * *pidfd_out. */
int linux_spawn(const char *path, char *const arguments[], char *const environment[], int out, int error,
                const int *fds, int fd_count, int *pid_out, int *pidfd_out);

/* Ends a process and all of its group at once. The process must not have been waited for. */
void linux_kill_group(int pid, int pidfd);

/* Waits until a process has ended. Returns 0 or an errno. signal_out: what killed it, or 0; status_out: its exit
 * status; processor_out: nanoseconds of processor time; memory_out: the most resident bytes. */
int linux_wait(int pidfd, int *signal_out, int *status_out, int64_t *processor_out, int64_t *memory_out);

/* A connected pair of sockets of type SEQPACKET, closed on exec. Returns 0 or an errno. */
int linux_packet_pair(int *first_out, int *second_out);

/* A pipe whose ends are closed on exec. Returns 0 or an errno. */
int linux_pipe(int *read_out, int *write_out);

#endif
