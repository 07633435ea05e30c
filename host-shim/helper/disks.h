/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* The two read-only disks of a guest, as files of the sandbox's directory. */
#include <stddef.h>

struct error;
struct guest_net;
struct request;

enum { DISKS_PATH_SIZE = 288 };

struct disks {
    char init[DISKS_PATH_SIZE];
    char net[DISKS_PATH_SIZE];
};

/* Both from scratch (the block is net with what the request wants dialled), readable by whatever
 * user QEMU runs as: neither holds a secret, and libvirt need not (and may not, see domain_xml.c)
 * give them away. */
int disks_write(const struct request *request, const struct guest_net *net, struct disks *ret,
                struct error *err) __attribute__((warn_unused_result));
/* Absent files are fine. */
int disks_remove(const struct request *request, struct error *err)
    __attribute__((warn_unused_result));
