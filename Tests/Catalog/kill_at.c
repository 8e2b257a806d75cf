/* SPDX-License-Identifier: Apache-2.0
 *
 * Preloaded into a program under test: ends it with SIGKILL just before its KILL_AT-th call that changes a folder, so
 * that every point of an installation can be the last one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_int calls;

static void count(void) {
    const char *text = getenv("KILL_AT");
    if (text && atomic_fetch_add(&calls, 1) + 1 == atoi(text)) kill(getpid(), SIGKILL);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int rename(const char *from, const char *to) {
    count();
    return REAL(rename)(from, to);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
    count();
    typedef int (*rename_fn)(int, const char *, int, const char *, unsigned);
    return ((rename_fn)dlsym(RTLD_NEXT, "renameat2"))(from_fd, from, to_fd, to, flags);
}

int unlink(const char *path) {
    count();
    return REAL(unlink)(path);
}

int rmdir(const char *path) {
    count();
    return REAL(rmdir)(path);
}

int fsync(int fd) {
    count();
    return REAL(fsync)(fd);
}

int syncfs(int fd) {
    count();
    return ((int (*)(int))dlsym(RTLD_NEXT, "syncfs"))(fd);
}

int mkdir(const char *path, mode_t mode) {
    /* Those above the catalogue's own folder are there already. */
    if (strstr(path, "/.catalog/")) count();
    return REAL(mkdir)(path, mode);
}
