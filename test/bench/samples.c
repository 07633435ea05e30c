/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"

void samples_init(struct samples *samples, size_t room)
{
    *samples = (struct samples){.ns = xnew_array(uint64_t, room + 1), .room = room};
}

void samples_fini(struct samples *samples)
{
    free(samples->ns);
}

void samples_add(struct samples *samples, uint64_t ns)
{
    if (samples->count < samples->room)
        samples->ns[samples->count++] = ns;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

    return x < y ? -1 : x > y;
}

uint64_t samples_quantile(struct samples *samples, double quantile)
{
    size_t at = (size_t) ((double) samples->count * quantile);

    if (samples->count == 0)
        return 0;
    qsort(samples->ns, samples->count, sizeof(samples->ns[0]), compare);
    return samples->ns[at < samples->count ? at : samples->count - 1];
}

void samples_print(struct samples *samples)
{
    (void) printf("\"count\":%zu,\"min_ns\":%" PRIu64 ",\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64,
                  samples->count, samples_quantile(samples, 0), samples_quantile(samples, 0.5),
                  samples_quantile(samples, 0.99));
}

uint64_t cpu_ns_of(pid_t pid)
{
    scoped(freep) char *tasks = xformat("/proc/%d/task", (int) pid);
    DIR *directory = opendir(tasks);
    const struct dirent *entry;
    uint64_t sum = 0;

    while (directory && (entry = readdir(directory))) {
        scoped(freep) char *path = xformat("%s/%s/schedstat", tasks, entry->d_name);
        scoped(freep) char *text = NULL;
        struct error ignored;
        size_t length;

        if (entry->d_name[0] != '.' && file_read(path, 256, &text, &length, &ignored) == 0)
            sum += strtoull(text, NULL, 10);
    }
    if (directory)
        (void) closedir(directory);
    return sum;
}
