# SPDX-License-Identifier: Apache-2.0
"""Which processes, IPC objects and networks containers of one pod share. With cleave "the node" is the
guest: what a container sees never reaches the tenant's node."""
import os

import grpc
import pytest

from suite import BUSYBOX, CONTAINER, NODE, POD, SLEEP, TARGET


def ids(node, ctr, *kinds):
    return [node.out(ctr, "readlink", f"/proc/self/ns/{kind}").strip() for kind in kinds]


def of_containerd(node, kind):
    return os.readlink(f"/proc/{node.bed.daemon_pid('tenant', 'containerd')}/ns/{kind}")


def commands(node, ctr):
    return node.out(ctr, "ps", "-o", "args").splitlines()[1:]


def share(node, pod, name, pid, command=tuple(SLEEP), **more):
    return node.secure(pod, name, command=command, namespace_options={"pid": pid, **more})


@pytest.mark.vm
def test_with_pod_processes_all_see_each_other_and_the_pods_pid_1(node, pod):
    one = share(node, pod, "one", POD, ["sleep", "4711"])
    two = share(node, pod, "two", POD, ["sleep", "4712"])
    assert ids(node, one, "pid") == ids(node, two, "pid")
    for ctr in (one, two):
        assert {"sleep 4711", "sleep 4712"} < set(commands(node, ctr))
        assert not commands(node, ctr)[0].startswith("sleep 47")
    assert node.pod_status(pod).status.linux.namespaces.options.pid == POD
    node.stop_container(one, grace=0)
    assert node.container_status(two).state == 1 and "sleep 4711" not in commands(node, two)


@pytest.mark.vm
def test_with_container_processes_each_is_its_own_pid_1(node, pod):
    one = share(node, pod, "one", CONTAINER, ["sleep", "4711"])
    two = share(node, pod, "two", CONTAINER, ["sleep", "4712"])
    assert ids(node, one, "pid") != ids(node, two, "pid")
    assert commands(node, one)[0] == "sleep 4711" and "sleep 4712" not in commands(node, one)
    assert node.out(two, "cat", "/proc/1/cmdline") == "sleep\0" "4712\0"


@pytest.mark.vm
def test_with_target_processes_the_target_is_seen(node, pod):
    target = share(node, pod, "target", CONTAINER, ["sleep", "4711"])
    debug = share(node, pod, "debug", TARGET, target_id=target)
    assert ids(node, debug, "pid") == ids(node, target, "pid")
    assert "sleep 4711" in commands(node, debug)
    assert node.exec(debug, "kill", "-0", "1")[0] == 0


def test_a_target_that_is_not_there_is_an_error(node, pod):
    with pytest.raises(grpc.RpcError):
        share(node, pod, "debug", TARGET, target_id="0" * 64)


def test_with_the_nodes_processes_more_is_seen_than_the_pods(node):
    """runc: every process of the node. cleave: those of the pod, as the guest's agent belongs to nobody."""
    pod = node.pod("nodepid", security={"namespace_options": {"pid": NODE}})
    ctr = share(node, pod, "one", NODE, ["sleep", "4711"])
    neighbour = share(node, pod, "two", NODE, ["sleep", "4712"])
    assert {"sleep 4711", "sleep 4712"} < set(commands(node, ctr))
    assert node.pod_status(pod).status.linux.namespaces.options.pid == NODE
    assert (ids(node, neighbour, "pid") == [of_containerd(node, "pid")]) == (not node.is_cleave)
    assert any("containerd" in line for line in commands(node, ctr)) == (not node.is_cleave)


@pytest.mark.vm
def test_containers_of_a_pod_share_network_and_ipc_and_names(node, pod):
    one, two = (node.run(pod, name, BUSYBOX, SLEEP) for name in ("one", "two"))
    kinds = ("net", "ipc", "uts")
    assert ids(node, one, *kinds) == ids(node, two, *kinds)
    assert ids(node, one, "mnt") != ids(node, two, "mnt")
    if node.name != "vm":       # numbers of two kernels say nothing
        assert all(ids(node, one, kind) != [of_containerd(node, kind)] for kind in kinds)


def test_pods_share_nothing(node, pod, ctr):
    other = node.run(node.pod("other"), "one", BUSYBOX, SLEEP)
    for kind in ("net", "ipc", "uts", "pid", "mnt"):
        assert ids(node, ctr, kind) != ids(node, other, kind), kind


def test_shared_memory_is_the_pods(node, pod, ctr):
    two = node.run(pod, "two", BUSYBOX, SLEEP)
    node.sh(two, "echo hello > /dev/shm/greeting")
    assert node.out(ctr, "cat", "/dev/shm/greeting") == "hello\n"
    other = node.run(node.pod("other"), "one", BUSYBOX, SLEEP)
    assert node.exec(other, "test", "-e", "/dev/shm/greeting")[0] == 1
    assert not os.path.exists(node.file("/dev/shm/greeting"))
    node.sh(two, "rm /dev/shm/greeting")


@pytest.mark.vm
def test_ipc_objects_of_the_node_are_not_seen(node, pod):
    """One is made on the node, and the pod's list stays empty."""
    box = node.reference("registry.k8s.io/e2e-test-images/busybox:1.29-2")
    ctr = node.run(pod, "one", box, SLEEP)
    made = node.bed.run("tenant", "ipcmk", "-M", "4096").stdout.split()[-1]
    try:
        assert len(node.bed.run("tenant", "cat", "/proc/sysvipc/shm").stdout.splitlines()) > 1
        assert len(node.out(ctr, "cat", "/proc/sysvipc/shm").splitlines()) == 1
        assert "0x" not in node.out(ctr, "ipcs", "-m")
    finally:
        node.bed.run("tenant", "ipcrm", "-m", made)


def test_the_nodes_network_is_not_seen(node, ctr):
    """The wire between the nodes is a link of the node only; a listener of the node is not in the pod's table."""
    assert "wire" in os.listdir(node.file("/sys/class/net"))
    assert "wire" not in node.out(ctr, "ls", "/sys/class/net").split()
    registry = ":1388 "         # port 5000
    assert registry in node.bed.run("tenant", "cat", "/proc/net/tcp").stdout
    assert registry not in node.out(ctr, "cat", "/proc/net/tcp")


def test_the_nodes_network_is_shared_on_request(node):
    pod = node.pod("nodenet", security={"namespace_options": {"network": NODE}}, hostname="")
    ctr = node.secure(pod, "one", namespace_options={"network": NODE, "pid": CONTAINER})
    assert ids(node, ctr, "net") == [of_containerd(node, "net")]
    assert "wire" in node.out(ctr, "ls", "/sys/class/net").split()


def test_the_nodes_ipc_is_shared_on_request(node):
    pod = node.pod("nodeipc", security={"namespace_options": {"ipc": NODE}})
    ctr = node.secure(pod, "one", namespace_options={"ipc": NODE, "pid": CONTAINER})
    assert ids(node, ctr, "ipc") == [of_containerd(node, "ipc")]


@pytest.mark.only("cleave")
def test_what_a_machine_of_its_own_does_instead(node):
    """The other side of the two cases before: one is refused, for the other "the node" is the guest."""
    config = node.config("nodenet", {"namespace_options": {"network": NODE}}, hostname="")
    with pytest.raises(grpc.RpcError) as failure:
        node.run_pod(runtime=node.handler, config=config)
    assert "hostNetwork is refused" in failure.value.details()
    pod = node.pod("nodeipc", security={"namespace_options": {"ipc": NODE}})
    one, two = (node.secure(pod, name, namespace_options={"ipc": NODE, "pid": CONTAINER}) for name in ("one", "two"))
    assert ids(node, one, "ipc") == ids(node, two, "ipc") != [of_containerd(node, "ipc")]
