/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The parts of a slot, one file each. Each fills in its members of the specification. */
#include <stdbool.h>
#include <stdint.h>

struct compose;
struct environment;
struct error;
struct js;

/* args, cwd, env, terminal. */
int compose_process(const struct compose *compose, const struct environment *environment,
                    struct js *process, struct error *err) __attribute__((warn_unused_result));
/* uid, gid, additionalGids. */
int compose_user(const struct compose *compose, struct js *process, struct error *err)
    __attribute__((warn_unused_result));
/* Capabilities, noNewPrivileges, seccomp, masked paths, the root, namespaces. */
int compose_security(const struct compose *compose, struct js *spec, struct error *err)
    __attribute__((warn_unused_result));
/* Limits of cgroups, oomScoreAdj. */
int compose_resources(const struct compose *compose, struct js *spec, struct error *err)
    __attribute__((warn_unused_result));
/* The specification's mounts; the slot's `mounts`, which are of volumes. */
int compose_mounts(const struct compose *compose, struct js *spec, struct js *slot,
                   struct error *err) __attribute__((warn_unused_result));
/* Probes and hooks. */
int compose_execs(const struct compose *compose, const struct environment *environment,
                  struct js *execs, struct error *err) __attribute__((warn_unused_result));

/* The container's own security context. */
const struct js *compose_context(const struct compose *compose);
/* A member of the container's security context, else of the pod's: those that both have. */
const struct js *compose_inherited(const struct compose *compose, const char *name);
/* An absent one is false; anything but a boolean is an error. */
int compose_boolean(const struct js *object, const char *name, bool *ret, struct error *err)
    __attribute__((warn_unused_result));
/* Appends each, all have to be strings; an absent array is none. */
int compose_strings(const struct js *list, const char *what, struct js *out, struct error *err)
    __attribute__((warn_unused_result));
