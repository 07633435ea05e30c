/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What a task that is there already has behind it: no test of it creates one. */
#include "base/json.h"
#include "rootfs.h"
#include "share_mount.h"
#include "shares.h"
#include "spec_rules.h"
#include "volumes.h"

struct pod;

int rootfs_prepare(const struct rootfs_options *options, rootfs_done_fn *done, void *user,
                   struct rootfs **ret, struct error *err)
{
    return -1;
}

void rootfs_free(struct rootfs *rootfs) {}

struct volumes *pod_volumes(const struct pod *pod)
{
    return NULL;
}

int volumes_bring(struct volumes *volumes, const struct spec_volume *list, size_t count,
                  volumes_done_fn *done, void *user, struct bring **ret, struct error *err)
{
    return -1;
}

void bring_free(struct bring *bring) {}

int shares_add(struct shares *shares, struct spec_share *list, size_t count, shares_done_fn *done,
               void *user, struct share_request **ret, struct error *err)
{
    return -1;
}

void share_request_free(struct share_request *request) {}

void share_mount_complete(struct guest_spec *result) {}

int spec_rules_apply(const struct js *spec, const struct spec_context *context,
                     struct guest_spec **ret, struct error *err)
{
    return -1;
}

int spec_rules_process(const struct js *process, struct js **ret, struct error *err)
{
    *ret = js_new_object();
    return 0;
}

int spec_rules_resources(const struct js *resources, struct js **ret, struct error *err)
{
    return -1;
}

void guest_spec_free(struct guest_spec *spec) {}
