/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/scoped.h"
#include "layer_file.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scoped(closep) int fd = memfd_create("layer", MFD_CLOEXEC);
    struct layer_file file = {0};
    struct error err = {0};
    uint8_t digest[SHA256_SIZE];
    char path[64], diff_id[REFERENCE_DIGEST_TEXT];

    if (fd < 0 || write(fd, data, size) != (ssize_t) size)
        abort();
    (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    digest_sha256(data, size, digest);
    reference_format_digest(digest, diff_id);
    if (layer_file_find(path, diff_id, "passwd", &file, &err) < 0 && (file.text || !err.message[0]))
        abort();
    if ((file.state == LAYER_FILE_THERE) != (file.text != NULL))
        abort();
    free(file.text);
    return 0;
}
