/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes by descriptor, so that no number that was used again is ever meant. */
#ifndef GRAFANA_LINUX_PROCESS_H
#define GRAFANA_LINUX_PROCESS_H

#include <stdint.h>

/* The most descriptors that a program is given beside its standard ones. */
#define LINUX_PROGRAM_FDS 8

/* What is started, and what it finds there. */
typedef struct linux_program {
    const char *path;
    int image; /* an open file that is executed instead of path, or -1 */
    char *const *arguments;
    char *const *environment; /* all of it */
    int output;
    int errors;
    const int *fds; /* become 3, 4… */
    int fd_count;
    int group;    /* cgroup.procs of the control group that it joins, open for writing; or -1 */
    int guardian; /* a socket that is sent the number of its process group before it executes; or -1 */
} linux_program_t;

/* Starts a program as the leader of a process group of its own, with default signals and /dev/null as standard input.
 * It inherits nothing but what the struct names. The kernel kills it when the calling *thread* ends.
 *
 * Returns the pid, and in *pidfd_out a descriptor that names the process; -1 and errno when it was not started, also
 * because the program could not be executed. */
int linux_start_program(const linux_program_t *program, int *pidfd_out);

/* A descriptor that names a process and becomes readable when it has ended; -1 and errno on failure. */
int linux_open_process(int pid);

/* Sends a signal to the process that the descriptor names; -1 and errno on failure. */
int linux_signal_program(int pidfd, int number);

/* Ends a process and all of its group at once. The process must not have been waited for. */
void linux_kill_group(int pid, int pidfd);

/* How a process ended, and what it had used. */
typedef struct linux_usage {
    int signal; /* what killed it, or 0 */
    int status; /* what it exited with */
    int64_t processor; /* nanoseconds */
    int64_t memory;    /* the most resident bytes */
} linux_usage_t;

/* Waits until a process has ended and reaps it. Returns 0 or an errno. */
int linux_wait(int pidfd, linux_usage_t *usage_out);

/* A connected pair of sockets of type SEQPACKET, closed on exec. Returns 0 or an errno. */
int linux_packet_pair(int *first_out, int *second_out);

/* Names the calling thread; at most 15 bytes are kept. */
void linux_name_thread(const char *name);

/* Sends a number on a socket and never waits. Returns 0 or an errno. */
int linux_send_number(int socket, int32_t number);

/* Waits for a number on a socket, at most so many milliseconds. Returns 0 or an errno. */
int linux_receive_number(int socket, int milliseconds, int32_t *number_out);

/* A pipe whose ends are closed on exec. Returns 0 or an errno. */
int linux_pipe(int *read_out, int *write_out);

#endif
