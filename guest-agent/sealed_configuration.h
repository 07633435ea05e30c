/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Configure of a sealed guest: hostname, sysctls and what is shared are the manifest's. */

struct error;
struct pod_configuration;
struct pod_sysctl;
struct sealed;

/* What comes differs: its names are logged. FAILED_PRECONDITION: there is no manifest yet. The
 * caller frees the sysctls; the rest is borrowed. */
int sealed_configuration(const struct sealed *sealed, const struct pod_configuration *came,
                         struct pod_configuration *ret, struct pod_sysctl **ret_sysctls,
                         struct error *err) __attribute__((warn_unused_result));
