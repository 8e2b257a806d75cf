/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "arrow_table.h"

#include <string.h>

int64_t arrow_text_find(const void *text, size_t length, const void *part, size_t part_length) {
    /* glibc searches by the two-way algorithm. */
    const char *found = memmem(text, length, part, part_length);
    return found ? found - (const char *)text : -1;
}
