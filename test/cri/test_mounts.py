# SPDX-License-Identifier: Apache-2.0
"""Files and directories of the node in a container: what a kubelet makes of every kind of volume."""
import os

import grpc
import pytest

from conftest import eventually
from suite import BIDIRECTIONAL, BUSYBOX, PRIVATE, SLEEP, TO_CONTAINER

GUEST_ROOT = True
TOP = "/run/volumes"            # mounts below it propagate


@pytest.fixture
def made(node):
    """made(): a pod and the directory of its volumes, where a kubelet has it; gone after the case."""
    config = node.config("volumes")
    base = f"/var/lib/kubelet/pods/{config.metadata.uid}/volumes"

    def run():
        return node.run_pod(runtime=node.handler, config=config), base
    yield run
    node.discard()
    node.bed.run("tenant", "rm", "-r", "/var/lib/kubelet")


def test_an_empty_directory_is_shared_by_the_containers_of_a_pod(node, made):
    pod, base = made()
    path = f"{base}/kubernetes.io~empty-dir/cache"
    os.makedirs(node.file(path))
    one, two = (mounted(node, pod, path, name) for name in ("one", "two"))
    node.sh(one, "echo from one > /data/x")
    assert node.out(two, "cat", "/data/x") == "from one\n"
    node.remove_container(one)
    assert node.out(mounted(node, pod, path, "three"), "cat", "/data/x") == "from one\n"


def test_a_config_map_is_read_and_its_change_is_seen(node, made):
    pod, base = made()
    path = f"{base}/kubernetes.io~configmap/settings"
    node.file(path + "/..1/colour", "blue\n")
    os.symlink("..1", node.file(path + "/..data"))
    os.symlink("..data/colour", node.file(path + "/colour"))
    ctr = mounted(node, pod, path, readonly=True)
    assert node.out(ctr, "cat", "/data/colour") == "blue\n"
    assert node.exec(ctr, "touch", "/data/x")[0] != 0
    node.file(path + "/..2/colour", "green\n")
    os.symlink("..2", node.file(path + "/..new"))
    os.rename(node.file(path + "/..new"), node.file(path + "/..data"))     # as a kubelet swaps them
    eventually(lambda: node.out(ctr, "cat", "/data/colour") == "green\n", what="the change")


@pytest.fixture
def volume(node):
    """A directory of the node with one file; gone after the case, with all mounts below it."""
    path = f"{TOP}/case"
    node.file(path + "/greeting", "from the node\n")
    yield path
    node.discard()
    node.bed.run("tenant", "sh", "-c", f"umount -n {path}/sub 2>/dev/null; umount -n {path}/inner 2>/dev/null; rm -r {path}")


def mounted(node, pod, path, name="one", image=BUSYBOX, **options):
    return node.run(pod, name, image, SLEEP, mounts=[{"container_path": "/data", "host_path": path, **options}])


def test_a_directory_is_seen_and_written_on_both_sides(node, pod, volume):
    ctr = mounted(node, pod, volume)
    assert node.out(ctr, "cat", "/data/greeting") == "from the node\n"
    node.sh(ctr, "echo from the container > /data/answer")
    with open(node.file(volume + "/answer"), encoding="utf-8") as answer:
        assert answer.read() == "from the container\n"
    node.file(volume + "/later", "later\n")
    assert eventually(lambda: node.exec(ctr, "cat", "/data/later")[1], what="what was written later") == b"later\n"
    os.unlink(node.file(volume + "/later"))
    eventually(lambda: node.exec(ctr, "test", "-e", "/data/later")[0] == 1, what="its removal")


def test_two_containers_share_a_directory(node, pod, volume):
    one, two = (mounted(node, pod, volume, name) for name in ("one", "two"))
    node.sh(one, "mkdir /data/deep && echo x > /data/deep/file")
    assert eventually(lambda: node.exec(two, "cat", "/data/deep/file")[1], what="the file") == b"x\n"


def test_a_directory_behind_a_symbolic_link_is_that_directory(node, pod, volume):
    os.symlink("case", node.file(TOP + "/link"))
    try:
        ctr = mounted(node, pod, TOP + "/link")
        assert node.out(ctr, "cat", "/data/greeting") == "from the node\n"
    finally:
        os.unlink(node.file(TOP + "/link"))


def test_a_readonly_directory_is_not_written(node, pod, volume):
    ctr = mounted(node, pod, volume, readonly=True)
    assert node.out(ctr, "cat", "/data/greeting") == "from the node\n"
    code, _, error = node.exec(ctr, "touch", "/data/x")
    assert code != 0 and b"ead-only" in error
    assert os.listdir(node.file(volume)) == ["greeting"]


def test_a_mount_below_a_readonly_directory_is_written(node, pod, volume):
    """Readonly is of the one mount, and not of those below it."""
    node.bed.run("tenant", "sh", "-c", f"mkdir {volume}/sub && mount -n -t tmpfs none {volume}/sub")
    ctr = mounted(node, pod, volume, readonly=True)
    assert node.exec(ctr, "touch", "/data/x")[0] != 0 and node.exec(ctr, "touch", "/data/sub/x")[0] == 0


def test_one_file_is_mounted(node, pod, volume):
    ctr = node.run(pod, "one", BUSYBOX, SLEEP, mounts=[
        {"container_path": "/etc/greeting", "host_path": volume + "/greeting", "readonly": True}])
    assert node.out(ctr, "cat", "/etc/greeting") == "from the node\n"
    assert node.exec(ctr, "sh", "-c", "echo x > /etc/greeting")[0] != 0


def test_what_is_not_there_is_made(node, pod, volume):
    """As containerd does for a hostPath of no type."""
    ctr = mounted(node, pod, volume + "/new")
    assert os.path.isdir(node.file(volume + "/new")) and node.out(ctr, "ls", "-A", "/data") == ""


def mounts_of_the_node_are_seen(node, volume, propagation):
    pod = node.pod("later", security={"privileged": True})
    ctr = node.run(pod, "one", BUSYBOX, SLEEP, linux={"security_context": {"privileged": propagation == BIDIRECTIONAL}},
                   mounts=[{"container_path": "/data", "host_path": volume, "propagation": propagation}])
    node.bed.run("tenant", "sh", "-c", f"mkdir {volume}/sub && mount -n -t tmpfs none {volume}/sub && touch {volume}/sub/mark")
    return node.exec(ctr, "test", "-e", "/data/sub/mark")[0] == 0


def mounts_of_the_container_are_seen(node, volume, propagation):
    pod = node.pod("makes", security={"privileged": True})
    ctr = node.run(pod, "one", BUSYBOX, SLEEP, linux={"security_context": {"privileged": True}},
                   mounts=[{"container_path": "/data", "host_path": volume, "propagation": propagation}])
    node.sh(ctr, "mkdir /data/inner && mount -t tmpfs none /data/inner && touch /data/inner/mark")
    return os.path.exists(node.file(volume + "/inner/mark"))


def test_private_mounts_stay_where_they_are_made(node, volume):
    assert not mounts_of_the_node_are_seen(node, volume, PRIVATE)


def test_mounts_come_from_the_node_on_request_and_not_back(node, volume):
    assert mounts_of_the_node_are_seen(node, volume, TO_CONTAINER)
    assert not mounts_of_the_container_are_seen(node, volume, TO_CONTAINER)


def test_mounts_go_both_ways_on_request(node, volume):
    assert mounts_of_the_node_are_seen(node, volume, BIDIRECTIONAL)
    assert mounts_of_the_container_are_seen(node, volume, BIDIRECTIONAL)


@pytest.mark.parametrize("options", [{"propagation": BIDIRECTIONAL, "readonly": True}, {"propagation": TO_CONTAINER, "readonly": True},
                                     {"propagation": PRIVATE, "readonly": False}])
def test_recursive_readonly_wants_a_private_readonly_mount(node, pod, volume, options):
    with pytest.raises(grpc.RpcError):
        mounted(node, pod, volume, recursive_read_only=True, **options)


def test_recursive_readonly_holds_below(node, pod, volume):
    node.bed.run("tenant", "sh", "-c", f"mkdir {volume}/sub && mount -n -t tmpfs none {volume}/sub")
    ctr = mounted(node, pod, volume, readonly=True, recursive_read_only=True)
    for path in ("/data/x", "/data/sub/x"):
        code, _, error = node.exec(ctr, "touch", path)
        assert code != 0 and b"ead-only" in error, path


@pytest.mark.only("cleave")
def test_the_handler_does_not_say_that_it_has_recursive_readonly(node):
    """The other side: a kubelet asks this before it asks for such a mount."""
    features = {h.name: h.features for h in node.status().runtime_handlers}
    assert features["runc"].recursive_read_only_mounts and not features[node.handler].recursive_read_only_mounts


def test_an_image_is_mounted_and_not_written(node, pod):
    image = node.reference("gcr.io/k8s-staging-cri-tools/test-image-1:latest")
    ctr = node.run(pod, "one", BUSYBOX, SLEEP, mounts=[{"container_path": "/data", "image": {"image": image}, "readonly": True}])
    assert node.out(ctr, "cat", "/data/content") == "1"
    assert node.exec(ctr, "touch", "/data/x")[0] != 0


def test_a_source_that_cannot_be_a_mount_is_an_error(node, pod, volume):
    with pytest.raises(grpc.RpcError):
        mounted(node, pod, volume + "/greeting/below")
