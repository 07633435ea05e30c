/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What the helper can do. Each reads its question from stdin where it has one. */
#include "domain_xml.h"
#include "request.h"

struct error;
struct host_conf;
struct js;
struct virt;

/* What host.conf asks for, in the words of a domain. */
enum domain_launch verb_launch(const struct host_conf *conf);
enum domain_tpm verb_tpm(const struct host_conf *conf);

/* Where the question says, else where host.conf says (request NULL or of an older version). */
int verb_connect(const struct host_conf *conf, const struct request *request, struct virt **ret,
                 struct error *err) __attribute__((warn_unused_result));

/* Disks, domain (paused), tap, cgroup, resume: {pid, start_time}. */
int verb_create(const struct host_conf *conf, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
int verb_destroy(const struct host_conf *conf, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
int verb_status(const struct host_conf *conf, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
int verb_power(const struct host_conf *conf, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
int verb_sweep(const struct host_conf *conf, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
int verb_probe(const struct host_conf *conf, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
/* {} if libvirt can make the machines that host.conf describes. */
int verb_check(const struct host_conf *conf, struct js **ret, struct error *err)
    __attribute__((warn_unused_result));
