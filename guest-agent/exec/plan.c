/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "note.h"

struct cursor {
    char *at, *end;
};

/* It is the agent's, so this is about bugs, not about attacks. */
static void *take(struct cursor *cursor, size_t count, size_t size)
{
    void *from = cursor->at;

    if (count > (size_t) (cursor->end - cursor->at) / size)
        note_fail(0, "the block is shorter than it says");
    cursor->at += count * size;
    return from;
}

static char *take_string(struct cursor *cursor)
{
    char *from = cursor->at;
    char *nul = memchr(from, '\0', (size_t) (cursor->end - from));

    if (!nul)
        note_fail(0, "the block is shorter than it says");
    cursor->at = nul + 1;
    return from;
}

static char **take_strings(struct cursor *cursor, size_t count, size_t room)
{
    char **list = calloc(count + room + 1, sizeof(*list));

    if (!list)
        note_fail(ENOMEM, "list %zu strings", count);
    for (size_t i = 0; i < count; i++)
        list[i] = take_string(cursor);
    return list;
}

static struct cursor map(int fd)
{
    struct stat status;
    char *start;

    if (fstat(fd, &status) < 0 || status.st_size > BLOCK_MAX)
        note_fail(errno, "look at the block");
    start = mmap(NULL, (size_t) status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (start == MAP_FAILED)
        note_fail(errno, "map the block");
    (void) close(fd);
    return (struct cursor){start, start + status.st_size};
}

void plan_open(struct plan *plan, int fd)
{
    struct cursor cursor = map(fd);
    const size_t size = (size_t) (cursor.end - cursor.at);
    const struct block_header *header = take(&cursor, 1, sizeof(*header));

    if (header->magic != BLOCK_MAGIC || header->argument_count == 0)
        note_fail(0, "the block is none of ours");
    plan->header = header;
    plan->size = size;
    plan->rlimits = take(&cursor, header->rlimit_count, sizeof(*plan->rlimits));
    plan->filter = take(&cursor, header->filter_count, sizeof(*plan->filter));
    plan->groups = take(&cursor, header->group_count, sizeof(*plan->groups));
    plan->cwd = take_string(&cursor);
    plan->arguments = take_strings(&cursor, header->argument_count, 0);
    plan->environment = take_strings(&cursor, header->environment_count, 1);
}

void plan_close(struct plan *plan)
{
    free(plan->arguments);
    free(plan->environment);
    (void) munmap((void *) (uintptr_t) plan->header, plan->size);
}

const char *plan_getenv(const struct plan *plan, const char *name)
{
    size_t length = strlen(name);

    for (char **entry = plan->environment; *entry; entry++) {
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
            return *entry + length + 1;
    }
    return NULL;
}
