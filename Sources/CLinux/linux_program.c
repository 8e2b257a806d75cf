/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "linux_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

struct child {
    const char *path;
    int image;
    char *const *arguments;
    char *const *environment;
    int output;
    int errors;
    pid_t parent;
    int failure;
};

/* Runs in the new process, which shares the memory of the suspended parent until it executes: system calls only. */
static int run(void *context) {
    struct child *child = context;
    sigset_t none;
    int empty;

    /* Handlers belong to the parent's program; what it ignores would be ignored by the plugin, too. */
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action = {.sa_handler = SIG_DFL};
        if (number != SIGKILL && number != SIGSTOP) sigaction(number, &action, NULL);
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) goto failed;
    if (getppid() != child->parent) {
        errno = ESRCH;
        goto failed;
    }
    if (setpgid(0, 0) != 0) goto failed;
    empty = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (empty < 0 || dup2(empty, 0) < 0 || dup2(child->output, 1) < 0 || dup2(child->errors, 2) < 0) goto failed;
    /* Whatever else is open without close-on-exec is none of the plugin's business; old kernels lack the call. */
    syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (child->image >= 0)
        syscall(SYS_execveat, child->image, "", child->arguments, child->environment, AT_EMPTY_PATH);
    else
        execve(child->path, child->arguments, child->environment);
failed:
    child->failure = errno;
    _exit(127);
}

int linux_start_program(const char *path, int image, char *const *arguments, char *const *environment, int output,
                        int errors, int *pidfd_out) {
    const size_t stack_size = 64 * 1024;
    struct child child = {.path = path, .image = image, .arguments = arguments, .environment = environment,
                          .output = output, .errors = errors, .parent = getpid()};
    sigset_t all, before;
    void *stack;
    int pid, failure;

    stack = mmap(NULL, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return -1;
    /* No handler of ours runs in the child, on our memory. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pid = clone(run, (char *)stack + stack_size, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &child, pidfd_out);
    failure = pid < 0 ? errno : child.failure;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    munmap(stack, stack_size);
    if (pid > 0 && failure != 0) {
        int code;
        linux_wait_program(*pidfd_out, &code);
        close(*pidfd_out);
        *pidfd_out = -1;
        pid = -1;
    }
    errno = failure;
    return pid;
}

int linux_open_process(int pid) {
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

int linux_program_pipe(int ends[2]) {
    return pipe2(ends, O_CLOEXEC);
}

void linux_name_thread(const char *name) {
    prctl(PR_SET_NAME, name);
}

uint32_t linux_mode(const char *path, int follows_symlinks) {
    struct stat status;
    int result = follows_symlinks ? stat(path, &status) : lstat(path, &status);
    return result == 0 ? status.st_mode : 0;
}

uint32_t linux_mode_of(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_mode : 0;
}

void linux_remove_socket(const char *path) {
    struct stat status;
    if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode)) unlink(path);
}

int linux_signal_program(int pidfd, int number) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

int linux_wait_program(int pidfd, int *code) {
    siginfo_t info;
    int status;

    do status = waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
    while (status != 0 && errno == EINTR);
    if (status != 0) return -1;
    *code = info.si_status;
    return info.si_code == CLD_EXITED ? 0 : 1;
}
