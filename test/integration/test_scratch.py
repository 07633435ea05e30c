# SPDX-License-Identifier: Apache-2.0
"""The guest's scratch disk, which is a file of the host: what a pod can do with it, and what the host can."""
import hashlib
import os
import shutil

import pytest

import images
import ns
import scratch
import setup
from conftest import BUSYBOX, find_processes, is_sanitised
from test_volumes import at, kubelet_of_machine    # noqa: F401

SLEEP = ["sleep", "1000"]
MIB = 1 << 20
QEMU = r"qemu-system"
SMALL = "/run/small"


def disk_of_machine(bed):
    qemu, = find_processes(bed, "host", QEMU)
    return scratch.disk_of(qemu)


def sh(tenant, ctr, script):
    """What is written here takes its time on a machine that is busy."""
    code, out, error = tenant.exec(ctr, "sh", "-c", script, timeout=120)
    assert code == 0, (script, out, error)
    return out.decode()


def allocated(path):
    return os.stat(path).st_blocks * 512


def write_canary(tenant, ctr, path):
    """4 MiB of a text that repeats in every block, so that a cipher without a nonce would show it, too."""
    sh(tenant, ctr, f"yes canary-of-the-workload | head -c {4 * MIB} > {path}; sync")


@pytest.fixture
def large(bed, tenant):
    """An image of 132 MiB."""
    made = images.busybox([("large", (b"a line of the workload's\n" * MIB)[:4 * MIB] * 33)])
    assert ns.call(bed.pid("tenant"), ns.NEWNET, lambda: made.push(setup.REGISTRY_PORT, "large", "1"))
    name = f"{images.REGISTRY}/large:1"
    tenant.pull(name)
    yield name
    tenant.remove_everything()
    tenant.remove_image(name)


@pytest.mark.skipif(is_sanitised(), reason="the image with a sanitizer's libraries does not fit into 128 MiB")
def test_what_a_pod_writes_is_on_the_hosts_disk_and_says_nothing_there(bed, nodes, vm, kubelet_of_machine, large):    # noqa: F811
    kubelet, tenant = kubelet_of_machine, nodes["tenant"]
    bed.use_guest("vm", memory="128MiB", scratch="512MiB")
    cache, memory = kubelet.empty("cache"), kubelet.empty("memory", memory="2m")
    pod = kubelet.run_pod()
    mounts = [at("/cache", cache), at("/memory", memory)]
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=mounts)
    other = tenant.run(pod, "two", BUSYBOX, SLEEP, mounts=mounts)
    assert os.listdir(bed.path("host", "/var/lib/cleave/h/scratch")) == []
    disk = disk_of_machine(bed)

    # What is where.
    types = dict(line.split()[1:3] for line in sh(tenant, ctr, "cat /proc/mounts").splitlines())
    assert (types["/cache"], types["/memory"], types["/"]) == ("ext4", "tmpfs", "overlay")
    sh(tenant, ctr, "sync")         # of the image, which shall stay whole
    before = scratch.blocks(disk)
    assert any(block.startswith(b"integrt\0") for block in before.values())     # the search finds what is plain
    assert allocated(disk) < 32 * MIB                                           # and nothing of the empty rest is there
    for path in ("/cache/canary", "/canary"):
        write_canary(tenant, ctr, path)
    after = scratch.blocks(disk)
    assert len(after) - len(before) >= 8 * MIB // scratch.BLOCK
    assert not any(b"canary" in block or b"workload" in block for block in after.values())
    written = [block for place, block in after.items() if before.get(place) != block]
    assert len(set(written)) == len(written)                                    # not even that the same is the same
    assert sh(tenant, other, "head -n 1 /cache/canary") == "canary-of-the-workload\n"

    # More than the guest's memory, which also takes the canaries out of it: what is written, and an image.
    part = (b"a line of the workload's\n" * MIB)[:4 * MIB]
    sh(tenant, ctr, f"yes \"a line of the workload's\" | head -c {4 * MIB} > /cache/part; i=0; "
                    "while [ $i -lt 33 ]; do cat /cache/part; i=$((i+1)); done > /cache/large; sync")
    third = tenant.run(pod, "three", large, SLEEP, mounts=mounts)
    for path in ("/cache/large", "/large"):
        assert sh(tenant, third, f"md5sum {path}").split()[0] == hashlib.md5(part * 33).hexdigest()
    assert allocated(disk) > 264 * MIB

    # The host changes a byte of each block that came with the canaries, and was not there for anybody else's tags before.
    with open(disk, "r+b") as file:
        for place, block in after.items():
            if place not in before:
                os.pwrite(file.fileno(), bytes([block[100] ^ 1]), place + 100)
    for path in ("/cache/canary", "/canary"):
        code, out, error = tenant.exec(ctr, "cat", path)
        assert code != 0 and b"Input/output error" in error and set(out.split(b"\n")) <= {b"canary-of-the-workload", b""}, (code, error)
    assert sh(tenant, other, "echo here") == "here\n"


@pytest.fixture
def small(bed):
    """A file system of the host node that is soon full."""
    os.makedirs(bed.path("host", SMALL))
    bed.run("host", "mount", "-t", "tmpfs", "-o", "size=48m", "small", SMALL)
    yield SMALL
    bed.run("host", "umount", SMALL)
    os.rmdir(bed.path("host", SMALL))
    shutil.rmtree(bed.path("host", "/run/mount"), ignore_errors=True)      # mount(8)'s own notes


def test_a_host_without_room_is_an_error_in_the_pod_and_no_standstill(bed, nodes, small, vm, kubelet_of_machine):    # noqa: F811
    kubelet, tenant = kubelet_of_machine, nodes["tenant"]
    bed.use_guest("vm", scratch="1GiB", scratch_directory=small)
    cache = kubelet.empty("cache")
    pod = kubelet.run_pod()
    ctr = tenant.run(pod, "one", BUSYBOX, SLEEP, mounts=[at("/cache", cache)])
    code, _, error = tenant.exec(ctr, "dd", "if=/dev/zero", "of=/cache/full", "bs=1M", "count=100", "conv=fsync", timeout=120)
    assert code != 0 and (b"Input/output error" in error or b"Read-only" in error), (code, error)
    assert sh(tenant, ctr, "echo here") == "here\n"
    tenant.stop_pod(pod)
    tenant.remove_pod(pod)
