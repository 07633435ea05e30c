/* SPDX-License-Identifier: Apache-2.0 */
/* A Process from the tenant, through the agent's writer, into cleave-exec's reader. */
#include <stdlib.h>

#include "base/error.h"
#include "base/json.h"
#include "base/scoped.h"
#include "confine.h"
#include "exec/plan.h"
#include "exec_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct confine_options confinement = {.root = "/r", .lowest_oom_score = -1000};
    scoped(js_freep) struct js *process = NULL;
    scoped(js_freep) struct js *defaults = NULL;
    struct exec_block_options options = {.cgroup_version = 2, .cgroup_count = 1};
    struct plan plan;
    struct error err;
    int fd;

    if (js_parse((const char *) data, size, &process, &err) < 0)
        return 0;
    defaults = exec_block_defaults(process); /* a spec too, as far as it goes */
    if (confine_process(process, &confinement, &err) < 0)
        return 0;
    options.process = process;
    options.defaults = defaults;
    options.filter_path = "/dev/null";
    if (exec_block_make(&options, &fd, &err) < 0)
        return 0;
    plan_open(&plan, fd);
    if (!plan.arguments[0] || plan.cwd[0] != '/' || plan.header->uid == UINT32_MAX)
        abort();
    plan_close(&plan);
    return 0;
}
