/* SPDX-License-Identifier: Apache-2.0 */
#include "runner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* Sets a limit that the process cannot raise again. */
static const char *limit(int resource, uint64_t value, const char *name) {
    static char problem[128];
    struct rlimit old;
    struct rlimit new = {value, value};
    if (getrlimit(resource, &old) == 0 && old.rlim_max != RLIM_INFINITY && old.rlim_max < value) {
        new.rlim_cur = new.rlim_max = old.rlim_max;
    }
    if (setrlimit(resource, &new) == 0) {
        return NULL;
    }
    snprintf(problem, sizeof problem, "the limit of %s cannot be set: %s", name, strerror(errno));
    return problem;
}

/* Sanitizers reserve more address space than any limit allows. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

const char *rn_limit(const runner_hello_t *hello) {
    const char *problem = limit(RLIMIT_CORE, 0, "core dumps");
    if (!problem && hello->memory_bytes && !IS_SANITIZED) {
        problem = limit(RLIMIT_DATA, hello->memory_bytes, "memory");
    }
    if (!problem && hello->files) {
        problem = limit(RLIMIT_NOFILE, hello->files, "open files");
    }
    return problem;
}
