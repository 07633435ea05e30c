/* SPDX-License-Identifier: Apache-2.0 */
/* A guest without a machine: its maker has mounted what a kernel would, and its disks are files. */
#include <stdlib.h>

#include "agent.h"
#include "base/error.h"
#include "base/log.h"
#include "boot.h"
#include "disks.h"

static enum boot_code stub_prepare(struct error *err)
{
    (void) err;
    log_open("guest-agent");
    return BOOT_OK;
}

static enum boot_code stub_read_disks(const struct boot_options *options, struct disks *ret,
                                      struct error *err)
{
    enum boot_code code = disks_add(ret, options->initdata_path, err);

    return code == BOOT_OK ? disks_add(ret, options->network_path, err) : code;
}

/* Its maker sends SIGTERM. */
static int stub_open_button(void)
{
    return -1;
}

static __attribute__((noreturn)) void stub_finish(enum boot_code code, const struct error *err)
{
    if (code != BOOT_OK)
        log_error("boot failed: code %d: %s", code, err->message);
    exit(code);
}

const struct platform platform_stub = {
    .place = AGENT_IN_STUB,
    .prepare = stub_prepare,
    .read_disks = stub_read_disks,
    .open_button = stub_open_button,
    .finish = stub_finish,
};
