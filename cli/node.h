/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The node that is looked at: this machine, or whatever lies below a directory (an image of a node
 * before it boots; a test). Paths are those that the node itself would use. */
#include <stdbool.h>
#include <stddef.h>

#include "shim/host_conf.h"
#include "shim/tenant_conf.h"

struct containerd_conf;
struct error;
struct realm;

/* What has been read; a check names what it needs. */
enum node_known {
    NODE_CONF = 1,
    NODE_CONTAINERD = 2, /* its configuration */
    NODE_RUNTIME = 4,    /* our runtime in it */
};

struct node {
    const struct realm *realm;
    const char *root;            /* "" or a directory without a slash behind it */
    const char *conf_path;       /* as given; NULL: the realm's own, below root */
    const char *containerd_path; /* as given; NULL: containerd's own, below root */
    unsigned known;              /* of enum node_known */
    struct host_conf host;       /* the realm's of the two is filled */
    struct tenant_conf tenant;
    struct containerd_conf *containerd;
    char *runtime; /* the table of our handler in it */
};

void node_fini(struct node *node);
/* Where a path of the node lies for us; the caller frees. */
char *node_path(const struct node *node, const char *path);
/* A program of the node by an absolute path or by its name in PATH; NULL if there is none that can
 * be run. The caller frees; the result lies below root. */
char *node_find_program(const struct node *node, const char *name);
bool node_is_program(const char *path); /* as node_path() gives it */
bool node_has_device(const struct node *node, const char *path);
/* A small text of /proc or /sys or a file list of /lib; NULL if it cannot be read. */
char *node_read(const struct node *node, const char *path);
/* Does somebody listen on this unix socket? */
int node_connect(const struct node *node, const char *path, struct error *err)
    __attribute__((warn_unused_result));
/* What `program --version` prints, program as node_find_program() gives it. */
int node_program_version(const char *program, char **ret, struct error *err)
    __attribute__((warn_unused_result));
/* What a program of ours answers to a verb that asks nothing: 0, or -1 with its own sentence. */
int node_ask_program(const char *program, const char *verb, struct error *err)
    __attribute__((warn_unused_result));
