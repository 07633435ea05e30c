/* SPDX-License-Identifier: Apache-2.0 */
#include "libvirt.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "deadline.h"

#define METADATA_URI "https://cleave.dev/host/1"

struct virt {
    virConnectPtr connection;
    unsigned call_timeout;
};

struct virt_domain {
    virDomainPtr domain;
    unsigned call_timeout;
};

static enum status status_of(int code)
{
    switch (code) {
    case VIR_ERR_NO_DOMAIN:
        return STATUS_NOT_FOUND;
    case VIR_ERR_DOM_EXIST:
        return STATUS_ALREADY_EXISTS;
    case VIR_ERR_NO_CONNECT:
    case VIR_ERR_SYSTEM_ERROR:
    case VIR_ERR_RPC:
        return STATUS_UNAVAILABLE;
    case VIR_ERR_OPERATION_INVALID:
    case VIR_ERR_CONFIG_UNSUPPORTED:
        return STATUS_FAILED_PRECONDITION;
    case VIR_ERR_AUTH_FAILED:
    case VIR_ERR_OPERATION_DENIED:
    case VIR_ERR_ACCESS_DENIED:
        return STATUS_PERMISSION_DENIED;
    default:
        return STATUS_INTERNAL;
    }
}

static int fail(struct error *err, const char *what)
{
    virErrorPtr last = virGetLastError();

    return error_set(err, last ? status_of(last->code) : STATUS_INTERNAL, "%s: libvirt: %s", what,
                     last && last->message ? last->message : "no reason given");
}

static void be_silent(void *user, virErrorPtr error)
{
    (void) user;
    (void) error;
}

int virt_open(const struct virt_options *options, struct virt **ret, struct error *err)
{
    virConnectPtr connection;
    struct virt *virt;

    virSetErrorFunc(NULL, be_silent);
    deadline_begin("connect", options->call_timeout);
    connection = virConnectOpen(options->uri);
    deadline_end();
    if (!connection)
        return fail(err, "connect");
    virt = xnew(struct virt);
    *virt = (struct virt){.connection = connection, .call_timeout = options->call_timeout};
    *ret = virt;
    return 0;
}

void virt_close(struct virt *virt)
{
    if (!virt)
        return;
    deadline_begin("close", virt->call_timeout);
    virConnectClose(virt->connection);
    deadline_end();
    free(virt);
}

static struct virt_domain *wrap(const struct virt *virt, virDomainPtr domain)
{
    struct virt_domain *wrapped = xnew(struct virt_domain);

    *wrapped = (struct virt_domain){.domain = domain, .call_timeout = virt->call_timeout};
    return wrapped;
}

int virt_capabilities(struct virt *virt, enum virt_type type, char **ret, struct error *err)
{
    char *xml;

    deadline_begin("read the capabilities", virt->call_timeout);
    xml = virConnectGetDomainCapabilities(virt->connection, NULL, "x86_64", "q35",
                                          type == VIRT_KVM ? "kvm" : "qemu", 0);
    deadline_end();
    if (!xml)
        return fail(err, "read the capabilities");
    *ret = xml;
    return 0;
}

int virt_create_paused(struct virt *virt, const char *xml, struct virt_domain **ret,
                       struct error *err)
{
    virDomainPtr domain;

    deadline_begin("create the domain", virt->call_timeout);
    domain = virDomainCreateXML(virt->connection, xml, VIR_DOMAIN_START_PAUSED);
    deadline_end();
    if (!domain)
        return fail(err, "create the domain");
    *ret = wrap(virt, domain);
    return 0;
}

int virt_find(struct virt *virt, const char *name, struct virt_domain **ret, struct error *err)
{
    virDomainPtr domain;

    deadline_begin("find the domain", virt->call_timeout);
    domain = virDomainLookupByName(virt->connection, name);
    deadline_end();
    if (!domain && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
        return fail(err, "find the domain");
    *ret = domain ? wrap(virt, domain) : NULL;
    return 0;
}

void virt_domain_free(struct virt_domain *domain)
{
    if (!domain)
        return;
    virDomainFree(domain->domain);
    free(domain);
}

/* libvirt prints its XML in one fixed way, so this is a search and no parser. */
int virt_tap(struct virt_domain *domain, char *to, size_t size, struct error *err)
{
    static const char open[] = "<interface ", target[] = "<target dev='";
    scoped(freep) char *xml = NULL;
    const char *at, *end;

    deadline_begin("read the domain", domain->call_timeout);
    xml = virDomainGetXMLDesc(domain->domain, 0);
    deadline_end();
    if (!xml)
        return fail(err, "read the domain");
    at = strstr(xml, open);
    end = at ? strstr(at, "</interface>") : NULL;
    at = at ? strstr(at, target) : NULL;
    if (!at || !end || at > end)
        return error_set(err, STATUS_INTERNAL, "libvirt made no tap");
    at += strlen(target);
    return text_format(to, size, err, "%.*s", (int) strcspn(at, "'"), at);
}

int virt_resume(struct virt_domain *domain, struct error *err)
{
    int failed;

    deadline_begin("resume the domain", domain->call_timeout);
    failed = virDomainResume(domain->domain);
    deadline_end();
    return failed < 0 ? fail(err, "resume the domain") : 0;
}

int virt_destroy(struct virt_domain *domain, struct error *err)
{
    int failed;

    deadline_begin("destroy the domain", domain->call_timeout);
    failed = virDomainDestroy(domain->domain);
    deadline_end();
    /* It ends by itself when its process is killed: "not running" and "no domain" are that race. */
    if (failed < 0 && virGetLastErrorCode() != VIR_ERR_NO_DOMAIN &&
        virGetLastErrorCode() != VIR_ERR_OPERATION_INVALID)
        return fail(err, "destroy the domain");
    return 0;
}

int virt_power(struct virt_domain *domain, struct error *err)
{
    int failed;

    deadline_begin("press the power button", domain->call_timeout);
    failed = virDomainShutdownFlags(domain->domain, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN);
    deadline_end();
    return failed < 0 ? fail(err, "press the power button") : 0;
}

const char *virt_state(struct virt_domain *domain)
{
    static const char *const names[] = {
        [VIR_DOMAIN_NOSTATE] = "unknown", [VIR_DOMAIN_RUNNING] = "running",
        [VIR_DOMAIN_BLOCKED] = "blocked", [VIR_DOMAIN_PAUSED] = "paused",
        [VIR_DOMAIN_SHUTDOWN] = "ending", [VIR_DOMAIN_SHUTOFF] = "off",
        [VIR_DOMAIN_CRASHED] = "crashed", [VIR_DOMAIN_PMSUSPENDED] = "suspended",
    };
    int state = VIR_DOMAIN_NOSTATE, reason, failed;

    deadline_begin("read the state", domain->call_timeout);
    failed = virDomainGetState(domain->domain, &state, &reason, 0);
    deadline_end();
    if (failed < 0 || state < 0 || (size_t) state >= ARRAY_LENGTH(names))
        return "unknown";
    return names[state];
}

bool virt_is_of_node(struct virt_domain *domain, const char *node)
{
    scoped(freep) char *metadata = NULL, *wanted = xformat(">%s<", node);

    deadline_begin("read the metadata", domain->call_timeout);
    metadata = virDomainGetMetadata(domain->domain, VIR_DOMAIN_METADATA_ELEMENT, METADATA_URI, 0);
    deadline_end();
    return metadata && strstr(metadata, wanted);
}

int virt_each(struct virt *virt, virt_each_fn *fn, void *user, struct error *err)
{
    virDomainPtr *domains = NULL;
    int count, failed = 0;

    deadline_begin("list the domains", virt->call_timeout);
    count = virConnectListAllDomains(virt->connection, &domains, 0);
    deadline_end();
    if (count < 0)
        return fail(err, "list the domains");
    for (int i = 0; i < count; i++) {
        scoped(virt_domain_freep) struct virt_domain *domain = wrap(virt, domains[i]);
        const char *name = virDomainGetName(domain->domain);

        if (failed == 0 && name)
            failed = fn(user, name, domain, err);
    }
    free(domains);
    return failed;
}
