/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/scoped.h"
#include "io/loop.h"
#include "service.h"
#include "shim/shim_main.h"
#include "sweep.h"

enum { SWEEP_AFTER_MS = 1000 }; /* it forks: not before the first calls have been answered */

static void host_free(struct host *host)
{
    if (!host)
        return;
    source_free(host->farewell);
    source_free(host->sweep);
    anchors_clear(&host->anchors);
    sandbox_free(host->sandbox);
    free(host->id);
    free(host);
}
SCOPED_PTR(struct host, host_free)

static void sweep(void *user)
{
    (void) user;
    sweep_stale();
}

static int create_service(struct loop *loop, struct ttrpc_server *server, struct shim_server *self,
                          const struct shim_options *options, void **ret, struct error *err)
{
    scoped(host_freep) struct host *host = xnew(struct host);
    struct sandbox_options sandbox = {
        .id = options->id,
        .ns = options->ns,
        .events = &host_events,
        .user = host,
    };

    host->loop = loop;
    host->self = self;
    host->id = xstrdup(options->id);
    host->pid = (uint32_t) getpid();
    host->anchors.loop = loop;
    if (sandbox_new(loop, &sandbox, &host->sandbox, err) < 0 ||
        loop_after(loop, SWEEP_AFTER_MS, sweep, host, &host->sweep, err) < 0)
        return -1;
    sandbox_service_register(server, host);
    task_service_register(server, host);
    *ret = take_ptr(host);
    return 0;
}

static void destroy_service(void *service)
{
    host_free(service);
}

static void terminate(void *service)
{
    host_quit(service);
}

static int cleanup(const struct shim_cleanup *what, struct shim_exit *ret, struct error *err)
{
    struct machine_process machine;

    if (!what->is_sandbox) /* an anchor's: nothing on this node belongs to it alone */
        return 0;
    if (sweep_sandbox(what->id, what->end_ms, &machine, err) < 0)
        return -1;
    ret->pid = (uint32_t) machine.pid;
    return 0;
}

int main(int argc, char *argv[])
{
    static const struct shim shim = {
        .runtime = "io.containerd.cleave-host.v2",
        .component = "host-shim",
        .create_service = create_service,
        .destroy_service = destroy_service,
        .terminate = terminate,
        .cleanup = cleanup,
    };

    return shim_main(&shim, argc, argv);
}
