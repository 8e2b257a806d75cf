/* SPDX-License-Identifier: Apache-2.0
 *
 * What a plugin at level L3 may still do: compute, read the system's libraries and what its permissions name, use
 * threads, write to its pipes and talk to the server over the socket that it has. It may not open other files, connect
 * to anything, start programs, or see other processes. What it needs from elsewhere the server fetches for it.
 *
 * Three layers that do not trust each other: Landlock for files and TCP, seccomp for system calls, and an empty
 * network namespace. Seccomp is required; the others are used where the kernel has them, and the server is told which
 * it has. */
#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than some headers; see the kernel's include/uapi/linux/landlock.h. */
#define NET_BIND_TCP (1ull << 0)
#define NET_CONNECT_TCP (1ull << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ull << 0)
#define SCOPE_SIGNAL (1ull << 1)
#define FS_REFER (1ull << 13)
#define FS_TRUNCATE (1ull << 14)
#define FS_IOCTL_DEV (1ull << 15)

typedef struct ruleset_attributes {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
} ruleset_attributes_t;

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)

/* What every library may need: other libraries, time zones, certificates, names. */
static const char *const readable[] = {"/lib",           "/lib64",          "/usr/lib",      "/usr/local/lib",
                                       "/usr/lib64",     "/usr/share/zoneinfo", "/etc/localtime", "/etc/ld.so.cache",
                                       "/usr/share/locale", "/etc/ssl/certs",  "/dev/null",     "/dev/urandom",
                                       "/proc/self",     "/sys/devices/system/cpu"};

static void allow_path(int ruleset, const char *path, uint64_t handled) {
    struct landlock_path_beneath_attr rule;
    memset(&rule, 0, sizeof rule);
    rule.allowed_access = READ & handled;
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0) {
        return;
    }
    /* A file takes no rights of folders. */
    if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
        rule.allowed_access = (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE) & handled;
        syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    }
    close(rule.parent_fd);
}

/* The folders of LD_LIBRARY_PATH, which the linker reads. */
static void allow_list(int ruleset, const char *list, size_t length, char separator, uint64_t handled) {
    char path[4096];
    size_t start = 0;
    for (size_t at = 0; at <= length; at++) {
        if (at < length && list[at] != separator) {
            continue;
        }
        if (at > start && at - start < sizeof path) {
            memcpy(path, list + start, at - start);
            path[at - start] = 0;
            allow_path(ruleset, path, handled);
        }
        start = at + 1;
    }
}

/* Limits files and TCP. Returns what is enforced: nothing on a kernel without Landlock. */
static uint32_t enter_landlock(const uint8_t *message, const runner_hello_t *hello) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    ruleset_attributes_t attributes = {(1ull << 13) - 1, 0, 0};
    gf_str_t folders = rn_text(message, hello->folders);
    const char *libraries = getenv("LD_LIBRARY_PATH");
    uint32_t enforced = RUNNER_SANDBOX_FILES;
    int ruleset;
    if (version < 1) {
        return 0;
    }
    attributes.fs |= version >= 2 ? FS_REFER : 0;
    attributes.fs |= version >= 3 ? FS_TRUNCATE : 0;
    attributes.fs |= version >= 5 ? FS_IOCTL_DEV : 0;
    if (version >= 4) {
        attributes.net = NET_BIND_TCP | NET_CONNECT_TCP;
        enforced |= RUNNER_SANDBOX_TCP;
    }
    attributes.scoped = version >= 6 ? SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL : 0;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes,
                           version >= 6 ? sizeof attributes : version >= 4 ? 16 : 8, 0);
    if (ruleset < 0) {
        return 0;
    }
    for (size_t index = 0; index < sizeof readable / sizeof *readable; index++) {
        allow_path(ruleset, readable[index], attributes.fs);
    }
    allow_list(ruleset, libraries ? libraries : "", libraries ? strlen(libraries) : 0, ':', attributes.fs);
    allow_list(ruleset, folders.data, folders.length, '\n', attributes.fs);
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
        enforced = 0;
    }
    close(ruleset);
    return enforced;
}

/* ---------------------------------------------------------------------------------------------------------------
 * System calls
 */

/* Calls that need nothing but the process itself. */
static const char *const allowed[] = {
    "read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev", "pwritev2", "close",
    "close_range", "lseek", "fstat", "fstatfs",
    "newfstatat", "statx", "stat", "lstat", "access", "faccessat", "faccessat2",
    "readlink", "readlinkat", "getdents64", "getcwd", "dup", "dup2", "dup3", "pipe2", "eventfd2",
    "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6",
    "timerfd_create", "timerfd_settime", "timerfd_gettime", "recvmsg", "sendmsg", "recvfrom", "sendto", "getsockopt",
    "shutdown", "mmap", "munmap", "mremap", "mprotect", "madvise", "msync", "mincore", "brk", "membarrier", "mlock",
    "munlock", "ftruncate", "fallocate", "futex", "futex_waitv", "get_robust_list", "set_robust_list",
    "rseq", "set_tid_address", "sched_yield", "sched_getaffinity", "sched_getparam", "sched_getscheduler",
    "sched_get_priority_min", "sched_get_priority_max", "getpriority", "nanosleep", "clock_nanosleep", "clock_gettime",
    "clock_getres", "gettimeofday", "time", "times", "getrusage", "getrlimit", "sysinfo", "uname", "getrandom",
    "getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getpgrp", "rt_sigaction",
    "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigsuspend", "rt_sigpending", "sigaltstack",
    "restart_syscall", "arch_prctl", "exit", "exit_group", "getcpu"};

/* Commands of fcntl. Those that make the kernel signal or lease for a descriptor would reach other processes. */
static const int commands[] = {F_DUPFD,     F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL,  F_SETFL,       F_ADD_SEALS,
                               F_GET_SEALS, F_GETLK,         F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW};

/* Adds a rule; a call that the machine does not have needs none. */
static int add(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned count,
               const struct scmp_arg_cmp *conditions) {
    int number = seccomp_syscall_resolve_name(name);
    int error = number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(filter, action, number, count, conditions);
    return error == -EDOM || error == -EINVAL ? 0 : error;
}

static int allow_one(scmp_filter_ctx filter, const char *name, struct scmp_arg_cmp condition) {
    return add(filter, SCMP_ACT_ALLOW, name, 1, &condition);
}

static int add_rules(scmp_filter_ctx filter) {
    const uint64_t thread = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
    const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                CLONE_NEWPID | CLONE_NEWNET;
    const uint64_t writes = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | __O_TMPFILE;
    const uint64_t pid = (uint64_t)getpid();
    int error = 0;
    for (size_t index = 0; !error && index < sizeof allowed / sizeof *allowed; index++) {
        error = add(filter, SCMP_ACT_ALLOW, allowed[index], 0, NULL);
    }
    for (size_t index = 0; !error && index < sizeof commands / sizeof *commands; index++) {
        error = allow_one(filter, "fcntl", SCMP_A1(SCMP_CMP_EQ, (uint64_t)commands[index]));
    }
    /* Memory files of ordinary pages. */
    error = error ? error : allow_one(filter, "memfd_create", SCMP_A1(SCMP_CMP_MASKED_EQ, MFD_HUGETLB, 0));
    /* Threads, but no processes, and no namespaces for them. clone3 hides its flags, so it is answered as a kernel
     * would that has none. */
    error = error ? error : allow_one(filter, "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, thread | namespaces, thread));
    error = error ? error : add(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
    /* Files for reading, within what Landlock shows; openat2 hides its flags. */
    error = error ? error : allow_one(filter, "openat", SCMP_A2(SCMP_CMP_MASKED_EQ, writes, 0));
    error = error ? error : allow_one(filter, "open", SCMP_A1(SCMP_CMP_MASKED_EQ, writes, 0));
    error = error ? error : add(filter, SCMP_ACT_ERRNO(ENOSYS), "openat2", 0, NULL);
    /* Signals to itself alone, so that abort works. */
    error = error ? error : allow_one(filter, "tgkill", SCMP_A0(SCMP_CMP_EQ, pid));
    error = error ? error : allow_one(filter, "kill", SCMP_A0(SCMP_CMP_EQ, pid));
    error = error ? error : allow_one(filter, "prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    error = error ? error : allow_one(filter, "prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_VMA));
    /* Reading its own limits, not changing them or those of others. */
    error = error ? error : allow_one(filter, "prlimit64", SCMP_A2(SCMP_CMP_EQ, 0));
    error = error ? error : allow_one(filter, "ioctl", SCMP_A1(SCMP_CMP_EQ, FIONREAD));
    return error ? error : allow_one(filter, "ioctl", SCMP_A1(SCMP_CMP_EQ, TCGETS));
}

/* Refuses every other system call with EPERM, for this thread and all that follow. */
static int enter_seccomp(void) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int error = filter ? add_rules(filter) : -ENOMEM;
    if (!error) {
        error = seccomp_load(filter);
    }
    if (filter) {
        seccomp_release(filter);
    }
    return -error;
}

/* Gives up all capabilities: those of a server that runs as root, and those that come with a namespace of its own. */
static int drop_capabilities(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];
    memset(none, 0, sizeof none);
    return (int)syscall(SYS_capset, &header, none);
}

const char *rn_enter_sandbox(const uint8_t *message, const runner_hello_t *hello, uint32_t *enforced_out) {
    static char problem[128];
    int error;
    *enforced_out = RUNNER_SANDBOX_SECCOMP;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return "the process cannot give up its privileges";
    }
    if (unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) {
        *enforced_out |= RUNNER_SANDBOX_NETWORK;
    }
    *enforced_out |= enter_landlock(message, hello);
    if (drop_capabilities() != 0) {
        return "the process cannot give up its capabilities";
    }
    error = enter_seccomp();
    if (error) {
        snprintf(problem, sizeof problem, "system calls cannot be limited: %s", strerror(error));
        return problem;
    }
    return NULL;
}
