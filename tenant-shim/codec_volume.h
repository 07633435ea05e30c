/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* A volume on its way to the guest, in parts that fit into messages. */
#include <stddef.h>
#include <stdint.h>
#include "codec_agent.h"

struct volume_tree;

struct volume_part {
    const char *name;
    const struct volume_tree *tree;
    uint64_t serial;
    size_t first; /* the file of the tree that the part begins with */
};

/* The files after `first` that go along; all of them if the return value is the tree's count. */
size_t volume_part_end(const struct volume_part *part);
struct link_call *agent_put_part(const struct agent_ask *ask, const struct volume_part *part);

struct volume_empty {
    const char *name;
    uint32_t mode, uid, gid;
    uint64_t size; /* 0: whatever the guest has room for */
};
struct link_call *agent_put_empty(const struct agent_ask *ask, const struct volume_empty *empty);
