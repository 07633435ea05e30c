# SPDX-License-Identifier: Apache-2.0
"""Seccomp: each kind of profile, by what a process may still do."""
import json

import grpc
import pytest

from suite import DEFAULT, LOCALHOST, UNCONFINED

GUEST_ROOT = True
PROFILE = "/run/seccomp/no-hostname.json"
SYS_ADMIN = {"capabilities": {"add_capabilities": ["SYS_ADMIN"]}}


@pytest.fixture(scope="module")
def profile(world):
    """A profile of the node: everything may be called but sethostname."""
    world.file(PROFILE, json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}))
    yield {"profile_type": LOCALHOST, "localhost_ref": PROFILE}
    world.bed.run("tenant", "rm", "-r", "/run/seccomp")


def mode(node, ctr):
    """0 is none, 2 is a filter."""
    return node.sh(ctr, "grep ^Seccomp: /proc/self/status").split()[1]


def may_set_hostname(node, ctr):
    return node.exec(ctr, "hostname", "changed")[0] == 0


@pytest.mark.vm
def test_the_default_profile_is_a_filter_that_forbids_something(node, pod):
    ctr = node.secure(pod, "one", seccomp={"profile_type": DEFAULT})
    assert mode(node, ctr) == "2"
    assert node.exec(ctr, "unshare", "-U", "true")[0] != 0 and node.exec(ctr, "true")[0] == 0


def test_without_a_profile_nothing_is_filtered(node, ctr):
    assert mode(node, ctr) == "0"


def test_unconfined_is_no_filter(node, pod):
    assert mode(node, node.secure(pod, "one", seccomp={"profile_type": UNCONFINED})) == "0"


@pytest.mark.vm
def test_a_profile_of_the_node_is_a_filter(node, pod, profile):
    ctr = node.secure(pod, "one", seccomp=profile)
    assert mode(node, ctr) == "2" and node.exec(ctr, "true")[0] == 0


def test_a_profile_forbids_what_the_capability_would_allow(node, profile):
    """A pod of its own for each: what is allowed changes the pod's name."""
    for seccomp, allowed in ((profile, False), ({"profile_type": UNCONFINED}, True), (None, True)):
        pod = node.pod("named")
        ctr = node.secure(pod, "one", **SYS_ADMIN, **({"seccomp": seccomp} if seccomp else {}))
        assert may_set_hostname(node, ctr) == allowed
        assert node.out(ctr, "hostname").strip() == ("changed" if allowed else "named")
        node.remove_pod(pod)


def test_a_privileged_container_has_no_filter(node, profile):
    pod = node.pod("strong", security={"privileged": True})
    ctr = node.secure(pod, "one", privileged=True, seccomp=profile)
    assert mode(node, ctr) == "0" and may_set_hostname(node, ctr)


def test_a_profile_that_is_not_there_is_named(node, pod):
    with pytest.raises(grpc.RpcError) as failure:
        node.secure(pod, "one", seccomp={"profile_type": LOCALHOST, "localhost_ref": "/run/none-such.json"})
    assert "/run/none-such.json" in failure.value.details()
