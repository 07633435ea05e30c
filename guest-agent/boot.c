/* SPDX-License-Identifier: Apache-2.0 */
#include "boot.h"

#include <errno.h>
#include <sys/stat.h>

#include "agent.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/scoped.h"
#include "disks.h"
#include "io/loop.h"
#include "network.h"
#include "scratch.h"

#define STATE_DIRECTORY "/run/cleave"
#define POD_NETNS       "/run/cleave-pod-netns"

static void off(void *user, int result, const struct error *err)
{
    const struct platform *platform = user;

    platform->finish(result < 0 ? BOOT_AGENT : BOOT_OK, err);
}

/* A loop that the service side left things in is left as it is: the machine ends with it. */
static enum boot_code serve(const struct platform *platform, const struct attester_devices *devices,
                            const struct disks *disks, const struct network *network,
                            struct error *err)
{
    scoped(loop_freep) struct loop *loop = NULL;
    scoped(scratch_freep) struct scratch *scratch = NULL;
    struct agent_options options = {
        .place = platform->place,
        .initdata = disks->initdata,
        .initdata_length = disks->initdata_length,
        .devices = devices,
        .dial_out = &network->dial_out,
        .network = disks->network,
        .network_length = disks->network_length,
        .outer_netns = network->outer,
        .pod_netns = network->pod,
        .pod_netns_path = POD_NETNS,
        .state_directory = STATE_DIRECTORY,
        .power_button = platform->open_button(),
        .grant_root = platform->grant_root,
        .off = platform->abrupt ? off : NULL,
        .user = (void *) (uintptr_t) platform,
    };

    if (mkdir(STATE_DIRECTORY, 0700) < 0) {
        error_errno(err, errno, "make '%s'", STATE_DIRECTORY);
        return BOOT_AGENT;
    }
    /* Before there are threads. */
    if (disks->scratch && scratch_begin(disks->scratch, &scratch, err) < 0)
        return BOOT_SCRATCH;
    options.scratch = scratch;
    if (loop_new(&loop, err) < 0 || agent_run(loop, &options, err) < 0)
        return BOOT_AGENT;
    return BOOT_OK;
}

static enum boot_code run(const struct platform *platform, const struct boot_options *options,
                          struct error *err)
{
    scoped(disks_fini) struct disks disks = {0};
    scoped(network_fini) struct network network = {.outer = -1, .pod = -1};
    enum boot_code code;

    code = platform->prepare(err);
    if (code != BOOT_OK)
        return code;
    code = platform->read_disks(options, &disks, err);
    if (code == BOOT_OK)
        code = disks_check(&disks, err);
    if (code != BOOT_OK)
        return code;
    if (network_configure_outer(disks.network, disks.network_length, &network.dial_out, err) < 0)
        return BOOT_NETWORK_DEVICE;
    if (network_open(POD_NETNS, &network, err) < 0)
        return BOOT_NAMESPACE;
    return serve(platform, platform->devices ? platform->devices : &options->devices, &disks,
                 &network, err);
}

void boot(const struct platform *platform, const struct boot_options *options)
{
    struct error err = {0};
    enum boot_code code = run(platform, options, &err);

    platform->finish(code, &err);
}
