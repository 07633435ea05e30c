/* SPDX-License-Identifier: Apache-2.0 */
#include "capabilities.h"

#include <stdbool.h>
#include <string.h>

#include "base/error.h"
#include "base/scoped.h"
#include "base/text.h"
#include "domain_xml.h"

/* libvirt prints its XML in one fixed way, so this is a search and no parser: does the element say
 * that it is supported, and is the value among its enumerations? */
static bool offers(const char *xml, const char *element, const char *value)
{
    scoped(freep) char *open = xformat("<%s supported='yes'>", element);
    scoped(freep) char *close = xformat("</%s>", element), *wanted = xformat("<value>%s<", value);
    const char *at = strstr(xml, open), *end = at ? strstr(at, close) : NULL;

    at = end ? strstr(at, wanted) : NULL;
    return at && at < end;
}

static int check_launch(const char *xml, enum domain_launch launch, struct error *err)
{
    static const struct {
        const char *type, *need;
    } rows[] = {
        [DOMAIN_LAUNCH_SEV_SNP] = {"sev-snp", "libvirt 11.3"},
        [DOMAIN_LAUNCH_TDX] = {"tdx", "libvirt 12"},
    };

    if (launch == DOMAIN_LAUNCH_NONE || offers(xml, "launchSecurity", rows[launch].type))
        return 0;
    return error_set(err, STATUS_FAILED_PRECONDITION,
                     "libvirt and QEMU here cannot make a machine with launch_security = \"%s\": "
                     "that takes %s or newer with a QEMU that has it, and hardware where it "
                     "is turned on",
                     rows[launch].type, rows[launch].need);
}

int capabilities_check(const char *xml, const struct domain_spec *spec, struct error *err)
{
    bool has_firmware = spec->firmware && spec->firmware[0];

    if (has_firmware && !offers(xml, "loader", "rom"))
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "QEMU here takes no firmware as a ROM: image.firmware cannot be used");
    if (spec->tpm != DOMAIN_TPM_NONE &&
        (!offers(xml, "tpm", "emulator") || !offers(xml, "tpm", "tpm-crb")))
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "libvirt and QEMU here cannot give a machine a TPM in software: install "
                         "swtpm and swtpm-tools and restart libvirt, or set machine.tpm to "
                         "\"none\"");
    return check_launch(xml, spec->launch, err);
}
