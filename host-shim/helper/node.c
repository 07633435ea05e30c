/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/random.h"
#include "base/scoped.h"

#define NODE_DIRECTORY "/var/lib/cleave/h"
#define NODE_FILE      NODE_DIRECTORY "/node"
enum { NODE_BYTES = 16 };

int node_name(char **ret, struct error *err)
{
    scoped(closep) int lock = -1;
    uint8_t raw[NODE_BYTES];
    char text[2 * NODE_BYTES + 1];
    size_t length;

    if (file_make_directories(NODE_DIRECTORY, 0700, err) < 0 ||
        file_lock(NODE_FILE ".lock", &lock, err) < 0)
        return -1;
    if (file_read(NODE_FILE, sizeof(text), ret, &length, err) == 0)
        return 0;
    if (err->status != STATUS_NOT_FOUND)
        return -1;
    random_bytes(raw, sizeof(raw));
    hex_encode(raw, sizeof(raw), text);
    if (file_write_atomic(NODE_FILE, text, strlen(text), 0600, err) < 0)
        return -1;
    *ret = xstrdup(text);
    return 0;
}
