/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "linux_calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

int linux_memfd_create(const char *name) {
    return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

int linux_seal(int fd) {
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
}

int linux_seals(int fd) {
    return fcntl(fd, F_GET_SEALS);
}

static int set_lock(int fd, short type) {
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return fcntl(fd, F_OFD_SETLK, &lock);
}

int linux_try_lock(int fd) {
    return set_lock(fd, F_WRLCK);
}

void linux_unlock(int fd) {
    set_lock(fd, F_UNLCK);
}

int linux_exchange(const char *one, const char *other) {
    return renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
}

int linux_rename_new(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

int linux_sync_file_system(int fd) {
    return syncfs(fd);
}

int linux_has_attribute(const char *path, const char *name, const char *value) {
    char text[64];
    ssize_t length = getxattr(path, name, text, sizeof text);
    return length == (ssize_t)strlen(value) && memcmp(text, value, (size_t)length) == 0;
}
