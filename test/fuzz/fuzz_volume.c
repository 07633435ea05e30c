/* SPDX-License-Identifier: Apache-2.0 */
/* The content of a volume: a line is an entry, "fPATH=TEXT", "lPATH=TARGET" or "dPATH"; an empty
 * line ends a content and begins the next. Nothing may come to be beside the volume. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "base/text.h"
#include "volumes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENTRIES_MAX = 64 };

static struct volumes_entry parse(char *line)
{
    char *text = strchr(line, '=');
    struct volumes_entry entry = {.path = line + 1, .mode = 0750, .data = "", .type = VOLUMES_FILE};

    if (text) {
        *text++ = '\0';
        entry.data = text;
        entry.length = strlen(text);
    }
    if (line[0] != 'f')
        entry.type = line[0] == 'l' ? VOLUMES_LINK : VOLUMES_DIRECTORY;
    return entry;
}

static void put_all(struct volumes *volumes, char *text)
{
    struct volumes_entry entries[ENTRIES_MAX];
    struct volumes_put put = {
        .name = "v", .mode = 0755, .serial = 1, .first = true, .last = true, .entries = entries};
    enum volumes_access access;
    struct error err;
    int fd;

    for (char *line; (line = strsep(&text, "\n"));) {
        if (*line && put.count < ENTRIES_MAX)
            entries[put.count++] = parse(line);
        if (*line && text)
            continue;
        (void) !volumes_put_copied(volumes, &put, UINT64_MAX, &err);
        if (put.count && volumes_open(volumes, "v", entries[0].path, &fd, &access, &err) == 0)
            close(fd);
        put.serial++;
        put.count = 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char base[] = "/dev/shm/cleave-fuzz-XXXXXX";
    scoped(freep) char *text = xstrndup((const char *) data, size);
    scoped(volumes_freep) struct volumes *volumes = NULL;
    struct error err;
    struct stat st;

    if (!mkdtemp(base))
        return 0;
    volumes = volumes_new(base);
    put_all(volumes, text);
    if (stat(base, &st) < 0 || st.st_nlink > 3 || file_remove_tree(base, &err) < 0)
        abort(); /* something is beside the volume */
    return 0;
}
