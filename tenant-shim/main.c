/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "codec_options.h"
#include "content.h"
#include "grpc/queue.h"
#include "host_half.h"
#include "io/loop.h"
#include "leftovers.h"
#include "shim/publisher.h"
#include "shim/shim_main.h"
#include "shim/tenant_conf.h"
#include "shim/tombstone.h"
#include "tenant.h"
#include "tree.h"

enum { FLUSH_MS = 1000 };

static void on_flushed(void *user)
{
    struct tenant *tenant = user;

    shim_quit(tenant->self);
}

/* The last events, an exit and a delete, are on their way when containerd says Shutdown. The timer
 * is for the case that somebody else begins to wait for the publisher: it knows only the last one.
 */
void tenant_quit(struct tenant *tenant)
{
    struct error err;

    if (tenant->quit_limit)
        return;
    if (loop_after(tenant->loop, FLUSH_MS, on_flushed, tenant, &tenant->quit_limit, &err) < 0)
        shim_quit(tenant->self);
    else
        publisher_flush(tenant->publisher, FLUSH_MS, on_flushed, tenant);
}

static void terminate(void *service)
{
    tenant_quit(service);
}

static void tenant_free(struct tenant *tenant)
{
    if (!tenant)
        return;
    tasks_clear(&tenant->tasks);
    leftovers_free(tenant->tasks.leftovers);
    sandbox_free(tenant);
    pause_free(tenant);
    source_free(tenant->quit_limit);
    content_free(tenant->content);
    publisher_free(tenant->publisher);
    rpc_queue_free(tenant->queue);
    free(tenant->ns);
    free(tenant->conf_path);
    free(tenant->bundle);
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

/* Create brings them again, and can fail with a reason that somebody reads. */
static void read_options(const struct bootstrap_options *options, char **conf_path)
{
    struct error err;

    if (codec_options_conf_path(options->type_url, options->value, options->length, conf_path,
                                &err) < 0)
        log_warn("%s", err.message);
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
    tenant->conf_path = xstrdup(TENANT_CONF_PATH);
    tenant->bundle = xstrdup(options->bundle);
    read_options(&options->runtime_options, &tenant->conf_path);
    if (rpc_queue_new(loop, &tenant->queue, err) < 0 ||
        publisher_new(loop, &events, &tenant->publisher, err) < 0)
        return -1;
    if (options->address[0] &&
        content_new(tenant->queue, options->address, options->ns, &tenant->content, err) < 0)
        return -1;
    tenant->tasks = (struct tasks){.loop = loop,
                                   .leftovers = leftovers_new(loop),
                                   .content = tenant->content,
                                   .publisher = tenant->publisher,
                                   .oom_files = !options->ttrpc_address[0],
                                   .sandbox_id = tenant->sandbox_id,
                                   .exited = task_service_exited,
                                   .user = tenant};
    sandbox_service_register(server, tenant);
    task_service_register(server, tenant);
    *ret = take_ptr(tenant);
    return 0;
}

static void destroy_service(void *service)
{
    tenant_free(service);
}

/* What the verb `delete` has to remove. */
struct remains {
    struct host_half *half; /* NULL: nothing */
    int hold;               /* of its tombstone; -1: it has none */
    bool in_other_hands;    /* a reaper is at work */
    bool failed;
    struct error why;
};

/* Whether the id is a pod's is asked of the record, not of the spec: that may be gone by now. */
static int find_remains(const struct shim_cleanup *what, struct host_half **ret, struct error *err)
{
    if (host_half_read(what->bundle, ret, err) == 0 || err->status == STATUS_NOT_FOUND)
        return 0;
    log_warn("%s: removing what this id may have made", err->message);
    return host_half_guess(what->bundle, what->id, ret, err);
}

/* First of all the tombstone: the resident process may use up our time, and containerd's patience
 * ends with SIGKILL. */
static void prepare_removal(struct shim_cleanup *what)
{
    struct remains *remains = xnew(struct remains);
    struct error err;

    what->prepared = remains;
    remains->hold = -1;
    remains->failed = find_remains(what, &remains->half, &remains->why) < 0;
    if (!remains->half || host_half_prepare(remains->half, &remains->hold, &err) == 0)
        return;
    remains->in_other_hands = err.status == STATUS_ABORTED;
    if (!remains->in_other_hands)
        log_warn("tombstone: %s", err.message);
}

/* A resident that is stuck, or about to be killed, speaks to the guest no more from here on. */
static void prepare(struct shim_cleanup *what)
{
    const struct remains *remains;
    struct error err;

    prepare_removal(what);
    remains = what->prepared;
    if (remains->half && host_half_revoke(remains->half, &err) < 0)
        log_warn("the lease: %s", err.message);
}

/* A container's `delete` touches nothing: what it had is in the guest, which its pod ends. */
static int cleanup(const struct shim_cleanup *what, struct shim_exit *ret, struct error *err)
{
    scoped(freep) struct remains *remains = what->prepared;
    scoped(host_half_freep) struct host_half *half = remains->half;
    uint64_t now = clock_monotonic_ms();

    if (remains->failed)
        *err = remains->why;
    if (!half || remains->in_other_hands)
        return remains->failed ? -1 : 0;
    return host_half_remove(half, what->end_ms > now ? what->end_ms - now : 1, remains->hold, err);
}

int main(int argc, char *argv[])
{
    static const struct shim shim = {
        .runtime = "io.containerd.cleave-tenant.v2",
        .component = "tenant-shim",
        .create_service = create_service,
        .destroy_service = destroy_service,
        .terminate = terminate,
        .prepare = prepare,
        .cleanup = cleanup,
    };

    if (tree_is_walker(argc, argv))
        return tree_main();
    return shim_main(&shim, argc, argv);
}
