/* SPDX-License-Identifier: Apache-2.0 */
/* What a message carried is nowhere in memory when it has gone. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>

#include "agent.pb-c.h"
#include "base/bytes.h"
#include "base/scoped.h"
#include "codec_message.h"
#include "grpc/tag.h"
#include "suite.h"

enum { SECRET_SIZE = 4096, CHUNK = 1024 * 1024 };

static uint8_t secret[SECRET_SIZE]; /* not on the heap */

static void make_secret(void)
{
    for (size_t i = 0; i < sizeof(secret); i++)
        secret[i] = (uint8_t) (i * 131 + (i >> 8) * 7 + 29);
}

static void heap_range(unsigned long *ret_from, unsigned long *ret_to)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];

    *ret_from = *ret_to = 0;
    while (fgets(line, sizeof(line), maps)) {
        if (strstr(line, "[heap]"))
            ck_assert_int_eq(sscanf(line, "%lx-%lx", ret_from, ret_to), 2);
    }
    fclose(maps);
}

/* By the kernel: what was freed is no object of ours any more. */
static bool heap_has_it(void)
{
    static uint8_t chunk[CHUNK + 64];
    scoped(closep) int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    unsigned long from, to;
    bool found = false;

    heap_range(&from, &to);
    for (; from < to; from += CHUNK) {
        ssize_t length = pread(memory, chunk, sizeof(chunk), (off_t) from);

        if (length > 0)
            found = found || memmem(chunk, (size_t) length, secret + 1024, 64);
    }
    bytes_wipe(chunk, sizeof(chunk));
    return found;
}

static void fill(Agent__PutVolumeRequest *request, Agent__VolumeEntry *entry,
                 Agent__VolumeEntry **list)
{
    agent__put_volume_request__init(request);
    agent__volume_entry__init(entry);
    entry->body_case = AGENT__VOLUME_ENTRY__BODY_FILE;
    entry->file.data = secret;
    entry->file.len = sizeof(secret);
    *list = entry;
    request->n_entries = 1;
    request->entries = list;
}

START_TEST(a_copy_is_wiped)
{
    Agent__PutVolumeRequest request;
    Agent__VolumeEntry entry, *list;
    struct ProtobufCMessage *copy;

    fill(&request, &entry, &list);
    copy = message_copy(&request.base);
    ck_assert(heap_has_it());
    message_free(copy);
    ck_assert(!heap_has_it());
    message_free(NULL);
}
END_TEST

START_TEST(what_is_sent_is_wiped)
{
    Agent__PutVolumeRequest request;
    Agent__VolumeEntry entry, *list;
    struct grpc_byte_buffer *buffer;

    fill(&request, &entry, &list);
    grpc_init();
    buffer = rpc_message_pack(&request.base);
    ck_assert(heap_has_it());
    grpc_byte_buffer_destroy(buffer);
    ck_assert(!heap_has_it());
    grpc_shutdown();
}
END_TEST

int main(void)
{
#ifdef __SANITIZE_ADDRESS__
    puts("skipped: the sanitizer's allocator has no heap that could be read");
    return EXIT_SUCCESS;
#endif
    make_secret();
    return suite_run("secret_message",
                     (const TTest *[]){a_copy_is_wiped, what_is_sent_is_wiped, NULL});
}
