/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* Gives up what is not needed any more, before anything is taken apart that may be the host's: with
 * no capability of the agent's this process can neither read nor trace it. For good. */
struct error;

int lessen_capabilities(struct error *err) __attribute__((warn_unused_result));
/* Still root where files are concerned, for those below this directory are root's to make. It is
 * the only one that can be written to any more: root needs no capability for kernel.core_pattern,
 * or for what a container runs. */
int lessen_to(const char *directory, struct error *err) __attribute__((warn_unused_result));
/* And nobody, where a descriptor is all that is needed. */
int lessen_user(struct error *err) __attribute__((warn_unused_result));
