# SPDX-License-Identifier: Apache-2.0
"""CRI-O's `vm` runtime type, on the wire (bed/crio.py), and roots that come as files instead of layers."""
import os
import re
import time

import grpc
import pytest

import crio as crio_program
import images
import sealed
import ttrpc
from conftest import LAYERS, configure, eventually, find_processes, kill9, new_lines
from test_tenant import GUEST, tombstones

SHIM = "containerd-shim-cleave-tenant-v2"


@pytest.fixture
def crio(bed, nodes, quick_guest):
    """A CRI-O whose configuration is not where the shim would look by itself."""
    conf = bed.path("tenant", "/etc/cleave/tenant.conf")
    other = bed.path("tenant", "/etc/cleave/crio.conf")
    os.rename(conf, other)
    made = crio_program.Crio(bed, f"{bed.state['build']}/bin/{SHIM}", "/etc/cleave/crio.conf")
    pods = []
    made.new = lambda name: pods.append(made.pod(name)) or pods[-1]
    yield made
    for pod in pods:
        pod.stop()
    eventually(lambda: not shims(bed), what="the end of the shims")
    for pod in pods:
        pod.close()
    assert sockets(bed, made) == []
    crio_program.remove_storage(bed)
    os.unlink(other)


@pytest.fixture(params=["stub", "pair"])
def quick_guest(request):
    request.getfixturevalue(request.param)
    return request.param


@pytest.fixture
def rootfs(bed):
    tar = images.layer([("data", None), ("data/kept", b"first\n"), ("data/tool", (b"#!/bin/sh\n", 0o4755))])
    root = crio_program.make_rootfs(bed, images.busybox_layer())
    crio_program.make_rootfs(bed, tar)
    return root


def sockets(bed, made):
    paths = [bed.path("tenant", address.removeprefix("unix://")) for address in made.addresses]
    return [path for path in paths if os.path.exists(path)]


def shims(bed):
    return find_processes(bed, "tenant", SHIM)


def test_a_pod_of_crio_lives_and_goes(crio, rootfs, bed, nodes, quick_guest):
    pod = crio.new("web")
    assert pod.start() == (0, "")
    assert pod.sandbox.state() == crio_program.RUNNING
    assert len(nodes["host"].pods()) == (0 if quick_guest == "stub" else 1)
    one = pod.container(["sh", "-c", "echo out; hostname; trap 'exit 5' TERM; while :; do sleep 0.1; done"], rootfs)
    two = pod.container(["sleep", "1000"], rootfs)
    for container in (one, two):
        code, text, answer = container.create()
        assert code == 0 and answer[1] > 0, text
        assert container.state() == crio_program.CREATED
        assert container.call("Start")[0] == 0
        assert container.state() == crio_program.RUNNING
    assert len(crio.addresses) == 1 and len(shims(bed)) == 1
    seen = b""
    deadline = time.monotonic() + 10
    while seen != b"out\nweb\n" and time.monotonic() < deadline:
        seen += one.output()
        time.sleep(0.05)
    assert seen == b"out\nweb\n"
    check = ("[ \"$(cat /data/kept)\" = first ] && [ \"$(stat -c %a /data/tool)\" = 4755 ] && grep -q 192.0.2.99 /etc/resolv.conf "
             "&& [ $(stat -c %h /bin/busybox) -gt 100 ] && [ -e /run/.containerenv ] && grep -q localhost /etc/hosts "
             "&& echo x > /dev/shm/y")
    assert one.exec("check", "sh", "-c", check) == 0
    assert two.exec("shared", "cat", "/dev/shm/y") == 0         # the pod's IPC namespace, by its file on the node
    assert one.exec("seven", "sh", "-c", "exit 7") == 7
    assert one.kill(0)[0] == 0                                   # the liveness probe
    assert one.call("Stats")[2][1]
    assert one.kill(15)[0] == 0
    assert one.wait() == 5 and one.state() == crio_program.STOPPED
    assert one.kill(0)[0] == 5
    assert one.delete() == 0
    assert two.state() == crio_program.RUNNING and len(shims(bed)) == 1     # Shutdown was not for the others
    assert pod.sandbox.kill(0)[0] == 0
    assert pod.sandbox.kill(9)[0] == 0
    assert two.wait() == 137
    assert two.delete() == 0
    assert pod.sandbox.wait() == 137
    assert pod.sandbox.delete() == 0
    eventually(lambda: not shims(bed), what="the end of the shim")
    assert not find_processes(bed, "tenant", GUEST) and nodes["host"].pods() == [] and tombstones(bed) == []


def test_an_image_of_files_is_called_unverified_and_is_the_same_each_time(crio, rootfs):
    pod = crio.new("twice")
    assert pod.start() == (0, "")
    for _ in range(2):
        container = pod.container(["true"], rootfs)
        assert container.create()[0] == 0
        assert container.call("Start")[0] == 0 and container.wait() == 0
    made = re.findall(r"unverified, made of the files on this node: (sha256:\w+), (\d+) bytes", pod.sandbox.log())
    assert len(made) == 2 and made[0] == made[1], pod.sandbox.log()


def test_a_pod_of_a_pause_container_is_not_ended_as_a_sandbox(crio, bed):
    pod = crio.new("web")
    assert pod.start() == (0, "")
    for method in ("StartSandbox", "StopSandbox", "ShutdownSandbox", "WaitSandbox"):
        code, message, _ = pod.sandbox.client.call("containerd.runtime.sandbox.v1.Sandbox", method, ttrpc.field(1, pod.sandbox.id))
        assert code == 9 and "of the Task API" in message
    assert pod.sandbox.state() == crio_program.RUNNING and len(shims(bed)) == 1


def test_a_root_that_cannot_be_sent_says_why(crio, rootfs, bed):
    with open(bed.path("tenant", rootfs + "/.wh.data"), "w", encoding="utf-8"):
        pass
    pod = crio.new("why")
    assert pod.start() == (0, "")
    code, message, _ = pod.container(["true"], rootfs).create()
    assert code != 0 and "'.wh.data' cannot be sent" in message
    code, message, _ = pod.container(["true"], None).create()       # an empty root: the guest says why
    assert code != 0
    assert find_processes(bed, "tenant", "cleave-tree") == []


def test_out_of_memory_is_told_by_a_file(crio, rootfs, bed):
    pod = crio.new("oom")
    assert pod.start() == (0, "")

    def limit(spec):
        spec["linux"]["resources"] = {"memory": {"limit": 32 << 20}}
    victim = pod.container(["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"], rootfs, limit)
    assert victim.create()[0] == 0
    oom = bed.path("tenant", victim.bundle + "/oom")
    assert not os.path.exists(oom)
    assert victim.call("Start")[0] == 0
    assert victim.wait() == 137
    assert os.path.exists(oom)


def test_crio_never_runs_delete_and_nothing_is_left_behind(crio, rootfs, bed, nodes):
    pod = crio.new("killed")
    assert pod.start() == (0, "")
    assert len(tombstones(bed)) == 1 and len(sockets(bed, crio)) == 1
    kill9(shims(bed))
    assert len(sockets(bed, crio)) == 1
    other = crio.new("next")            # the start of another pod's shim finds what the first has left
    eventually(lambda: tombstones(bed) == [], what="the reaper's success")
    assert not find_processes(bed, "tenant", GUEST) and nodes["host"].pods() == []
    assert len(crio.addresses) == 2 and len(sockets(bed, crio)) == 1    # the other's
    assert other.start() == (0, "")
    assert len(tombstones(bed)) == 1 and not find_processes(bed, "tenant", "reap /var/lib")


def test_a_pod_that_fails_to_start_is_removed_by_the_shim(crio, bed, nodes):
    conf = bed.path("tenant", crio.conf)
    with open(conf, encoding="utf-8") as file:
        text = file.read()
    with open(conf, "w", encoding="utf-8") as file:
        file.write(re.sub("allow_insecure_evidence = .*", "allow_insecure_evidence = []", text))
    pod = crio.new("careful")
    code, message = pod.start()
    assert code != 0 and "sample" in message
    eventually(lambda: not find_processes(bed, "tenant", GUEST) and not nodes["host"].pods(), what="the end of the host half")
    eventually(lambda: tombstones(bed) == [], what="the reaper's success")


# ---- containerd without layers -----------------------------------------------------------------

@pytest.fixture
def discarding(bed):
    """containerd throws the layers of an image away once it has unpacked them."""
    config = bed.path("tenant", "/etc/containerd/config.toml")
    with open(config, encoding="utf-8") as file:
        before = file.read()
    images_table = "[plugins.'io.containerd.cri.v1.images']\n"
    assert images_table in before
    with open(config, "w", encoding="utf-8") as file:
        file.write(before.replace(images_table, images_table + "  discard_unpacked_layers = true\n"))
    bed.stop("tenant", "containerd")
    bed.start("tenant", "containerd")
    yield
    with open(config, "w", encoding="utf-8") as file:
        file.write(before)
    bed.stop("tenant", "containerd")
    bed.start("tenant", "containerd")
    hollow = bed.run("tenant", "ctr", "-n", "k8s.io", "images", "ls", "-q").stdout.split()
    bed.run("tenant", "ctr", "-n", "k8s.io", "images", "rm", "--sync", *hollow, check=True)


def test_discarded_layers_are_made_of_the_snapshot(discarding, stub, tenant, bed):
    layers = {images.digest(blob) for blob in images.standard()["layers:1"].blobs[1:]}

    def kept():
        return layers & set(bed.run("tenant", "ctr", "-n", "k8s.io", "content", "ls", "-q").stdout.split())
    for image in {tag for i in tenant.images() for tag in i.repo_tags}:
        tenant.remove_image(image)
    eventually(lambda: not kept(), what="the end of the old layers")
    for image in (LAYERS, "registry.cleave.test/pause:1"):
        tenant.pull(image)
    eventually(lambda: not kept(), what="the end of the new layers")
    pod = tenant.run_pod("web")
    ctr = tenant.run(pod, "one", LAYERS, ["sleep", "1000"])
    out = tenant.exec(ctr, "sh", "-c", "cd /data && cat * && ls && ls /opaque")[1]
    assert out == b"first\nsecond\nkept\nreplaced\nnew\n"
    assert tenant.exec(ctr, "sh", "-c", "[ $(stat -c %h /bin/busybox) -gt 100 ] && echo x > /data/kept")[0] == 0
    two = tenant.run(pod, "two", LAYERS, ["sleep", "1000"])
    log = "\n".join(new_lines(bed.log("tenant", "containerd")))
    made = re.findall("unverified, made of the files on this node: (sha256:[0-9a-f]+)", log)
    assert len(made) == 2 and len(set(made)) == 1, "the second container's is sent again"
    assert tenant.exec(two, "cat", "/data/kept")[1] == b"first\n"
    config = tenant.cri.pod_config("sealed")
    sealed.seal(config, sealed.slot("one", ["sleep", "1000"], images.standard()["layers:1"]))
    refused = tenant.create(tenant.run_pod(config=config), "one", LAYERS)
    with pytest.raises(grpc.RpcError, match="the pod is sealed, and this node has the image's files, but not the layers"):
        tenant.start_container(refused)
    assert not find_processes(bed, "tenant", "cleave-tree")
