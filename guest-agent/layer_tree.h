/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Turns a layer's entries into a directory that overlayfs can use. The entries are hostile: nothing
 * is ever made, changed or read outside of the root, whatever names, links and orders they try. */
#include <stddef.h>
#include <stdint.h>

struct error;
struct layer_archive;
struct layer_room;

struct layer_tree {
    int root; /* descriptor of the directory, borrowed */
    struct layer_room *room;
    uint64_t taken; /* of room, by this tree */
    /* Directories that the tar does not describe and that its entries need. In the merged view they
     * must look as the layer below says. Bounded, owned. */
    char **implied;
    size_t implied_count;
};

enum { LAYER_IMPLIED_MAX = 4096 };

void layer_tree_fini(struct layer_tree *tree);
/* On failure the directory holds some of the layer; room keeps `taken` until it is given back. */
int layer_tree_unpack(struct layer_tree *tree, struct layer_archive *archive, struct error *err)
    __attribute__((warn_unused_result));
