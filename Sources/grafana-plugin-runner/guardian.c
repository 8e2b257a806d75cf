/* SPDX-License-Identifier: Apache-2.0
 *
 * Ends what plugins have started when the server is gone. The kernel ends the plugins themselves, but not their
 * children; this process knows the process groups of all plugins and waits for the end of the server, or for the
 * other end of its socket to be closed when another image takes the server's place. */
#include "runner.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct groups {
    int32_t *all;
    size_t count;
    size_t room;
} groups_t;

static void add(groups_t *groups, int32_t group) {
    if (groups->count == groups->room) {
        size_t room = groups->room ? 2 * groups->room : 64;
        int32_t *all = realloc(groups->all, room * sizeof *all);
        if (!all) {
            return;
        }
        groups->all = all;
        groups->room = room;
    }
    groups->all[groups->count++] = group;
}

static void drop(groups_t *groups, int32_t group) {
    for (size_t index = 0; index < groups->count; index++) {
        if (groups->all[index] == group) {
            groups->all[index] = groups->all[--groups->count];
            return;
        }
    }
}

int rn_guard(pid_t server) {
    groups_t groups = {NULL, 0, 0};
    int32_t group = 0;
    struct pollfd ends[2] = {{RUNNER_SOCKET, POLLIN, 0}, {-1, POLLIN, 0}};
    /* It outlives the server, by a moment. */
    if (prctl(PR_SET_PDEATHSIG, 0) != 0 || getppid() != server) {
        return 1;
    }
    prctl(PR_SET_NAME, "plugin-guardian");
    if (send(RUNNER_SOCKET, &group, sizeof group, MSG_NOSIGNAL) != (ssize_t)sizeof group) {
        return 1;
    }
    /* A process that was forked from the server may keep the socket open; -1 is left out. */
    ends[1].fd = (int)syscall(SYS_pidfd_open, server, 0);
    for (;;) {
        ssize_t length;
        if (poll(ends, 2, -1) < 0) {
            continue;
        }
        length = recv(RUNNER_SOCKET, &group, sizeof group, MSG_DONTWAIT);
        if (length == (ssize_t)sizeof group && group > 1) {
            add(&groups, group);
        } else if (length == (ssize_t)sizeof group && group < -1) {
            drop(&groups, -group);
        } else if (length == 0 || ends[1].revents != 0) {
            break;
        }
    }
    for (size_t index = 0; index < groups.count; index++) {
        kill(-groups.all[index], SIGKILL);
    }
    free(groups.all);
    return 0;
}
