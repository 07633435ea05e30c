/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* What has become of a guest whose channel is lost. The host is asked, again and again; its word
 * that the machine is gone is not believed but acted upon: the host half is deleted, and only that
 * deletion, confirmed, is an answer. While the host says that it runs, or says nothing, there is
 * none. */
#include "base/scoped.h"

struct error;
struct fate;
struct host_half;
struct loop;

/* The host half was deleted. Once; no question follows. */
typedef void fate_gone_fn(void *user);

/* half is borrowed and outlives it. */
int fate_new(struct loop *loop, const struct host_half *half, fate_gone_fn *gone, void *user,
             struct fate **ret, struct error *err) must_check;
void fate_free(struct fate *fate);
SCOPED_PTR(struct fate, fate_free)
/* The channel is lost: at once, then every ten seconds. */
void fate_ask(struct fate *fate);
/* It is back. A deletion that has begun goes on. */
void fate_rest(struct fate *fate);
