/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "linux_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

void linux_kill_group(int pid, int pidfd) {
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    kill(-pid, SIGKILL);
}

int linux_wait(int pidfd, linux_usage_t *usage_out) {
    siginfo_t info;
    struct rusage usage;
    long result;
    memset(&info, 0, sizeof info);
    memset(&usage, 0, sizeof usage);
    do {
        result = syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED, &usage);
    } while (result < 0 && errno == EINTR);
    if (result < 0) {
        return errno;
    }
    usage_out->signal = info.si_code == CLD_EXITED ? 0 : info.si_status;
    usage_out->status = info.si_code == CLD_EXITED ? info.si_status : 0;
    usage_out->processor = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000LL +
                           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000LL;
    usage_out->memory = usage.ru_maxrss * 1024LL;
    return 0;
}

int linux_packet_pair(int *first_out, int *second_out) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return errno;
    }
    *first_out = pair[0];
    *second_out = pair[1];
    return 0;
}

int linux_send_number(int socket, int32_t number) {
    return send(socket, &number, sizeof number, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof number ? 0 : errno;
}

int linux_receive_number(int socket, int milliseconds, int32_t *number_out) {
    struct pollfd wait = {.fd = socket, .events = POLLIN};
    if (poll(&wait, 1, milliseconds) <= 0) {
        return ETIMEDOUT;
    }
    return recv(socket, number_out, sizeof *number_out, MSG_DONTWAIT) == (ssize_t)sizeof *number_out ? 0 : EPIPE;
}

int linux_pipe(int *read_out, int *write_out) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return errno;
    }
    *read_out = ends[0];
    *write_out = ends[1];
    return 0;
}
