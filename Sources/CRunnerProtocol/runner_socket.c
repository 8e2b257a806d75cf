/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "runner_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Room for the descriptors of a packet, aligned as the kernel wants it. */
typedef union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int) * RUNNER_FDS_MAX)];
} control_t;

int runner_send(int socket, const void *packet, uint64_t length, const int *fds, uint32_t fd_count, int is_waiting) {
    control_t control;
    struct iovec part = {(void *)(uintptr_t)packet, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;
    if (fd_count > RUNNER_FDS_MAX) {
        return EINVAL;
    }
    if (fd_count) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.room;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * fd_count);
    }
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL | (is_waiting ? 0 : MSG_DONTWAIT));
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

/* Takes the descriptors out of a received message. */
static void take_fds(struct msghdr *message, int *fds_out, uint32_t *fd_count_out) {
    for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item; item = CMSG_NXTHDR(message, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < count; index++) {
            int fd;
            memcpy(&fd, CMSG_DATA(item) + index * sizeof fd, sizeof fd);
            if (*fd_count_out < RUNNER_FDS_MAX) {
                fds_out[(*fd_count_out)++] = fd;
            } else {
                close(fd);
            }
        }
    }
}

int64_t runner_receive(int socket, void *packet, int *fds_out, uint32_t *fd_count_out, int is_waiting) {
    control_t control;
    struct iovec part = {packet, RUNNER_PACKET_MAX};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t received;
    *fd_count_out = 0;
    do {
        message.msg_control = control.room;
        message.msg_controllen = sizeof control;
        received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (is_waiting ? 0 : MSG_DONTWAIT));
    } while (received < 0 && errno == EINTR);
    if (received < 0) {
        return -(int64_t)errno;
    }
    take_fds(&message, fds_out, fd_count_out);
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        while (*fd_count_out) {
            close(fds_out[--*fd_count_out]);
        }
        return -EMSGSIZE;
    }
    return received;
}

/* Writes all bytes. Returns 1, or 0. */
static int write_all(int fd, const uint8_t *bytes, uint64_t length) {
    while (length) {
        ssize_t count = write(fd, bytes, length);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return 0;
        }
        bytes += count;
        length -= (uint64_t)count;
    }
    return 1;
}

int runner_spill(const void *bytes, uint64_t length) {
    int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return -1;
    }
    if (!write_all(fd, bytes, length) ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Whether a file has the seals and the size. */
static int is_sealed(int fd, int seals, uint64_t size) {
    struct stat facts;
    int found = fcntl(fd, F_GET_SEALS);
    return found >= 0 && (found & seals) == seals && fstat(fd, &facts) == 0 && (uint64_t)facts.st_size == size;
}

void *runner_unspill(int fd, uint64_t length) {
    uint64_t done = 0;
    uint8_t *bytes;
    if (length < sizeof(runner_header_t) || length > RUNNER_MESSAGE_MAX ||
        !is_sealed(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, length)) {
        return NULL;
    }
    runner_header_t header;
    bytes = malloc(length);
    while (bytes && done < length) {
        ssize_t count = pread(fd, bytes + done, length - done, (off_t)done);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            free(bytes);
            return NULL;
        }
        done += (uint64_t)count;
    }
    if (bytes) {
        memcpy(&header, bytes, sizeof header);
        if (header.length != length || header.flags & RUNNER_SPILLED) {
            free(bytes);
            return NULL;
        }
    }
    return bytes;
}

int runner_make_arena(uint64_t size) {
    int fd = memfd_create("arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return -1;
    }
    if (ftruncate(fd, (off_t)size) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Whether a file has ordinary pages. Those of a pool of huge pages can be missing when they are read. */
static int has_ordinary_pages(int fd) {
    struct statfs facts;
    return fstatfs(fd, &facts) == 0 && facts.f_type == TMPFS_MAGIC;
}

void *runner_map_arena(int fd, uint64_t size, int is_writable) {
    void *start;
    if (size == 0 || !has_ordinary_pages(fd) || !is_sealed(fd, F_SEAL_SHRINK | F_SEAL_GROW, size)) {
        errno = EINVAL;
        return NULL;
    }
    start = mmap(NULL, size, PROT_READ | (is_writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
    return start == MAP_FAILED ? NULL : start;
}
