/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Evidence that has to be asked of a device, which may take seconds: whoever has the devices makes
 * it aside, and the loop goes on. */
struct error;
struct evidence_output;
struct evidence_request;

struct maker_order {
    const struct evidence_request *request; /* borrowed during start() */
    /* output is borrowed; NULL: err says why there is none. */
    void (*made)(void *user, const struct evidence_output *output, const struct error *err);
    void *user;
};

struct maker {
    /* made() runs once, on the loop and never from inside this call. */
    int (*start)(void *context, const struct maker_order *order, void **ret_job, struct error *err)
        __attribute__((warn_unused_result));
    void (*cancel)(void *job); /* made() is not called any more */
    void *context;
};
