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

/* ThreadSanitizer takes each clone() for a fork, and forgets the parent's threads when the memory is shared. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
int __clone(int (*run)(void *), void *stack, int flags, void *context, ...);
#define clone __clone
#endif
#endif

/* Above every descriptor that the new program gets, so that none is overwritten before it was copied. */
#define PARKED 64

struct child {
    const linux_program_t *program;
    pid_t parent;
    int failure;
};

/* Puts a descriptor where the new program expects it. */
static int place(int parked, int target) {
    return parked >= 0 && dup2(parked, target) >= 0;
}

/* The descriptors of the new program: nothing to read, its output, its errors, and what it was given. */
static int arrange(const linux_program_t *program, int *image_out) {
    int parked[2 + LINUX_PROGRAM_FDS];
    int empty = open("/dev/null", O_RDONLY | O_CLOEXEC);
    parked[0] = fcntl(program->output, F_DUPFD_CLOEXEC, PARKED);
    parked[1] = fcntl(program->errors, F_DUPFD_CLOEXEC, PARKED);
    for (int index = 0; index < program->fd_count; index++) {
        parked[2 + index] = fcntl(program->fds[index], F_DUPFD_CLOEXEC, PARKED);
    }
    *image_out = program->image < 0 ? -1 : fcntl(program->image, F_DUPFD_CLOEXEC, PARKED);
    if ((program->image >= 0 && *image_out < 0) || !place(empty, 0)) return 0;
    /* Whatever else is open without close-on-exec is none of the program's business; old kernels lack the call. */
    syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
    for (int index = 0; index < 2 + program->fd_count; index++) {
        if (!place(parked[index], index + 1)) return 0;
    }
    return 1;
}

/* Runs in the new process, which shares the memory of the suspended parent until it executes: system calls only. */
static int run(void *context) {
    struct child *child = context;
    const linux_program_t *program = child->program;
    sigset_t none;
    int image;

    /* Handlers belong to the parent's program; what it ignores would be ignored by this one, too. */
    for (int number = 1; number < NSIG; number++) {
        /* All zero is SIG_DFL without flags in the kernel's struct; the library's function would use its own memory. */
        static const unsigned long defaults[8];
        if (number != SIGKILL && number != SIGSTOP) syscall(SYS_rt_sigaction, number, defaults, NULL, (NSIG - 1) / 8);
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) goto failed;
    if (getppid() != child->parent) {
        errno = ESRCH;
        goto failed;
    }
    if (setpgid(0, 0) != 0) goto failed;
    /* Before it can start anything that would be left over. */
    if (program->guardian >= 0) linux_send_number(program->guardian, getpid());
    if (program->group >= 0 && write(program->group, "0", 1) != 1) goto failed;
    if (!arrange(program, &image)) goto failed;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (image >= 0)
        syscall(SYS_execveat, image, "", program->arguments, program->environment, AT_EMPTY_PATH);
    else
        execve(program->path, program->arguments, program->environment);
failed:
    child->failure = errno;
    _exit(127);
}

int linux_start_program(const linux_program_t *program, int *pidfd_out) {
    const size_t stack_size = 64 * 1024;
    struct child child = {.program = program, .parent = getpid()};
    sigset_t all, before;
    void *stack;
    int pid, failure;

    if (program->fd_count > LINUX_PROGRAM_FDS) {
        errno = EINVAL;
        return -1;
    }
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
        linux_usage_t usage;
        if (program->guardian >= 0) linux_send_number(program->guardian, -pid);
        linux_wait(*pidfd_out, &usage);
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
