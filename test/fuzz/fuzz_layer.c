/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses the compression. What is unpacked may not touch the file beside it. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/scoped.h"
#include "io/fd.h"
#include "layer_archive.h"
#include "layer_room.h"
#include "layer_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void unpack(const char *base, const uint8_t *data, size_t size)
{
    scoped(layer_archive_closep) struct layer_archive *archive = NULL;
    scoped(freep) char *layer = xformat("%s/layer", base);
    struct layer_room room = {.limit = 4 << 20};
    scoped(layer_tree_fini) struct layer_tree tree = {.room = &room};
    uint8_t digest[SHA256_SIZE];
    struct error err;

    if (mkdir(layer, 0755) < 0)
        abort();
    scoped(closep) int blob = open(base, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    scoped(closep) int root = open(layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tree.root = root;
    if (blob < 0 || root < 0 || (size > 1 && fd_write_full(blob, data + 1, size - 1, &err) < 0))
        abort();
    if (layer_archive_open(blob, data[0] % 3, &archive, &err) == 0 &&
        layer_tree_unpack(&tree, archive, &err) == 0)
        (void) !layer_archive_finish(archive, digest, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char base[] = "/dev/shm/cleave-fuzz-XXXXXX";
    struct error err;
    struct stat st;

    if (!size || !mkdtemp(base))
        return 0;
    unpack(base, data, size);
    if (stat(base, &st) < 0 || st.st_nlink != 3 || file_remove_tree(base, &err) < 0)
        abort(); /* something is beside the layer */
    return 0;
}
