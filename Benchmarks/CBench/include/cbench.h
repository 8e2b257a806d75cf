/* SPDX-License-Identifier: Apache-2.0
 * Counts the heap allocations of a thread: this target's malloc, calloc, realloc and aligned allocations take the place
 * of glibc's in a program that links it, and pass everything on. */
#ifndef CBENCH_H
#define CBENCH_H

#include <stdint.h>

/* The allocations that the calling thread has made since it began. */
uint64_t cbench_allocations(void);

#endif
