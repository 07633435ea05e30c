/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "accel.h"
#include "base/error.h"
#include "base/scoped.h"
#include "capabilities.h"
#include "domain_xml.h"
#include "libvirt.h"
#include "shim/host_conf.h"
#include "verbs.h"

enum domain_launch verb_launch(const struct host_conf *conf)
{
    static const enum domain_launch launch[] = {
        [HOST_LAUNCH_NONE] = DOMAIN_LAUNCH_NONE,
        [HOST_LAUNCH_SEV_SNP] = DOMAIN_LAUNCH_SEV_SNP,
        [HOST_LAUNCH_TDX] = DOMAIN_LAUNCH_TDX,
    };

    return launch[host_conf_launch(conf)];
}

enum domain_tpm verb_tpm(const struct host_conf *conf)
{
    static const enum domain_tpm tpms[] = {
        [HOST_TPM_NONE] = DOMAIN_TPM_NONE,
        [HOST_TPM_SWTPM] = DOMAIN_TPM_EMULATED,
    };

    return tpms[host_conf_tpm(conf)];
}

int verb_check(const struct host_conf *conf, struct js **ret, struct error *err)
{
    scoped(virt_closep) struct virt *virt = NULL;
    scoped(freep) char *xml = NULL;
    const struct domain_spec spec = {
        .firmware = conf->firmware,
        .launch = verb_launch(conf),
        .tpm = verb_tpm(conf),
    };
    enum virt_type type = accel_choose(conf) == DOMAIN_KVM ? VIRT_KVM : VIRT_QEMU;

    (void) ret;
    if (verb_connect(conf, NULL, &virt, err) < 0 || virt_capabilities(virt, type, &xml, err) < 0)
        return -1;
    return capabilities_check(xml, &spec, err);
}
