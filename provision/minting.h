/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The identity of a sandbox, as a request and tenant.conf have it. */

struct error;
struct mint;
struct provision_request;
struct tenant_conf;

/* Of <directory>/<its id>; mint_fini(). */
int minting_make(const char *directory, const struct provision_request *request,
                 const struct tenant_conf *conf, struct mint *ret, struct error *err)
    __attribute__((warn_unused_result));
