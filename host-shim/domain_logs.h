/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* libvirt keeps one log for each domain that ever was, for ever, and one for each TPM. An operator
 * who looks into why a machine died wants it after the pod has gone; a node that makes a thousand
 * pods a day does not want them all. */
#include <stddef.h>

#define DOMAIN_LOGS     "/var/log/libvirt/qemu"
#define DOMAIN_TPM_LOGS "/var/log/swtpm/libvirt/qemu"
enum { DOMAIN_LOGS_KEPT = 100 };

/* Of the logs (rotated ones too) of our sandboxes that are no more, the newest `keep` stay. */
void domain_logs_trim(const char *directory, size_t keep);
