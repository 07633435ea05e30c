# SPDX-License-Identifier: Apache-2.0
"""Statistics: which containers they are of, and that they follow what the containers do. Limits and their
changes are seen in the container's control group."""
import contextlib
import json
import time

import pytest

import ns
from conftest import eventually
from streams import connect_inside
from suite import BUSYBOX, SLEEP

MIB = 1 << 20
BURN = ["sh", "-c", "while :; do :; done"]
CGROUP = "/sys/fs/cgroup"


def eaten(node, ctr):
    return node.stats(ctr).cpu.usage_core_nano_seconds.value


def working_set(node, ctr):
    return node.stats(ctr).memory.working_set_bytes.value


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
    eventually(lambda: 0 < working_set(node, ctr) < 16 * MIB, what="a small beginning")
    node.sh(ctr, "echo go > /proc/1/fd/0")
    eventually(lambda: node.log(ctr), 30, "the allocation")
    grown = eventually(lambda: (w := working_set(node, ctr)) > 19 * MIB and w, what="its memory")
    assert grown < 200 * MIB


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


@pytest.mark.vm
def test_a_pods_traffic_is_counted_on_the_node(node):
    """The pod's control group is there, as a kubelet makes it: containerd reads it, and of a guest there is nothing in it."""
    config = node.config("counted")
    ns.cgroup_create(f"{node.bed.name}/tenant{config.linux.cgroup_parent}")
    pod = node.run_pod(runtime=node.handler, config=config)
    ctr = node.run(pod, "one", BUSYBOX, ["sh", "-c", "head -c 300000 /dev/zero > /tmp/index.html; exec httpd -f -p 8085 -h /tmp"])
    here = node.pod_status(pod).status.network.ip

    def usage():
        stats = node.pod_stats(pod)
        assert (stats.attributes.id, stats.attributes.metadata.name) == (pod, "counted")
        assert ctr in {container.attributes.id for container in stats.linux.containers}
        return stats.linux.network.default_interface

    def page():
        with contextlib.suppress(OSError), connect_inside(node.bed, "tenant", (here, 8085)) as server:
            server.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
            return sum(map(len, iter(lambda: server.recv(1 << 16), b""))) > 300000
    eventually(page, what="the page")
    before = usage()
    assert before.name == "eth0" and page()
    after = usage()
    assert after.tx_bytes.value - before.tx_bytes.value >= 300000
    assert 0 < after.rx_bytes.value - before.rx_bytes.value < 100000
    assert after.rx_errors.value == after.tx_errors.value == 0
    listed, = node.pod_stats_list(id=pod)
    assert listed.linux.network.default_interface.tx_bytes.value >= after.tx_bytes.value


@pytest.mark.vm
def test_metrics_have_the_form_of_the_nodes_cgroup_version(node, ctr):
    """The type of the task API's Stats is that of the node's version, whatever the guest's is."""
    metrics = json.loads(node.task("metrics", "--format", "json", ctr).stdout)
    assert metrics["pids"]["current"] >= 1
    if node.bed.run("tenant", "stat", "-fc", "%T", CGROUP).stdout.strip() == "cgroup2fs":
        assert metrics["memory"]["usage"] > 0 and metrics["cpu"]["usage_usec"] > 0
    else:
        assert metrics["memory"]["usage"]["usage"] > 0 and metrics["cpu"]["usage"]["total"] > 0


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
    ctr = node.run(pod, "one", BUSYBOX, SLEEP, linux={"resources": {"memory_limit_in_bytes": 256 * MIB}})
    takes_100_megabytes = ["dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1"]
    assert node.exec(ctr, *takes_100_megabytes)[0] == 0
    node.update(ctr, memory_limit_in_bytes=24 * MIB)
    assert node.exec(ctr, *takes_100_megabytes)[0] == 137
    assert node.container_status(ctr).state == 1


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
