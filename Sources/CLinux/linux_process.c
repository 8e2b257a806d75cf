/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "linux_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FDS_MAX 8
/* Above every descriptor that the new program gets, so that none is overwritten before it was copied. */
#define PARKED 64

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

/* What the new program inherits, in its order: its output, its errors and the descriptors from 3 on. */
static int plan(posix_spawn_file_actions_t *actions, const int *parked, int count) {
    int error = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    for (int index = 0; index < count && !error; index++) {
        error = posix_spawn_file_actions_adddup2(actions, parked[index], index + 1);
    }
    return error ? error : posix_spawn_file_actions_addclosefrom_np(actions, count + 1);
}

static int start(const char *path, char *const arguments[], char *const environment[], const int *parked, int count,
                 pid_t *pid_out) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t all;
    sigset_t none;
    int error;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    error = plan(&actions, parked, count);
    if (!error) {
        error = posix_spawn(pid_out, path, &actions, &attributes, arguments, environment);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int linux_spawn(const char *path, char *const arguments[], char *const environment[], int out, int error_output,
                const int *fds, int fd_count, int *pid_out, int *pidfd_out) {
    int parked[FDS_MAX + 2];
    int count = 0;
    int error = fd_count > FDS_MAX ? EINVAL : 0;
    pid_t pid = 0;
    for (int index = -2; index < fd_count && !error; index++) {
        int source = index == -2 ? out : index == -1 ? error_output : fds[index];
        parked[count] = fcntl(source, F_DUPFD_CLOEXEC, PARKED);
        error = parked[count] < 0 ? errno : 0;
        count += !error;
    }
    if (!error) {
        error = start(path, arguments, environment, parked, count, &pid);
    }
    while (count) {
        close(parked[--count]);
    }
    if (error) {
        return error;
    }
    *pid_out = pid;
    /* Nobody else waits for this child, so its number is still its own. */
    *pidfd_out = (int)syscall(SYS_pidfd_open, pid, 0);
    if (*pidfd_out < 0) {
        error = errno;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return error;
}

void linux_kill_group(int pid, int pidfd) {
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    kill(-pid, SIGKILL);
}

int linux_wait(int pidfd, int *signal_out, int *status_out, int64_t *processor_out, int64_t *memory_out) {
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
    *signal_out = info.si_code == CLD_EXITED ? 0 : info.si_status;
    *status_out = info.si_code == CLD_EXITED ? info.si_status : 0;
    *processor_out = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000LL +
                     (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000LL;
    *memory_out = usage.ru_maxrss * 1024LL;
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

int linux_pipe(int *read_out, int *write_out) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return errno;
    }
    *read_out = ends[0];
    *write_out = ends[1];
    return 0;
}
