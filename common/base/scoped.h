/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Release on scope exit; the only cleverness in the tree. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define scoped(fn) __attribute__((cleanup(fn)))

/* SCOPED_PTR(struct vm, vm_free) defines vm_freep(), for `scoped(vm_freep) struct vm *vm = NULL;`
 */
#define SCOPED_PTR(type, fn)                                                                       \
    static inline void fn##p(type **p)                                                             \
    {                                                                                              \
        if (*p)                                                                                    \
            fn(*p);                                                                                \
    }

static inline void freep(void *p)
{
    free(*(void **) p);
}

static inline void closep(const int *fd)
{
    if (*fd >= 0)
        (void) close(*fd);
}

/* Give the value away: the scoped variable no longer owns it. */
#define take_ptr(p)                                                                                \
    ({                                                                                             \
        __typeof__(p) _taken = (p);                                                                \
        (p) = NULL;                                                                                \
        _taken;                                                                                    \
    })
#define take_fd(fd)                                                                                \
    ({                                                                                             \
        int _taken = (fd);                                                                         \
        (fd) = -1;                                                                                 \
        _taken;                                                                                    \
    })

#define ARRAY_LENGTH(a)                 (sizeof(a) / sizeof((a)[0]))
#define BIT(n)                          (1u << (n))
#define container_of(ptr, type, member) ((type *) ((char *) (ptr) -offsetof(type, member)))
#define must_check                      __attribute__((warn_unused_result))

/* Small allocations of sizes that we chose ourselves: they abort when memory is gone, because a
 * dead process fails closed. A size that came from a peer is bounded first, by a named limit. */
void *xalloc(size_t size); /* zeroed */
void *xrealloc(void *old, size_t size);
void *xmemdup(const void *data, size_t size);
char *xstrdup(const char *text); /* NULL stays NULL */
char *xstrndup(const char *text, size_t length);
char *xformat(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define xnew(type)          ((type *) xalloc(sizeof(type)))
#define xnew_array(type, n) ((type *) xalloc(sizeof(type) * (n)))
