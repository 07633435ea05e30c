/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The manifest of a sealed pod (docs/sealed-pods.md): all that its guest will run, known before the
 * guest is made. Its digest is measured with the initdata; the agent composes each container from
 * it.
 *
 * The document is canonical JSON: js_print_canonical() of what was parsed gives the same bytes, or
 * it is refused. Strict: an unknown member, a doubled name, a wrong type or a reference that leads
 * nowhere is an error that names it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct js;

enum {
    MANIFEST_SIZE_MAX = 1024 * 1024, /* bytes of the document */
    MANIFEST_DIGEST_SIZE = 48,       /* SHA-384 of them */
    MANIFEST_SALT_SIZE = 32,
    MANIFEST_SLOTS_MAX = 64,
    MANIFEST_VOLUMES_MAX = 256,
    MANIFEST_MOUNTS_MAX = 64, /* of one slot */
    MANIFEST_HOLES_MAX = 256, /* names of variables, of one slot */
    MANIFEST_EXECS_MAX = 64,  /* of one slot */
    MANIFEST_LAYERS_MAX = 100,
};

enum manifest_restart { MANIFEST_NEVER, MANIFEST_ON_FAILURE, MANIFEST_ALWAYS };

/* In the order in which they begin: each init and sidecar before what comes behind it. */
enum manifest_kind {
    MANIFEST_INIT,    /* ends with 0 before the next one is created */
    MANIFEST_SIDECAR, /* was started before the next one is created; restarts always */
    MANIFEST_APP,
};

enum manifest_volume_kind {
    MANIFEST_EMPTY,  /* of the guest's own */
    MANIFEST_COPIED, /* configMap, secret, projected, downwardAPI: its content is a hole */
    MANIFEST_SHARE,  /* the live share of what the tenant's node has there */
};

struct manifest_volume {
    const char *name; /* the pod's name for it */
    enum manifest_volume_kind kind;
    uint64_t size; /* EMPTY: bytes that it may hold at most; 0: no limit */
    bool memory;   /* EMPTY: medium Memory */
};

struct manifest_mount {
    const char *destination; /* absolute, each once in a slot */
    const struct manifest_volume *volume;
    const char *path; /* subPath: relative, plain; "" */
    bool read_only;
};

struct manifest_command { /* NULL-terminated */
    const char **args;
};

/* What may be created once at a time. */
struct manifest_slot {
    const char *name; /* of the container in the pod */
    enum manifest_kind kind;
    const char **layers; /* diff_ids "sha256:<hex>", the lowest first */
    size_t layer_count;
    const char *config_digest; /* of the image's configuration: what spec was made of */
    /* The OCI specification as the agent takes it with Create, but for the mounts of volumes and
     * for what is in a hole. */
    const struct js *spec;
    struct manifest_mount *mounts;
    size_t mount_count;
    const char **environment; /* variables whose values the tenant's node gives */
    size_t environment_count;
    struct manifest_command *execs; /* probes and hooks: what exec may run, argument by argument */
    size_t exec_count;
    bool has_stdin;
};

struct manifest {
    const char *pod_name, *pod_namespace;
    const char *pod_uid; /* "" where it was not known yet */
    const char *hostname;
    const struct js *sysctls; /* an object of strings; never NULL */
    enum manifest_restart restart;
    bool service_environment; /* variables of the form of Kubernetes' for services are holes */
    bool debug;               /* any exec, and containers that are not in here */
    struct manifest_volume *volumes;
    size_t volume_count;
    struct manifest_slot *slots; /* as they begin */
    size_t slot_count;
    uint8_t digest[MANIFEST_DIGEST_SIZE];
    char *text; /* the document */
    size_t length;
    struct js *root; /* what the pointers above lead into */
};

int manifest_parse(const void *text, size_t length, struct manifest **ret, struct error *err)
    __attribute__((warn_unused_result)); /* copies */
void manifest_free(struct manifest *manifest);
static inline void manifest_freep(struct manifest **p)
{
    if (*p)
        manifest_free(*p);
}
const struct manifest_slot *manifest_slot(const struct manifest *manifest, const char *name);
const struct manifest_volume *manifest_volume(const struct manifest *manifest, const char *name);
/* A variable's name: one of the slot's holes, or of a service where the manifest allows them. */
bool manifest_is_hole(const struct manifest *manifest, const struct manifest_slot *slot,
                      const char *variable);
/* The same, and this may be in it: any text where the slot names the variable, an address or a port
 * where it is a service's. */
bool manifest_takes(const struct manifest *manifest, const struct manifest_slot *slot,
                    const char *variable, const char *value);

const char *manifest_kind_name(enum manifest_kind kind);               /* "init" */
const char *manifest_volume_kind_name(enum manifest_volume_kind kind); /* "empty" */
const char *manifest_restart_name(enum manifest_restart restart);      /* "OnFailure" */
