/* SPDX-License-Identifier: Apache-2.0
 *
 * What prying.c tries with memory: of the host, and its own. */
#include <grafana/sdk.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static gf_status tell(gf_context_t *context, const char *text);

/* Takes and gives back buffers of the host, each larger than the one before; says how many MiB it got last. */
static gf_status grow_buffers(gf_context_t *context) {
    const gf_sdk_t *sdk = context->sdk;
    char text[32];
    uint64_t size = 1;
    gf_buffer_t buffer = {0};
    while (size < 64 && sdk->core.buffer_alloc(sdk->host, size << 20, &buffer) == GF_OK) {
        sdk->core.buffer_release(sdk->host, &buffer);
        size++;
    }
    snprintf(text, sizeof text, "%d", (int)size - 1);
    return tell(context, text);
}

/* Whether memory that is given back keeps its pages for the next, while the plugin holds more than is kept free. */
static gf_status take_again(gf_context_t *context) {
    const gf_sdk_t *sdk = context->sdk;
    gf_buffer_t held = {0}, buffer = {0};
    int is_kept = 0;
    if (sdk->core.buffer_alloc(sdk->host, (uint64_t)96 << 20, &held) == GF_OK &&
        sdk->core.buffer_alloc(sdk->host, (uint64_t)64 << 20, &buffer) == GF_OK) {
        *(char *)buffer.data = 90;
        sdk->core.buffer_release(sdk->host, &buffer);
        if (sdk->core.buffer_alloc(sdk->host, (uint64_t)64 << 20, &buffer) == GF_OK) {
            is_kept = *(char *)buffer.data == 90;
            sdk->core.buffer_release(sdk->host, &buffer);
        }
    }
    sdk->core.buffer_release(sdk->host, &held);
    return tell(context, is_kept ? "kept" : "new");
}

/* Takes memory that the kernel's limit of a process does not count, and keeps it for a while. */
static gf_status share_memory(gf_context_t *context) {
    size_t size = (size_t)400 << 20;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return gf_fail(context, GF_NOMEM, "there is none");
    }
    memset(memory, 1, size);
    sleep(20); /* Reason: it keeps what it took until it is ended */
    munmap(memory, size);
    return tell(context, "kept");
}
