/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What containerd and CRI-O say to a shim binary, and what they want to hear. Pure but for the
 * functions that name a file. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

enum bootstrap_verb { VERB_SERVE, VERB_START, VERB_DELETE, VERB_INFO, VERB_VERSION };

/* Borrowed from argv and the environment; "" where absent, never NULL. */
struct bootstrap {
    enum bootstrap_verb verb;
    const char *ns;            /* containerd namespace, "k8s.io" */
    const char *id;            /* of the sandbox or the container */
    const char *bundle;        /* -bundle, else the working directory (owned text) */
    const char *address;       /* containerd's gRPC socket */
    const char *ttrpc_address; /* where events go; "": nowhere */
    const char *publish_binary;
    const char *socket;       /* -socket */
    const char *debug_socket; /* accepted, not used */
    char *owned_bundle;
    bool debug, info, version;
};

/* Go's flags: -name value, -name=value, --name; the verb is the first word that is no flag. No verb
 * is VERB_SERVE. id and namespace must be containerd identifiers where a verb needs them. */
int bootstrap_parse(int argc, char *argv[], struct bootstrap *ret, struct error *err)
    __attribute__((warn_unused_result));
void bootstrap_clear(struct bootstrap *bootstrap);

enum { BOOTSTRAP_SOCKET_SIZE = 108 };
/* /run/containerd/s/<hex of SHA-256(address, namespace, group)>, or under directory if not NULL. */
int bootstrap_socket(const struct bootstrap *bootstrap, const char *directory, const char *group,
                     char ret[BOOTSTRAP_SOCKET_SIZE], struct error *err)
    __attribute__((warn_unused_result));

/* The answer of `start`: a plain address (version 2), or JSON version 3 where the bundle belongs to
 * containerd's sandbox controller. The caller frees. */
char *bootstrap_answer(const char *bundle, const char *socket);

/* Stdin of `start`: runtime options as Any (containerd up to 2.2) or BootstrapParams (2.3). Returns
 * the options' type and value (owned, may be NULL). Anything unreadable counts as absent. */
struct bootstrap_options {
    char *type_url;
    uint8_t *value;
    size_t length;
    char *socket_directory; /* where 2.3 wants the socket; NULL: the default */
};
void bootstrap_read_options(const uint8_t *data, size_t length, const char *id,
                            struct bootstrap_options *ret);
void bootstrap_options_clear(struct bootstrap_options *options);
