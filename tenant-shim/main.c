/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/log.h"
#include "content.h"
#include "grpc/queue.h"
#include "host_half.h"
#include "shim/publisher.h"
#include "shim/shim_main.h"
#include "shim/tombstone.h"
#include "tenant.h"

enum { CLEANUP_MS = 3500 }; /* containerd kills the verb `delete` after 5 s */

static void tenant_free(struct tenant *tenant)
{
    if (!tenant)
        return;
    tasks_clear(&tenant->tasks);
    pause_free(tenant);
    content_free(tenant->content);
    publisher_free(tenant->publisher);
    rpc_queue_free(tenant->queue);
    free(tenant->ns);
    free(tenant->sandbox_id);
    free(tenant);
}
SCOPED_PTR(struct tenant, tenant_free)

static void sweep(void)
{
    struct error err;

    if (tombstone_count(TENANT_TOMBSTONES) > 0 && tombstone_reap(TENANT_TOMBSTONES, NULL, &err) < 0)
        log_warn("tombstones: %s", err.message);
}

static int create_service(struct loop *loop, struct ttrpc_server *server, struct shim_server *self,
                          const struct shim_options *options, void **ret, struct error *err)
{
    scoped(tenant_freep) struct tenant *tenant = xnew(struct tenant);
    struct publisher_options events = {.ttrpc_address = options->ttrpc_address, .ns = options->ns};

    sweep();
    tenant->loop = loop;
    tenant->self = self;
    tenant->ns = xstrdup(options->ns);
    tenant->sandbox_id = xstrdup(options->group);
    if (rpc_queue_new(loop, &tenant->queue, err) < 0 ||
        publisher_new(loop, &events, &tenant->publisher, err) < 0)
        return -1;
    if (options->address[0] &&
        content_new(tenant->queue, options->address, options->ns, &tenant->content, err) < 0)
        return -1;
    tenant->tasks = (struct tasks){.loop = loop,
                                   .content = tenant->content,
                                   .publisher = tenant->publisher,
                                   .sandbox_id = tenant->sandbox_id,
                                   .exited = task_service_exited,
                                   .user = tenant};
    task_service_register(server, tenant);
    *ret = take_ptr(tenant);
    return 0;
}

static void destroy_service(void *service)
{
    tenant_free(service);
}

/* A container's `delete` touches nothing: what it had is in the guest, which its pod ends. */
static int cleanup(const struct shim_cleanup *what, struct shim_exit *ret, struct error *err)
{
    scoped(host_half_freep) struct host_half *half = NULL;

    if (!what->is_sandbox)
        return 0;
    if (host_half_read(what->bundle, &half, err) < 0)
        return err->status == STATUS_NOT_FOUND ? 0 : -1;
    return host_half_remove(half, CLEANUP_MS, err);
}

int main(int argc, char *argv[])
{
    static const struct shim shim = {
        .runtime = "io.containerd.cleave-tenant.v2",
        .component = "tenant-shim",
        .create_service = create_service,
        .destroy_service = destroy_service,
        .cleanup = cleanup,
    };

    return shim_main(&shim, argc, argv);
}
