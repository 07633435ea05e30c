/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Whether libvirt and its QEMU can make the machines that are asked for, by what libvirt itself
 * says. There is no second best: what it lacks is refused, here and by create. */

struct domain_spec;
struct error;

/* xml: libvirt's domain capabilities. Of spec: firmware, TPM and launch security.
 * FAILED_PRECONDITION: what is lacking, and what would have it. */
int capabilities_check(const char *xml, const struct domain_spec *spec, struct error *err)
    __attribute__((warn_unused_result));
