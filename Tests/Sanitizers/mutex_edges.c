/* SPDX-License-Identifier: Apache-2.0
 *
 * Tells ThreadSanitizer what it cannot see: that a contended `Mutex` of Swift's Synchronization module orders what is
 * done under it. Its fast path is compiled into the caller and instrumented, the path that waits is in the system's
 * library. `make test-tsan` links this into the program, whose symbols come before those of the library. */
#include <dlfcn.h>
#include <stdint.h>

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *
/* _MutexHandle._lockSlow(UInt32) and _MutexHandle._unlockSlow() of Swift 6.3 */
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

void __tsan_acquire(void *address);
void __tsan_release(void *address);

SWIFT void lock_slow(uint32_t thread, SELF self) __asm__(LOCK);
SWIFT void unlock_slow(SELF self) __asm__(UNLOCK);

SWIFT void lock_slow(uint32_t thread, SELF self) {
    SWIFT void (*lock)(uint32_t, SELF) = dlsym(RTLD_NEXT, LOCK);
    lock(thread, self);
    __tsan_acquire(self);
}

SWIFT void unlock_slow(SELF self) {
    SWIFT void (*unlock)(SELF) = dlsym(RTLD_NEXT, UNLOCK);
    __tsan_release(self);
    unlock(self);
}
