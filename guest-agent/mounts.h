/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the agent itself puts into containers (hosts, resolv.conf, ...), and the table of mount
 * sources: each source of a spec is ours, a kernel file system, or refused by name. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct js;
struct share_name;
struct volumes;

enum {
    MOUNTS_FILE_MAX = 1024 * 1024,     /* bytes of one copied file */
    MOUNTS_FILES_MAX = 256,            /* of one container */
    MOUNTS_TERMINATION_LOG_MAX = 4096, /* bytes that go back to the tenant */
    MOUNTS_SHM_SIZE = 64 * 1024 * 1024,
};

struct mounts_pod {
    const char *hostname;
    const void *resolv_conf;
    size_t resolv_conf_length;
    const void *hosts; /* length 0: made from localhost and the hostname */
    size_t hosts_length;
};

struct mounts_file { /* CopiedFile */
    const char *name;
    const void *content;
    size_t length;
    mode_t mode;
    uid_t uid;
    gid_t gid;
};

struct mounts_places {
    const char *pod_directory;       /* as given to mounts_make_pod() */
    const char *container_directory; /* as given to mounts_make_container() */
    const char *root;                /* the container's, mounted */
    struct volumes *volumes;         /* the pod's */
    const struct share_name *shared; /* what mounts_shared() found, opened */
    size_t shared_count;
};

/* Makes hosts, resolv.conf, hostname and the pod's shm (a tmpfs) in a directory that exists; before
 * there are containers, anew as often as it takes. */
int mounts_make_pod(const char *directory, const struct mounts_pod *pod, struct error *err)
    __attribute__((warn_unused_result));
/* Makes termination-log and the copied files in a container's directory that exists. */
int mounts_make_container(const char *directory, const struct mounts_file *files, size_t count,
                          struct error *err) __attribute__((warn_unused_result));
/* The names in the live share that the spec's `mounts` have as sources, SHARE_NAMES_MAX at most;
 * each once. What is no list of mounts has none. */
int mounts_shared(const struct js *mounts, struct share_name *ret, size_t *ret_count,
                  struct error *err) __attribute__((warn_unused_result));
/* The spec's `mounts` with each "cleave:..." source replaced by a bind mount of what was made. What
 * is of a volume or of the root is mounted in the container's directory first, so that nobody can
 * put something else in its place before the runtime comes: mounts_unmake() undoes that. */
int mounts_rewrite(const struct js *mounts, const struct mounts_places *places, struct js **ret,
                   struct error *err) __attribute__((warn_unused_result));
/* Again and again, until it is done: only then may the directory be removed. */
int mounts_unmake(const char *container_directory, struct error *err)
    __attribute__((warn_unused_result));
/* The last MOUNTS_TERMINATION_LOG_MAX bytes; the caller frees. Empty if nothing was written. */
int mounts_termination_log(const char *container_directory, uint8_t **ret, size_t *ret_length,
                           struct error *err) __attribute__((warn_unused_result));
