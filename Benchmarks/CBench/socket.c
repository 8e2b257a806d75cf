/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "cbench.h"

#include <malloc.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void cbench_trim(void) { malloc_trim(0); }

int cbench_round_trips(size_t count, int64_t *nanoseconds_out) {
    char message[128] = {0};
    int ends[2];
    int is_good = 1;
    pid_t other;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return 0;
    }
    other = fork();
    if (other == 0) {
        close(ends[0]);
        while (read(ends[1], message, sizeof message) > 0 && write(ends[1], message, sizeof message) > 0) {
        }
        _exit(0);
    }
    close(ends[1]);
    for (size_t index = 0; other > 0 && is_good && index < count; index++) {
        int64_t began = now();
        is_good = write(ends[0], message, sizeof message) > 0 && read(ends[0], message, sizeof message) > 0;
        nanoseconds_out[index] = now() - began;
    }
    close(ends[0]);
    if (other > 0) {
        waitpid(other, NULL, 0);
    }
    return other > 0 && is_good;
}
