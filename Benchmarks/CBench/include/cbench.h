/* SPDX-License-Identifier: Apache-2.0
 * Counts the heap allocations of a thread: this target's malloc, calloc, realloc and aligned allocations take the place
 * of glibc's in a program that links it, and pass everything on. */
#ifndef CBENCH_H
#define CBENCH_H

#include <stddef.h>
#include <stdint.h>

/* The allocations that the calling thread has made since it began. */
uint64_t cbench_allocations(void);

/* Gives memory that was freed back to the system, so that what is taken next is seen as taken. */
void cbench_trim(void);

/* The sums of two series whose times have to be equal, in new memory; NULL when a time differs. The plain loop that
 * expressions are measured against. */
double *cbench_join_add(
    size_t count, const int64_t *times, const double *values, const int64_t *other_times, const double *other_values);
void cbench_free(double *memory);

/* Sends 128 bytes to another process over a socket and waits until it has sent them back, so many times: what a call to
 * a plugin's process costs at the least. 0 when a call of the system failed. */
int cbench_round_trips(size_t count, int64_t *nanoseconds_out);

#endif
