# SPDX-License-Identifier: Apache-2.0
"""Statistics: which containers they are of, and that they follow what the containers do. Limits and their
changes are seen in the container's control group."""
import re
import time

import pytest

from conftest import eventually
from suite import BUSYBOX, SLEEP

MIB = 1 << 20
BURN = ["sh", "-c", "while :; do :; done"]
CGROUP = "/sys/fs/cgroup"


def eaten(node, ctr):
    return node.stats(ctr).cpu.usage_core_nano_seconds.value


def working_set(node, ctr):
    return node.stats(ctr).memory.working_set_bytes.value


@pytest.mark.vm
def test_statistics_are_of_the_container_and_now(node, pod):
    before = time.time_ns()
    ctr = node.run(pod, "one", BUSYBOX, SLEEP, labels={"app": "x"}, annotations={"note.test/x": "y"})
    stats = eventually(lambda: (s := node.stats(ctr)).memory.working_set_bytes.value > 0 and s, what="the first sample")
    assert (stats.attributes.id, stats.attributes.metadata.name, stats.attributes.labels["app"]) == (ctr, "one", "x")
    for sample in (stats.cpu, stats.memory):
        assert before <= sample.timestamp <= time.time_ns()
    assert stats.cpu.usage_core_nano_seconds.value > 0
    assert 0 < stats.memory.working_set_bytes.value < 64 * MIB
    assert stats.memory.usage_bytes.value >= stats.memory.working_set_bytes.value


@pytest.mark.vm
def test_cpu_time_grows_with_work_and_not_without(node, pod):
    busy, idle = node.run(pod, "busy", BUSYBOX, BURN), node.run(pod, "idle", BUSYBOX, SLEEP)
    first, quiet = eaten(node, busy), eaten(node, idle)
    eventually(lambda: eaten(node, busy) > first + 300_000_000, 30, "a third of a second of work")
    assert eaten(node, idle) - quiet < 100_000_000


@pytest.mark.vm
def test_memory_follows_an_allocation(node, pod):
    """The shell keeps 20 MB in a variable until it is told to let go."""
    ctr = node.run(pod, "one", BUSYBOX, ["sh", "-c", "read x; kept=$(head -c 20000000 /dev/zero | tr '\\0' x); echo kept; read x"],
                   stdin=True)
    before = working_set(node, ctr)
    node.sh(ctr, "echo go > /proc/1/fd/0")
    eventually(lambda: node.log(ctr), 30, "the allocation")
    grown = eventually(lambda: (w := working_set(node, ctr)) > before + 19 * MIB and w, what="its memory")
    assert grown < before + 200 * MIB


def test_statistics_are_listed_by_filter(node, pod):
    other = node.pod("other")
    one = node.run(pod, "one", BUSYBOX, SLEEP, labels={"app": "stats", "nr": "1"})
    two = node.run(pod, "two", BUSYBOX, SLEEP, labels={"app": "stats", "nr": "2"})
    three = node.run(other, "three", BUSYBOX, SLEEP, labels={"app": "stats", "nr": "3"})

    def listed(**which):
        found = node.stats_list(**which)
        assert all(s.memory.working_set_bytes.value > 0 and s.cpu.timestamp > 0 for s in found)
        return {s.attributes.id for s in found}
    eventually(lambda: all(working_set(node, ctr) for ctr in (one, two, three)), what="all samples")
    assert listed(id=two) == {two}
    assert listed(pod_sandbox_id=other) == {three}
    assert listed(label_selector={"app": "stats"}) == {one, two, three}
    assert listed(label_selector={"app": "stats", "nr": "1"}) == {one}
    assert listed() >= {one, two, three}
    node.stop_container(two, grace=0)
    assert {s.attributes.id for s in node.stats_list(label_selector={"app": "stats"})} >= {one, three}


def test_what_a_container_wrote_is_its_writable_layer(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, SLEEP)
    stats = eventually(lambda: (s := node.stats(ctr)).HasField("writable_layer") and s.writable_layer, 30, "the layer's size")
    assert stats.timestamp > 0


@pytest.mark.vm
def test_statistics_have_the_form_of_the_nodes_cgroup_version(node, ctr):
    """runc's shim answers with the metrics of the node's version; cleave has to answer with the same type."""
    lines = node.task("metrics", "--format", "json", ctr, check=False)
    text = lines.stdout or node.task("metrics", ctr).stdout
    version1 = node.bed.run("tenant", "stat", "-fc", "%T", CGROUP).stdout.strip() != "cgroup2fs"
    assert re.search(r"memory\.usage_in_bytes|usage_in_bytes|\"usage\"", text) if version1 else "usage_usec" in text


# ---- limits -----------------------------------------------------------------------------------

def limit(node, ctr):
    """The container's memory limit as its own kernel has it, in either version."""
    out = node.sh(ctr, f"cat {CGROUP}/memory/memory.limit_in_bytes {CGROUP}/memory.max 2>/dev/null || true").split()
    return out[0] if out else None


@pytest.mark.vm
def test_limits_are_set_and_changed(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, SLEEP, linux={"resources": {
        "memory_limit_in_bytes": 64 * MIB, "cpu_period": 100000, "cpu_quota": 50000, "cpu_shares": 512}})
    assert limit(node, ctr) == str(64 * MIB)
    node.update(ctr, memory_limit_in_bytes=96 * MIB, cpu_period=100000, cpu_quota=20000)
    assert limit(node, ctr) == str(96 * MIB)
    quota = node.sh(ctr, f"cat {CGROUP}/cpu/cpu.cfs_quota_us {CGROUP}/cpu.max 2>/dev/null || true").split()[0]
    assert quota == "20000"
    resources = node.container_status(ctr).resources.linux
    assert (resources.memory_limit_in_bytes, resources.cpu_quota) == (96 * MIB, 20000)


def test_a_changed_limit_is_kept_to(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, ["sh", "-c", "read x; head -c 100000000 /dev/zero | tail > /dev/null; echo fits; read x"],
                   stdin=True, linux={"resources": {"memory_limit_in_bytes": 512 * MIB}})
    node.update(ctr, memory_limit_in_bytes=24 * MIB)
    node.sh(ctr, "echo go > /proc/1/fd/0")
    status = node.wait_exit(ctr, 60)
    assert status.reason == "OOMKilled" or "fits" not in str(node.log(ctr))


def test_a_processor_quota_is_kept_to(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, BURN, linux={"resources": {"cpu_period": 100000, "cpu_quota": 10000}})
    first, began = node.stats(ctr).cpu, time.monotonic()
    eventually(lambda: time.monotonic() - began > 2, what="two seconds")
    second = node.stats(ctr).cpu
    used = second.usage_core_nano_seconds.value - first.usage_core_nano_seconds.value
    assert 0 < used < 0.3 * (second.timestamp - first.timestamp)


def test_what_does_not_run_has_its_limit_changed_for_its_start(node, pod):
    ctr = node.create(pod, "one", BUSYBOX, SLEEP, linux={"resources": {"memory_limit_in_bytes": 64 * MIB}})
    node.update(ctr, memory_limit_in_bytes=48 * MIB)
    node.start_container(ctr)
    assert limit(node, ctr) == str(48 * MIB)


@pytest.mark.vm
def test_a_container_beyond_its_memory_is_killed_and_says_why(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, ["dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1"],
                   linux={"resources": {"memory_limit_in_bytes": 16 * MIB}})
    status = node.wait_exit(ctr, 60)
    assert (status.exit_code, status.reason) == (137, "OOMKilled")
    assert node.wait_exit(node.run(pod, "two", BUSYBOX, ["true"])).reason == "Completed"      # not the pod's fault


def test_a_child_that_is_killed_for_memory_is_not_the_container(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, ["sh", "-c", "dd if=/dev/zero of=/dev/null bs=100M count=1; echo code $?; exec sleep 1000"],
                   linux={"resources": {"memory_limit_in_bytes": 16 * MIB}})
    eventually(lambda: ("stdout", "code 137") in node.log(ctr), 30, "the child's end")
    assert node.container_status(ctr).state == 1 and node.exec(ctr, "true")[0] == 0
