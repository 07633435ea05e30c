# SPDX-License-Identifier: Apache-2.0
"""The bed itself, with runc: what fails here is no fault of cleave."""
import os
import signal

import pytest

import snapshot
from conftest import BUILD, BUSYBOX, eventually, stub_root_fault

ANCHOR = "registry.cleave.test/anchor:1"


def image_of(role):
    return ANCHOR if role == "host" else BUSYBOX


@pytest.mark.parametrize("role", ["host", "tenant"])
def test_a_pod_runs_on_each_node(nodes, role):
    node = nodes[role]
    pod = node.run_pod("plain", runtime="runc")
    ctr = node.run(pod, "one", image_of(role), ["sh", "-c", "echo out; echo err >&2; exec sleep 1000"])
    assert node.exec(ctr, "sh", "-c", "echo hello; exit 3") == (3, b"hello\n", b"")
    assert sorted(eventually(lambda: len(node.log(ctr)) == 2 and node.log(ctr))) == [("stderr", "err"), ("stdout", "out")]


def test_a_running_pod_outlives_containerd(bed, tenant):
    pod = tenant.run_pod("plain", runtime="runc")
    ctr = tenant.run(pod, "one", BUSYBOX, ["sleep", "1000"])
    bed.stop("tenant", "containerd", signal.SIGKILL)
    bed.start("tenant", "containerd")
    tenant.reconnect()
    assert tenant.exec(ctr, "true")[0] == 0


def test_the_tenant_node_reaches_pods_of_the_host_node(bed, nodes):
    pod = nodes["host"].run_pod("plain", runtime="runc")
    address = nodes["host"].pod_status(pod).status.network.ip
    assert "1 packets received" in bed.run("tenant", "busybox", "ping", "-c", "1", "-W", "2", address).stdout


def test_an_image_of_three_layers_is_pulled(nodes):
    tenant = nodes["tenant"]
    tenant.pull("registry.cleave.test/layers:1")
    pod = tenant.run_pod("plain", runtime="runc")
    ctr = tenant.run(pod, "one", "registry.cleave.test/layers:1", ["sleep", "1000"])
    assert tenant.exec(ctr, "sh", "-c", "cat *; ls /opaque; ls")[1] == b"first\nsecond\nnew\nkept\nreplaced\n"


def test_the_snapshot_sees_what_is_left(bed, nodes):
    before = snapshot.take(bed)
    with open(bed.path("host", "/run/cleave/forgotten"), "w", encoding="utf-8"):
        pass
    bed.run("host", "ip", "link", "add", "forgotten", "type", "veth", "peer", "name", "forgotten2")
    left = snapshot.leftovers(bed, before, seconds=0)
    bed.run("host", "ip", "link", "delete", "forgotten")
    os.remove(bed.path("host", "/run/cleave/forgotten"))
    assert left == ["+ host link: forgotten", "+ host link: forgotten2", "+ host file: /run/cleave/forgotten"]


def test_a_root_that_the_agent_cannot_run_in_is_seen_before_any_test(tmp_path):
    assert stub_root_fault(BUILD) is None
    build = str(tmp_path)
    os.symlink(BUILD + "/bin", build + "/bin")
    assert stub_root_fault(build) == f"{build}/image/tree is not there"
    os.makedirs(build + "/image/tree")
    os.symlink("usr/bin/cleave-agent", build + "/image/tree/init")
    assert stub_root_fault(build) == f"{build}/image/tree is not there"     # the link leads nowhere
    os.remove(build + "/image/tree/init")
    with open(build + "/image/tree/init", "w", encoding="utf-8"):
        pass
    assert "which " + build + "/bin/cleave-agent needs" in stub_root_fault(build)
    os.rename(build + "/image", build + "/other")
    os.mkdir(build + "/image")
    os.symlink(BUILD + "/image/tree", build + "/image/tree")
    with open(build + "/image/tree.stamp", "w", encoding="utf-8"):
        pass
    assert stub_root_fault(build) is None
    os.utime(build + "/image/tree.stamp", (0, 0))
    assert stub_root_fault(build) == f"{build}/bin/cleave-exec is newer than the one in {build}/image/tree"
