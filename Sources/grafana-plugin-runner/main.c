/* SPDX-License-Identifier: Apache-2.0 */
#include "runner.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

rn_plugin_t rn;

/* Usage: grafana-plugin-runner PLUGIN-ID SERVER-PID, with the socket and the library at their descriptors; or
 * grafana-plugin-runner --guardian SERVER-PID, with the socket. */
int main(int argc, char **argv) {
    int type = 0;
    socklen_t size = sizeof type;
    if (argc != 3 || getsockopt(RUNNER_SOCKET, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
        fprintf(stderr,
                "grafana-plugin-runner hosts one plugin for `grafana server`, which starts it; it does nothing by "
                "itself.\n");
        return 2;
    }
    if (strcmp(argv[1], "--guardian") == 0) {
        return rn_guard((pid_t)strtol(argv[2], NULL, 10));
    }
    /* The server may have died before the signal was asked for. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != (pid_t)strtol(argv[2], NULL, 10)) {
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    rn_link_open();
    rn_serve(NULL);
}

int rn_adopt(const void *source, void *copy_out, uint32_t size) {
    uint32_t declared;
    memset(copy_out, 0, size);
    if (!source) {
        return 0;
    }
    memcpy(&declared, source, sizeof declared);
    if (declared < 8) {
        return 0;
    }
    memcpy(copy_out, source, declared < size ? declared : size);
    return 1;
}

int rn_is(gf_str_t text, const char *other) {
    size_t length = strlen(other);
    return text.length == length && memcmp(text.data, other, length) == 0;
}

gf_str_t rn_text(const void *message, runner_span_t span) {
    gf_str_t text = {span.length ? runner_read_span(message, span, 1) : NULL, 0};
    text.length = text.data ? span.length : 0;
    return text;
}

gf_bytes_t rn_bytes(const void *message, runner_span_t span) {
    gf_str_t text = rn_text(message, span);
    gf_bytes_t bytes = {(const uint8_t *)text.data, text.length};
    return bytes;
}

gf_pair_t *rn_pairs(const void *message, runner_span_t span, uint32_t *count_out) {
    const runner_pair_t *wire = runner_read_span(message, span, sizeof *wire);
    uint32_t count = wire ? span.length / (uint32_t)sizeof *wire : 0;
    gf_pair_t *pairs = count ? calloc(count, sizeof *pairs) : NULL;
    *count_out = pairs ? count : 0;
    for (uint32_t index = 0; index < *count_out; index++) {
        pairs[index].key = rn_text(message, wire[index].key);
        pairs[index].value = rn_text(message, wire[index].value);
    }
    return pairs;
}

runner_span_t rn_put_text(runner_writer_t *writer, gf_str_t text) {
    return runner_put(writer, text.data, text.data ? text.length : 0);
}

runner_span_t rn_put_pairs(runner_writer_t *writer, const gf_pair_t *pairs, uint32_t count) {
    runner_span_t all = {0, 0};
    runner_pair_t *wire = count && pairs ? calloc(count, sizeof *wire) : NULL;
    if (!wire) {
        return all;
    }
    for (uint32_t index = 0; index < count; index++) {
        wire[index].key = rn_put_text(writer, pairs[index].key);
        wire[index].value = rn_put_text(writer, pairs[index].value);
    }
    all = runner_put(writer, wire, (uint64_t)count * sizeof *wire);
    free(wire);
    return all;
}

int64_t rn_monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
