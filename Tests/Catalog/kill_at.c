/* SPDX-License-Identifier: Apache-2.0
 *
 * Preloaded into a program under test: ends it with SIGKILL just before its KILL_AT-th call that changes a folder, so
 * that every point of an installation can be the last one. From its FULL_FROM-th call on that needs room the disk is
 * full, and its RENAME_FAILS_AT-th renaming fails. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
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

/* Whether a call that needs room finds none. */
static int is_full(void) {
    static atomic_int count;
    const char *text = getenv("FULL_FROM");
    if (!text || atomic_fetch_add(&count, 1) + 1 < atoi(text)) return 0;
    errno = ENOSPC;
    return 1;
}

static int rename_fails(void) {
    static atomic_int count;
    const char *text = getenv("RENAME_FAILS_AT");
    if (!text || atomic_fetch_add(&count, 1) + 1 != atoi(text)) return 0;
    errno = ENOSPC;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int rename(const char *from, const char *to) {
    count();
    if (rename_fails()) return -1;
    return REAL(rename)(from, to);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
    count();
    if (rename_fails()) return -1;
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
    if (is_full()) return -1;
    return REAL(fsync)(fd);
}

int syncfs(int fd) {
    count();
    if (is_full()) return -1;
    return ((int (*)(int))dlsym(RTLD_NEXT, "syncfs"))(fd);
}

int mkdir(const char *path, mode_t mode) {
    /* Those above the catalogue's own folder are there already. */
    if (strstr(path, "/.catalog/")) {
        count();
        if (is_full()) return -1;
    }
    return REAL(mkdir)(path, mode);
}
