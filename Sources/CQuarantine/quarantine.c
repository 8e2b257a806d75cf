/* SPDX-License-Identifier: Apache-2.0
 *
 * The handler, and what it needs to know. */
#define _GNU_SOURCE
#include "quarantine_record.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CLOEXEC_RANGE 4u /* CLOSE_RANGE_CLOEXEC, which older headers do not have */

static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT};
#define SIGNALS (sizeof signals / sizeof *signals)

static int is_armed;
static struct sigaction before[SIGNALS];
/* What the program ignored when it was started, such as the hang-up of a terminal, is ignored again. */
static sigset_t ignored;
static sigset_t first_mask;
static char **arguments_kept;
static char **environment_kept;
static char record_text[sizeof RECORD_VARIABLE + 16];
/* The thread that crashed first; 0: none did. */
static _Atomic int crashed_thread;

/* Shows the new image what it inherits, and nothing else. */
static void keep_descriptors(void) {
    if (syscall(SYS_close_range, 3u, ~0u, CLOEXEC_RANGE) != 0) {
        /* A kernel before 5.11. */
        for (int fd = 3; fd < 65536; fd++) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
    }
    fcntl(quarantine_record_fd, F_SETFD, 0);
    for (int index = 0; index < SOCKETS_MAX; index++) {
        int fd = atomic_load(&quarantine_sockets[index]);
        if (fd >= 0) {
            fcntl(fd, F_SETFD, 0);
        }
    }
}

/* A signal that is ignored stays so in the new image, which would miss the one that tells it to stop. */
static void reset_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    for (int number = 1; number < NSIG; number++) {
        if (number == SIGKILL || number == SIGSTOP) {
            continue;
        }
        action.sa_handler = sigismember(&ignored, number) == 1 ? SIG_IGN : SIG_DFL;
        sigaction(number, &action, NULL);
    }
}

/* Whether so many crashes are so fresh that beginning anew has become a loop. */
static int is_loop(void) {
    struct timespec now;
    const quarantine_crash_t *oldest;
    if (quarantine_record->count < QUARANTINE_HISTORY) {
        return 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    oldest = &quarantine_record->ring[quarantine_record->count % QUARANTINE_HISTORY];
    return now.tv_sec * 1000000000LL + now.tv_nsec - oldest->monotonic < QUARANTINE_MEMORY;
}

/* Lets the signal do what it would have done without us: the system's action, or another handler's. */
static void give_up(int number, const siginfo_t *info) {
    for (size_t index = 0; index < SIGNALS; index++) {
        sigaction(signals[index], &before[index], NULL);
    }
    /* A fault happens again when the handler returns; what was sent has to be sent again. */
    if (info->si_code <= 0) {
        syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);
    }
}

static void crashed(int number, siginfo_t *info, void *context) {
    int self = (int)syscall(SYS_gettid);
    int first = 0;
    /* A process that a plugin forked is no server that could begin anew. */
    if (quarantine_record->pid != getpid()) {
        give_up(number, info);
        return;
    }
    if (!atomic_compare_exchange_strong(&crashed_thread, &first, self)) {
        if (first == self) {
            give_up(number, info);
            return;
        }
        /* The thread that was first ends this one. */
        for (;;) {
            pause();
        }
    }
    /* What another process sends is meant for us, not a crash. */
    if ((info->si_code <= 0 && info->si_pid != getpid()) || is_loop()) {
        give_up(number, info);
        return;
    }
    quarantine_note(number, info, context);
    keep_descriptors();
    reset_signals();
    sigprocmask(SIG_SETMASK, &first_mask, NULL);
    execve("/proc/self/exe", arguments_kept, environment_kept);
    give_up(number, info);
}

/* A plugin that calls exit() would end the server without a word: it has crashed as well as if it had aborted. */
static void left(void) {
    if (quarantine_is_inside() && quarantine_record->pid == getpid()) {
        abort();
    }
}

/* ---- Arming ---------------------------------------------------------------------------------------------------- */

static int is_debugged(void) {
    char line[256];
    long tracer = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "TracerPid: %ld", &tracer) == 1) {
            break;
        }
    }
    if (file) {
        fclose(file);
    }
    return tracer != 0;
}

/* The environment, with the two variables that lead to what is inherited. */
static int keep_environment(void) {
    size_t count = 0;
    while (environ[count]) {
        count++;
    }
    environment_kept = calloc(count + 3, sizeof *environment_kept);
    if (!environment_kept) {
        return ENOMEM;
    }
    for (size_t index = 0; index < count; index++) {
        environment_kept[index] = strdup(environ[index]);
        if (!environment_kept[index]) {
            return ENOMEM;
        }
    }
    snprintf(record_text, sizeof record_text, "%s=%d", RECORD_VARIABLE, quarantine_record_fd);
    environment_kept[count] = record_text;
    environment_kept[count + 1] = quarantine_sockets_text;
    return 0;
}

static void keep_signals(void) {
    struct sigaction action;
    sigemptyset(&ignored);
    for (int number = 1; number < NSIG; number++) {
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
            sigaddset(&ignored, number);
        }
    }
    sigemptyset(&first_mask);
}

int quarantine_arm(char **arguments) {
    struct sigaction action;
    int error;
    if (is_armed) {
        return 0;
    }
    if (is_debugged()) {
        return EBUSY;
    }
    error = quarantine_make_record();
    error = error ? error : keep_environment();
    if (error) {
        return error;
    }
    arguments_kept = arguments;
    keep_signals();
    memset(&action, 0, sizeof action);
    action.sa_sigaction = crashed;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    for (size_t index = 0; index < SIGNALS; index++) {
        sigaction(signals[index], &action, &before[index]);
    }
    is_armed = 1;
    /* Without room for it the rest holds. */
    atexit(left);
    return 0;
}
