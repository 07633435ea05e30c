/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Which accelerator a machine gets. /dev/kvm proves nothing: on some machines it opens, a virtual
 * machine "runs", and no kernel boots. So `probe` boots the guest image once under KVM and looks
 * for the kernel's word that it starts init; `auto` is KVM only where such a probe has succeeded
 * with this very kernel on this very host. */
#include <stdbool.h>
#include "domain_xml.h"

struct error;
struct host_conf;
struct virt;

enum domain_accel accel_choose(const struct host_conf *conf);
/* Boots; writes ACCEL_RECORD. *ret_booted false with the reason in err is no failure; where libvirt
 * fails nothing was found out and nothing is written. */
int accel_probe(struct virt *virt, const struct host_conf *conf, bool *ret_booted,
                struct error *err) __attribute__((warn_unused_result));
