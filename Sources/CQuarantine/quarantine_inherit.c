/* SPDX-License-Identifier: Apache-2.0
 *
 * What one image of the program leaves to the next: the memory file with the crashes, and the listening sockets. */
#define _GNU_SOURCE
#include "quarantine_record.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int quarantine_record_fd = -1;
quarantine_record_t *quarantine_record;
char quarantine_sockets_text[sizeof SOCKETS_VARIABLE + 1 + SOCKETS_MAX * (ADDRESS_SIZE + 16)] = SOCKETS_VARIABLE "=";
_Atomic int quarantine_sockets[SOCKETS_MAX] = {-1, -1, -1, -1, -1, -1, -1, -1};

/* A socket and the text of its address, which is what the settings say, not what was bound. */
typedef struct named_socket {
    int fd;
    char address[ADDRESS_SIZE];
} named_socket_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static named_socket_t own[SOCKETS_MAX];
static int own_count;
static named_socket_t inherited[SOCKETS_MAX];
static int inherited_count;

static void hide(int fd) {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int map_record(int fd) {
    void *memory = mmap(NULL, sizeof *quarantine_record, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        return errno;
    }
    quarantine_record = memory;
    quarantine_record_fd = fd;
    return 0;
}

int quarantine_make_record(void) {
    int error;
    int fd;
    if (quarantine_record) {
        return 0;
    }
    fd = memfd_create("quarantine", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return errno;
    }
    error = ftruncate(fd, sizeof *quarantine_record) != 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0 ? errno : map_record(fd);
    if (error) {
        close(fd);
        return error;
    }
    quarantine_record->magic = RECORD_MAGIC;
    quarantine_record->pid = getpid();
    return 0;
}

/* Adopts the memory file that a variable names, if it is one that this very process made. */
static int adopt_record(const char *text) {
    struct stat status;
    char *end = NULL;
    long fd = strtol(text, &end, 10);
    if (end == text || *end || fd < 3 || fd > 1 << 24 || fstat((int)fd, &status) != 0) {
        return 0;
    }
    if (status.st_size != sizeof *quarantine_record || fcntl((int)fd, F_GET_SEALS) < 0 || map_record((int)fd) != 0) {
        return 0;
    }
    hide((int)fd);
    if (quarantine_record->magic == RECORD_MAGIC && quarantine_record->pid == getpid()) {
        return 1;
    }
    munmap(quarantine_record, sizeof *quarantine_record);
    quarantine_record = NULL;
    quarantine_record_fd = -1;
    return 0;
}

/* Reads "7=tcp:127.0.0.1:3000;8=unix:/run/grafana.sock". */
static void adopt_sockets(char *text) {
    char *rest = NULL;
    for (char *item = strtok_r(text, ";", &rest); item; item = strtok_r(NULL, ";", &rest)) {
        char *end = NULL;
        long fd = strtol(item, &end, 10);
        int is_listening = 0;
        socklen_t size = sizeof is_listening;
        if (end == item || *end != '=' || fd < 3 || fd > 1 << 24 || inherited_count == SOCKETS_MAX ||
            getsockopt((int)fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) != 0 || !is_listening) {
            continue;
        }
        hide((int)fd);
        inherited[inherited_count].fd = (int)fd;
        snprintf(inherited[inherited_count].address, ADDRESS_SIZE, "%s", end + 1);
        inherited_count++;
    }
}

/* The children of the crashed image were killed with the threads that had started them; they have to be waited for,
 * and what they had started is still in their process groups. */
static void end_children(void) {
    const struct timespec moment = {0, 1000000};
    for (int left = 2000; left > 0; left--) {
        siginfo_t info;
        memset(&info, 0, sizeof info);
        if (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG) != 0) {
            return;
        }
        if (info.si_pid == 0) {
            nanosleep(&moment, NULL);
            continue;
        }
        kill(-info.si_pid, SIGKILL);
        waitpid(info.si_pid, NULL, 0);
    }
}

/* The kernel names a program that was executed through /proc after that file. */
static void restore_name(void) {
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    int fd = open("/proc/self/comm", O_WRONLY | O_CLOEXEC);
    if (length > 0 && fd >= 0) {
        const char *name;
        path[length] = 0;
        name = strrchr(path, '/');
        name = name ? name + 1 : path;
        /* A name that cannot be written is only less beautiful. */
        length = write(fd, name, strlen(name));
    }
    if (fd >= 0) {
        close(fd);
    }
}

int quarantine_begin(void) {
    const char *record = getenv(RECORD_VARIABLE);
    const char *sockets = getenv(SOCKETS_VARIABLE);
    char *copy = sockets ? strdup(sockets) : NULL;
    int is_known = record && adopt_record(record);
    int result = record ? (is_known ? 1 : -1) : 0;
    if (is_known && copy) {
        adopt_sockets(copy);
    }
    free(copy);
    unsetenv(RECORD_VARIABLE);
    unsetenv(SOCKETS_VARIABLE);
    if (is_known) {
        restore_name();
        end_children();
    }
    return result;
}

uint32_t quarantine_crashes(quarantine_crash_t crashes_out[QUARANTINE_HISTORY]) {
    uint32_t count = quarantine_record ? quarantine_record->count : 0;
    uint32_t known = count < QUARANTINE_HISTORY ? count : QUARANTINE_HISTORY;
    for (uint32_t index = 0; index < known; index++) {
        crashes_out[index] = quarantine_record->ring[(count - known + index) % QUARANTINE_HISTORY];
        crashes_out[index].plugin[sizeof crashes_out->plugin - 1] = 0;
        crashes_out[index].digest[sizeof crashes_out->digest - 1] = 0;
    }
    return known;
}

/* ---- Listening sockets ----------------------------------------------------------------------------------------- */

int quarantine_inherited(const char *address) {
    int found = -1;
    pthread_mutex_lock(&lock);
    for (int index = 0; index < inherited_count && found < 0; index++) {
        if (strcmp(inherited[index].address, address) == 0) {
            found = inherited[index].fd;
            inherited[index] = inherited[--inherited_count];
        }
    }
    /* One at another address is of no use: the settings were changed. */
    while (found < 0 && inherited_count > 0) {
        close(inherited[--inherited_count].fd);
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* Writes the variable anew. The handler may read it at any time: until the text is whole it has no descriptor. */
static void publish(void) {
    size_t place = strlen(SOCKETS_VARIABLE "=");
    for (int index = 0; index < SOCKETS_MAX; index++) {
        atomic_store(&quarantine_sockets[index], -1);
    }
    quarantine_sockets_text[place] = 0;
    for (int index = 0; index < own_count; index++) {
        place += (size_t)snprintf(quarantine_sockets_text + place, sizeof quarantine_sockets_text - place, "%s%d=%s",
                                  index ? ";" : "", own[index].fd, own[index].address);
    }
    for (int index = 0; index < own_count; index++) {
        atomic_store(&quarantine_sockets[index], own[index].fd);
    }
}

int quarantine_listens(const char *address, int fd) {
    int error = 0;
    pthread_mutex_lock(&lock);
    if (own_count == SOCKETS_MAX || strlen(address) >= ADDRESS_SIZE || strchr(address, ';')) {
        error = ENOSPC;
    } else {
        own[own_count].fd = fd;
        snprintf(own[own_count].address, ADDRESS_SIZE, "%s", address);
        own_count++;
        publish();
    }
    pthread_mutex_unlock(&lock);
    return error;
}

void quarantine_closes(int fd) {
    pthread_mutex_lock(&lock);
    for (int index = 0; index < own_count; index++) {
        if (own[index].fd == fd) {
            own[index] = own[--own_count];
            publish();
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}
