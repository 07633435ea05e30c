/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What becomes of each field of an OCI spec that this node's containerd built, before it goes into
 * the guest. One table: a field that it does not know is an error, so that nothing of the node
 * reaches the guest, or gets lost, by accident. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/scoped.h"
#include "volume_source.h"

struct error;
struct js;

enum spec_action {
    SPEC_KEEP,    /* a scalar or an array of scalars */
    SPEC_MAP,     /* an object of scalars under free keys */
    SPEC_OBJECT,  /* its members have rows of their own */
    SPEC_LIST,    /* an array of objects whose members have rows of their own */
    SPEC_DROP,    /* means nothing in the guest */
    SPEC_REWRITE, /* by a function */
    SPEC_REFUSE,
};

/* Every field of the specification (1.2.1, and what is known of newer ones) has one row. What is
 * beneath a row that refuses is refused with it; beneath any other row each member has its own. */
struct spec_rule {
    const char *path; /* "linux.seccomp.syscalls[].names"; "*" is any key */
    enum spec_action action;
    const char *reason; /* for all but KEEP, MAP, OBJECT, LIST */
};

/* What the rules must know of the pod and of the node. */
struct spec_context {
    struct volume_node node;      /* where it has volumes, and the pod's files */
    const struct js *annotations; /* of the container; may be NULL */
    bool refuses_shares;          /* tenant.conf says so */
    /* The pod's namespaces where they have names of their own (CRI-O keeps them in files). */
    char *const *namespace_paths;
    size_t namespace_path_count;
    /* Whose namespaces are /proc/<pid>/ns: "" the pod's, a container's id, NULL nobody's here. */
    const char *(*owner_of_pid)(void *user, uint32_t pid);
    void *user;
};

enum { SPEC_FILES_MAX = 16, SPEC_FILE_SIZE_MAX = 64 * 1024 };

/* A node's file that travels with Create; its mount's source is "cleave:file:NAME". */
struct spec_file {
    char *name;
    char *content;
    size_t length;
    uint32_t mode, uid, gid;
};

enum { SPEC_VOLUMES_MAX = 64 };

/* A directory of this node that must be in the guest before Create; its mount's source is
 * "cleave:volume:NAME". */
struct spec_volume {
    char *name;
    enum volume_kind kind; /* EMPTY, LIVE, ONCE */
    char *directory;
};

enum { SPEC_SHARES_MAX = 64 };

/* A path of this node that is served live; share_mount.h. */
struct spec_share {
    char *source;
    char *destination; /* for messages */
    char *options;     /* as share/export.h has them */
    char *name;        /* from when it is served on; NULL before */
    struct js *mount;  /* in the guest's spec */
};

struct guest_spec {
    struct js *spec;
    struct spec_volume volumes[SPEC_VOLUMES_MAX];
    size_t volume_count;
    struct spec_share shares[SPEC_SHARES_MAX];
    size_t share_count;
    struct spec_file files[SPEC_FILES_MAX];
    size_t file_count;
    char *termination_log; /* the node's file, or NULL */
    char dropped[256];     /* names of what was dropped though it said something, for the log */
};

int spec_rules_apply(const struct js *spec, const struct spec_context *context,
                     struct guest_spec **ret, struct error *err) must_check;
void guest_spec_free(struct guest_spec *spec);
SCOPED_PTR(struct guest_spec, guest_spec_free)

/* The same rules for an exec's Process and for an Update's LinuxResources. */
int spec_rules_process(const struct js *process, struct js **ret, struct error *err) must_check;
int spec_rules_resources(const struct js *resources, struct js **ret, struct error *err) must_check;

const struct spec_rule *spec_rules_find(const char *path); /* NULL: no such field */
const struct spec_rule *spec_rules_table(size_t *ret_count);
const char *spec_action_name(enum spec_action action); /* "keep" */
