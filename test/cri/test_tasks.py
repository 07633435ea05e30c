# SPDX-License-Identifier: Apache-2.0
"""The task API below CRI, through ctr: what CRI has no verb for, and what the shim itself answers. Each
answer has to be runc's."""
import hashlib
import json
import subprocess

import grpc
import pytest

import cri as cri_program
from conftest import eventually
from suite import BUSYBOX, SLEEP

COUNT = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /tmp/count; sleep 0.05; done"]


def state(node, ctr):
    lines = node.task("ls").stdout.splitlines()
    return next((line.split()[-1] for line in lines if line.split()[0] == ctr), None)


def test_tasks_are_listed_with_their_state(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, SLEEP)
    assert state(node, ctr) == "RUNNING"
    node.stop_container(ctr, grace=0)
    assert state(node, ctr) is None         # CRI has deleted the task
    created = node.create(pod, "two", BUSYBOX, SLEEP)
    assert state(node, created) is None


@pytest.mark.vm
def test_a_paused_container_stands_still_until_it_is_resumed(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, COUNT)
    watch = node.run(pod, "watch", BUSYBOX, SLEEP)
    eventually(lambda: node.exec(ctr, "cat", "/tmp/count")[1], what="the first count")
    node.task("pause", ctr)
    assert state(node, ctr) == "PAUSED"
    assert node.exec(watch, "true")[0] == 0             # its neighbour is not
    assert node.container_status(ctr).state == cri_program.RUNNING
    before = node.stats(ctr).cpu.usage_core_nano_seconds.value
    refused = node.task("pause", ctr, check=False)
    assert refused.returncode != 0
    after = node.stats(ctr).cpu.usage_core_nano_seconds.value
    node.task("resume", ctr)
    assert state(node, ctr) == "RUNNING" and after - before < 20_000_000
    seen = node.exec(ctr, "cat", "/tmp/count")[1]
    eventually(lambda: node.exec(ctr, "cat", "/tmp/count")[1] not in (seen, b""), what="the count to go on")


def test_an_exec_in_a_paused_container_is_an_error(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, SLEEP)
    node.task("pause", ctr)
    with pytest.raises(grpc.RpcError):
        node.exec(ctr, "true", timeout=5)
    node.task("resume", ctr)
    assert node.exec(ctr, "true")[0] == 0


def test_a_paused_container_is_stopped_all_the_same(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, SLEEP)
    node.task("pause", ctr)
    node.stop_container(ctr, grace=1)
    assert node.container_status(ctr).exit_code == 137


def test_resuming_what_runs_is_an_error(node, ctr):
    assert node.task("resume", ctr, check=False).returncode != 0
    assert node.exec(ctr, "true")[0] == 0


CHILDREN = ["sh", "-c", "for i in 1 2 3; do sleep 1000 & done; echo up; wait"]


def pids(node, ctr):
    found = [line.split()[0] for line in node.task("ps", ctr).stdout.splitlines()[1:]]
    assert all(pid.isdigit() and int(pid) > 0 for pid in found)
    return set(found)


def test_every_process_has_a_pid_of_the_node(node, pod):
    ctr = node.run(pod, "one", BUSYBOX, CHILDREN)
    eventually(lambda: node.log(ctr), what="its children")
    assert len(pids(node, ctr)) == 4


@pytest.mark.only("cleave")
@pytest.mark.vm
def test_a_container_and_each_exec_have_a_pid_of_the_node(node, pod):
    """The other side of the case before: what the guest has beyond them is only counted."""
    ctr = node.run(pod, "one", BUSYBOX, CHILDREN)
    eventually(lambda: node.log(ctr), what="its children")
    init = pids(node, ctr)
    assert len(init) == 1
    assert json.loads(node.task("metrics", "--format", "json", ctr).stdout)["pids"]["current"] >= 4
    exec_ = subprocess.Popen(node.bed.argv("tenant", ["ctr", "-n", "k8s.io", "tasks", "exec", "--exec-id", "e", ctr, "sh", "-c",
                                                      "echo up; read x; echo $x"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert exec_.stdout.readline() == b"up\n"
    both = pids(node, ctr)
    assert init < both and len(both) == 2
    assert exec_.communicate(b"end\n")[0] == b"end\n" and exec_.returncode == 0
    eventually(lambda: pids(node, ctr) == init, what="its pid to go")


def test_an_exec_reads_its_input_to_the_end(node, ctr):
    done = node.task("exec", "--exec-id", "in", ctr, "sh", "-c", "md5sum; exit 4", input="x" * 300000, check=False)
    assert (done.returncode, done.stdout) == (4, hashlib.md5(b"x" * 300000).hexdigest() + "  -\n"), done.stderr


@pytest.mark.parametrize("signal, code", [("SIGTERM", 15), ("SIGKILL", 9), ("SIGUSR1", 10)])
def test_a_signal_is_delivered(node, pod, signal, code):
    script = "trap 'exit 15' TERM; trap 'exit 10' USR1; echo up; while :; do sleep 0.05; done"
    ctr = node.run(pod, "one", BUSYBOX, ["sh", "-c", script])
    eventually(lambda: node.log(ctr), what="its traps")
    node.task("kill", "--signal", signal, ctr)
    assert node.wait_exit(ctr).exit_code == (137 if code == 9 else code)


def test_a_signal_to_all_reaches_the_children(node, pod):
    script = "trap : USR1; (trap 'echo child; exit' USR1; echo up; while :; do sleep 0.05; done) & while :; do wait; sleep 0.1; done"
    ctr = node.run(pod, "one", BUSYBOX, ["sh", "-c", script])
    eventually(lambda: node.log(ctr), what="the child's trap")
    node.task("kill", "--all", "--signal", "SIGUSR1", ctr)
    eventually(lambda: ("stdout", "child") in node.log(ctr), what="the child's word")


def test_a_signal_to_nobody_is_an_error(node, pod):
    created = node.create(pod, "one", BUSYBOX, SLEEP)
    for identity in (created, "0" * 64):
        assert node.task("kill", "--signal", "SIGTERM", identity, check=False).returncode != 0


def test_an_update_reaches_the_container(node, pod):
    """CRI's own UpdateContainerResources ends in the same task call."""
    ctr = node.run(pod, "one", BUSYBOX, SLEEP, linux={"resources": {"cpu_period": 100000, "cpu_quota": 80000}})
    node.update(ctr, cpu_period=100000, cpu_quota=30000, cpu_shares=256)
    got = node.sh(ctr, "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.shares").split()
    assert got == ["30000", "256"]


def test_an_update_that_cannot_be_is_an_error_and_changes_nothing(node, pod):
    """A quota below what a kernel takes."""
    ctr = node.run(pod, "one", BUSYBOX, SLEEP, linux={"resources": {"cpu_period": 100000, "cpu_quota": 80000}})
    with pytest.raises(grpc.RpcError):
        node.update(ctr, cpu_period=100000, cpu_quota=10)
    assert node.out(ctr, "cat", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us").strip() == "80000"
    assert node.container_status(ctr).state == cri_program.RUNNING


@pytest.mark.only("cleave")
def test_a_checkpoint_is_refused_by_name(node, ctr):
    """Not comparable: runc's depends on CRIU on the node. What is in the guest never lies on the node's disk."""
    done = node.task("checkpoint", "--image-path", "/run/checkpoint", ctr, check=False)
    assert done.returncode != 0 and "checkpoint" in done.stderr.lower()
    with pytest.raises(grpc.RpcError):
        node.checkpoint(ctr, "/run/checkpoint.tar")
    assert node.exec(ctr, "true")[0] == 0 and node.container_status(ctr).state == cri_program.RUNNING
