/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The program that makes and removes the host half of a pod: JSON on stdin and stdout, under a
 * deadline. Host credentials are its, never ours, and what it answers about the host is a hint. */
#include <stdint.h>
#include "base/scoped.h"

struct dial_out;
struct error;
struct loop;
struct pod_config;
struct provision;
struct tenant_conf;

enum provision_state {
    PROVISION_UNKNOWN, /* or not said */
    PROVISION_RUNS,
    PROVISION_GONE, /* or there, but not running */
};

struct provision_answer {
    char *sandbox_id; /* 32 hex digits */
    char *initdata_path;
    char *key_path;
    char *host_id; /* may be "" */
    char *transport;
    char *address;
    uint16_t port;
    enum provision_state state; /* of `status`, which sets nothing else */
};

void provision_answer_clear(struct provision_answer *answer);

/* "cri" is cleave-provision-cri beside this program, else in PATH; a path stays. The caller frees.
 * NOT_FOUND says where it was looked for. */
int provision_find(const char *name, char **ret, struct error *err) must_check;

typedef void provision_done_fn(void *user, const struct provision_answer *answer,
                               const struct error *err);

struct provision_options {
    const char *program;
    const char *conf_path;
    const char *cri_sandbox_id;
    uint64_t deadline_ms;
    const struct dial_out *dial_out; /* of a create: where the guest is to dial; NULL: nowhere */
};

/* done runs once on the loop (with an empty answer for delete); freeing before that kills the
 * program. */
int provision_create(struct loop *loop, const struct provision_options *options,
                     const struct pod_config *config, const struct tenant_conf *conf,
                     provision_done_fn *done, void *user, struct provision **ret,
                     struct error *err) must_check;
int provision_delete(struct loop *loop, const struct provision_options *options,
                     provision_done_fn *done, void *user, struct provision **ret,
                     struct error *err) must_check;
/* What the host says; NOT_FOUND: it was never asked for, or has been deleted. */
int provision_status(struct loop *loop, const struct provision_options *options,
                     provision_done_fn *done, void *user, struct provision **ret,
                     struct error *err) must_check;
void provision_free(struct provision *provision);
SCOPED_PTR(struct provision, provision_free)

/* How a verb is run, for a tombstone too: the program with what must be around it. */
struct provision_command {
    const char *argv[8]; /* NULL-terminated; of options, of this, or constant */
    char *environment;
    char *wrapper;
};
void provision_command_make(const struct provision_options *options, const char *verb,
                            struct provision_command *ret);
void provision_command_clear(struct provision_command *command);

/* What `delete` gets on its stdin: for a tombstone. The caller frees. */
char *provision_delete_input(const char *cri_sandbox_id);
/* Pure, for tests: the answer of `create`. */
int provision_parse(const char *text, size_t length, struct provision_answer *ret,
                    struct error *err) must_check;
